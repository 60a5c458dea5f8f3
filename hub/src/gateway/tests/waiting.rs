//! Who waits for a space to change, as a pull that is held does.

use std::task::Poll;

use futures_util::poll;
use tokio::time::timeout;

use super::hub::{HUNG, Hub};
use super::{push, space};

#[tokio::test]
async fn a_change_ends_the_wait_long_before_it_is_over() {
    let hub = Hub::start(|_| {}).await;
    let mut peer = hub.attach("ada").await;
    let sessions = &hub.gateway().sessions;
    let entry = sessions.known(&space("ada")).await.unwrap().unwrap();
    let seen = entry.view().await.unwrap();
    let mut waiting = Box::pin(sessions.changed(&entry, seen, HUNG * 100));
    assert_eq!(poll!(&mut waiting), Poll::Pending);
    // Whatever its session does without being told of a change is done then.
    peer.send(&super::text(&serde_json::json!({"t": "ping"})))
        .await;
    peer.message_of("pong").await;
    assert_eq!(poll!(&mut waiting), Poll::Pending);
    peer.send(&push(1, 1)).await;
    timeout(HUNG, waiting).await.expect("it hears of no change");
}
