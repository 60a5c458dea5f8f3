//! What a commit stands on: as it says itself, or read before it.

use std::collections::HashMap;

use syncline_protocol::ids::{ClientKey, RecordKey, Seq, WriterNo};

use super::super::failure::Failure;
use super::super::jobs::{self, Made};
use super::super::row::{ALIVE, Place, SpaceRow, kind};
use super::super::server::{Columns, Level, Server};
use crate::types::{Commit, SpaceView, Stood};

/// Places asked for by one read.
const PLACES_MAX: usize = 1_000;

/// What a commit stands on.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) row: SpaceRow,
    /// The clients that are known, of those whose marks move.
    pub(super) marks: HashMap<ClientKey, SeenMark>,
    /// Where the records stood that are there, of those that change. May be old: then a row that
    /// says nothing is left behind.
    pub(super) records: HashMap<RecordKey, SeenRecord>,
    /// The dead letters, the oldest first; only where the commit has some.
    pub(super) letters: Vec<SeenLetter>,
    /// What it makes of jobs; only where it moves some.
    pub(super) jobs: Option<Made>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenMark {
    pub(super) writer: WriterNo,
    pub(super) last: Option<u64>,
    pub(super) given_count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenRecord {
    pub(super) seq: Seq,
    pub(super) dead_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenLetter {
    pub(super) place: Place,
    pub(super) hash: Vec<u8>,
}

/// `None` for a space that was never opened.
pub(super) async fn look(
    server: &Server,
    commit: &Commit,
    level: Level,
) -> Result<Option<Seen>, Failure> {
    let marks = commit.marks.iter().map(|mark| Place::client(&mark.client));
    let records = commit.records.iter().map(|(key, _)| Place::record(key));
    let end = Place::end(kind::RECORD);
    let mut places: Vec<Place> = std::iter::once(end).chain(marks).chain(records).collect();
    // The marks stand in the first read, beside the space.
    let rest = places.split_off(places.len().min(PLACES_MAX.max(1 + commit.marks.len())));
    let rows = server
        .at(&commit.space, &places, (Columns::Light, level))
        .await?;
    let Some(row) = rows.found()?.space() else {
        return Ok(None);
    };
    let mut seen = Seen {
        row,
        marks: HashMap::new(),
        records: HashMap::new(),
        letters: Vec::new(),
        jobs: None,
    };
    seen.take(&rows)?;
    for some in rest.chunks(PLACES_MAX) {
        let asked = (Columns::Light, Level::Hint);
        seen.take(&server.at(&commit.space, some, asked).await?)?;
    }
    if !commit.dead_letters.is_empty() {
        seen.read_letters(server, commit, level).await?;
    }
    seen.jobs = jobs::of_commit(server, (commit, &mut seen.row), level).await?;
    Ok(Some(seen))
}

impl Seen {
    /// What the commit itself says, if it says all that is needed. A client is known to be known if
    /// something is expected of it; of a record that was dead only a look tells since when.
    pub(super) fn told(commit: &Commit) -> Option<Seen> {
        let moves_others =
            !commit.dead_letters.is_empty() || !commit.jobs.is_empty() || !commit.ends.is_empty();
        if moves_others || commit.stood.len() != commit.records.len() {
            return None;
        }
        let mut seen = Seen {
            row: SpaceRow {
                view: SpaceView {
                    epoch: commit.expect_epoch,
                    head: commit.expect_head,
                    clock: commit.clock,
                    writers: commit.writers,
                    ..SpaceView::NEVER_OPENED
                },
                erased_at_ms: 0,
                last_commit: 0,
                job_no: None,
                brought: None,
                held: None,
            },
            marks: HashMap::new(),
            records: HashMap::new(),
            letters: Vec::new(),
            jobs: None,
        };
        for moved in &commit.marks {
            let given_count = moved.expect_given.unwrap_or(0);
            if moved.expect_last.is_none() && given_count == 0 {
                return None;
            }
            let mark = SeenMark {
                writer: moved.writer,
                last: moved.expect_last,
                given_count,
            };
            seen.marks.insert(moved.client.clone(), mark);
        }
        for ((key, _), stood) in commit.records.iter().zip(&commit.stood) {
            let seq = match stood {
                Stood::Absent => continue,
                Stood::Live(seq) if (Seq(1)..=commit.expect_head).contains(seq) => *seq,
                // It cannot have stood there.
                Stood::Live(_) => return None,
                Stood::Dead => return None,
            };
            let dead_at = ALIVE;
            seen.records
                .insert(key.clone(), SeenRecord { seq, dead_at });
        }
        Some(seen)
    }

    fn take(&mut self, rows: &super::super::server::Rows) -> Result<(), Failure> {
        for row in rows.all()? {
            let place = row.place()?;
            if place.is_end() {
                continue;
            }
            match place.kind {
                kind::CLIENT if row.is_client()? => {
                    let mark = SeenMark {
                        writer: row.writer()?,
                        last: row.last()?,
                        given_count: row.given_count()?,
                    };
                    self.marks.insert(place.client_key(), mark);
                }
                kind::RECORD => {
                    if let Some(seq) = row.seq()? {
                        let dead_at = row.dead_at()?;
                        let record = SeenRecord { seq, dead_at };
                        self.records.insert(place.record_key(), record);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// If something was written meanwhile, the commit does not pass: see [`super::writes`].
    async fn read_letters(
        &mut self,
        server: &Server,
        commit: &Commit,
        level: Level,
    ) -> Result<(), Failure> {
        let rows = server.last_letters(&commit.space, level).await?;
        for row in rows.all()? {
            let place = row.place()?;
            if !place.is_end() {
                let hash = row.hash().to_vec();
                self.letters.push(SeenLetter { place, hash });
            }
        }
        self.letters.reverse();
        if let Some(row) = rows.found()?.space()
            && row.last_commit != self.row.last_commit
        {
            // Of no state, so that no condition holds.
            self.row.last_commit = self.row.last_commit.wrapping_add(1);
        }
        Ok(())
    }
}
