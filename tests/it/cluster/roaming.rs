//! A device that writes without a pause, on whichever node takes it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use syncline_tests::socket::{Got, Socket};
use syncline_tests::until;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use super::insert;

/// The nodes that a balancer gives devices to.
#[derive(Clone, Debug, Default)]
pub(super) struct Balancer(Arc<Mutex<(Vec<SocketAddr>, usize)>>);

impl Balancer {
    pub(super) fn of(nodes: &[SocketAddr]) -> Balancer {
        Balancer(Arc::new(Mutex::new((nodes.to_vec(), 0))))
    }

    pub(super) fn add(&self, node: SocketAddr) {
        self.0.lock().unwrap().0.push(node);
    }

    pub(super) fn remove(&self, node: SocketAddr) {
        self.0.lock().unwrap().0.retain(|other| *other != node);
    }

    /// One after the other.
    pub(super) fn next(&self) -> SocketAddr {
        let mut nodes = self.0.lock().unwrap();
        nodes.1 += 1;
        nodes.0[nodes.1 % nodes.0.len()]
    }
}

/// Writers under way.
#[derive(Debug)]
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    may_be_cut: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    running: Vec<JoinHandle<u64>>,
}

impl Writers {
    /// A writer for each token.
    pub(super) fn start(balancer: &Balancer, tokens: &[String]) -> Writers {
        let [stop, may_be_cut] = [false; 2].map(|no| Arc::new(AtomicBool::new(no)));
        let answered = Arc::new(AtomicU64::new(0));
        let start = |token: &String| {
            let (balancer, token) = (balancer.clone(), token.clone());
            let told = (stop.clone(), may_be_cut.clone());
            tokio::spawn(write(balancer, token, told, answered.clone()))
        };
        Writers {
            running: tokens.iter().map(start).collect(),
            stop,
            may_be_cut,
            answered,
        }
    }

    /// Waits until so many more mutations were answered.
    pub(super) async fn write(&self, more: u64) {
        let before = self.answered.load(Ordering::Relaxed);
        until("they are answered", || {
            self.answered.load(Ordering::Relaxed) >= before + more
        })
        .await;
    }

    /// From now on nodes go without a word.
    pub(super) fn may_be_cut(&self) {
        self.may_be_cut.store(true, Ordering::Relaxed);
    }

    /// Stops them; how many mutations of each were answered.
    pub(super) async fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answered = Vec::new();
        for writer in self.running {
            answered.push(writer.await.expect("a writer failed"));
        }
        answered
    }
}

/// Writes until it is stopped; the last number that was answered. Whatever a hub says that is no
/// reason to come back elsewhere is a failure.
async fn write(
    balancer: Balancer,
    token: String,
    (stop, may_be_cut): (Arc<AtomicBool>, Arc<AtomicBool>),
    answered: Arc<AtomicU64>,
) -> u64 {
    let mut m = 1;
    while !stop.load(Ordering::Relaxed) {
        let Some(mut socket) = connect(&balancer).await else {
            continue;
        };
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "w", "token": token,
            "cursor": null, "acked": (m > 1).then(|| m - 1)});
        socket.send(&hello).await;
        // One that comes as the listener closes may find nobody.
        let Some(welcome) = answer(&mut socket, "welcome", || true).await else {
            continue;
        };
        let decided = welcome["acked"].as_u64().unwrap_or(0);
        // What was sent and not answered may have been taken.
        assert!(decided == m - 1 || decided == m, "{decided} of {m}");
        m = decided + 1;
        while !stop.load(Ordering::Relaxed) {
            let changes = insert(&format!("k{m}"), &json!({"m": m}));
            let push = json!({"t": "push", "muts": [{"m": m, "changes": changes}]});
            socket.send(&push).await;
            let may_be_cut = || may_be_cut.load(Ordering::Relaxed);
            let Some(verdicts) = answer(&mut socket, "verdicts", may_be_cut).await else {
                break;
            };
            let result = &verdicts["results"][0];
            assert_eq!(
                (&result["m"], &result["status"]),
                (&json!(m), &json!("applied"))
            );
            m += 1;
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
    m - 1
}

/// `None` if that node is gone.
async fn connect(balancer: &Balancer) -> Option<Socket> {
    let socket = Socket::try_connect_at(balancer.next()).await;
    if socket.is_none() {
        sleep(Duration::from_millis(10)).await;
    }
    socket
}

/// The answer of this type; `None` if the hub says or shows that it goes.
async fn answer(socket: &mut Socket, t: &str, may_be_cut: impl Fn() -> bool) -> Option<Value> {
    loop {
        match socket.next().await {
            Got::Message(message) if message["t"] == t => return Some(message),
            Got::Message(message) => match message["t"].as_str() {
                Some("delta" | "snapshot" | "snapshot_end" | "reconnect") => {}
                _ => panic!("unexpected: {message}"),
            },
            Got::Closed(code) => {
                let is_told = code == Some(4010) || code.is_none() && may_be_cut();
                assert!(is_told, "closed with {code:?}");
                return None;
            }
        }
    }
}
