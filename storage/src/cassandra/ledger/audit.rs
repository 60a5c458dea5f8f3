//! Accounts beside the sums of their lines. Lines are numbered and do not change, so those up to an account's
//! last one are what made it, however many follow meanwhile.

use super::partition::account;
use super::read::{name_of, of_kind, reservations, with_under_way};
use super::row::{Found, Row, kind, number_of, number_value};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::ledger::{AuditCursor, AuditPage, Audited, ReservationState, Sums};

/// Rows that one read brings.
const ROWS: usize = 1_000;

/// Looks at the reservations of an account that is written meanwhile.
const LOOKS_MAX: usize = 3;

/// [`crate::LedgerStore::audit`].
pub(super) async fn audit(
    server: &Server,
    (after, limit): (Option<AuditCursor>, usize),
) -> Result<AuditPage, Failure> {
    if limit == 0 {
        return Ok(AuditPage {
            accounts: Vec::new(),
            next: after,
        });
    }
    let text = match after {
        Some(_) => Text::LedgerAccountsAfter,
        None => Text::LedgerAccountsFirst,
    };
    let mut asked: Vec<Value<'_>> = Vec::new();
    asked.extend(after.map(|AuditCursor(number)| number_value(number)));
    asked.push(Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)));
    let rows = server.ask((text, Level::Hint), asked).await?;
    let mut numbers = Vec::new();
    for cells in rows.cells()? {
        numbers.push(number_of(cells.bytes_there(0)?)?);
    }
    let mut accounts = Vec::with_capacity(numbers.len());
    for number in &numbers {
        accounts.push(audited(server, *number).await?);
    }
    let last = numbers.last().map(|number| AuditCursor(*number));
    Ok(AuditPage {
        next: last.filter(|_| numbers.len() == limit),
        accounts,
    })
}

async fn audited(server: &Server, number: u128) -> Result<Audited, Failure> {
    let mut looks = 0;
    loop {
        looks += 1;
        let (found, under_way) = match with_under_way(server, number).await {
            Ok((found, all)) => {
                let sum: u128 = all.iter().map(|one| u128::from(one.amount.get())).sum();
                (found, Some(sum))
            }
            // More was removed than the server steps over.
            Err(Failure::Tombstones(_)) => (account(server, number).await?, None),
            Err(failure) => return Err(failure),
        };
        let open = open(server, number, &found).await?;
        if open.is_some() || looks == LOOKS_MAX {
            return Ok(Audited {
                id: name_of(number, &found)?,
                stored: found.account,
                sums: sums(server, number, found.account.lines).await?,
                open,
                under_way,
            });
        }
    }
}

/// The sums of the lines up to a number.
async fn sums(server: &Server, number: u128, to: u64) -> Result<Sums, Failure> {
    let (mut sums, mut after) = (Sums::default(), 0);
    while after < to {
        let rows = of_kind(server, (number, kind::LINE), (after, to), ROWS).await?;
        let cells = rows.cells()?;
        for cells in &cells {
            let row = Row(cells);
            sums.add(row.what()?, (1, u128::from(row.amount()?.get())));
            after = row.n()? as u64;
        }
        if cells.len() < ROWS {
            break;
        }
    }
    Ok(sums)
}

/// What is reserved by the rows, if the account was not written meanwhile.
async fn open(server: &Server, number: u128, found: &Found) -> Result<Option<u128>, Failure> {
    let (mut sum, mut after) = (0, None);
    loop {
        let page = reservations(server, number, (after, ROWS)).await?;
        let open = page
            .iter()
            .filter(|one| one.state == ReservationState::Open);
        sum += open.map(|one| u128::from(one.amount.get())).sum::<u128>();
        after = page.last().map(|last| last.posting);
        if page.len() < ROWS {
            break;
        }
    }
    let now = account(server, number).await?;
    Ok((now.last_write == found.last_write).then_some(sum))
}
