//! Rows of the ledger, and the statements of an order.

use syncline_protocol::ids::AppId;
use syncline_protocol::json::Json;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::ledger::{
    ACCOUNT_NUMBERS, About, Account, AccountId, Decided, Line, LineKind, Operation, Order,
    OrderKey, PostingId, Reservation, Seen, Spent, account_of, code_of, credits_of, kind_of,
    numbers_of, posting_of, state_code, state_of,
};
use crate::postgres::connection::Connection;
use crate::postgres::error::{Failure, unreadable};
use crate::postgres::import_rows::column;
use crate::types::StoreError;

/// The numbers of an account, as [`numbers_of`] orders them.
macro_rules! numbers {
    () => {
        "a.lines, a.balance, a.reserved, a.in_transit, a.granted, a.purchased, a.received, a.consumed,
        a.expired, a.sent"
    };
}
pub(super) use numbers;

/// An account, without a lock.
const FIND: &str = concat!(
    "SELECT a.no, ",
    numbers!(),
    " FROM syncline.ledger_accounts a WHERE a.name = $1"
);

/// Begins those of these accounts that are not there. In the order of their names, so that two who
/// begin the same ones do not wait for each other in a circle.
const BEGIN: &str =
    "INSERT INTO syncline.ledger_accounts(name, lines, balance, reserved, in_transit,
        granted, purchased, received, consumed, expired, sent)
    SELECT name, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM unnest($1::text[]) AS asked(name)
    WHERE NOT EXISTS (SELECT 1 FROM syncline.ledger_accounts a WHERE a.name = asked.name)
    ON CONFLICT (name) DO NOTHING";

/// Locks accounts, in the order of their numbers. Which they are is found before, since rows are locked in
/// the order in which they come.
const LOCK: &str = concat!(
    "WITH found AS MATERIALIZED (
        SELECT no FROM syncline.ledger_accounts WHERE name = ANY($1::text[])),
    ordered AS MATERIALIZED (SELECT no FROM found ORDER BY no)
    SELECT a.no, ",
    numbers!(),
    ", a.name FROM ordered o CROSS JOIN LATERAL
        (SELECT * FROM syncline.ledger_accounts a WHERE a.no = o.no FOR UPDATE OF a) AS a"
);

const KEY: &str = "SELECT line, hash FROM syncline.ledger_keys WHERE account = $1 AND key = $2";

const KEEP_KEY: &str = "INSERT INTO syncline.ledger_keys(account, key, line, hash)
    VALUES($1, $2, $3, $4)";

const MOVE: &str = "UPDATE syncline.ledger_accounts SET lines = $2, balance = $3, reserved = $4,
    in_transit = $5, granted = $6, purchased = $7, received = $8, consumed = $9, expired = $10,
    sent = $11 WHERE no = $1";

const WRITE: &str = "INSERT INTO syncline.ledger_lines(account, no, posting, kind, amount,
        balance_after, at, of_posting, other, app, description, metadata)
    SELECT $1::bigint, l.no, l.posting, l.kind, l.amount, l.balance_after, l.at, l.of_posting, $2::bigint,
        l.app, l.description, l.metadata
    FROM unnest($3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bytea[], $10::text[], $11::text[], $12::text[])
        AS l(no, posting, kind, amount, balance_after, at, of_posting, app, description, metadata)";

/// Everything of a line, as [`read_line`] reads it.
macro_rules! line {
    () => {
        "l.no, l.posting, l.kind, l.amount, l.balance_after, l.at, l.of_posting, l.app, l.description,
        l.metadata, (SELECT o.name FROM syncline.ledger_accounts o WHERE o.no = l.other)"
    };
}

const LINE: &str = concat!(
    "SELECT ",
    line!(),
    " FROM syncline.ledger_lines l WHERE l.account = $1 AND l.no = $2"
);

const LINES: &str = concat!(
    "SELECT ",
    line!(),
    " FROM syncline.ledger_lines l WHERE l.account = $1 AND l.no < $2 ORDER BY l.no DESC LIMIT $3"
);

