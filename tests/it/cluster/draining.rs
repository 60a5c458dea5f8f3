//! Nodes stop under load: what was taken is kept, and nobody sees an error.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use syncline_tests::issuer::Issuer;
use syncline_tests::raw_socket::{RawSocket, text};
use tokio::time::{Duration, timeout};

use super::lists;
use super::processes::{DRAIN_S, end, start_hub_of};
use super::roaming::{Balancer, Writers};
use super::server::Server;
use crate::postgres::server::Server as Postgres;

/// Sockets on the node that stops, and users whose they are.
const SOCKETS: usize = 5_000;
const USERS: usize = 100;

/// Devices that write meanwhile, each a user's only one.
const WRITERS: usize = 8;

/// Ten times as long as a stop may take.
const TEN_TIMES: Duration = Duration::from_secs(10 * DRAIN_S);

fn tokens(issuer: &Issuer, name: &str, count: usize) -> Vec<String> {
    let token = |at| issuer.token(&format!("{name}{at}"));
    (0..count).map(token).collect()
}

/// An idle device; it has its welcome.
async fn idle(address: SocketAddr, (token, client): (&str, usize)) -> RawSocket {
    let client = format!("idle{client}");
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": client, "token": token,
        "cursor": null});
    let mut socket = RawSocket::open_at(address, &text(&hello)).await;
    socket.welcomed().await;
    socket
}

async fn many_idle(address: SocketAddr, tokens: &[String]) -> Vec<RawSocket> {
    let opening = (0..SOCKETS).map(|at| idle(address, (&tokens[at % tokens.len()], at)));
    stream::iter(opening).buffer_unordered(64).collect().await
}

/// When it is told to come back. It is told nothing else but what it had asked for.
async fn told_to_come_back(mut socket: RawSocket) -> u64 {
    loop {
        let message = socket.message().await;
        match message["t"].as_str() {
            Some("reconnect") => {
                assert_eq!(socket.closed().await, 4010);
                return message["after_ms"].as_u64().expect("a number");
            }
            Some("delta" | "snapshot" | "snapshot_end") => {}
            _ => panic!("unexpected: {message}"),
        }
    }
}

/// Whether a node shows each mutation that a writer was answered.
async fn shows_all(node: SocketAddr, token: &str, answered: u64) {
    let client = reqwest::Client::new();
    let (mut ids, mut next) = (Vec::new(), String::new());
    loop {
        let url = format!("http://{node}/v1/todo/snapshot{next}");
        let asked = client.get(url).bearer_auth(token).send().await;
        let page: Value = asked.unwrap().json().await.unwrap();
        let changes = page["changes"].as_array().expect("changes");
        ids.extend(changes.iter().map(|change| change["id"].clone()));
        match page["next"].as_str() {
            Some(place) => next = format!("?next={place}"),
            None => break,
        }
    }
    let missing = (1..=answered).find(|m| !ids.contains(&json!(format!("k{m}"))));
    assert_eq!(missing, None, "of {answered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_five_thousand_sockets_stops_in_time_and_loses_nothing() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let issuer = Issuer::start().await;
    let dirs = ["n1", "n2"].map(|name| (name, tempfile::tempdir().unwrap()));
    let url = database.url();
    let mut hubs = Vec::new();
    for (name, dir) in &dirs {
        hubs.push(start_hub_of(&issuer, (&url, bus.url()), (name, dir.path())).await);
    }
    let (staying, stopping) = (hubs.remove(1), hubs.remove(0));
    let sockets = many_idle(stopping.public, &tokens(&issuer, "idle", USERS)).await;
    let writing = tokens(&issuer, "writer", WRITERS);
    let balancer = Balancer::of(&[stopping.public]);
    let writers = Writers::start(&balancer, &writing);
    let ready = format!("http://{}/ready", stopping.public);
    assert_eq!(reqwest::get(&ready).await.unwrap().status(), 200);

    // Who comes back goes to the other one.
    let went = stopping.public;
    balancer.add(staying.public);
    balancer.remove(went);
    let ended = tokio::spawn(end(stopping, "TERM"));
    let telling = sockets.into_iter().map(told_to_come_back);
    let telling = stream::iter(telling).buffer_unordered(SOCKETS);
    let mut told: Vec<u64> = telling.collect().await;
    assert!(
        reqwest::get(&ready)
            .await
            .is_err_and(|error| error.is_connect())
    );
    let ended = timeout(TEN_TIMES, ended).await;
    assert_eq!(ended.expect("it does not end").unwrap(), Some(0));
    lists(staying.admin, &["n2"]).await;
    let answered = writers.stop().await;
    for (token, answered) in writing.iter().zip(answered) {
        shows_all(staying.public, token, answered).await;
    }

    // A quarter of them in each quarter of the time.
    told.sort_unstable();
    let quarter_ms = DRAIN_S * 1_000 / 4;
    for (quarter, told) in (0..).zip(told.chunks(SOCKETS / 4)) {
        let range = quarter_ms * quarter..=quarter_ms * (quarter + 1);
        assert!(range.contains(&told[told.len() / 2]), "{quarter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_that_start_anew_one_by_one_under_load_lose_nothing() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let issuer = Issuer::start().await;
    let dirs = ["n1", "n2", "n3"].map(|name| (name, tempfile::tempdir().unwrap()));
    let url = database.url();
    let mut hubs = Vec::new();
    for (name, dir) in &dirs {
        hubs.push(start_hub_of(&issuer, (&url, bus.url()), (name, dir.path())).await);
    }
    let balancer = Balancer::of(&hubs.iter().map(|hub| hub.public).collect::<Vec<_>>());
    let writing = tokens(&issuer, "writer", WRITERS);
    let writers = Writers::start(&balancer, &writing);
    for (name, dir) in &dirs {
        lists(hubs[0].admin, &["n1", "n2", "n3"]).await;
        let old = hubs.remove(0);
        let public = old.public;
        let ended = tokio::spawn(end(old, "TERM"));
        // It is given nobody any more a moment after it goes.
        tokio::task::yield_now().await;
        balancer.remove(public);
        let ended = timeout(TEN_TIMES, ended).await;
        assert_eq!(ended.expect("it does not end").unwrap(), Some(0));
        let new = start_hub_of(&issuer, (&url, bus.url()), (name, dir.path())).await;
        balancer.add(new.public);
        hubs.push(new);
    }
    let answered = writers.stop().await;
    for (token, answered) in writing.iter().zip(answered) {
        assert!(answered > 0);
        for hub in &hubs {
            shows_all(hub.public, token, answered).await;
        }
    }
}

/// It says nothing and finishes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_under_load_loses_nothing_of_what_it_answered() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let issuer = Issuer::start().await;
    let dirs = ["n1", "n2"].map(|name| (name, tempfile::tempdir().unwrap()));
    let url = database.url();
    let mut hubs = Vec::new();
    for (name, dir) in &dirs {
        hubs.push(start_hub_of(&issuer, (&url, bus.url()), (name, dir.path())).await);
    }
    lists(hubs[0].admin, &["n1", "n2"]).await;
    let balancer = Balancer::of(&[hubs[0].public, hubs[1].public]);
    let writing = tokens(&issuer, "writer", WRITERS);
    let writers = Writers::start(&balancer, &writing);
    writers.write(100).await;
    writers.may_be_cut();
    let dying = hubs.remove(0);
    let public = dying.public;
    assert_eq!(end(dying, "KILL").await, None);
    balancer.remove(public);
    writers.write(100).await;
    let answered = writers.stop().await;
    for (token, answered) in writing.iter().zip(answered) {
        shows_all(hubs[0].public, token, answered).await;
    }
}
