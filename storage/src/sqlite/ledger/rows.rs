//! Rows of the ledger.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use syncline_protocol::ids::AppId;
use syncline_protocol::json::Json;
use syncline_protocol::stamp::WallMs;

use crate::ledger::{
    ACCOUNT_NUMBERS, About, Account, AccountId, Decided, Line, Operation, Order, OrderKey,
    PostingId, Reservation, ReservationState, Seen, Spent, account_of, code_of, credits_of,
    kind_of, numbers_of, posting_of, state_code, state_of,
};
use crate::types::StoreError;

/// The numbers of an account, as [`numbers_of`] orders them.
macro_rules! numbers {
    () => {
        "lines, balance, reserved, in_transit, granted, purchased, received, consumed, expired, sent"
    };
}
pub(super) use numbers;

const FIND: &str = concat!(
    "SELECT no, ",
    numbers!(),
    " FROM ledger_accounts WHERE name = ?1"
);

const ACCOUNT: &str = concat!(
    "SELECT no, ",
    numbers!(),
    " FROM ledger_accounts WHERE no = ?1"
);

const BEGIN: &str = concat!(
    "INSERT INTO ledger_accounts(name, ",
    numbers!(),
    ") VALUES(?1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"
);

const MOVE: &str = "UPDATE ledger_accounts SET lines = ?2, balance = ?3, reserved = ?4,
    in_transit = ?5, granted = ?6, purchased = ?7, received = ?8, consumed = ?9, expired = ?10,
    sent = ?11 WHERE no = ?1";

const KEY: &str = "SELECT line, hash FROM ledger_keys WHERE account = ?1 AND key = ?2";

const KEEP_KEY: &str = "INSERT INTO ledger_keys(account, key, line, hash) VALUES(?1, ?2, ?3, ?4)";

const WRITE: &str =
    "INSERT INTO ledger_lines(account, no, posting, kind, amount, balance_after, at,
    of_posting, other, app, description, metadata)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Everything of a line, as [`read_line`] reads it.
macro_rules! line {
    () => {
        "l.no, l.posting, l.kind, l.amount, l.balance_after, l.at, l.of_posting, l.app, l.description,
        l.metadata, (SELECT name FROM ledger_accounts a WHERE a.no = l.other)"
    };
}

const LINE: &str = concat!(
    "SELECT ",
    line!(),
    " FROM ledger_lines l WHERE l.account = ?1 AND l.no = ?2"
);

pub(in crate::sqlite) const LINES: &str = concat!(
    "SELECT ",
    line!(),
    " FROM ledger_lines l WHERE l.account = ?1 AND l.no < ?2 ORDER BY l.no DESC LIMIT ?3"
);

pub(in crate::sqlite) const USED: &str =
    "SELECT kind, amount FROM ledger_lines WHERE account = ?1 AND posting = ?2";

pub(in crate::sqlite) const REFUNDED: &str = "SELECT coalesce(sum(amount), 0) FROM ledger_lines
    WHERE account = ?1 AND of_posting = ?2 AND kind = ?3";

const RESERVE: &str = "INSERT INTO ledger_reservations(account, posting, amount, expires_at, state)
    VALUES(?1, ?2, ?3, ?4, ?5)
    ON CONFLICT(account, posting) DO UPDATE SET state = excluded.state";

const RESERVATION: &str = "SELECT posting, amount, expires_at, state FROM ledger_reservations
    WHERE account = ?1 AND posting = ?2";

const OPEN: &str = "SELECT posting, amount, expires_at, state FROM ledger_reservations
    WHERE account = ?1 AND state = 0 ORDER BY posting";

pub(in crate::sqlite) const OVER: &str =
    "SELECT posting, amount, expires_at, state, account FROM ledger_reservations
    WHERE state = 0 AND expires_at <= ?1 ORDER BY expires_at, account, posting LIMIT ?2";

const RENAME: &str = "UPDATE ledger_accounts SET name = ?2 WHERE no = ?1";

/// What an erasure leaves of lines.
const EMPTY: &str = "UPDATE ledger_lines SET app = NULL, description = '', metadata = NULL
    WHERE account = ?1 AND (app IS NOT NULL OR description <> '' OR metadata IS NOT NULL)";

const FORGET_KEYS: &str = "DELETE FROM ledger_keys WHERE account = ?1";

/// An account as it stands in its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    /// Its number in the other tables.
    pub(super) no: i64,
    /// What it says.
    pub(super) account: Account,
}