/// A use, and what was refunded of it.
const SPENT: &str = "SELECT l.kind, l.amount, (SELECT coalesce(sum(r.amount), 0)::bigint
        FROM syncline.ledger_lines r
        WHERE r.account = $1 AND r.of_posting = $2 AND r.kind = $3)
    FROM syncline.ledger_lines l WHERE l.account = $1 AND l.posting = $2";

const RESERVE: &str = "INSERT INTO syncline.ledger_reservations
        (account, posting, amount, expires_at, state) VALUES($1, $2, $3, $4, $5)
    ON CONFLICT (account, posting) DO UPDATE SET state = excluded.state";

const RESERVATION: &str = "SELECT posting, amount, expires_at, state
    FROM syncline.ledger_reservations WHERE account = $1 AND posting = $2";

/// What is prepared on every connection.
pub(in crate::postgres) struct LedgerStatements {
    find: Statement,
    begin: Statement,
    lock: Statement,
    key: Statement,
    keep_key: Statement,
    move_account: Statement,
    write: Statement,
    line: Statement,
    lines: Statement,
    spent: Statement,
    reserve: Statement,
    reservation: Statement,
}

impl LedgerStatements {
    pub(in crate::postgres) async fn prepare(
        client: &Client,
    ) -> Result<LedgerStatements, tokio_postgres::Error> {
        let texts = [
            FIND,
            BEGIN,
            LOCK,
            KEY,
            KEEP_KEY,
            MOVE,
            WRITE,
            LINE,
            LINES,
            SPENT,
            RESERVE,
            RESERVATION,
        ];
        let prepared = texts.map(|text| client.prepare(text));
        let prepared = futures_util::future::try_join_all(prepared).await?;
        let mut prepared = prepared.into_iter();
        let mut next = || prepared.next().expect("one a text");
        // In the order of the texts.
        Ok(LedgerStatements {
            find: next(),
            begin: next(),
            lock: next(),
            key: next(),
            keep_key: next(),
            move_account: next(),
            write: next(),
            line: next(),
            lines: next(),
            spent: next(),
            reserve: next(),
            reservation: next(),
        })
    }
}

/// An account as it stands in its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    /// Its number in the other tables.
    pub(super) no: i64,
    /// What it says.
    pub(super) account: Account,
}

pub(super) fn number(row: &Row, at: usize) -> Result<i64, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

pub(super) fn text(row: &Row, at: usize) -> Result<&str, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

fn maybe_text(row: &Row, at: usize) -> Result<Option<&str>, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

pub(super) fn blob(row: &Row, at: usize) -> Result<&[u8], StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

/// Reads an account's numbers, which begin at a column.
pub(super) fn read_account(row: &Row, at: usize) -> Result<Account, StoreError> {
    let mut numbers = [0; ACCOUNT_NUMBERS];
    for (place, one) in numbers.iter_mut().enumerate() {
        *one = number(row, at + place)?;
    }
    account_of(numbers)
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        no: number(row, 0)?,
        account: read_account(row, 1)?,
    })
}

pub(super) async fn find(
    connection: &Connection,
    id: &AccountId,
) -> Result<Option<Stored>, Failure> {
    let statement = &connection.statements.ledger.find;
    let name = id.stored();
    let found = connection.client.query_opt(statement, &[&name]).await?;
    Ok(found.as_ref().map(stored).transpose()?)
}

/// Locks accounts, which begin if they are not there. In the order asked.
pub(super) async fn lock(
    connection: &Connection,
    ids: &[&AccountId],
) -> Result<Vec<Stored>, Failure> {
    let mut names: Vec<String> = ids.iter().map(|id| id.stored()).collect();
    names.sort();
    let statements = &connection.statements.ledger;
    let client = &connection.client;
    client.execute(&statements.begin, &[&names]).await?;
    let rows = lock_those_there(connection, &names).await?;
    let place = |id: &&AccountId| {
        let found = rows.iter().find(|(name, _)| *name == id.stored());
        let found = found.map(|(_, stored)| *stored);
        // It was erased between the two statements: a call that is made again begins another.
        found.ok_or_else(|| StoreError::Unavailable("an account was just erased".to_owned()))
    };
    Ok(ids.iter().map(place).collect::<Result<_, _>>()?)
}

