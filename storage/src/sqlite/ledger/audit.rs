//! Accounts beside the sums of their lines.

use rusqlite::{Connection, Row, params};

use super::rows::{numbers, read_account};
use crate::ledger::{AccountId, AuditCursor, AuditPage, Audited, Sums, kind_of};
use crate::types::StoreError;

const ACCOUNTS: &str = concat!(
    "SELECT no, name, ",
    numbers!(),
    " FROM ledger_accounts WHERE no > ?1 ORDER BY no LIMIT ?2"
);

/// Credits are below 2^53 and `sum` of integers is exact up to 2^63: it fails before it is wrong.
const SUMS: &str = "SELECT kind, count(*), sum(amount) FROM ledger_lines
    WHERE account = ?1 GROUP BY kind";

const OPEN: &str = "SELECT coalesce(sum(amount), 0) FROM ledger_reservations
    WHERE account = ?1 AND state = 0";

/// See [`crate::LedgerStore::audit`]. All of a page is of one moment.
pub(super) fn audit(
    conn: &Connection,
    after: Option<AuditCursor>,
    limit: usize,
) -> Result<AuditPage, StoreError> {
    let after = after.map_or(0, |cursor| cursor.0 as i64);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(ACCOUNTS)?;
    let mut rows = statement.query(params![after, limit])?;
    let (mut accounts, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let no = row.get(0)?;
        accounts.push(audited(conn, no, row)?);
        last = Some(AuditCursor(no as u128));
    }
    let is_full = accounts.len() as i64 == limit;
    Ok(AuditPage {
        next: last.filter(|_| is_full),
        accounts,
    })
}

fn audited(conn: &Connection, no: i64, row: &Row<'_>) -> Result<Audited, StoreError> {
    let mut sums = Sums::default();
    let mut statement = conn.prepare_cached(SUMS)?;
    let mut found = statement.query([no])?;
    while let Some(sum) = found.next()? {
        let (lines, credits): (i64, i64) = (sum.get(1)?, sum.get(2)?);
        sums.add(kind_of(sum.get(0)?)?, (lines as u64, credits as u128));
    }
    let mut statement = conn.prepare_cached(OPEN)?;
    let open: i64 = statement.query_row([no], |row| row.get(0))?;
    Ok(Audited {
        id: AccountId::read(&row.get::<_, String>(1)?)?,
        stored: read_account(row, 2)?,
        sums,
        open: Some(open as u128),
        under_way: Some(0),
    })
}
