//! Writing lines.

use std::io::{self, Write};

use serde::Serialize;

use super::line::{
    ClientLine, DeadLetterLine, EndLine, HeaderLine, JobLine, Line, RecordLine, SpaceEndLine,
    SpaceLine, VerdictLine,
};
use super::sum::RunningSum;
use super::{ExportError, FORMAT, Summary};
use crate::transfer::{Counts, Part, SpaceImage, hex};
use crate::types::StoreError;

/// An archive as it is written. It is whole once [`ArchiveWriter::finish`] has returned.
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    out: W,
    begun_ms: u64,
    sum: RunningSum,
    pub(super) spaces: u64,
    /// Of the spaces that ended.
    pub(super) total: Counts,
    /// Of the space that is being written.
    pub(super) here: Counts,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive. Every line is one write, so `out` should gather them.
    pub fn begin(out: W, begun_ms: u64) -> io::Result<ArchiveWriter<W>> {
        let mut writer = ArchiveWriter {
            out,
            begun_ms,
            sum: RunningSum::default(),
            spaces: 0,
            total: Counts::default(),
            here: Counts::default(),
        };
        let format = FORMAT;
        writer.line(&HeaderLine { format, begun_ms })?;
        Ok(writer)
    }

    /// Begins a space. Spaces come in the order of their keys.
    pub fn begin_space(&mut self, space: &SpaceImage) -> io::Result<()> {
        self.here = Counts::default();
        self.line(&SpaceLine::of(space))
    }

    /// Writes rows of the space. Errors: also a stored value that is no JSON.
    pub fn part(&mut self, part: &Part) -> Result<(), ExportError> {
        self.here.add(part.counts());
        match part {
            Part::Clients(all) => {
                for one in all {
                    self.line(&ClientLine::of(one))?;
                }
            }
            Part::Verdicts(all) => {
                for one in all {
                    self.line(&VerdictLine::of(one))?;
                }
            }
            Part::Records(all) => {
                for one in all {
                    let line = RecordLine::of(one).map_err(StoreError::Damaged)?;
                    self.line(&line)?;
                }
            }
            Part::DeadLetters(all) => {
                for one in all {
                    self.line(&DeadLetterLine::of(one))?;
                }
            }
            Part::Jobs(all) => {
                for one in all {
                    let line = JobLine::of(one).map_err(StoreError::Damaged)?;
                    self.line(&line)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the space.
    pub fn end_space(&mut self) -> io::Result<()> {
        self.spaces += 1;
        self.total.add(self.here);
        self.line(&SpaceEndLine::from(self.here))
    }

    /// Ends the archive. What was given to `out` is flushed, not synced.
    pub fn finish(mut self) -> io::Result<(W, Summary)> {
        let sha256 = self.sum.digest();
        self.line(&EndLine {
            spaces: self.spaces,
            counts: self.total.into(),
            sha256: hex(&sha256).into(),
        })?;
        self.out.flush()?;
        let summary = Summary {
            begun_ms: self.begun_ms,
            spaces: self.spaces,
            counts: self.total,
            sha256,
        };
        Ok((self.out, summary))
    }

    fn line<L: Line + Serialize>(&mut self, line: &L) -> io::Result<()> {
        let json = serde_json::to_string(line)?;
        let members = json
            .strip_prefix('{')
            .and_then(|json| json.strip_suffix('}'));
        let members = members.expect("a line is an object");
        let mut text = format!(r#"{{"t":"{}",{members}"#, L::T);
        let end = self.sum.close(&text);
        text.push_str(&end);
        text.push('\n');
        self.out.write_all(text.as_bytes())
    }
}
