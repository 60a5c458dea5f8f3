//! Which number an owner's account has.

use super::row::{number_of, number_value};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server, Writes};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::ledger::{AccountId, PostingId};
use crate::types::StoreError;

/// Looks for a number that somebody else may just be giving.
const TRIES_MAX: usize = 8;

/// The number of an account; `None` if it was never given one.
pub(super) async fn find(server: &Server, id: &AccountId) -> Result<Option<u128>, Failure> {
    match id {
        AccountId::Erased(number) => Ok(Some(*number)),
        _ => look(server, id, Level::Hint).await,
    }
}

async fn look(server: &Server, id: &AccountId, level: Level) -> Result<Option<u128>, Failure> {
    let rows = server
        .ask((Text::LedgerOwner, level), (id.stored(),))
        .await?;
    let cells = rows.cells()?;
    let number = cells.first().and_then(|cells| cells.bytes(0));
    Ok(number.map(number_of).transpose()?)
}

/// The same; one is given if there is none.
pub(super) async fn find_or_give(server: &Server, id: &AccountId) -> Result<u128, Failure> {
    if let Some(number) = find(server, id).await? {
        return Ok(number);
    }
    let number = PostingId::random()?.0;
    for _ in 0..TRIES_MAX {
        let mut writes = Writes::default();
        let values = vec![Value::Made(id.stored()), number_value(number)];
        writes.push(Text::BeginOwner, values);
        match server.write(&writes).await {
            Ok(true) => return Ok(number),
            Ok(false) | Err(Failure::GivenUp(_) | Failure::Lost(_)) => {}
            Err(failure) => return Err(failure),
        }
        if let Some(number) = look(server, id, Level::Serial).await? {
            return Ok(number);
        }
    }
    let why = "nobody knows whether an account has a number".to_owned();
    Err(StoreError::Unavailable(why).into())
}

/// Takes an owner's number away, if it is this one.
pub(super) async fn forget(server: &Server, id: &AccountId, number: u128) -> Result<(), Failure> {
    let mut writes = Writes::default();
    let values = vec![Value::Made(id.stored()), number_value(number)];
    writes.push(Text::ForgetOwner, values);
    // If it is another one, that is a new account of the same owner.
    server.write(&writes).await.map(drop)
}
