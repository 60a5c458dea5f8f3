//! Reading what changed after a place, in pages.

use rusqlite::{Connection, Rows, params};
use syncline_protocol::ids::{SpaceKey, TableName};

use super::records::stored;
use super::space::SpaceRow;
use super::{names, space};
use crate::page::Page;
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
