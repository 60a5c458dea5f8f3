//! A node with many more sockets than the other gives some away, and no more than that.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use syncline_tests::issuer::Issuer;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::raw_socket::{RawSocket, text};
use syncline_tests::until;

use serde_json::json;

use super::server::Server;
use super::{lists, metric, on_bus};
use crate::postgres::server::Server as Postgres;

const SOCKETS: u64 = 320;

async fn socket(node: &TestNode, (issuer, at): (&Issuer, u64)) -> RawSocket {
    let token = issuer.token(&format!("user{}", at % 8));
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": format!("c{at}"),
        "token": token, "cursor": null});
    let mut socket = RawSocket::open_at(node.app.public_addr(), &text(&hello)).await;
    socket.welcomed().await;
    socket
}

/// It was told to come back elsewhere.
async fn shed(mut socket: RawSocket) {
    let after_ms = socket.message_of("reconnect").await["after_ms"].as_u64();
    assert!(after_ms.is_some_and(|after_ms| after_ms < 1_000));
    assert_eq!(socket.closed().await, 4010);
}

#[tokio::test]
async fn a_node_sheds_to_a_little_above_the_mean() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let issuer = Issuer::start().await;
    let start = |name| {
        let mut setup = on_bus(&database, name, bus.url());
        let Setup { config, .. } = &mut setup;
        config.auth.jwks_url = Some(issuer.jwks_url.parse().unwrap());
        (config.cluster.shed_per_s, config.cluster.shed_after_s) = (100, 0);
        TestNode::start_with(setup)
    };
    let full = start("full").await;
    let mut sockets = Vec::new();
    for at in 0..SOCKETS {
        sockets.push(socket(&full, (&issuer, at)).await);
    }
    let empty = start("empty").await;
    lists(full.app.admin_addr(), &["empty", "full"]).await;
    let shedding: FuturesUnordered<_> = sockets.into_iter().map(shed).collect();
    // The mean stays 160, since who is told to goes to the other: 210 may stay.
    let to_go = usize::try_from(SOCKETS - 210).unwrap();
    let mut gone = shedding.take(to_go);
    let mut moved = Vec::new();
    for at in SOCKETS.. {
        if gone.next().await.is_none() {
            break;
        }
        moved.push(socket(&empty, (&issuer, at)).await);
    }
    assert_eq!(moved.len(), to_go);
    until("the mean is known", || {
        metric(&full, "syncline_sockets_shed_total") >= SOCKETS - 210
    })
    .await;
    assert!(metric(&full, "syncline_sockets") >= SOCKETS / 2);
}
