//! An account that becomes nobody's. Its number stays, and names nobody; what the server keeps of what was
//! removed goes with the first compaction after `gc_grace_seconds`.

use syncline_protocol::stamp::WallMs;

use super::partition::{Becomes, Change, PERSONAL, Tries};
use super::read::{reservations, with_under_way};
use super::row::{Found, UnderWay};
use super::{expire, owners, transfer};
use crate::cassandra::failure::{Failure, contended};
use crate::cassandra::interlude::Step;
use crate::cassandra::server::Server;
use crate::ledger::{AccountId, Credits, PostingId, ReservationState, lapse};

/// Rounds of ending what is under way and what is reserved, while orders may bring more.
const ROUNDS_MAX: usize = 16;

/// Reservations that one read brings.
const ROWS: usize = 1_000;

/// [`crate::LedgerStore::erase_account`].
pub(super) async fn erase(
    server: &Server,
    id: &AccountId,
    now_ms: WallMs,
) -> Result<bool, Failure> {
    if matches!(id, AccountId::Erased(_)) {
        return Ok(false);
    }
    let Some(number) = owners::find(server, id).await? else {
        return Ok(false);
    };
    let mut was_there = None;
    for _ in 0..ROUNDS_MAX {
        let (found, under_way) = with_under_way(server, number).await?;
        let before = *was_there.get_or_insert(found.last_write.is_some());
        if found.is_closed || close(server, (number, now_ms), (&found, &under_way[..])).await? {
            server.interludes.at(Step::CloseAndForget).await;
            owners::forget(server, id, number).await?;
            return Ok(before);
        }
        for one in &under_way {
            transfer::finish_one(server, number, one.posting).await?;
        }
        if found.account.reserved != Credits::ZERO {
            end_reservations(server, number, now_ms).await?;
        }
    }
    Err(contended().into())
}

/// Has nothing be written there any more, if nothing is reserved or under way. False if something is, or
/// somebody was faster.
async fn close(
    server: &Server,
    (number, now_ms): (u128, WallMs),
    (found, under_way): (&Found, &[UnderWay]),
) -> Result<bool, Failure> {
    if !under_way.is_empty() || found.account.reserved != Credits::ZERO {
        return Ok(false);
    }
    let _tries = Tries::of(server, number).await;
    let decided = lapse(found.account, (PostingId::random()?, now_ms));
    let becomes = Becomes {
        account: decided
            .as_ref()
            .map_or(found.account, |decided| decided.account),
        owner: None,
        is_closed: true,
    };
    let mut change = Change::of(number, found, &becomes)?;
    if let Some(decided) = &decided {
        change.put_decided(decided, None);
    }
    for kind in PERSONAL {
        change.remove_all(kind);
    }
    change.write(server).await
}

async fn end_reservations(server: &Server, number: u128, now_ms: WallMs) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = reservations(server, number, (after, ROWS)).await?;
        for one in &page {
            if one.state == ReservationState::Open {
                expire::end(server, (number, one.posting), now_ms).await?;
            }
        }
        after = page.last().map(|last| last.posting);
        if page.len() < ROWS {
            return Ok(());
        }
    }
}
