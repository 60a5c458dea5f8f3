//! Several hubs on one Postgres, and a real NATS server between them.

#[path = "../services/nats.rs"]
pub(crate) mod server;

mod contending;
mod draining;
mod ephemeral;
mod failing;
mod history;
mod login;
mod losing;
mod moving;
mod nodes;
mod prefixes;
pub(crate) mod processes;
mod proxy;
mod roaming;
mod shedding;
mod telling;
mod versions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_cluster::bus::Bus;
use syncline_cluster::nats::{Login, NatsBus, NatsOptions, Prefix};
use syncline_hub::auth::ServiceKey;
use syncline_hub::config::StoreUrl;
use syncline_protocol::ids::NodeId;
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::{HUNG, until};

use crate::postgres::server::{Database, script};

/// The operator's key, on every node.
pub(crate) const KEY: &str = "a-service-key-of-thirty-two-bytes";

/// A node of this name on a database.
fn on(database: &Database, name: &str) -> Setup {
    let mut setup = Setup::default();
    setup.config.node = NodeId::parse(name).unwrap();
    setup.config.store.url = Some(StoreUrl::Postgres(database.url()));
    setup.config.auth.service_key = Some(ServiceKey::new(KEY).unwrap());
    setup
}

/// The same with the bus at `url`.
pub(crate) fn on_bus(database: &Database, name: &str, url: &str) -> Setup {
    let mut setup = on(database, name);
    setup.config.nats.url = Some(url.to_owned());
    setup
}

/// The same with a bus that the node does not know to be NATS. So it looks at the store every 30 to
/// 60 s and not more often, whether the bus is there or not.
async fn on_own_bus(database: &Database, name: &str, url: &str) -> Setup {
    let mut setup = on(database, name);
    setup.parts.bus = Some(nats(&setup.config.node, url).await);
    setup
}

/// The bus of a node at `url`.
async fn nats(node: &NodeId, url: &str) -> Arc<dyn Bus> {
    let options = NatsOptions {
        servers: NatsOptions::parse_servers(url).unwrap(),
        login: Login::Nobody,
        ca: None,
        certificate: None,
        prefix: Prefix::default(),
        connections: 2,
        node: node.clone(),
    };
    Arc::new(NatsBus::start(&options, Arc::new(|_| {})).await.unwrap())
}

/// Two nodes with the bus at `url`.
async fn two(database: &Database, url: &str) -> [TestNode; 2] {
    let start = async |name| TestNode::start_with(on_bus(database, name, url)).await;
    [start("n1").await, start("n2").await]
}

/// The value of a metric without labels, or of one series of it.
pub(crate) fn metric(node: &TestNode, series: &str) -> u64 {
    let text = node.app.metrics().render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("{series} in {text}"));
    value.parse().expect("a whole number")
}

/// Waits until the bus of a node is there.
pub(crate) async fn is_connected(node: &TestNode) {
    until("the bus is there", || {
        metric(node, "syncline_bus_connected") == 1
    })
    .await;
}

/// The nodes that are there, as the one with this admin listener lists them.
async fn listed(admin: SocketAddr) -> Vec<Value> {
    let asked = reqwest::Client::new().get(format!("http://{admin}/api/v1/admin/cluster"));
    let answer = asked.header("X-Service-Key", KEY).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["nodes"].as_array().expect("nodes").clone()
}

/// Waits until a node lists these names.
async fn lists(admin: SocketAddr, names: &[&str]) -> Vec<Value> {
    let looking = async {
        loop {
            let listed = listed(admin).await;
            if listed.iter().map(|node| &node["node"]).eq(names) {
                return listed;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(HUNG, looking).await;
    found.unwrap_or_else(|_| panic!("it never lists {names:?}"))
}

fn insert(id: &str, data: &Value) -> Value {
    json!([{"table": "tasks", "id": id, "op": "insert", "data": data}])
}

/// Ada's devices, each connected to its node.
async fn devices<'n>(nodes: impl IntoIterator<Item = &'n TestNode>) -> Vec<Device> {
    let mut devices = Vec::new();
    for (at, node) in nodes.into_iter().enumerate() {
        let mut device = Device::new("ada", &format!("device{at}"));
        device.connect(node).await;
        devices.push(device);
    }
    devices
}

/// Each device writes so many records, all at once; every write is answered.
pub(crate) async fn all_write(devices: &mut [Device], round: &str, count: usize) {
    let writing = devices.iter_mut().zip(0..).map(|(device, at)| async move {
        for n in 0..count {
            device.edit(&insert(
                &format!("{round}-{at}-{n}"),
                &json!({"by": at, "n": n}),
            ));
            device.edit(&insert(
                &format!("{round}-{n}"),
                &json!({(format!("of{at}")): n}),
            ));
            device.push().await;
        }
    });
    futures_util::future::join_all(writing).await;
}

/// Nobody writes any more: all come to show the same.
pub(crate) async fn all_are_equal(devices: &mut [Device]) {
    let head = devices.iter().map(Device::seq).max().unwrap();
    for device in &mut *devices {
        device.reach(head).await;
    }
    for other in &devices[1..] {
        assert_eq!(other.told(), devices[0].told());
    }
}
