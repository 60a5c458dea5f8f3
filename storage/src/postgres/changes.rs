//! Reading what changed after a place, in pages.

use syncline_protocol::ids::{SpaceKey, TableName};
use tokio_postgres::Row;

use super::call::{Call, space_and_rows};
use super::connection::Connection;
use super::error::Failure;
use super::names;
use super::records::{bigint, fill};
use super::space::SpaceRow;
use crate::page::Page;
use crate::types::{After, ChangesPage, PageLimit};

/// The rows of a page and the first that does not fit it, in the order of the index. Names are
/// never empty, so (seq, '', '') is before the first record of a commit. The first that is past the
/// bytes of the page comes without its record; what is behind it is measured and not read.
macro_rules! page_where {
    ($more:literal) => {
        concat!(
            "SELECT tbl, id, seq,
        CASE WHEN upto <= $7::bigint OR no = 1 THEN state END,
        CASE WHEN upto <= $7::bigint OR no = 1 THEN data END FROM (
        SELECT tbl, id, seq, state, data, octets,
            row_number() OVER (ORDER BY seq, tbl, id) AS no,
            sum(octets) OVER (ORDER BY seq, tbl, id ROWS UNBOUNDED PRECEDING) AS upto
        FROM (
            SELECT tbl, id, seq, state, data,
                octet_length(state) + octet_length(data) AS octets
            FROM syncline.record_states
            WHERE sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
                AND (seq, tbl, id) > ($3, $4, $5)",
            $more,
            "
            ORDER BY seq, tbl, id LIMIT $6) page) measured
    WHERE upto - octets <= $7::bigint OR no = 2 ORDER BY seq, tbl, id"
        )
    };
}

/// A page of all tables.
pub(super) const CHANGES: &str = page_where!("");

/// A page of one table. The index holds it, so what is of other tables is an entry stepped
/// over, never a row read.
pub(super) const CHANGES_OF: &str = page_where!(" AND tbl = $8");

/// [`crate::Store::changes`].
pub(super) struct Changes<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) after: &'a After,
    pub(super) limit: PageLimit,
}

impl Call for Changes<'_> {
    type Answer = ChangesPage;

    async fn run(&self, connection: &Connection) -> Result<ChangesPage, Failure> {
        let (seq, table, id) = place(self.after);
        let (rows_max, bytes_max) = limits(self.limit);
        let asked = (
            &connection.statements.changes,
            &[
                &seq as _,
                &table as _,
                &id as _,
                &rows_max as _,
                &bytes_max as _,
            ][..],
        );
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        page(connection, row, &rows, self.limit).await
    }
}

/// [`crate::Store::changes_of`].
pub(super) struct ChangesOf<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) table: &'a TableName,
    pub(super) after: &'a After,
    pub(super) limit: PageLimit,
}

impl Call for ChangesOf<'_> {
    type Answer = ChangesPage;

    async fn run(&self, connection: &Connection) -> Result<ChangesPage, Failure> {
        let (seq, table, id) = place(self.after);
        let (rows_max, bytes_max) = limits(self.limit);
        let of = self.table.as_str();
        let asked = (
            &connection.statements.changes_of,
            &[
                &seq as _,
                &table as _,
                &id as _,
                &rows_max as _,
                &bytes_max as _,
                &of as _,
            ][..],
        );
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        page(connection, row, &rows, self.limit).await
    }
}

/// Where the rows begin, in the order of the index.
fn place(after: &After) -> (i64, &str, &str) {
    match &after.key {
        Some(key) => (after.seq.0 as i64, key.table.as_str(), key.id.as_str()),
        None => (after.seq.0.wrapping_add(1) as i64, "", ""),
    }
}

async fn page(
    connection: &Connection,
    row: SpaceRow,
    rows: &[Row],
    limit: PageLimit,
) -> Result<ChangesPage, Failure> {
    let mut page = Page::new(limit);
    fill(&mut page, rows, row.sid)?;
    let (to, inside) = page.cut().unwrap_or((row.view.head, None));
    let changes = ChangesPage {
        view: row.view,
        to,
        inside,
        writers: names::writers(connection, row.sid, &page.records).await?,
        records: page.records,
    };
    Ok(changes)
}

/// How many rows to ask for, so that one shows whether more are there, and how many bytes.
pub(super) fn limits(limit: PageLimit) -> (i64, i64) {
    (
        bigint(limit.records.max(1)).saturating_add(1),
        bigint(limit.bytes),
    )
}
