//! What a space holds, counted in parts.
//!
//! If something is written meanwhile the numbers are of several moments, and where the server gives up
//! among what was removed, what is behind that is not counted. Both are said.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::ids::{SpaceKey, TableName};

use super::failure::Failure;
use super::jobs;
use super::row::{ALIVE, Place, Row, SpaceRow, kind};
use super::server::{Columns, Level, Server, Span};
use super::space::opened;
use super::tries::FREE_TRIES;
use crate::types::Holdings;

/// Rows read at once.
const ROWS_MAX: usize = 5_000;

/// [`crate::Store::holdings`].
pub(super) async fn holdings(server: &Server, space: &SpaceKey) -> Result<Holdings, Failure> {
    let mut counted = count(server, space).await?;
    for _ in 1..FREE_TRIES {
        if !counted.has_moved {
            break;
        }
        counted = count(server, space).await?;
    }
    Ok(counted.holdings)
}

/// What was found of a space.
pub(super) struct Counted {
    /// The space when the counting began.
    pub(super) row: SpaceRow,
    pub(super) holdings: Holdings,
    /// The names of its dead jobs.
    pub(super) dead: BTreeSet<jobs::Name>,
    /// Whether something was written meanwhile.
    pub(super) has_moved: bool,
}

/// Counts once.
pub(super) async fn count(server: &Server, space: &SpaceKey) -> Result<Counted, Failure> {
    let row = opened(server, space).await?;
    let mut counting = Counting::of(server, space, row);
    let mut jobs = 0;
    let mut dead = BTreeSet::new();
    // One that never had a job has no row to end them.
    if row.job_no.is_some() {
        let (begin, end) = jobs::living();
        let living = |_: &Row<'_>, _| {
            jobs += 1;
            Ok(())
        };
        counting.rows((&begin, &end), living).await?;
        dead = counting.dead().await?;
    }
    // These end in a row, so that the last read tells whether all are of one state.
    let mut records = 0;
    let mut tables: BTreeMap<String, u64> = BTreeMap::new();
    let record = |row: &Row<'_>, place: Place| {
        records += 1;
        if row.dead_at()? == ALIVE {
            *tables.entry(place.a).or_default() += 1;
        }
        Ok(())
    };
    counting.kind(kind::RECORD, record).await?;
    let mut clients = 0;
    let client = |_: &Row<'_>, _| {
        clients += 1;
        Ok(())
    };
    counting.kind(kind::CLIENT, client).await?;
    let letters = server.last_letters(space, Level::Serial).await?;
    counting.look(letters.found()?.space());
    let letters = letters.all()?.len().saturating_sub(1);
    let tables = tables.iter();
    let holdings = Holdings {
        view: row.view,
        tables: tables
            .map(|(name, n)| (TableName::trusted(name), *n))
            .collect(),
        records,
        clients,
        dead_letters: letters as u64,
        jobs: jobs + dead.len() as u64,
        is_exact: !counting.has_moved && !counting.is_cut,
    };
    Ok(Counted {
        row,
        holdings,
        dead,
        has_moved: counting.has_moved,
    })
}

/// Reading what is to be counted.
pub(super) struct Counting<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    row: SpaceRow,
    has_moved: bool,
    is_cut: bool,
}

impl<'a> Counting<'a> {
    pub(super) fn of(server: &'a Server, space: &'a SpaceKey, row: SpaceRow) -> Counting<'a> {
        Counting {
            server,
            space,
            row,
            has_moved: false,
            is_cut: false,
        }
    }

    fn look(&mut self, now: Option<SpaceRow>) {
        let now = now.map(|row| row.last_commit);
        self.has_moved |= now.is_some_and(|now| now != self.row.last_commit);
    }

    /// The names of dead jobs.
    pub(super) async fn dead(&mut self) -> Result<BTreeSet<jobs::Name>, Failure> {
        let mut names = BTreeSet::new();
        let (begin, end) = jobs::dead();
        let take = |_: &Row<'_>, place: Place| {
            names.insert(jobs::ordered_name(&place)?);
            Ok(())
        };
        self.rows((&begin, &end), take).await?;
        Ok(names)
    }

    async fn kind(
        &mut self,
        kind: i8,
        take: impl FnMut(&Row<'_>, Place) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        let (begin, end) = (Place::begin(kind), Place::end(kind));
        self.rows((&begin, &end), take).await
    }

    /// Hands all rows to `take`, the one that ends them apart.
    async fn rows(
        &mut self,
        (from, to): Span<'_>,
        mut take: impl FnMut(&Row<'_>, Place) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        let mut from = from.clone();
        loop {
            let asked = (Columns::Light, Level::Serial, ROWS_MAX);
            let rows = match self.server.range(self.space, (&from, to), asked).await {
                Err(Failure::Tombstones(_)) => {
                    self.is_cut = true;
                    return Ok(());
                }
                rows => rows?,
            };
            // Of what is empty nothing is told.
            self.look(rows.found()?.space());
            let all = rows.all()?;
            for row in &all {
                from = row.place()?;
                if from.is_end() {
                    return Ok(());
                }
                take(row, from.clone())?;
            }
            if all.len() < ROWS_MAX {
                return Ok(());
            }
        }
    }
}