/// Reads an account's number and numbers, which begin at a column.
pub(super) fn read_account(row: &Row<'_>, at: usize) -> Result<Account, StoreError> {
    let mut numbers = [0; ACCOUNT_NUMBERS];
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = row.get(at + place)?;
    }
    account_of(numbers)
}

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    Ok(Stored {
        no: row.get(0)?,
        account: read_account(row, 1)?,
    })
}

pub(super) fn find(conn: &Connection, id: &AccountId) -> Result<Option<Stored>, StoreError> {
    let mut statement = conn.prepare_cached(FIND)?;
    let mut rows = statement.query([id.stored()])?;
    rows.next()?.map(stored).transpose()
}

pub(super) fn account(conn: &Connection, no: i64) -> Result<Account, StoreError> {
    let mut statement = conn.prepare_cached(ACCOUNT)?;
    let mut rows = statement.query([no])?;
    match rows.next()? {
        Some(row) => read_account(row, 1),
        None => Err(StoreError::Damaged(format!(
            "there is no account number {no}"
        ))),
    }
}

/// The number of an account, which begins if it was not found.
pub(super) fn number(
    tx: &Transaction<'_>,
    found: Option<Stored>,
    id: &AccountId,
) -> Result<i64, StoreError> {
    if let Some(found) = found {
        return Ok(found.no);
    }
    tx.prepare_cached(BEGIN)?.execute([id.stored()])?;
    Ok(tx.last_insert_rowid())
}

/// The line of a key, and what its order was.
pub(super) fn key(
    conn: &Connection,
    account: i64,
    key: &OrderKey,
) -> Result<Option<(u64, [u8; 32])>, StoreError> {
    let mut statement = conn.prepare_cached(KEY)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?));
    Ok(statement
        .query_row(params![account, key.as_str()], read)
        .optional()?)
}

pub(super) fn keep_key(
    tx: &Transaction<'_>,
    (account, line): (i64, u64),
    order: &Order,
) -> Result<(), StoreError> {
    let row = params![account, order.key.as_str(), line as i64, order.hash()];
    tx.prepare_cached(KEEP_KEY)?.execute(row)?;
    Ok(())
}

/// What an operation is decided by.
pub(super) fn seen(
    conn: &Connection,
    found: Option<&Stored>,
    operation: &Operation,
) -> Result<Seen, StoreError> {
    let Some(Stored { no, account }) = found else {
        return Ok(Seen::default());
    };
    let (mut reserved, mut used) = (None, None);
    match operation {
        Operation::Refund { of, .. } => used = spent(conn, *no, *of)?,
        Operation::Settle {
            reservation: posting,
            ..
        }
        | Operation::Release {
            reservation: posting,
        } => reserved = reservation(conn, *no, *posting)?,
        Operation::Grant { .. }
        | Operation::Use { .. }
        | Operation::Lapse { .. }
        | Operation::Reserve { .. }
        | Operation::Transfer { .. } => {}
    }
    Ok(Seen {
        account: *account,
        reservation: reserved,
        spent: used,
    })
}

fn spent(conn: &Connection, account: i64, of: PostingId) -> Result<Option<Spent>, StoreError> {
    let mut statement = conn.prepare_cached(USED)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let used = statement.query_row(params![account, of.0.to_be_bytes()], read);
    let Some((kind, amount)) = used.optional()? else {
        return Ok(None);
    };
    let refund = code_of(crate::ledger::LineKind::Refunded);
    let mut statement = conn.prepare_cached(REFUNDED)?;
    let asked = params![account, of.0.to_be_bytes(), refund];
    let refunded = statement.query_row(asked, |row| row.get(0))?;
    Ok(Some(Spent {
        kind: kind_of(kind)?,
        amount: credits_of(amount)?,
        refunded: credits_of(refunded)?,
    }))
}

/// Writes what was decided of an account; `other` is the number of the one that its lines name.
pub(super) fn write(
    tx: &Transaction<'_>,
    (account, other): (i64, Option<i64>),
    decided: &Decided,
) -> Result<(), StoreError> {
    let [
        lines,
        balance,
        reserved,
        in_transit,
        granted,
        purchased,
        received,
        consumed,
        expired,
        sent,
    ] = numbers_of(&decided.account);
    tx.prepare_cached(MOVE)?.execute(params![
        account, lines, balance, reserved, in_transit, granted, purchased, received, consumed,
        expired, sent
    ])?;
    let mut statement = tx.prepare_cached(WRITE)?;
    for line in &decided.lines {
        statement.execute(params![
            account,
            line.no as i64,
            line.posting.0.to_be_bytes(),
            code_of(line.kind),
            line.amount.get() as i64,
            line.balance_after.get() as i64,
            line.at_ms as i64,
            line.of.map(|of| of.0.to_be_bytes()),
            other,
            line.about.app().map(AppId::as_str),
            line.about.description(),
            line.about.metadata().map(Json::as_str)
        ])?;
    }
    if let Some(reservation) = &decided.reservation {
        tx.prepare_cached(RESERVE)?.execute(params![
            account,
            reservation.posting.0.to_be_bytes(),
            reservation.amount.get() as i64,
            reservation.expires_at_ms.min(i64::MAX as u64) as i64,
            state_code(reservation.state)
        ])?;
    }
    Ok(())
}

