//! Reading what changed after a place, in pages.

use rusqlite::{Connection, params};
use syncline_protocol::ids::SpaceKey;

use super::records::stored;
use super::{names, space};
use crate::page::Page;
use crate::types::{After, ChangesPage, PageLimit, StoreError};

/// Rows come in the order of the index, one by one: what is not stepped to costs nothing. Names
/// are never empty, so (seq, '', '') is before the first record of a commit.
pub(super) const CHANGES: &str = "SELECT tbl, id, state FROM records
    WHERE sid = ?1 AND (seq, tbl, id) > (?2, ?3, ?4) ORDER BY seq, tbl, id";

/// A page of changes. Reads at most one row more than the page's limit.
pub(super) fn changes(
    conn: &Connection,
    space: &SpaceKey,
    after: &After,
    limit: PageLimit,
) -> Result<ChangesPage, StoreError> {
    let row = space::get(conn, space)?;
    let (seq, table, id) = match &after.key {
        Some(key) => (after.seq.0, key.table.as_str(), key.id.as_str()),
        None => (after.seq.0.wrapping_add(1), "", ""),
    };
    let mut page = Page::new(limit);
    let mut statement = conn.prepare_cached(CHANGES)?;
    let mut rows = statement.query(params![row.sid, seq as i64, table, id])?;
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
