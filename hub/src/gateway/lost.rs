//! A store that has lost commits, as a request's cursor shows.

use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::SpaceView;

use super::Gateway;
use crate::http::HttpError;

/// Gives a space another epoch, of which `view` was read since the request came that is ahead of it.
/// False if the epoch has changed for that within the interval: then nothing is done.
pub(super) async fn change_epoch(
    gateway: &Gateway,
    space: &SpaceKey,
    view: &SpaceView,
) -> Result<bool, HttpError> {
    let now_ms = gateway.clock.now_ms();
    if !view.may_lose_epoch(now_ms, gateway.epoch_change_interval_ms) {
        return Ok(false);
    }
    tracing::error!(%space, "a client has seen commits that the store has not, as after a restore: epoch changed");
    let made = gateway.store.new_epoch(space, view.epoch, now_ms).await;
    // Also if the answer was lost: it may be there.
    gateway.sessions.history_changed(space).await;
    made.map_err(|error| gateway.store_failed(&error))?;
    gateway.metrics.epoch_changes.inc();
    Ok(true)
}
