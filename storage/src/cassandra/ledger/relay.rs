//! Transfers that were left in the middle.

use syncline_protocol::stamp::WallMs;

use super::hints::{self, Errand};
use super::transfer;
use crate::cassandra::failure::Failure;
use crate::cassandra::server::Server;

/// [`crate::LedgerStore::relay`]. One that fails keeps the others from nothing.
pub(super) async fn relay(
    server: &Server,
    (before_ms, limit): (WallMs, usize),
) -> Result<usize, Failure> {
    let Some(to_ms) = before_ms.checked_sub(1) else {
        return Ok(0);
    };
    let hints = hints::until(server, Errand::Finish, (to_ms, limit)).await?;
    let mut failed = None;
    for hint in &hints {
        if let Err(failure) = transfer::go_on(server, *hint).await {
            failed = Some(failure);
        }
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(hints.len()),
    }
}
