//! Reading what changed after a place, in pages.

use rusqlite::{Connection, Rows, params};
use syncline_protocol::ids::{RecordKey, Seq, SpaceKey, TableName};
use syncline_protocol::record::Record;

use super::records::{Stored, stored};
use super::space::SpaceRow;
use super::{names, space};
use crate::types::{After, ChangesPage, PageLimit, StoreError};

/// Rows come in the order of the index, one by one: what is not stepped to costs nothing. Names
/// are never empty, so (seq, '', '') is before the first record of a commit.
pub(super) const CHANGES: &str = "SELECT tbl, id, state FROM records
    WHERE sid = ?1 AND (seq, tbl, id) > (?2, ?3, ?4) ORDER BY seq, tbl, id";

/// The same of one table. The index holds it, so what is of other tables is an entry stepped
/// over, never a row read.
pub(super) const CHANGES_OF: &str = "SELECT tbl, id, state FROM records
    WHERE sid = ?1 AND (seq, tbl, id) > (?2, ?3, ?4) AND tbl = ?5 ORDER BY seq, tbl, id";

/// A page of changes. Reads at most one row more than the page's limit.
pub(super) fn changes(
    conn: &Connection,
    space: &SpaceKey,
    after: &After,
    limit: PageLimit,
) -> Result<ChangesPage, StoreError> {
    let row = space::get(conn, space)?;
    let (seq, table, id) = place(after);
    let mut statement = conn.prepare_cached(CHANGES)?;
    let rows = statement.query(params![row.sid, seq, table, id])?;
    page(conn, row, rows, limit)
}

/// A page of the changes of one table.
pub(super) fn changes_of(
    conn: &Connection,
    (space, of): (&SpaceKey, &TableName),
    after: &After,
    limit: PageLimit,
) -> Result<ChangesPage, StoreError> {
    let row = space::get(conn, space)?;
    let (seq, table, id) = place(after);
    let mut statement = conn.prepare_cached(CHANGES_OF)?;
    let rows = statement.query(params![row.sid, seq, table, id, of.as_str()])?;
    page(conn, row, rows, limit)
}

/// Where the rows begin, in the order of the index.
fn place(after: &After) -> (i64, &str, &str) {
    match &after.key {
        Some(key) => (after.seq.0 as i64, key.table.as_str(), key.id.as_str()),
        None => (after.seq.0.wrapping_add(1) as i64, "", ""),
    }
}

fn page(
    conn: &Connection,
    row: SpaceRow,
    mut rows: Rows<'_>,
    limit: PageLimit,
) -> Result<ChangesPage, StoreError> {
    let mut page = Page::new(limit);
    while let Some(next) = rows.next()? {
        if !page.take(stored(next, row.sid)?) {
            break;
        }
    }
    let (to, inside) = page.cut().unwrap_or((row.view.head, None));
    Ok(ChangesPage {
        view: row.view,
        to,
        inside,
        writers: names::writers(conn, row.sid, &page.records)?,
        records: page.records,
    })
}

/// The page as it fills.
struct Page {
    limit: PageLimit,
    records: Vec<(RecordKey, Record)>,
    bytes: usize,
    /// Where the commit that is being read begins in `records`.
    commit_begin: usize,
    /// A row did not fit.
    is_cut: bool,
}

impl Page {
    fn new(limit: PageLimit) -> Page {
        Page {
            limit,
            records: Vec::new(),
            bytes: 0,
            commit_begin: 0,
            is_cut: false,
        }
    }

    /// Takes the next row; `false` if it ends the page. The first row always fits.
    fn take(&mut self, row: Stored) -> bool {
        let last = self.records.last().map(|(_, record)| record.seq);
        if last.is_some_and(|last| last != row.keyed.1.seq) {
            self.commit_begin = self.records.len();
        }
        self.bytes = self.bytes.saturating_add(row.bytes);
        let over = self.records.len() >= self.limit.records || self.bytes > self.limit.bytes;
        if over && last.is_some() {
            self.is_cut = true;
            return false;
        }
        self.records.push(row.keyed);
        true
    }

    /// Ends a page that was cut: after the last whole commit, or inside its only one. Returns
    /// up to where it is complete, and its last record if that is inside a commit.
    fn cut(&mut self) -> Option<(Seq, Option<RecordKey>)> {
        if self.is_cut && self.commit_begin > 0 {
            self.records.truncate(self.commit_begin);
        }
        let (key, record) = self.records.last().filter(|_| self.is_cut)?;
        Some(match self.commit_begin {
            0 => (Seq(record.seq.0 - 1), Some(key.clone())),
            _ => (record.seq, None),
        })
    }
}
