//! Reading live records in (table, id) order.

use rusqlite::{Connection, Params, params};
use syncline_protocol::ids::{RecordKey, SpaceKey, TableName};

use super::records::stored;
use super::{names, space};
use crate::page::Page;
use crate::types::{PageLimit, SnapshotPage, StoreError};

/// All tables. Names are never empty, so ('', '') is before the first record.
pub(super) const ALL: &str = "SELECT tbl, id, state FROM records
    WHERE sid = ?1 AND (tbl, id) > (?2, ?3) AND dead_at IS NULL ORDER BY tbl, id";

/// One table: a range of the same index.
pub(super) const OF_TABLE: &str = "SELECT tbl, id, state FROM records
    WHERE sid = ?1 AND tbl = ?2 AND id > ?3 AND dead_at IS NULL ORDER BY id";

/// What a page is of and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct From<'a> {
    /// Only these tables, if given.
    pub(super) tables: Option<&'a [TableName]>,
    /// After this record, if given.
    pub(super) after: Option<&'a RecordKey>,
}

/// A page of live records. Cost follows the rows returned and the dead ones between them.
pub(super) fn snapshot(
    conn: &Connection,
    space: &SpaceKey,
    from: From<'_>,
    limit: PageLimit,
) -> Result<SnapshotPage, StoreError> {
    let row = space::get(conn, space)?;
    let mut page = Page::new(limit);
    let (table, id) = from
        .after
        .map_or(("", ""), |key| (key.table.as_str(), key.id.as_str()));
    match from.tables {
        None => page.fill(conn, ALL, (row.sid, params![row.sid, table, id]))?,
        Some(tables) => {
            for each in ascending(tables) {
                let after = match each.as_str().cmp(table) {
                    std::cmp::Ordering::Less => continue,
                    std::cmp::Ordering::Equal => id,
                    std::cmp::Ordering::Greater => "",
                };
                page.fill(
                    conn,
                    OF_TABLE,
                    (row.sid, params![row.sid, each.as_str(), after]),
                )?;
                if page.is_cut {
                    break;
                }
            }
        }
    }
    Ok(SnapshotPage {
        view: row.view,
        writers: names::writers(conn, row.sid, &page.records)?,
        records: page.records,
        more: page.is_cut,
    })
}

fn ascending(tables: &[TableName]) -> Vec<&TableName> {
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

impl Page {
    /// Takes rows of a statement until one does not fit. The first row always fits.
    fn fill(
        &mut self,
        conn: &Connection,
        sql: &str,
        (sid, range): (i64, impl Params),
    ) -> Result<(), StoreError> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(range)?;
        while let Some(next) = rows.next()? {
            if !self.take(stored(next, sid)?) {
                break;
            }
        }
        Ok(())
    }
}
