//! What sockets cost the real program while nothing happens, and whether it comes back.

use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::HUNG;
use syncline_tests::hub_process::HubProcess;
use syncline_tests::socket::Socket;
use tokio::time::timeout;

/// Sockets, each of a user of its own, at which the bytes are looked at.
const SOCKETS: [usize; 2] = [600, 3_000];

/// Bytes of a socket and its sleeping session, as the allocator counts them. They are some 1,200, of
/// which no kilobyte more can hide.
const SOCKET_BYTES_MAX: u64 = 1_800;

/// Bytes that may stay of each after it got a change: it is known as a writer then.
const CHANGED_BYTES_MAX: u64 = 250;

/// Bytes that may stay of all who left, a third of what they held: of tables that grew for them, of users
/// whose pace is known for another ten seconds, and what threads keep of what they freed.
const LEFT_BYTES_MAX: u64 = 1_200 << 10;

struct Hub {
    node: HubProcess,
    _dir: tempfile::TempDir,
}

impl Hub {
    fn start() -> Hub {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = super::hub(dir.path(), &["serve", "--dev"]);
        // What sockets cost, and not what caches may hold.
        command.env("HUB__SESSION__IDLE_MS", "100");
        command.env("HUB__SESSION__CACHE_BYTES", "0");
        command.env("HUB__STORE__SQLITE_CACHE_KIB", "256");
        // Nobody answers a ping here while the others are opened.
        command.env("HUB__GATEWAY__PING_MS", "600000");
        let node = HubProcess::start(command);
        Hub { node, _dir: dir }
    }

    async fn device(&self, http: &reqwest::Client, n: usize) -> Socket {
        let url = format!("http://{}/dev/token", self.node.public);
        let body = json!({"user": format!("user-{n}"), "ttl_s": 3_600});
        let answer = http.post(url).body(body.to_string()).send().await;
        let text = answer.expect("it answers").text().await.expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let hello = json!({"app": "todo", "client": "phone", "token": answer["token"],
            "cursor": null});
        let (mut socket, _) = Socket::hello_at(self.node.public, hello).await;
        socket.message_of("delta").await; // the end of its snapshot
        socket
    }

    /// Bytes in use when all sessions sleep.
    async fn bytes_asleep(&self, count: usize) -> u64 {
        let metric = async |name| super::metric(&self.node, name).await;
        let sleeping = async {
            while metric("syncline_sessions_asleep").await != count as u64
                || metric("syncline_sessions").await != 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(HUNG, sleeping).await.expect("somebody stays awake");
        metric("syncline_memory_allocated_bytes").await
    }
}

#[tokio::test]
async fn a_sleeping_socket_costs_little_and_what_it_cost_more_comes_back() {
    let (hub, http) = (Hub::start(), reqwest::Client::new());
    let before = hub.bytes_asleep(0).await;
    let (mut sockets, mut bytes) = (Vec::new(), Vec::new());
    for count in SOCKETS {
        while sockets.len() < count {
            sockets.push(hub.device(&http, sockets.len()).await);
        }
        bytes.push(hub.bytes_asleep(count).await);
    }
    let [few, many] = SOCKETS.map(|count| count as u64);
    let each = (bytes[1] - bytes[0]) / (many - few);
    assert!(
        (500..=SOCKET_BYTES_MAX).contains(&each),
        "{each} B a socket"
    );

    for socket in &mut sockets {
        let insert = json!({"table": "t", "id": "k1", "op": "insert", "data": {"a": 1}});
        socket
            .send(&json!({"t": "push", "muts": [{"m": 1, "changes": [insert]}]}))
            .await;
        socket.message_of("delta").await;
    }
    let changed = hub.bytes_asleep(sockets.len()).await;
    let more = changed.saturating_sub(bytes[1]) / many;
    assert!(more <= CHANGED_BYTES_MAX, "{more} B more after a change");

    sockets.truncate(SOCKETS[1] / 10);
    let left = hub.bytes_asleep(sockets.len()).await;
    let kept = left.saturating_sub(before + sockets.len() as u64 * (each + more));
    assert!(kept <= LEFT_BYTES_MAX, "{kept} B of those who left");
}
