//! Devices of one user write on three nodes at once: every one gets on, and the store is seldom
//! asked in vain.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;
use syncline_tests::device::Device;
use syncline_tests::node::TestNode;

use super::server::Server;
use super::{all_are_equal, devices, insert, is_connected, metric, on_bus};
use crate::postgres::server::Server as Postgres;

const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Devices on each node.
const EACH: usize = 2;

/// Writes of the fastest device.
const WRITES: u64 = 60;

/// Each writes again as soon as it is answered, until one has written enough. Returns how much
/// each got written.
async fn contend(devices: &mut [Device]) -> Vec<u64> {
    let most = AtomicU64::new(0);
    let writing = devices.iter_mut().zip(0..).map(async |(device, at)| {
        let mut written = 0;
        while most.load(Relaxed) < WRITES {
            let id = format!("{at}-{written}");
            device.edit(&insert(&id, &json!({"n": written})));
            device.push().await;
            written += 1;
            most.fetch_max(written, Relaxed);
        }
        written
    });
    futures_util::future::join_all(writing).await
}

/// Each gets at least half of its fair share, and a commit takes three attempts at most on average and
/// never over twenty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_three_nodes_share_a_space() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let mut nodes = Vec::new();
    for name in NAMES {
        nodes.push(TestNode::start_with(on_bus(&database, name, bus.url())).await);
        is_connected(&nodes[nodes.len() - 1]).await;
    }
    let mut devices = devices((0..EACH).flat_map(|_| &nodes)).await;
    let written = contend(&mut devices).await;
    let all: u64 = written.iter().sum();
    for &one in &written {
        let share = one * written.len() as u64;
        assert!(share * 2 >= all, "{written:?}");
    }
    let sum = |series| nodes.iter().map(|node| metric(node, series)).sum::<u64>();
    let commits = sum("syncline_commit_attempts_count");
    let attempts = sum("syncline_commit_attempts_sum");
    assert!(attempts <= 3 * commits, "{attempts} for {commits}");
    let within = sum("syncline_commit_attempts_bucket{le=\"20\"}");
    assert_eq!(within, commits);
    all_are_equal(&mut devices).await;
}
