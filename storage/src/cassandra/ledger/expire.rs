//! Reservations whose time is over.

use syncline_protocol::stamp::WallMs;

use super::hints::{self, Errand};
use super::partition::{Becomes, Change, Tries, look, touch};
use super::row::{kind, of_posting};
use crate::cassandra::failure::Failure;
use crate::cassandra::server::Server;
use crate::ledger::{PostingId, run_out};

/// [`crate::LedgerStore::expire`].
pub(super) async fn expire(
    server: &Server,
    (now_ms, limit): (WallMs, usize),
) -> Result<usize, Failure> {
    let hints = hints::until(server, Errand::RunOut, (now_ms, limit)).await?;
    for hint in &hints {
        end(server, (hint.number, hint.posting), now_ms).await?;
        hints::remove(server, Errand::RunOut, *hint).await;
    }
    Ok(hints.len())
}

/// Gives a reservation back, unless it has ended. One that is not there will not be: what was under way
/// of it stands on what the account was before.
pub(super) async fn end(
    server: &Server,
    (number, posting): (u128, PostingId),
    now_ms: WallMs,
) -> Result<(), Failure> {
    let mut tries = Tries::of(server, number).await;
    loop {
        tries.next().await?;
        let places = vec![of_posting(kind::RESERVED, posting)];
        let (found, all) = look(server, (number, places), |kind, row| match kind {
            kind::RESERVED => row.reservation().map(Some),
            _ => Ok(None),
        })
        .await?;
        let Some(reservation) = all.into_iter().next() else {
            if touch(server, number, &found).await? {
                return Ok(());
            }
            continue;
        };
        let by = (PostingId::random()?, now_ms);
        let Some(decided) = run_out(found.account, reservation, by) else {
            return Ok(());
        };
        let becomes = Becomes {
            account: decided.account,
            owner: found.owner.clone(),
            is_closed: found.is_closed,
        };
        let mut change = Change::of(number, &found, &becomes)?;
        change.put_decided(&decided, None);
        if change.write(server).await? {
            return Ok(());
        }
    }
}
