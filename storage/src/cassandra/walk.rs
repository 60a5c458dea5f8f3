//! All rows of a kind, in parts, and whether everything read was of one state.

use syncline_protocol::ids::SpaceKey;

use super::failure::Failure;
use super::hold::Hold;
use super::interlude::Step;
use super::row::{Place, Row, SpaceRow, kind};
use super::server::{Columns, Level, Rows, Server, Span};
use super::statements::Text;

/// Small rows read at once.
const LIGHT_ROWS_MAX: usize = 5_000;

/// Whole rows read at once: a first part, and as many then as have [`PART_BYTES`] if they are like those
/// before. Rows of clients, verdicts and dead letters have some KiB at most, what a client was given some 20.
const ROWS_FIRST: usize = 100;
const ROWS_MAX: usize = 2_000;
const PART_BYTES: usize = 1 << 20;

/// A reading in several parts, of one state as long as nothing is written.
pub(super) struct Walk<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    /// The state that all parts so far were of.
    row: SpaceRow,
    has_moved: bool,
    /// Of who reads it.
    hold: Hold,
}

impl<'a> Walk<'a> {
    pub(super) fn of(server: &'a Server, space: &'a SpaceKey, row: SpaceRow) -> Walk<'a> {
        Walk {
            server,
            space,
            row,
            has_moved: false,
            hold: Hold::NONE,
        }
    }

    /// By who holds the space, and keeps it while this lasts.
    pub(super) fn by(self, hold: Hold) -> Walk<'a> {
        Walk { hold, ..self }
    }

    /// Whether the space ever had a job.
    pub(super) fn has_jobs(&self) -> bool {
        self.row.job_no.is_some()
    }

    /// Whether something was written since the state that this began with.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Reads a range of the space, whether something was written or not.
    pub(super) async fn range(
        &mut self,
        span: Span<'_>,
        asked: (Columns, Level, usize),
    ) -> Result<Rows, Failure> {
        self.keep().await?;
        let rows = self.server.range(self.space, span, asked).await?;
        self.look(&rows)?;
        Ok(rows)
    }

    /// Rows at some places, likewise.
    pub(super) async fn places(
        &mut self,
        asked: (Text, Level),
        places: &[Place],
    ) -> Result<Rows, Failure> {
        self.keep().await?;
        let rows = self.server.places(asked, self.space, places).await?;
        self.look(&rows)?;
        Ok(rows)
    }

    /// Nobody else writes for another while. Who lost the space begins anew.
    async fn keep(&mut self) -> Result<(), Failure> {
        self.server.interludes.at(Step::PartAndPart).await;
        let kept = self.hold.keep(self.server, self.space).await?;
        self.has_moved |= kept.is_none();
        self.hold = kept.unwrap_or(Hold::NONE);
        Ok(())
    }

    fn look(&mut self, rows: &Rows) -> Result<(), Failure> {
        let now = rows.found()?.space().map(|row| row.last_commit);
        self.has_moved |= now != Some(self.row.last_commit);
        Ok(())
    }

    /// Before the first row of a kind, and behind what was removed before it, where that is known.
    async fn begin(&self, kind: i8) -> Result<Place, Failure> {
        if kind != kind::LETTER {
            return Ok(Place::begin(kind));
        }
        let rows = self.server.last_letters(self.space, Level::Serial).await?;
        let first = rows.all()?.last().map(|row| row.place()).transpose()?;
        let first = first.filter(|place| !place.is_end());
        Ok(first.map_or(Place::begin(kind), |place| {
            Place::new(kind, place.n - 1, ("", ""))
        }))
    }

    /// Hands every row of a kind to `take`, the one that ends it apart, until something is
    /// written.
    pub(super) async fn all(
        &mut self,
        (kind, columns): (i8, Columns),
        mut take: impl FnMut(&Row<'_>, Place) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        let (mut from, to) = (self.begin(kind).await?, Place::end(kind));
        let mut rows_max = match columns {
            Columns::Light => LIGHT_ROWS_MAX,
            Columns::All => ROWS_FIRST,
        };
        while !self.has_moved && !from.is_end() {
            let asked = (columns, Level::Serial, rows_max);
            let rows = self.range((&from, &to), asked).await?;
            if self.has_moved {
                break;
            }
            let all = rows.all()?;
            let mut bytes = 0;
            for row in &all {
                from = row.place()?;
                bytes += row.cells().size();
                if !from.is_end() {
                    take(row, from.clone())?;
                }
            }
            if columns == Columns::All {
                rows_max = next_rows(all.len(), bytes);
            }
        }
        Ok(())
    }
}

/// How many rows are read at once after so many of so many bytes.
fn next_rows(rows: usize, bytes: usize) -> usize {
    let fit = rows * PART_BYTES / bytes.max(1);
    fit.clamp(ROWS_FIRST, ROWS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_a_mebibyte_and_no_more_than_so_many_rows() {
        let table = [
            (100, 10_000, 2_000),
            (100, 100 << 10, 1_024),
            (1_024, 1_024 << 12, 256),
            (100, 100 << 20, 100),
            (1, 0, 2_000),
        ];
        for (rows, bytes, expected) in table {
            assert_eq!(next_rows(rows, bytes), expected, "{rows} rows of {bytes}");
        }
    }
}
