//! Reading live records in (table, id) order.
//!
//! What is small of the records is read first, piece by piece, over whatever is dead between them. It
//! says which of them the page will hold, and those are read. If something was written meanwhile,
//! a bounded range from the first of them on is read instead, at once, so that it is of one moment; the page
//! ends where that does. What was dead before the first is looked at again, without what is large.

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

/// Rows of a range that is read at once although something was written, what is dead among them included.
const RANGE_ROWS_MAX: usize = 1_000;

/// How many more rows of it there may be meanwhile; with more of them it ends before.
const RANGE_ROWS_MORE: usize = 50;

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
    /// What to read if something was written. `None` if nothing lives.
    range: Option<Range>,
    /// Whether no row was there, dead or alive.
    is_empty: bool,
    /// The state of the records that all of it is of; `None` if it is of several, or of none that was
    /// told.
    state: Option<(Epoch, Seq)>,
}

/// Rows that may be read at once.
struct Range {
    /// Before the first that lives.
    from: Place,
    to: Place,
    rows: usize,
    bytes: usize,
    /// There are others behind it.
    is_cut: bool,
}

impl Range {
    fn after(from: &Place) -> Range {
        Range {
            from: from.clone(),
            to: from.clone(),
            rows: 0,
            bytes: 0,
            is_cut: false,
        }
    }

    /// Takes the next row, if it fits. The first one does.
    fn take(&mut self, place: &Place, (bytes, bytes_max): (usize, usize)) {
        self.bytes = self.bytes.saturating_add(bytes);
        let is_over = self.rows >= RANGE_ROWS_MAX || self.bytes > bytes_max;
        self.is_cut |= is_over && self.rows > 0;
        if !self.is_cut {
            self.to = place.clone();
            self.rows += 1;
        }
    }
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
            let row = self.fill(server, &mut page, (&from, &to)).await?;
            let is_told = !page.records.is_empty() || !page.is_cut;
            if let Some(row) = row.filter(|_| is_told) {
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
        server.interludes.at(Step::HintAndRows).await;
        if let Some(row) = self.as_told(server, page, &hint).await? {
            return Ok(Some(row));
        }
        match &hint.range {
            Some(range) => self.moved(server, page, (from, range, &hint)).await,
            None if hint.is_empty => Ok(None),
            None => {
                let row = opened(server, self.space).await?;
                page.is_cut = !self.is_dead(server, &row, (from, to)).await?;
                Ok(Some(row))
            }
        }
    }

    /// Adds those that the hint told of, if nothing was written since.
    async fn as_told(
        &self,
        server: &Server,
        page: &mut Page,
        hint: &Hint,
    ) -> Result<Option<SpaceRow>, Failure> {
        let Some(state) = hint.state else {
            return Ok(None);
        };
        let mut places = hint.live.clone();
        places.extend(hint.end.clone());
        places.push(Place::end(kind::RECORD));
        let asked = (Columns::All, Level::Serial);
        let rows = server.at(self.space, &places, asked).await?;
        let row = rows.found()?.opened()?;
        if row.of_records() != state {
            return Ok(None);
        }
        if self.take(page, &rows)? {
            page.is_cut = hint.end.is_some();
        }
        Ok(Some(row))
    }

    /// Adds a range of what the hint told of, as it is now. `None` if what was dead before it may not have
    /// been any more.
    async fn moved(
        &self,
        server: &Server,
        page: &mut Page,
        (from, range, hint): (&Place, &Range, &Hint),
    ) -> Result<Option<SpaceRow>, Failure> {
        let rows_max = range.rows + RANGE_ROWS_MORE;
        let asked = (Columns::All, Level::Serial, rows_max);
        let span = (&range.from, &range.to);
        let rows = server.range(self.space, span, asked).await?;
        let all = rows.all()?;
        let Some(first) = all.first() else {
            page.is_cut = true;
            return Ok(None);
        };
        let row = first.found()?.opened()?;
        if range.from != *from && !self.is_dead(server, &row, (from, &range.from)).await? {
            page.is_cut = true;
            return Ok(None);
        }
        if self.take(page, &rows)? {
            page.is_cut = hint.end.is_some() || range.is_cut || all.len() == rows_max;
        }
        Ok(Some(row))
    }

    /// Whether nothing lives in a range, nor did in the state `of`.
    async fn is_dead(
        &self,
        server: &Server,
        of: &SpaceRow,
        span: (&Place, &Place),
    ) -> Result<bool, Failure> {
        if !self.lacked_in(server, of, span).await? {
            return Ok(false);
        }
        let now = opened(server, self.space).await?;
        Ok((now.view.epoch, now.view.swept) == (of.view.epoch, of.view.swept))
    }

    /// Adds rows that live; false if one did not fit.
    fn take(&self, page: &mut Page, rows: &Rows) -> Result<bool, Failure> {
        for row in rows.all()? {
            let place = row.place()?;
            if place.is_end() || row.seq()?.is_none() || row.dead_at()? != ALIVE {
                continue;
            }
            let key = place.record_key();
            let (record, bytes) = row.record().map_err(|error| error.of(&key))?;
            let keyed = (key, record);
            if !page.take(Stored { keyed, bytes }) {
                return Ok(false);
            }
        }
        Ok(true)
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
            range: None,
            is_empty: true,
            state: None,
        };
        let bytes_max = room.bytes;
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
                let before = std::mem::replace(&mut from, row.place()?);
                hint.is_empty = false;
                if from.is_end() {
                    hint.end_range(to);
                    return Ok(hint);
                }
                let bytes = row.bytes()?;
                if row.seq()?.is_none() || row.dead_at()? != ALIVE {
                    if let Some(range) = &mut hint.range {
                        range.take(&from, (bytes, bytes_max));
                    }
                    continue;
                }
                if (room.records == 0 || bytes > room.bytes) && !room.is_empty {
                    hint.end = Some(from);
                    return Ok(hint);
                }
                let range = hint.range.get_or_insert_with(|| Range::after(&before));
                range.take(&from, (bytes, bytes_max));
                hint.live.push(from.clone());
                room.records = room.records.saturating_sub(1);
                room.bytes = room.bytes.saturating_sub(bytes);
                room.is_empty = false;
            }
            if all.len() < rows_max {
                hint.end_range(to);
                return Ok(hint);
            }
        }
    }
}

impl Hint {
    /// What comes behind the last one meanwhile is of the range, unless others are.
    fn end_range(&mut self, to: &Place) {
        if let Some(range) = self.range.as_mut().filter(|range| !range.is_cut) {
            range.to = to.clone();
        }
    }
}
