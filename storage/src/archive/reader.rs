//! Reading lines, each tested as it comes: its sum, its order, what it counts.

use std::io::{BufRead, Read};

use serde::Deserialize;
use syncline_protocol::ids::{ClientKey, RecordKey, SpaceKey};
use syncline_protocol::limits::{DECODE_BYTES_MAX, MUTATIONS_IN_FLIGHT_MAX};

use super::line::{
    ClientLine, DeadLetterLine, EndLine, HeaderLine, JobLine, Line, RecordLine, SpaceEndLine,
    SpaceLine, Unreadable, VerdictLine,
};
use super::sum::{RunningSum, split};
use super::{ArchiveError, FORMAT, FORMAT_MIN, Summary};
use crate::jobs::StoredJob;
use crate::transfer::{ClientImage, Counts, RecordImage, SpaceImage, VerdictImage, hex};
use crate::types::DeadLetter;

/// Bytes of a line. The largest value at rest takes less, whatever is escaped in it.
const LINE_BYTES_MAX: usize = 4 * DECODE_BYTES_MAX;

/// What an archive holds, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A space begins.
    Space(SpaceImage),
    /// A client of it.
    Client(ClientImage),
    /// A verdict.
    Verdict(VerdictImage),
    /// A record.
    Record(RecordImage),
    /// A dead letter.
    DeadLetter(DeadLetter),
    /// A job.
    Job(StoredJob),
    /// It ends, and holds as much as was counted.
    SpaceEnd(Counts),
}

/// Where a row stands among those of its space.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Begin,
    Client(ClientKey),
    /// Writer, and the number modulo [`MUTATIONS_IN_FLIGHT_MAX`].
    Verdict(u32, u64),
    Record(RecordKey),
    /// In any order.
    DeadLetter,
    /// In any order: see [`Part::Jobs`](crate::transfer::Part::Jobs).
    Job,
}

/// An archive as it is read. Damage ends it.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    input: R,
    begun_ms: u64,
    /// The line read last, without its line feed.
    line: Vec<u8>,
    /// Its number, from 1.
    number: u64,
    sum: RunningSum,
    /// The last space.
    space: Option<SpaceKey>,
    /// The last row of it; `None` between two spaces.
    place: Option<Place>,
    here: Counts,
    total: Counts,
    spaces: u64,
    /// What its last line says.
    end: Option<Summary>,
}

impl<R: BufRead> ArchiveReader<R> {
    /// Begins to read. Errors: it is no archive, or of another format.
    pub fn begin(input: R) -> Result<ArchiveReader<R>, ArchiveError> {
        let mut reader = ArchiveReader {
            input,
            begun_ms: 0,
            line: Vec::new(),
            number: 0,
            sum: RunningSum::default(),
            space: None,
            place: None,
            here: Counts::default(),
            total: Counts::default(),
            spaces: 0,
            end: None,
        };
        reader.header()?;
        Ok(reader)
    }

