//! What is asked of accounts and their lines.

use std::collections::HashMap;

use super::owners;
use super::partition::{account, look};
use super::row::{Found, Row, kind, number_value, of_line, of_posting};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Rows, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::ledger::{About, AccountId, Line, PostingId, Reservation};
use crate::types::StoreError;

/// The number of an account, and what is there of it; `None` if it was never written, or is
/// being erased.
pub(super) async fn find(
    server: &Server,
    id: &AccountId,
) -> Result<Option<(u128, Found)>, Failure> {
    let Some(number) = owners::find(server, id).await? else {
        return Ok(None);
    };
    let found = account(server, number).await?;
    let is_asked = found.is_closed == matches!(id, AccountId::Erased(_));
    Ok((found.last_write.is_some() && is_asked).then_some((number, found)))
}

/// A line, with all that belongs to it.
pub(super) async fn line(server: &Server, number: u128, no: u64) -> Result<Line, Failure> {
    let places = vec![of_line(kind::LINE, no), of_line(kind::ABOUT, no)];
    let (mut lines, mut about) = (Vec::new(), About::default());
    look::<()>(server, (number, places), |kind, row| {
        match kind {
            kind::LINE => lines.push(row.line()?),
            kind::ABOUT => about = row.about()?,
            _ => {}
        }
        Ok(None)
    })
    .await?;
    for (line, _) in &mut lines {
        line.about = std::mem::take(&mut about);
    }
    let named = named(server, lines).await?.pop();
    named.ok_or_else(|| StoreError::Damaged(format!("line {no} of an account is gone")).into())
}

/// The lines before a number, the newest first.
pub(super) async fn lines(
    server: &Server,
    number: u128,
    (before, limit): (Option<u64>, usize),
) -> Result<Vec<Line>, Failure> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let before = before.and_then(|before| i64::try_from(before).ok());
    let asked = vec![
        number_value(number),
        Value::Kind(kind::LINE),
        Value::Int(before.unwrap_or(i64::MAX)),
        Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    let rows = server
        .ask((Text::LedgerNewest, Level::Serial), asked)
        .await?;
    let mut lines = Vec::new();
    for cells in rows.cells()? {
        lines.push(Row(&cells).line()?);
    }
    let (Some((newest, _)), Some((oldest, _))) = (lines.first(), lines.last()) else {
        return Ok(Vec::new());
    };
    let span = (oldest.no - 1, newest.no);
    let rows = of_kind(server, (number, kind::ABOUT), span, limit).await?;
    let mut abouts = HashMap::new();
    for cells in rows.cells()? {
        let row = Row(&cells);
        abouts.insert(row.n()? as u64, row.about()?);
    }
    for (line, _) in &mut lines {
        line.about = abouts.remove(&line.no).unwrap_or_default();
    }
    named(server, lines).await
}

/// Rows of a kind with numbers after the first, up to the second.
pub(super) async fn of_kind(
    server: &Server,
    (number, kind): (u128, i8),
    (after, to): (u64, u64),
    limit: usize,
) -> Result<Rows, Failure> {
    let asked = vec![
        number_value(number),
        Value::Kind(kind),
        Value::Int(after as i64),
        Value::Int(to as i64),
        Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    server.ask((Text::LedgerRange, Level::Serial), asked).await
}

/// Lines whose other accounts have the names that they have now.
async fn named(server: &Server, lines: Vec<(Line, Option<u128>)>) -> Result<Vec<Line>, Failure> {
    let mut names: HashMap<u128, AccountId> = HashMap::new();
    let mut all = Vec::with_capacity(lines.len());
    for (mut line, other) in lines {
        if let Some(number) = other {
            let known = names.get(&number).cloned();
            let other = match known {
                Some(known) => known,
                None => name(server, number).await?,
            };
            names.insert(number, other.clone());
            line.other = Some(other);
        }
        all.push(line);
    }
    Ok(all)
}

async fn name(server: &Server, number: u128) -> Result<AccountId, Failure> {
    Ok(name_of(number, &account(server, number).await?)?)
}

pub(super) fn name_of(number: u128, found: &Found) -> Result<AccountId, StoreError> {
    match &found.owner {
        Some(owner) => AccountId::read(owner),
        None => Ok(AccountId::Erased(number)),
    }
}

pub(super) async fn reservation(
    server: &Server,
    number: u128,
    posting: PostingId,
) -> Result<Option<Reservation>, Failure> {
    let places = vec![of_posting(kind::RESERVED, posting)];
    let (_, all) = look(server, (number, places), |kind, row| match kind {
        kind::RESERVED => row.reservation().map(Some),
        _ => Ok(None),
    })
    .await?;
    Ok(all.into_iter().next())
}

/// What is reserved, open or not, after a posting, at most `limit`.
pub(super) async fn reservations(
    server: &Server,
    number: u128,
    (after, limit): (Option<PostingId>, usize),
) -> Result<Vec<Reservation>, Failure> {
    let after = after.map_or_else(Vec::new, |after| after.0.to_be_bytes().to_vec());
    let asked = vec![
        number_value(number),
        Value::Kind(kind::RESERVED),
        Value::Blob(after),
        Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)),
    ];
    let rows = server
        .ask((Text::LedgerAfter, Level::Serial), asked)
        .await?;
    let mut all = Vec::new();
    for cells in rows.cells()? {
        all.push(Row(&cells).reservation()?);
    }
    Ok(all)
}

/// The account and the transfers that are under way from it, of one moment.
pub(super) async fn with_under_way(
    server: &Server,
    number: u128,
) -> Result<(Found, Vec<super::row::UnderWay>), Failure> {
    let asked = vec![number_value(number), Value::Kind(kind::UNDER_WAY)];
    let rows = server.ask((Text::LedgerTail, Level::Serial), asked).await?;
    let (mut found, mut all) = (Found::default(), Vec::new());
    for cells in rows.cells()? {
        found = Found::read(&cells)?;
        let row = Row(&cells);
        if row.kind()? == kind::UNDER_WAY {
            all.push(row.under_way()?);
        }
    }
    Ok((found, all))
}
