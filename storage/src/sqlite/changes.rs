//! Reading what changed after a seq, in pages cut between commits.

use rusqlite::{Connection, params};
use syncline_protocol::ids::{RecordKey, Seq, SpaceKey};
use syncline_protocol::record::Record;

use super::records::{Stored, stored};
use super::{names, space};
use crate::types::{ChangesPage, PageLimit, StoreError};

/// Rows come in the order of the index, one by one: what is not stepped to costs nothing.
pub(super) const CHANGES: &str =
    "SELECT tbl, id, state FROM records WHERE sid = ?1 AND seq > ?2 ORDER BY seq";

/// A page of changes. Reads at most one row more than the page's limit, or than its first
/// commit where that is larger.
pub(super) fn changes(
    conn: &Connection,
    space: &SpaceKey,
    after: Seq,
    limit: PageLimit,
) -> Result<ChangesPage, StoreError> {
    let row = space::get(conn, space)?;
    let mut page = Page::new(limit);
    let mut statement = conn.prepare_cached(CHANGES)?;
    let mut rows = statement.query(params![row.sid, after.0 as i64])?;
    while let Some(next) = rows.next()? {
        if !page.take(stored(next, row.sid)?) {
            break;
        }
    }
    let (to, records) = page.finish(row.view.head);
    Ok(ChangesPage {
        view: row.view,
        to,
        writers: names::writers(conn, row.sid, &records)?,
        records,
    })
}

/// The page as it fills.
struct Page {
    limit: PageLimit,
    records: Vec<(RecordKey, Record)>,
    bytes: usize,
    /// Where the commit that is being read begins in `records`.
    commit_begin: usize,
    /// A row did not fit: `records` ends at `commit_begin` then.
    cut: bool,
}

impl Page {
    fn new(limit: PageLimit) -> Page {
        Page {
            limit,
            records: Vec::new(),
            bytes: 0,
            commit_begin: 0,
            cut: false,
        }
    }

    /// Takes the next row; `false` if it ends the page.
    fn take(&mut self, row: Stored) -> bool {
        let last = self.records.last().map(|(_, record)| record.seq);
        if last.is_some_and(|last| last != row.keyed.1.seq) {
            self.commit_begin = self.records.len();
        }
        self.bytes = self.bytes.saturating_add(row.bytes);
        let over = self.records.len() >= self.limit.records || self.bytes > self.limit.bytes;
        let first_commit = self.commit_begin == 0;
        if over && !first_commit {
            self.cut = true;
            return false;
        }
        self.records.push(row.keyed);
        true
    }

    fn finish(mut self, head: Seq) -> (Seq, Vec<(RecordKey, Record)>) {
        if !self.cut {
            return (head, self.records);
        }
        self.records.truncate(self.commit_begin);
        let to = self.records.last().map_or(head, |(_, record)| record.seq);
        (to, self.records)
    }
}
