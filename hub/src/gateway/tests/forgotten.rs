//! Spaces that were opened and never written: they are forgotten, and nobody is harmed.

use syncline_protocol::ids::Seq;
use tokio::time::timeout;

use super::hub::{HUNG, Hub};
use super::{push, space};

#[tokio::test]
async fn a_space_that_was_forgotten_while_it_was_open_is_opened_again_and_nothing_is_lost() {
    let hub = Hub::start(|_| {}).await;
    let mut peer = hub.attach("ada").await;
    let store = hub.gateway().store.clone();
    let before = store.space(&space("ada")).await.unwrap().unwrap();
    assert!(
        store
            .forget_unwritten(&space("ada"), u64::MAX >> 1)
            .await
            .unwrap()
    );
    peer.send(&push(1, 1)).await;
    // It has nothing that a reset could take.
    peer.message_of("reset").await;
    peer.message_of("verdicts").await;
    let after = store.space(&space("ada")).await.unwrap().unwrap();
    assert_eq!(after.head, Seq(1));
    assert_ne!(after.epoch, before.epoch);
}

#[tokio::test]
async fn what_nobody_has_written_for_days_is_forgotten() {
    let hub = Hub::start(|config| {
        (config.retention.interval_ms, config.retention.pause_ms) = (1, 0);
    })
    .await;
    let store = hub.gateway().store.clone();
    let _young = hub.attach("ada").await;
    for crawled in ["bob", "eve"] {
        // Long ago.
        store.open_space(&space(crawled), 1).await.unwrap();
    }
    let forgotten = async {
        while store.spaces(None, 9).await.unwrap() != [space("ada")] {
            tokio::task::yield_now().await;
        }
    };
    timeout(HUNG, forgotten).await.expect("they stay");
}
