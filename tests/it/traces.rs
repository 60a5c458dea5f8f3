//! Traces from a device through two hubs to another, and that they are in nobody's way.

use serde_json::{Value, json};
use syncline_tests::collector::{Collector, Sent};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use syncline_tests::until;
use tokio::net::TcpListener;

use crate::cluster::server::Server;
use crate::cluster::{is_connected, metric, on_bus};
use crate::postgres::server::Server as Postgres;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

fn push(m: u64) -> Value {
    let data = json!({"title": "Buy milk"});
    let id = format!("k{m}");
    json!({"t": "push", "muts": [
        {"m": m, "changes": [{"table": "tasks", "id": id, "op": "insert", "data": data}]}]})
}

fn traced_push(m: u64) -> Value {
    let mut push = push(m);
    push["traceparent"] = traceparent().into();
    push
}

/// A device that is there and has everything.
async fn device(node: &TestNode, client: &str) -> Socket {
    let (mut socket, _) = Socket::hello(node, "ada", json!({"client": client})).await;
    socket.message_of("delta").await; // the end of its snapshot
    socket
}

fn traced_by(endpoint: &str, mut setup: Setup) -> Setup {
    setup.config.telemetry.traces.endpoint = Some(endpoint.to_owned());
    setup
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The one span of this name.
fn only(collector: &Collector, name: &str) -> Sent {
    let mut named = collector.named(name);
    assert_eq!(named.len(), 1, "{name}: {named:?}");
    named.remove(0)
}

fn spans(node: &TestNode, fate: &str) -> u64 {
    metric(node, &format!("syncline_spans_total{{fate=\"{fate}\"}}"))
}

#[tokio::test]
async fn a_push_is_one_trace_from_its_device_to_one_on_another_hub() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let collector = Collector::start().await;
    let start = async |name| {
        let setup = on_bus(&database, name, bus.url());
        TestNode::start_with(traced_by(&collector.url(), setup)).await
    };
    let nodes = [start("n1").await, start("n2").await];
    for node in &nodes {
        is_connected(node).await;
    }
    let (mut phone, mut laptop) = (
        device(&nodes[0], "phone").await,
        device(&nodes[1], "laptop").await,
    );

    phone.send(&traced_push(1)).await;
    let told = laptop.message_of("delta").await;
    laptop.send(&json!({"t": "ack", "seq": told["to"]})).await;
    let own = phone.message_of("delta").await;
    phone.send(&json!({"t": "ack", "seq": own["to"]})).await;

    let names = ["push", "admit", "merge", "commit", "fan-out", "apply"];
    until("all spans are there", || {
        names.iter().all(|name| !collector.named(name).is_empty())
    })
    .await;
    let [push, admit, merge, commit, fan_out, apply] = names.map(|name| only(&collector, name));
    assert_eq!(collector.sent().len(), names.len());
    for sent in collector.sent() {
        assert_eq!(
            (hex(&sent.span.trace_id), &sent.service[..]),
            (TRACE.to_owned(), "syncline")
        );
        assert!(sent.span.end_time_unix_nano >= sent.span.start_time_unix_nano);
    }
    for sent in [&push, &admit, &merge, &commit, &fan_out] {
        assert_eq!(sent.node, "n1");
    }
    assert_eq!(apply.node, "n2");
    // Who is part of whom.
    assert_eq!(hex(&push.span.parent_span_id), SPAN);
    for part in [&admit, &merge, &commit] {
        assert_eq!(part.span.parent_span_id, push.span.span_id);
    }
    for follows in [&fan_out, &apply] {
        assert_eq!(follows.span.parent_span_id, commit.span.span_id);
        assert_eq!(follows.count("syncline.deltas"), Some(1));
    }
    for sent in [&push, &commit, &apply] {
        assert_eq!(sent.count("syncline.seq"), told["to"].as_i64());
    }
    // Each device goes on from where its own hub told it.
    let goes_on = |sent: &Sent| json!(format!("00-{TRACE}-{}-01", hex(&sent.span.span_id)));
    assert_eq!(told["traceparent"], goes_on(&apply));
    assert_eq!(own["traceparent"], goes_on(&fan_out));

    let lag = |made| format!("syncline_end_to_end_seconds_count{{made=\"{made}\"}}");
    until("both answers are counted", || {
        metric(&nodes[0], &lag("here")) == 1 && metric(&nodes[1], &lag("elsewhere")) == 1
    })
    .await;
    assert_eq!(metric(&nodes[1], "syncline_bus_lag_seconds_count"), 1);
    assert_eq!(metric(&nodes[0], "syncline_bus_lag_seconds_count"), 0);
}