/// The same of those only that are there, each with its name. One that another name was given while it was
/// waited for is no longer there.
pub(super) async fn lock_those_there(
    connection: &Connection,
    names: &[String],
) -> Result<Vec<(String, Stored)>, Failure> {
    let statement = &connection.statements.ledger.lock;
    let mut locked = Vec::new();
    for row in &connection.client.query(statement, &[&names]).await? {
        let name = text(row, ACCOUNT_NUMBERS + 1)?.to_owned();
        if names.contains(&name) {
            locked.push((name, stored(row)?));
        }
    }
    Ok(locked)
}

/// The line of a key, and what its order was.
pub(super) async fn key(
    connection: &Connection,
    account: i64,
    key: &OrderKey,
) -> Result<Option<(u64, Vec<u8>)>, Failure> {
    let statement = &connection.statements.ledger.key;
    let asked = [&account as &(dyn ToSql + Sync), &key.as_str()];
    let found = connection.client.query_opt(statement, &asked).await?;
    let Some(row) = found else {
        return Ok(None);
    };
    Ok(Some((number(&row, 0)? as u64, blob(&row, 1)?.to_vec())))
}

pub(super) async fn keep_key(
    connection: &Connection,
    (account, line): (i64, u64),
    order: &Order,
) -> Result<(), Failure> {
    let statement = &connection.statements.ledger.keep_key;
    let (key, line, hash) = (order.key.as_str(), line as i64, order.hash().to_vec());
    let row: [&(dyn ToSql + Sync); 4] = [&account, &key, &line, &hash];
    connection.client.execute(statement, &row).await?;
    Ok(())
}

/// What an operation is decided by.
pub(super) async fn seen(
    connection: &Connection,
    stored: &Stored,
    operation: &Operation,
) -> Result<Seen, Failure> {
    let mut seen = Seen {
        account: stored.account,
        ..Seen::default()
    };
    match operation {
        Operation::Refund { of, .. } => seen.spent = spent(connection, stored.no, *of).await?,
        Operation::Settle {
            reservation: posting,
            ..
        }
        | Operation::Release {
            reservation: posting,
        } => seen.reservation = reservation(connection, stored.no, *posting).await?,
        Operation::Grant { .. }
        | Operation::Use { .. }
        | Operation::Lapse { .. }
        | Operation::Reserve { .. }
        | Operation::Transfer { .. } => {}
    }
    Ok(seen)
}

async fn spent(
    connection: &Connection,
    account: i64,
    of: PostingId,
) -> Result<Option<Spent>, Failure> {
    let statement = &connection.statements.ledger.spent;
    let (of, refund) = (of.0.to_be_bytes().to_vec(), code_of(LineKind::Refunded));
    let asked: [&(dyn ToSql + Sync); 3] = [&account, &of, &refund];
    let found = connection.client.query_opt(statement, &asked).await?;
    let Some(row) = found else {
        return Ok(None);
    };
    Ok(Some(Spent {
        kind: kind_of(number(&row, 0)?)?,
        amount: credits_of(number(&row, 1)?)?,
        refunded: credits_of(number(&row, 2)?)?,
    }))
}