    /// The next entry; `None` at the end, of which nothing is missing.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let before = self.sum.digest();
        if !self.read_line()? {
            return Err(ArchiveError::Cut(self.number));
        }
        let line = std::mem::take(&mut self.line);
        let entry = self.entry(&line, before);
        self.line = line;
        entry
    }

    /// The archive, once all of it was read.
    pub fn summary(&self) -> Option<Summary> {
        self.end
    }

    /// Bytes of the line of the last entry.
    pub fn line_bytes(&self) -> usize {
        self.line.len()
    }

    fn damaged(&self, why: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged {
            line: self.number,
            why: why.into(),
        }
    }

    /// Reads a whole line; `false` where there is none any more.
    fn read_line(&mut self) -> Result<bool, ArchiveError> {
        self.line.clear();
        let mut limited = self.input.by_ref().take(LINE_BYTES_MAX as u64);
        limited.read_until(b'\n', &mut self.line)?;
        match self.line.pop() {
            Some(b'\n') => {
                self.number += 1;
                Ok(true)
            }
            Some(_) if self.line.len() + 1 == LINE_BYTES_MAX => {
                self.number += 1;
                Err(self.damaged(format!("it is longer than {LINE_BYTES_MAX} bytes")))
            }
            // A part of a line is none.
            Some(_) | None => Ok(false),
        }
    }

    /// Before its sum is tested: another format may have another one.
    fn header(&mut self) -> Result<(), ArchiveError> {
        if !self.read_line()? {
            return Err(ArchiveError::NoArchive);
        }
        let line = std::mem::take(&mut self.line);
        let text = str::from_utf8(&line).map_err(|_| ArchiveError::NoArchive)?;
        let header: Option<HeaderLine> = is_of::<HeaderLine>(text)
            .then(|| serde_json::from_str(text).ok())
            .flatten();
        let header = header.ok_or(ArchiveError::NoArchive)?;
        if !(FORMAT_MIN..=FORMAT).contains(&header.format) {
            return Err(ArchiveError::Format(header.format));
        }
        self.summed(&line)?;
        self.begun_ms = header.begun_ms;
        Ok(())
    }

    /// The line as text, if it is the one that was written.
    fn summed<'l>(&mut self, line: &'l [u8]) -> Result<&'l str, ArchiveError> {
        let text = str::from_utf8(line).map_err(|_| self.damaged("it is no text"))?;
        let (body, end) = split(text).ok_or_else(|| self.damaged("it has no sum"))?;
        if self.sum.close(body) != end {
            return Err(self.damaged("its sum is another one"));
        }
        Ok(text)
    }

    fn entry(&mut self, line: &[u8], before: [u8; 32]) -> Result<Option<Entry>, ArchiveError> {
        let text = self.summed(line)?;
        if is_of::<EndLine<'_>>(text) {
            self.ends(text, before)?;
            return Ok(None);
        }
        let entry = read_entry(text).map_err(|why| self.damaged(why))?;
        self.follows(&entry)?;
        Ok(Some(entry))
    }

    /// Whether the entry may stand here.
    fn follows(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let place = match entry {
            Entry::Space(image) => return self.begins(&image.key),
            Entry::SpaceEnd(told) => return self.space_ends(*told),
            Entry::Client(image) => {
                self.here.clients += 1;
                Place::Client(image.key.clone())
            }
            Entry::Verdict(image) => {
                self.here.verdicts += 1;
                let slot = image.remembered.m % MUTATIONS_IN_FLIGHT_MAX as u64;
                Place::Verdict(image.writer.0, slot)
            }
            Entry::Record(image) => {
                self.here.records += 1;
                Place::Record(image.key.clone())
            }
            Entry::DeadLetter(_) => {
                self.here.dead_letters += 1;
                Place::DeadLetter
            }
            Entry::Job(_) => {
                self.here.jobs += 1;
                Place::Job
            }
        };
        let Some(last) = &self.place else {
            return Err(self.damaged("it is of no space"));
        };
        if *last > place || (*last == place && !matches!(place, Place::DeadLetter | Place::Job)) {
            return Err(self.damaged("it is out of order"));
        }
        self.place = Some(place);
        Ok(())
    }

    fn begins(&mut self, space: &SpaceKey) -> Result<(), ArchiveError> {
        let is_next = self.space.as_ref().is_none_or(|last| last < space);
        if self.place.is_some() || !is_next {
            return Err(self.damaged("a space out of order"));
        }
        self.space = Some(space.clone());
        self.place = Some(Place::Begin);
        self.here = Counts::default();
        Ok(())
    }

    fn space_ends(&mut self, told: Counts) -> Result<(), ArchiveError> {
        if self.place.take().is_none() {
            return Err(self.damaged("an end of no space"));
        }
        let found = self.here;
        if told != found {
            let line = self.number;
            return Err(ArchiveError::Counts { line, told, found });
        }
        self.total.add(found);
        self.spaces += 1;
        Ok(())
    }

    fn ends(&mut self, text: &str, sha256: [u8; 32]) -> Result<(), ArchiveError> {
        let end: EndLine<'_> = parsed(text).map_err(|why| self.damaged(why))?;
        if self.place.is_some() {
            return Err(self.damaged("the end inside a space"));
        }
        let (told, found) = (Counts::from(end.counts), self.total);
        if told != found {
            let line = self.number;
            return Err(ArchiveError::Counts { line, told, found });
        }
        if end.spaces != self.spaces {
            let why = format!("it counts {} spaces, there are {}", end.spaces, self.spaces);
            return Err(self.damaged(why));
        }
        if end.sha256 != hex(&sha256) {
            return Err(self.damaged("its SHA-256 is another one"));
        }
        if !self.input.fill_buf()?.is_empty() {
            self.number += 1;
            return Err(self.damaged("something follows the end"));
        }
        self.end = Some(Summary {
            begun_ms: self.begun_ms,
            spaces: self.spaces,
            counts: self.total,
            sha256,
        });
        Ok(())
    }
}

/// Reads a whole archive and keeps nothing of it. Errors: it is not whole.
pub fn verify<R: BufRead>(input: R) -> Result<Summary, ArchiveError> {
    let mut reader = ArchiveReader::begin(input)?;
    while reader.next_entry()?.is_some() {}
    Ok(reader.summary().expect("it was read to its end"))
}

fn is_of<L: Line>(text: &str) -> bool {
    let rest = text.strip_prefix(r#"{"t":""#);
    let rest = rest.and_then(|rest| rest.strip_prefix(L::T));
    rest.is_some_and(|rest| rest.starts_with(r#"","#))
}

fn parsed<'a, L: Line + Deserialize<'a>>(text: &'a str) -> Result<L, Unreadable> {
    serde_json::from_str(text).map_err(|error| format!("a {}: {error}", L::T))
}

fn read_entry(text: &str) -> Result<Entry, Unreadable> {
    if is_of::<RecordLine<'_>>(text) {
        Ok(Entry::Record(parsed::<RecordLine<'_>>(text)?.image()))
    } else if is_of::<VerdictLine<'_>>(text) {
        parsed::<VerdictLine<'_>>(text)?.image().map(Entry::Verdict)
    } else if is_of::<ClientLine<'_>>(text) {
        parsed::<ClientLine<'_>>(text)?.image().map(Entry::Client)
    } else if is_of::<DeadLetterLine<'_>>(text) {
        Ok(Entry::DeadLetter(
            parsed::<DeadLetterLine<'_>>(text)?.letter(),
        ))
    } else if is_of::<JobLine<'_>>(text) {
        parsed::<JobLine<'_>>(text)?.stored().map(Entry::Job)
    } else if is_of::<SpaceLine<'_>>(text) {
        parsed::<SpaceLine<'_>>(text)?.image().map(Entry::Space)
    } else if is_of::<SpaceEndLine>(text) {
        Ok(Entry::SpaceEnd(parsed::<SpaceEndLine>(text)?.into()))
    } else {
        Err("it is of no kind that is known here".to_owned())
    }
}
