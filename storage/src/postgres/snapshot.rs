//! Reading live records in (table, id) order.

use syncline_protocol::ids::{RecordKey, SpaceKey, TableName};

use super::call::{BEGIN, Call, END, space_and_rows};
use super::changes::limits;
use super::connection::Connection;
use super::error::Failure;
use super::names;
use super::records::fill;
use super::space::{SpaceRow, find, opened};
use crate::page::Page;
use crate::types::{PageLimit, SnapshotPage};

/// All tables. Names are never empty, so ('', '') is before the first record.
pub(super) const ALL: &str = "SELECT tbl, id, seq,
        CASE WHEN upto <= $6::bigint OR no = 1 THEN state END,
        CASE WHEN upto <= $6::bigint OR no = 1 THEN data END FROM (
        SELECT tbl, id, seq, state, data, octets,
            row_number() OVER (ORDER BY tbl, id) AS no,
            sum(octets) OVER (ORDER BY tbl, id ROWS UNBOUNDED PRECEDING) AS upto
        FROM (
            SELECT tbl, id, seq, state, data,
                octet_length(state) + octet_length(data) AS octets
            FROM syncline.record_states
            WHERE sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
                AND (tbl, id) > ($3, $4) AND NOT dead
            ORDER BY tbl, id LIMIT $5) page) measured
    WHERE upto - octets <= $6::bigint OR no = 2 ORDER BY tbl, id";

/// One table: a range of the same index.
pub(super) const OF_TABLE: &str = "SELECT tbl, id, seq,
        CASE WHEN upto <= $5::bigint OR no = 1 THEN state END,
        CASE WHEN upto <= $5::bigint OR no = 1 THEN data END FROM (
        SELECT tbl, id, seq, state, data, octets,
            row_number() OVER (ORDER BY id) AS no,
            sum(octets) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS upto
        FROM (
            SELECT tbl, id, seq, state, data,
                octet_length(state) + octet_length(data) AS octets
            FROM syncline.record_states
            WHERE sid = $1 AND tbl = $2 AND id > $3 AND NOT dead
            ORDER BY id LIMIT $4) page) measured
    WHERE upto - octets <= $5::bigint OR no = 2 ORDER BY id";

/// [`crate::Store::snapshot`]. Cost follows the rows returned and the dead ones between them.
pub(super) struct Snapshot<'a> {
    pub(super) space: &'a SpaceKey,
    /// Only these tables, if given.
    pub(super) tables: Option<&'a [TableName]>,
    /// After this record, if given.
    pub(super) after: Option<&'a RecordKey>,
    pub(super) limit: PageLimit,
}

impl Call for Snapshot<'_> {
    type Answer = SnapshotPage;

    async fn run(&self, connection: &Connection) -> Result<SnapshotPage, Failure> {
        let mut page = Page::new(self.limit);
        let row = match self.tables {
            None => self.of_all(connection, &mut page).await?,
            Some(tables) => self.of_tables(connection, tables, &mut page).await?,
        };
        let snapshot = SnapshotPage {
            view: row.view,
            writers: names::writers(connection, row.sid, &page.records).await?,
            records: page.records,
            more: page.is_cut,
        };
        Ok(snapshot)
    }
}

impl Snapshot<'_> {
    /// The place before the first record wanted.
    fn place(&self) -> (&str, &str) {
        self.after
            .map_or(("", ""), |key| (key.table.as_str(), key.id.as_str()))
    }

    async fn of_all(&self, connection: &Connection, page: &mut Page) -> Result<SpaceRow, Failure> {
        let (table, id) = self.place();
        let (rows_max, bytes_max) = limits(self.limit);
        let statement = &connection.statements.snapshot;
        let asked = (
            statement,
            &[&table as _, &id as _, &rows_max as _, &bytes_max as _][..],
        );
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        fill(page, &rows, row.sid)?;
        Ok(row)
    }

    /// Table by table until the page is full. They share a transaction, so a snapshot.
    async fn of_tables(
        &self,
        connection: &Connection,
        tables: &[TableName],
        page: &mut Page,
    ) -> Result<SpaceRow, Failure> {
        let client = &connection.client;
        client.batch_execute(BEGIN).await?;
        let read = async {
            let row = opened(find(connection, self.space).await?)?;
            let (table, id) = self.place();
            let (rows_max, bytes_max) = limits(self.limit);
            for each in ascending(tables) {
                let after = match each.as_str().cmp(table) {
                    std::cmp::Ordering::Less => continue,
                    std::cmp::Ordering::Equal => id,
                    std::cmp::Ordering::Greater => "",
                };
                let statement = &connection.statements.snapshot_of_table;
                let each = each.as_str();
                let rows = client
                    .query(statement, &[&row.sid, &each, &after, &rows_max, &bytes_max])
                    .await?;
                fill(page, &rows, row.sid)?;
                if page.is_cut {
                    break;
                }
            }
            Ok(row)
        };
        let row: Result<SpaceRow, Failure> = read.await;
        client.batch_execute(END).await?;
        row
    }
}

fn ascending(tables: &[TableName]) -> Vec<&TableName> {
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}
