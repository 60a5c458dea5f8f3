//! Asks a store that is elsewhere whether it is there, so that a node without it takes no devices.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_storage::Store;
use tracing::{info, warn};

use crate::lifecycle::Lifecycle;

/// From an answer to the next question.
const EVERY: Duration = Duration::from_secs(1);

/// A question that is not answered by then counts as refused.
const ANSWER: Duration = Duration::from_secs(3);

/// So many in a row are needed: one may only have met a moment of much load.
const REFUSALS: u32 = 2;

/// Asks for ever.
pub(super) async fn watch(store: Arc<dyn Store>, lifecycle: Arc<Lifecycle>) {
    let nobodys = SpaceKey {
        app: AppId::trusted("hub"),
        space: SpaceId::trusted("is-it-there"),
    };
    let mut refused = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        let answer = tokio::time::timeout(ANSWER, store.space(&nobodys)).await;
        if matches!(answer, Ok(Ok(_))) {
            if refused >= REFUSALS {
                info!("the store answers again");
            }
            refused = 0;
        } else {
            refused += 1;
            if refused == REFUSALS {
                warn!("the store does not answer");
            }
        }
        lifecycle.store_answers(refused < REFUSALS);
    }
}