#[tokio::test]
async fn without_a_collector_nothing_is_made_or_told() {
    let node = TestNode::start().await;
    let mut phone = device(&node, "phone").await;
    phone.send(&traced_push(1)).await;
    let delta = phone.message_of("delta").await;
    assert_eq!(delta.get("traceparent"), None);
    for fate in ["exported", "dropped", "failed"] {
        assert_eq!(spans(&node, fate), 0);
    }
}

#[tokio::test]
async fn a_collector_that_hangs_is_in_nobodys_way() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    let mut setup = traced_by(&url, Setup::default());
    setup.config.telemetry.traces.sample_per_mille = 1_000;
    let node = TestNode::start_with(setup).await;
    let mut phone = device(&node, "phone").await;
    let mut last = 0;
    // More than may wait, in pieces of what may be in flight.
    while spans(&node, "dropped") == 0 {
        for _ in 0..100 {
            last += 1;
            phone.send(&push(last)).await;
        }
        while phone.message_of("verdicts").await["through"] != last {}
        assert!(last < 10_000, "nothing is ever dropped");
    }
    // And it ends.
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_request_goes_on_with_the_trace_of_its_header() {
    let collector = Collector::start().await;
    let node = TestNode::start_with(traced_by(&collector.url(), Setup::default())).await;
    let http = reqwest::Client::new();
    let asked = |m: u64, traceparent: &str| {
        let mut body = push(m);
        body["client"] = "phone".into();
        http.post(node.url("/v1/todo/push"))
            .bearer_auth(node.token("ada"))
            .header("traceparent", traceparent)
            .json(&body)
            .send()
    };
    let unsampled = format!("00-{TRACE}-{SPAN}-00");
    let said = ["nonsense".to_owned(), unsampled, traceparent()];
    for (m, said) in (1..).zip(&said) {
        assert_eq!(asked(m, said).await.unwrap().status(), 200);
    }
    until("the push is there", || !collector.named("push").is_empty()).await;
    until("the request is there", || {
        !collector.named("request").is_empty()
    })
    .await;
    let (request, push) = (only(&collector, "request"), only(&collector, "push"));
    assert_eq!(hex(&request.span.parent_span_id), SPAN);
    assert_eq!(push.span.parent_span_id, request.span.span_id);
    assert_eq!(request.count("http.response.status_code"), Some(200));
    let ignored = "syncline_traces_ignored_total{why=\"unreadable\"}";
    assert_eq!(metric(&node, ignored), 1);
}

/// Of pushes that share a commit each is a trace of its own: the commit is part of the first, and
/// knows the others, as they know it.
#[tokio::test]
async fn pushes_that_share_a_commit_are_linked_with_it() {
    let collector = Collector::start().await;
    let mut setup = traced_by(&collector.url(), Setup::default());
    setup.config.telemetry.traces.sample_per_mille = 1_000;
    let node = TestNode::start_with(setup).await;
    let mut phone = device(&node, "phone").await;
    let mut last = 0;
    let linked = |sent: &Sent| !sent.span.links.is_empty();
    while !collector.named("commit").iter().any(linked) {
        // While the first is committed the others wait together.
        for _ in 0..50 {
            last += 1;
            phone.send(&push(last)).await;
        }
        while phone.message_of("verdicts").await["through"] != last {}
        until("all pushes are sent", || {
            collector.named("push").len() as u64 == last
        })
        .await;
        assert!(last < 2_000, "no two ever share a commit");
    }
    let commit = collector.named("commit").into_iter().find(linked).unwrap();
    let pushes = collector.named("push");
    for link in &commit.span.links {
        let push = pushes.iter().find(|push| push.span.span_id == link.span_id);
        let push = push.expect("the push it is linked with");
        assert_ne!(push.span.trace_id, commit.span.trace_id);
        assert_eq!(push.span.links[0].span_id, commit.span.span_id);
    }
}
