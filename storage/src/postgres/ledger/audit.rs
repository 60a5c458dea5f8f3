//! Accounts beside the sums of their lines.

use super::rows::{number, numbers, read_account, text};
use crate::ledger::{ACCOUNT_NUMBERS, AccountId, AuditCursor, AuditPage, Audited, Sums, kind_of};
use crate::postgres::call::{BEGIN_PATIENT_READ, Call, transaction};
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::postgres::records::bigint;
use crate::types::StoreError;

const ACCOUNTS: &str = concat!(
    "SELECT a.no, a.name, ",
    numbers!(),
    ", (SELECT coalesce(sum(r.amount), 0)::text FROM syncline.ledger_reservations r
        WHERE r.account = a.no AND r.state = 0)
    FROM syncline.ledger_accounts a WHERE a.no > $1 ORDER BY a.no LIMIT $2"
);

/// A sum of bigints is a numeric, which is read as text.
const SUMS: &str = "SELECT l.account, l.kind, count(*), sum(l.amount)::text
    FROM unnest($1::bigint[]) AS asked(no)
    CROSS JOIN LATERAL (SELECT * FROM syncline.ledger_lines l WHERE l.account = asked.no) AS l
    GROUP BY l.account, l.kind";

/// [`crate::LedgerStore::audit`]. All of a page is of one moment.
pub(super) struct Audit {
    pub(super) after: Option<AuditCursor>,
    pub(super) limit: usize,
}

impl Call for Audit {
    type Answer = AuditPage;

    async fn run(&self, connection: &Connection) -> Result<AuditPage, Failure> {
        let reading = self.in_transaction(connection);
        transaction(connection, BEGIN_PATIENT_READ, reading).await
    }
}

impl Audit {
    async fn in_transaction(&self, connection: &Connection) -> Result<AuditPage, Failure> {
        let client = &connection.client;
        let after = self.after.map_or(0, |cursor| cursor.0 as i64);
        let asked = [&after as _, &bigint(self.limit) as _];
        let (mut accounts, mut numbers_there) = (Vec::new(), Vec::new());
        for row in &client.query(ACCOUNTS, &asked).await? {
            numbers_there.push(number(row, 0)?);
            accounts.push(Audited {
                id: AccountId::read(text(row, 1)?)?,
                stored: read_account(row, 2)?,
                sums: Sums::default(),
                open: Some(sum(text(row, 2 + ACCOUNT_NUMBERS)?)?),
                under_way: Some(0),
            });
        }
        for row in &client.query(SUMS, &[&numbers_there]).await? {
            let account = number(row, 0)?;
            // They are in the order of their numbers.
            let Ok(place) = numbers_there.binary_search(&account) else {
                continue;
            };
            let lines = number(row, 2)? as u64;
            let credits = sum(text(row, 3)?)?;
            let kind = kind_of(number(row, 1)?)?;
            accounts[place].sums.add(kind, (lines, credits));
        }
        let last = numbers_there.last().map(|no| AuditCursor(*no as u128));
        Ok(AuditPage {
            next: last.filter(|_| accounts.len() == self.limit),
            accounts,
        })
    }
}

fn sum(text: &str) -> Result<u128, StoreError> {
    let unreadable = |_| StoreError::Damaged(format!("a sum of {text} credits"));
    text.parse().map_err(unreadable)
}