fn read_line(row: &Row<'_>) -> Result<Line, StoreError> {
    let other: Option<String> = row.get(10)?;
    let of: Option<Vec<u8>> = row.get(6)?;
    let (app, metadata): (Option<String>, Option<String>) = (row.get(7)?, row.get(9)?);
    let description: String = row.get(8)?;
    Ok(Line {
        no: row.get::<_, i64>(0)? as u64,
        posting: posting_of(&row.get::<_, Vec<u8>>(1)?)?,
        kind: kind_of(row.get(2)?)?,
        amount: credits_of(row.get(3)?)?,
        balance_after: credits_of(row.get(4)?)?,
        at_ms: row.get::<_, i64>(5)? as u64,
        of: of.as_deref().map(posting_of).transpose()?,
        other: other.as_deref().map(AccountId::read).transpose()?,
        about: About::trusted(app.as_deref(), &description, metadata.as_deref()),
    })
}

pub(super) fn line(conn: &Connection, account: i64, no: u64) -> Result<Line, StoreError> {
    let mut statement = conn.prepare_cached(LINE)?;
    let mut rows = statement.query(params![account, no as i64])?;
    match rows.next()? {
        Some(row) => read_line(row),
        None => Err(StoreError::Damaged(format!(
            "the line {no} of account number {account} is not there"
        ))),
    }
}

/// The lines before a number, the newest first.
pub(super) fn lines(
    conn: &Connection,
    account: i64,
    (before, limit): (Option<u64>, usize),
) -> Result<Vec<Line>, StoreError> {
    let before = before.and_then(|before| i64::try_from(before).ok());
    let asked = params![account, before.unwrap_or(i64::MAX), limit as i64];
    let mut statement = conn.prepare_cached(LINES)?;
    let mut rows = statement.query(asked)?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(read_line(row)?);
    }
    Ok(lines)
}

fn read_reservation(row: &Row<'_>) -> Result<Reservation, StoreError> {
    Ok(Reservation {
        posting: posting_of(&row.get::<_, Vec<u8>>(0)?)?,
        amount: credits_of(row.get(1)?)?,
        expires_at_ms: row.get::<_, i64>(2)? as u64,
        state: state_of(row.get(3)?)?,
    })
}

pub(super) fn reservation(
    conn: &Connection,
    account: i64,
    posting: PostingId,
) -> Result<Option<Reservation>, StoreError> {
    let mut statement = conn.prepare_cached(RESERVATION)?;
    let mut rows = statement.query(params![account, posting.0.to_be_bytes()])?;
    rows.next()?.map(read_reservation).transpose()
}

/// What is set aside of an account.
pub(super) fn open(conn: &Connection, account: i64) -> Result<Vec<Reservation>, StoreError> {
    let mut statement = conn.prepare_cached(OPEN)?;
    let mut rows = statement.query([account])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        open.push(read_reservation(row)?);
    }
    debug_assert!(open.iter().all(|one| one.state == ReservationState::Open));
    Ok(open)
}

/// The reservations whose time is over, the longest over first, each with its account's number.
pub(super) fn over(
    conn: &Connection,
    now_ms: WallMs,
    limit: usize,
) -> Result<Vec<(i64, Reservation)>, StoreError> {
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(OVER)?;
    let mut rows = statement.query(params![now_ms, limit])?;
    let mut over = Vec::new();
    while let Some(row) = rows.next()? {
        over.push((row.get(4)?, read_reservation(row)?));
    }
    Ok(over)
}

/// Has an account be nobody's.
pub(super) fn forget(tx: &Transaction<'_>, no: i64, nobody: &AccountId) -> Result<(), StoreError> {
    tx.execute(RENAME, params![no, nobody.stored()])?;
    tx.execute(EMPTY, [no])?;
    tx.execute(FORGET_KEYS, [no])?;
    Ok(())
}
