//! Reading live records in (table, id) order.
//!
//! What is small of the records is read first, piece by piece, over whatever is dead between them. It
//! says which of them the page will hold, and those are read. If something was written meanwhile,
//! everything up to where the page ends is read instead, at once, so that it is of one moment.

use syncline_protocol::ids::{RecordKey, SpaceKey, TableName};

use super::failure::{Failure, contended};
use super::names;
use super::row::{ALIVE, Place, SpaceRow, kind};
use super::server::{Columns, Level, Rows, Server};
use super::space::opened;
use crate::page::{Page, Stored};
use crate::types::{PageLimit, SnapshotPage};

/// Tries of a read that must be of one moment and takes several.
const TRIES_MAX: usize = 8;

/// Small rows read at once.
const ROWS_MAX: usize = 5_000;

/// What is wanted.
pub(super) struct Snapshot<'a> {
    pub(super) space: &'a SpaceKey,
    /// Only these tables, if given.
    pub(super) tables: Option<&'a [TableName]>,
    /// After this record, if given.
    pub(super) after: Option<&'a RecordKey>,
    pub(super) limit: PageLimit,
}

/// What a page may still hold.
struct Room {
    records: usize,
    bytes: usize,
    is_empty: bool,
}

/// What a page will hold, unless something is written.
struct Hint {
    /// Records that live and fit.
    live: Vec<Place>,
    /// The first that does not; `None` if all do.
    end: Option<Place>,
    /// The state that all of it is of; `None` if it is of several, or of none that was told.
    moment: Option<i64>,
}

impl Snapshot<'_> {
    /// Cost follows the rows returned, and what is small of the dead ones between them.
    pub(super) async fn read(&self, server: &Server) -> Result<SnapshotPage, Failure> {
        let (row, page) = match self.tables {
            None => self.of_all(server).await?,
            Some(tables) => self.of_tables(server, tables).await?,
        };
        Ok(SnapshotPage {
            view: row.view,
            writers: names::writers(server, self.space, &page.records).await?,
            records: page.records,
            more: page.is_cut,
        })
    }

    async fn of_all(&self, server: &Server) -> Result<(SpaceRow, Page), Failure> {
        let from = match self.after {
            Some(after) => Place::record(after),
            None => Place::begin(kind::RECORD),
        };
        let to = Place::end(kind::RECORD);
        for _ in 0..TRIES_MAX {
            let mut page = Page::new(self.limit);
            if let Some(row) = self.fill(server, &mut page, (&from, &to)).await? {
                return Ok((row, page));
            }
            // The record at which it was to end went away. Or is there no space at all?
            opened(server, self.space).await?;
        }
        Err(contended().into())
    }

    /// Table by table until the page is full, all between two looks at the space that show the
    /// same one.
    async fn of_tables(
        &self,
        server: &Server,
        tables: &[TableName],
    ) -> Result<(SpaceRow, Page), Failure> {
        for _ in 0..TRIES_MAX {
            let before = opened(server, self.space).await?;
            let mut page = Page::new(self.limit);
            for (from, to) in self.spans(tables) {
                self.fill(server, &mut page, (&from, &to)).await?;
                if page.is_cut {
                    break;
                }
            }
            if opened(server, self.space).await?.last_commit == before.last_commit {
                return Ok((before, page));
            }
        }
        Err(contended().into())
    }

    /// The ranges of the tables, in order.
    fn spans(&self, tables: &[TableName]) -> Vec<(Place, Place)> {
        let mut tables: Vec<&str> = tables.iter().map(TableName::as_str).collect();
        tables.sort_unstable();
        tables.dedup();
        let of = |table: &str| {
            let from = match self.after {
                Some(after) if after.table.as_str() > table => return None,
                Some(after) if after.table.as_str() == table => Place::record(after),
                _ => Place::new(kind::RECORD, 0, (table, "")),
            };
            // The next text there is.
            let to = Place::new(kind::RECORD, 0, (&format!("{table}\0"), ""));
            Some((from, to))
        };
        tables.into_iter().filter_map(of).collect()
    }

    /// Adds what fits of a range. `None` if no row stood in it.
    async fn fill(
        &self,
        server: &Server,
        page: &mut Page,
        (from, to): (&Place, &Place),
    ) -> Result<Option<SpaceRow>, Failure> {
        let room = Room {
            records: self.limit.records.saturating_sub(page.records.len()),
            bytes: self.limit.bytes.saturating_sub(page.bytes()),
            is_empty: page.records.is_empty(),
        };
        let hint = self.hint(server, (from, to), room).await?;
        let rows = self.rows(server, (from, to), &hint).await?;
        let mut space = None;
        for row in rows.all()? {
            if space.is_none() {
                space = Some(row.found()?.opened()?);
            }
            let place = row.place()?;
            if place.is_end() || row.seq()?.is_none() || row.dead_at()? != ALIVE {
                continue;
            }
            let key = place.record_key();
            let (record, bytes) = row.record().map_err(|error| error.of(&key))?;
            let keyed = (key, record);
            if !page.take(Stored { keyed, bytes }) {
                return Ok(space);
            }
        }
        // The one that did not fit went away; what is behind it was not looked at.
        page.is_cut = hint.end.is_some();
        Ok(space)
    }

    /// Those that the hint told of, if nothing was written since; else all of the range, at once.
    async fn rows(
        &self,
        server: &Server,
        (from, to): (&Place, &Place),
        hint: &Hint,
    ) -> Result<Rows, Failure> {
        if let Some(moment) = hint.moment {
            let mut places = hint.live.clone();
            places.extend(hint.end.clone());
            places.push(Place::end(kind::RECORD));
            let asked = (Columns::All, Level::Serial);
            let rows = server.at(self.space, &places, asked).await?;
            if rows.found()?.opened()?.last_commit == moment {
                return Ok(rows);
            }
        }
        let asked = (Columns::All, Level::Serial, usize::MAX);
        let to = hint.end.as_ref().unwrap_or(to);
        server.range(self.space, (from, to), asked).await
    }

    /// What lives up to the first record that will not fit.
    async fn hint(
        &self,
        server: &Server,
        (from, to): (&Place, &Place),
        mut room: Room,
    ) -> Result<Hint, Failure> {
        let mut from = from.clone();
        let mut hint = Hint {
            live: Vec::new(),
            end: None,
            moment: None,
        };
        let mut is_first = true;
        loop {
            let rows_max = room.records.saturating_add(2).min(ROWS_MAX);
            let asked = (Columns::Light, Level::Serial, rows_max);
            let rows = server.range(self.space, (&from, to), asked).await?;
            let all = rows.all()?;
            let moment = rows.found()?.space().map(|row| row.last_commit);
            if is_first {
                hint.moment = moment;
            }
            // Of what is empty nothing is told, and somebody may have written since.
            if moment.is_none() || moment != hint.moment {
                hint.moment = None;
            }
            is_first = false;
            for row in &all {
                from = row.place()?;
                if from.is_end() {
                    return Ok(hint);
                }
                if row.seq()?.is_none() || row.dead_at()? != ALIVE {
                    continue;
                }
                let bytes = row.bytes()?;
                if (room.records == 0 || bytes > room.bytes) && !room.is_empty {
                    hint.end = Some(from);
                    return Ok(hint);
                }
                hint.live.push(from.clone());
                room.records = room.records.saturating_sub(1);
                room.bytes = room.bytes.saturating_sub(bytes);
                room.is_empty = false;
            }
            if all.len() < rows_max {
                return Ok(hint);
            }
        }
    }
}
