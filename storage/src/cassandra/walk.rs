//! All rows of a kind, in parts, and whether everything read was of one state.

use syncline_protocol::ids::SpaceKey;

use super::failure::Failure;
use super::row::{Place, Row, SpaceRow, kind};
use super::server::{Columns, Level, Rows, Server, Span};
use super::statements::Text;

/// Small rows read at once.
const LIGHT_ROWS_MAX: usize = 5_000;

/// Whole rows read at once. Those of clients, verdicts and dead letters have some KiB at most, what a
/// client was given some 20.
const ROWS_MAX: usize = 100;

/// A reading in several parts, of one state as long as nothing is written.
pub(super) struct Walk<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    /// The state that all parts so far were of.
    row: SpaceRow,
    has_moved: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn of(server: &'a Server, space: &'a SpaceKey, row: SpaceRow) -> Walk<'a> {
        Walk {
            server,
            space,
            row,
            has_moved: false,
        }
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
        let rows = self.server.places(asked, self.space, places).await?;
        self.look(&rows)?;
        Ok(rows)
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
        let rows_max = match columns {
            Columns::Light => LIGHT_ROWS_MAX,
            Columns::All => ROWS_MAX,
        };
        while !self.has_moved && !from.is_end() {
            let asked = (columns, Level::Serial, rows_max);
            let rows = self.range((&from, &to), asked).await?;
            if self.has_moved {
                break;
            }
            for row in rows.all()? {
                from = row.place()?;
                if !from.is_end() {
                    take(&row, from.clone())?;
                }
            }
        }
        Ok(())
    }
}