/// Writes what was decided of an account; `other` is the number of the one that its lines name.
pub(super) async fn write(
    connection: &Connection,
    (account, other): (i64, Option<i64>),
    decided: &Decided,
) -> Result<(), Failure> {
    let statements = &connection.statements.ledger;
    let client = &connection.client;
    let numbers = numbers_of(&decided.account);
    let mut row: Vec<&(dyn ToSql + Sync)> = vec![&account];
    row.extend(numbers.iter().map(|number| number as &(dyn ToSql + Sync)));
    client.execute(&statements.move_account, &row).await?;
    let lines = &decided.lines;
    let id = |id: PostingId| id.0.to_be_bytes().to_vec();
    let columns: [&(dyn ToSql + Sync); 12] = [
        &account,
        &other,
        &column(lines, |line| line.no as i64),
        &column(lines, |line| id(line.posting)),
        &column(lines, |line| code_of(line.kind)),
        &column(lines, |line| line.amount.get() as i64),
        &column(lines, |line| line.balance_after.get() as i64),
        &column(lines, |line| line.at_ms as i64),
        &column(lines, |line| line.of.map(id)),
        &column(lines, |line| line.about.app().map(AppId::as_str)),
        &column(lines, |line| line.about.description()),
        &column(lines, |line| line.about.metadata().map(Json::as_str)),
    ];
    client.execute(&statements.write, &columns).await?;
    if let Some(reservation) = &decided.reservation {
        let posting = id(reservation.posting);
        let amount = reservation.amount.get() as i64;
        let expires_at = i64::try_from(reservation.expires_at_ms).unwrap_or(i64::MAX);
        let state = state_code(reservation.state);
        let row: [&(dyn ToSql + Sync); 5] = [&account, &posting, &amount, &expires_at, &state];
        client.execute(&statements.reserve, &row).await?;
    }
    Ok(())
}

fn read_line(row: &Row) -> Result<Line, StoreError> {
    let of: Option<&[u8]> = row.try_get(6).map_err(|error| unreadable(&error))?;
    let other = maybe_text(row, 10)?;
    Ok(Line {
        no: number(row, 0)? as u64,
        posting: posting_of(blob(row, 1)?)?,
        kind: kind_of(number(row, 2)?)?,
        amount: credits_of(number(row, 3)?)?,
        balance_after: credits_of(number(row, 4)?)?,
        at_ms: number(row, 5)? as u64,
        of: of.map(posting_of).transpose()?,
        other: other.map(AccountId::read).transpose()?,
        about: About::trusted(maybe_text(row, 7)?, text(row, 8)?, maybe_text(row, 9)?),
    })
}

pub(super) async fn line(connection: &Connection, account: i64, no: u64) -> Result<Line, Failure> {
    let statement = &connection.statements.ledger.line;
    let asked: [&(dyn ToSql + Sync); 2] = [&account, &(no as i64)];
    let found = connection.client.query_opt(statement, &asked).await?;
    let gone = || {
        let why = format!("the line {no} of account number {account} is not there");
        StoreError::Damaged(why)
    };
    Ok(read_line(found.as_ref().ok_or_else(gone)?)?)
}

/// The lines before a number, the newest first.
pub(super) async fn lines(
    connection: &Connection,
    account: i64,
    (before, limit): (Option<u64>, usize),
) -> Result<Vec<Line>, Failure> {
    let statement = &connection.statements.ledger.lines;
    let before = before.and_then(|before| i64::try_from(before).ok());
    let before = before.unwrap_or(i64::MAX);
    let asked: [&(dyn ToSql + Sync); 3] = [&account, &before, &(limit as i64)];
    let rows = connection.client.query(statement, &asked).await?;
    Ok(rows.iter().map(read_line).collect::<Result<_, _>>()?)
}

/// Reads a posting, an amount, a time and a state, which begin at a column.
pub(super) fn read_reservation(row: &Row, at: usize) -> Result<Reservation, StoreError> {
    Ok(Reservation {
        posting: posting_of(blob(row, at)?)?,
        amount: credits_of(number(row, at + 1)?)?,
        expires_at_ms: number(row, at + 2)? as u64,
        state: state_of(number(row, at + 3)?)?,
    })
}

pub(super) async fn reservation(
    connection: &Connection,
    account: i64,
    posting: PostingId,
) -> Result<Option<Reservation>, Failure> {
    let statement = &connection.statements.ledger.reservation;
    let posting = posting.0.to_be_bytes().to_vec();
    let asked: [&(dyn ToSql + Sync); 2] = [&account, &posting];
    let found = connection.client.query_opt(statement, &asked).await?;
    let read = |row: &Row| read_reservation(row, 0);
    Ok(found.as_ref().map(read).transpose()?)
}
