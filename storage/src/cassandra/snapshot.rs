//! Reading live records in (table, id) order.
//!
//! What is small of the records is read first, piece by piece, over whatever is dead between them. It
//! says which of them the page will hold, and those are read. If something was written meanwhile,
//! everything up to where the page ends is read instead, at once, so that it is of one moment.

use syncline_protocol::ids::{Epoch, RecordKey, Seq, SpaceKey, TableName};

use super::failure::{Failure, contended};
use super::interlude::Step;
use super::names;
use super::row::{ALIVE, Place, SpaceRow, kind};
use super::server::{Columns, Level, Rows, Server};
use super::space::opened;
use crate::page::{Page, Stored};
use crate::types::{PageLimit, SnapshotPage};

/// Tries of a read that must be of one moment and takes several.
const MOMENT_TRIES_MAX: usize = 8;

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
    /// The state of the records that all of it is of; `None` if it is of several, or of none that was
    /// told.
    state: Option<(Epoch, Seq)>,
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
        for _ in 0..MOMENT_TRIES_MAX {
            let mut page = Page::new(self.limit);
            if let Some(row) = self.fill(server, &mut page, (&from, &to)).await? {
                return Ok((row, page));
            }
            // The record at which it was to end went away. Or is there no space at all?
            opened(server, self.space).await?;
        }
        Err(contended().into())
    }

    /// Table by table until the page is full, or up to the first of which something may have been
    /// changed since the page began. The page is of the state of the first table that has something
    /// in it, and it has that table's, so who goes on behind it gets on.
    async fn of_tables(
        &self,
        server: &Server,
        tables: &[TableName],
    ) -> Result<(SpaceRow, Page), Failure> {
        let spans = self.spans(tables);
        for _ in 0..MOMENT_TRIES_MAX + spans.len() {
            let before = opened(server, self.space).await?;
            if let Some(read) = self.read_since(server, before, &spans).await? {
                return Ok(read);
            }
        }
        Err(contended().into())
    }

    /// `None` if what was passed over may not have been empty in the state that the page is of.
    async fn read_since(
        &self,
        server: &Server,
        before: SpaceRow,
        spans: &[(Place, Place)],
    ) -> Result<Option<(SpaceRow, Page)>, Failure> {
        let mut page = Page::new(self.limit);
        let mut of = before;
        let mut passed: Vec<&(Place, Place)> = Vec::new();
        for span in spans {
            server.interludes.at(Step::TableAndTable).await;
            let held = page.records.len();
            let row = self.fill(server, &mut page, (&span.0, &span.1)).await?;
            let is_filled = page.records.len() > held;
            match row {
                Some(row) if held == 0 && is_filled => of = row,
                Some(row) if held > 0 && row.of_records() != of.of_records() => {
                    page.records.truncate(held);
                    page.is_cut = true;
                }
                // What would have been in it went away.
                _ if held == 0 && page.is_cut => return Ok(None),
                _ if held == 0 => passed.push(span),
                _ => {}
            }
            if page.is_cut {
                break;
            }
        }
        let is_whole = self.lacked(server, (&before, &of), &passed).await?;
        Ok(is_whole.then_some((of, page)))
    }

    /// Whether nothing lived in these ranges in the state `of`, nor in those in which no row was found
    /// after it. A row goes only by a collection or an erasure, so one that is not there was not there
    /// before; and a dead one that was not changed since was dead.
    async fn lacked(
        &self,
        server: &Server,
        (before, of): (&SpaceRow, &SpaceRow),
        passed: &[&(Place, Place)],
    ) -> Result<bool, Failure> {
        let mut now = opened(server, self.space).await?;
        if now.of_records() == before.of_records() {
            return Ok(true);
        }
        for (from, to) in passed {
            if !self.lacked_in(server, of, (from, to)).await? {
                return Ok(false);
            }
        }
        if !passed.is_empty() {
            now = opened(server, self.space).await?;
        }
        Ok((now.view.epoch, now.view.swept) == (of.view.epoch, of.view.swept))
    }

    async fn lacked_in(
        &self,
        server: &Server,
        of: &SpaceRow,
        (from, to): (&Place, &Place),
    ) -> Result<bool, Failure> {
        let mut from = from.clone();
        loop {
            let asked = (Columns::Light, Level::Serial, ROWS_MAX);
            let rows = server.range(self.space, (&from, to), asked).await?;
            let all = rows.all()?;
            for row in &all {
                from = row.place()?;
                let seq = row.seq()?.unwrap_or_default();
                if !from.is_end() && (row.dead_at()? == ALIVE || seq > of.view.head) {
                    return Ok(false);
                }
            }
            if all.len() < ROWS_MAX {
                return Ok(true);
            }
        }
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
        server.interludes.at(Step::HintAndRows).await;
        if let Some(state) = hint.state {
            let mut places = hint.live.clone();
            places.extend(hint.end.clone());
            places.push(Place::end(kind::RECORD));
            let asked = (Columns::All, Level::Serial);
            let rows = server.at(self.space, &places, asked).await?;
            if rows.found()?.opened()?.of_records() == state {
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
            state: None,
        };
        let mut is_first = true;
        loop {
            let rows_max = room.records.saturating_add(2).min(ROWS_MAX);
            let asked = (Columns::Light, Level::Serial, rows_max);
            let rows = server.range(self.space, (&from, to), asked).await?;
            let all = rows.all()?;
            let state = rows.found()?.space().map(|row| row.of_records());
            if is_first {
                hint.state = state;
            }
            // Of what is empty nothing is told, and somebody may have written since.
            if state.is_none() || state != hint.state {
                hint.state = None;
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
