//! Hubs of two versions beside each other. The newer one is a hub of this version whose messages are
//! changed on their way, as the next version's would look: the first byte is the version of its
//! kind, and how a node is has more behind it.

use super::proxy::{Proxy, Way};
use super::server::Server;
use super::{all_are_equal, all_write, devices, is_connected, lists, metric, on_bus, on_own_bus};
use crate::postgres::server::Server as Postgres;
use syncline_tests::node::TestNode;
use syncline_tests::until;

const NEWER: &str = "syncline_node_catch_ups_total{cause=\"newer\"}";

/// Makes a message one of the next version. The newer hub would know its own, which come back to it:
/// it does not hear them.
fn of_the_next_version(way: Way, subject: &str, payload: &mut Vec<u8>) -> bool {
    if way == Way::In {
        return payload[0] == 1;
    }
    payload[0] += 1;
    if subject.starts_with("sync.v1.node.") {
        payload.extend(b"more");
    }
    true
}

#[tokio::test]
async fn hubs_of_two_versions_learn_all_that_is_stored_of_each_other() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let newer = Proxy::start_with(bus.url(), of_the_next_version).await;
    let old = TestNode::start_with(on_bus(&database, "old", bus.url())).await;
    let new = TestNode::start_with(on_bus(&database, "new", &newer.url())).await;
    for node in [&old, &new] {
        is_connected(node).await;
        lists(node.app.admin_addr(), &["new", "old"]).await;
    }
    let mut devices = devices([&old, &new]).await;
    all_write(&mut devices[1..], "a", 3).await;
    all_are_equal(&mut devices).await;
    until("it counts", || metric(&old, NEWER) > 0).await;
    // And back: what is older stays readable.
    let commits = "syncline_bus_heard_total{kind=\"commit\"}";
    let heard = metric(&new, commits);
    all_write(&mut devices[..1], "b", 3).await;
    all_are_equal(&mut devices).await;
    until("it is heard", || metric(&new, commits) > heard).await;
    assert_eq!(metric(&new, NEWER), 0);
}

/// The commits themselves are lost. Of the heads that are said again the old hub cannot read which
/// spaces they are of.
#[tokio::test]
async fn what_a_newer_hub_says_again_has_the_old_one_look_at_the_store() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let newer = Proxy::start_with(bus.url(), |way, subject, payload| {
        of_the_next_version(way, subject, payload) && !subject.starts_with("sync.v1.chg.")
    });
    let newer = newer.await;
    let old = TestNode::start_with(on_own_bus(&database, "old", bus.url()).await).await;
    let new = TestNode::start_with(on_bus(&database, "new", &newer.url())).await;
    is_connected(&new).await;
    let mut devices = devices([&old, &new]).await;
    // The first may be found by the look of a node that begins to hear.
    for round in ["a", "b"] {
        all_write(&mut devices[1..], round, 1).await;
        all_are_equal(&mut devices).await;
    }
    until("it counts", || metric(&old, NEWER) > 0).await;
    assert_eq!(
        metric(&old, "syncline_node_catch_ups_total{cause=\"audit\"}"),
        0
    );
}
