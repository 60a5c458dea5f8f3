//! What is told is lost and nobody sees it at once: the other node's device learns it all the same,
//! long before the regular look at the store.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::slice;

use syncline_tests::device::Device;
use syncline_tests::node::TestNode;
use syncline_tests::{HUNG, until};
use tokio::time::{Duration, sleep, timeout};

use super::proxy::Proxy;
use super::server::Server;
use super::{
    all_are_equal, all_write, devices, is_connected, lists, metric, on, on_bus, on_own_bus,
};
use crate::postgres::server::Server as Postgres;

const HEADS: &str = "syncline_bus_published_total{kind=\"heads\"}";

const HEARTBEATS: &str = "syncline_bus_published_total{kind=\"node\"}";

/// How often sessions of a node read the store for this cause.
fn catch_ups(node: &TestNode, cause: &str) -> u64 {
    metric(
        node,
        &format!("syncline_node_catch_ups_total{{cause=\"{cause}\"}}"),
    )
}

/// The same for each cause, to be shown.
fn all_catch_ups(node: &TestNode) -> String {
    let text = node.app.metrics().render();
    let lines = text.lines();
    let counted = lines.filter_map(|line| line.strip_prefix("syncline_node_catch_ups_total"));
    counted.collect()
}

/// Devices hear each other, and the looks of nodes that begin to hear are over: there is one for each
/// connection, a second after the other.
async fn begin(writer: &TestNode, devices: &mut [Device]) {
    all_write(devices, "before", 1).await;
    all_are_equal(devices).await;
    let said = metric(writer, HEADS);
    until("heads are said again", || metric(writer, HEADS) >= said + 4).await;
}

/// A device writes once, and all is said that its node will ever say of that by itself.
async fn write_until_nothing_more_is_said(node: &TestNode, device: &mut Device) {
    all_write(slice::from_mut(device), "while", 1).await;
    // Heads are said once a second while there are any to be said again, and heartbeats rarer.
    let mut said = None;
    while said != Some(metric(node, HEADS)) {
        said = Some(metric(node, HEADS));
        let beats = metric(node, HEARTBEATS);
        until("there is a heartbeat", || metric(node, HEARTBEATS) > beats).await;
    }
}

/// The look is over that the reader has when it hears the other node no more. The next regular one
/// is half a minute later.
async fn has_looked_for_the_silent(reader: &TestNode) {
    lists(reader.app.admin_addr(), &["n2"]).await;
    // It has nothing to find, and takes some milliseconds.
    sleep(Duration::from_secs(3)).await;
}

/// The connections of one node carry nothing any more. The other's are well, so it has no reason to
/// look at the store.
#[tokio::test]
async fn what_went_into_a_dead_connection_is_said_again_by_who_said_it() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let proxy = Proxy::start(bus.url()).await;
    let writer = TestNode::start_with(on_bus(&database, "n1", &proxy.url())).await;
    let reader = TestNode::start_with(on_own_bus(&database, "n2", bus.url()).await).await;
    is_connected(&writer).await;
    let mut devices = devices([&writer, &reader]).await;
    begin(&writer, &mut devices).await;
    proxy.stall();
    has_looked_for_the_silent(&reader).await;
    write_until_nothing_more_is_said(&writer, &mut devices[0]).await;
    let before = (
        catch_ups(&reader, "repeat"),
        catch_ups(&reader, "reconnect"),
    );
    proxy.cut();
    all_are_equal(&mut devices).await;
    let all = all_catch_ups(&reader);
    assert!(catch_ups(&reader, "repeat") > before.0, "{all}");
    assert_eq!(catch_ups(&reader, "reconnect"), before.1);
    assert_eq!(catch_ups(&reader, "audit"), 0);
}

/// Now those of the node that hears: nobody but itself knows that it missed something.
#[tokio::test]
async fn who_heard_nothing_looks_at_the_store_when_it_hears_again() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let proxy = Proxy::start(bus.url()).await;
    let writer = TestNode::start_with(on_bus(&database, "n1", bus.url())).await;
    let reader = TestNode::start_with(on_own_bus(&database, "n2", &proxy.url()).await).await;
    is_connected(&writer).await;
    let mut devices = devices([&writer, &reader]).await;
    begin(&writer, &mut devices).await;
    proxy.stall();
    has_looked_for_the_silent(&reader).await;
    write_until_nothing_more_is_said(&writer, &mut devices[0]).await;
    let before = (
        catch_ups(&reader, "reconnect"),
        catch_ups(&reader, "repeat"),
    );
    proxy.cut();
    all_are_equal(&mut devices).await;
    let all = all_catch_ups(&reader);
    assert!(catch_ups(&reader, "reconnect") > before.0, "{all}");
    assert_eq!(catch_ups(&reader, "repeat"), before.1);
    assert_eq!(catch_ups(&reader, "audit"), 0);
}

/// A node dies, or is cut off from the others, before it told what it committed.
#[tokio::test]
async fn what_a_node_wrote_that_is_not_heard_any_more_is_looked_for() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let proxy = Proxy::start(bus.url()).await;
    let writer = TestNode::start_with(on_bus(&database, "n1", &proxy.url())).await;
    let reader = TestNode::start_with(on_own_bus(&database, "n2", bus.url()).await).await;
    is_connected(&writer).await;
    let mut devices = devices([&writer, &reader]).await;
    begin(&writer, &mut devices).await;
    let before = catch_ups(&reader, "silent");
    proxy.stall();
    all_write(&mut devices[..1], "while", 1).await;
    all_are_equal(&mut devices).await;
    let all = all_catch_ups(&reader);
    assert!(catch_ups(&reader, "silent") > before, "{all}");
    assert_eq!(catch_ups(&reader, "audit"), 0);
}

/// Publishes so much that it says nothing to anybody, and returns when the server has taken it.
/// Everything else of this test stands still meanwhile: it has one thread.
fn flood(url: &str) {
    let address = url.strip_prefix("nats://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut said = b"CONNECT {\"verbose\":false}\r\n".to_vec();
    let damaged = b"PUB sync.v1.head.3.flood 1\r\n\x01\r\n";
    (0..30_000).for_each(|_| said.extend(damaged));
    said.extend(b"PING\r\n");
    stream.write_all(&said).unwrap();
    let mut lines = BufReader::new(stream).lines();
    while lines.next().unwrap().unwrap() != "PONG" {}
}

/// Of what is written nothing is told: that node has no bus.
#[tokio::test]
async fn who_is_told_faster_than_it_hears_looks_at_the_store() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let reader = TestNode::start_with(on_own_bus(&database, "n1", bus.url()).await).await;
    let writer = TestNode::start_with(on(&database, "n2")).await;
    let mut devices = devices([&reader, &writer]).await;
    let flooding = async {
        let mut round = 0;
        while catch_ups(&reader, "slow") == 0 {
            round += 1;
            all_write(&mut devices[1..], &format!("r{round}"), 1).await;
            flood(bus.url());
            tokio::task::yield_now().await;
        }
    };
    let looked = timeout(HUNG, flooding).await;
    looked.expect("it never knows that it was too slow");
    all_are_equal(&mut devices).await;
    assert_eq!(catch_ups(&reader, "audit"), 0);
}
