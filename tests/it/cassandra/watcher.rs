//! A device that only looks: it keeps a copy of what hubs tell it, snapshot and deltas, through all that
//! happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::socket::{Got, Socket};
use tokio::time::{sleep, timeout};

use super::hubs::{Hubs, PATIENCE};

/// Records by table and id.
pub(super) type Copy = BTreeMap<(String, String), Value>;

/// How long it listens before it looks whether it is to stop.
const LISTENS: Duration = Duration::from_millis(200);

/// A device that only looks.
pub(super) struct Watcher {
    token: String,
    client: String,
    hubs: Hubs,
    tries: usize,
    /// `None` while it has no whole copy.
    cursor: Option<Value>,
    /// The history of the snapshot that comes.
    epoch: Value,
    copy: Copy,
    /// Changes of deltas of which more follow.
    held: Vec<Value>,
    /// Where those lead.
    held_to: Option<Value>,
    /// Deltas that it applied.
    pub(super) deltas: usize,
}

impl Watcher {
    pub(super) fn new(token: &str, client: &str, (hubs, first): (&Hubs, usize)) -> Watcher {
        Watcher {
            token: token.to_owned(),
            client: client.to_owned(),
            hubs: hubs.clone(),
            tries: first,
            cursor: None,
            epoch: Value::Null,
            copy: Copy::new(),
            held: Vec::new(),
            held_to: None,
            deltas: 0,
        }
    }

    /// What it shows.
    pub(super) fn copy(&self) -> &Copy {
        &self.copy
    }

    /// Looks until it is told to stop, and then until it has all there is.
    pub(super) async fn watch(mut self, stop: Arc<AtomicBool>) -> Watcher {
        while !stop.load(Relaxed) {
            if let Some((mut socket, _)) = self.connect().await {
                while !stop.load(Relaxed) && self.listen(&mut socket, LISTENS).await.is_some() {}
            }
            sleep(Duration::from_millis(20)).await;
        }
        while self.catch_up().await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// Connects, and takes all there is. `None` if a hub or the store is gone.
    pub(super) async fn catch_up(&mut self) -> Option<()> {
        let (mut socket, head) = self.connect().await?;
        while self.seq().is_none_or(|seq| seq < head) {
            self.listen(&mut socket, PATIENCE)
                .await
                .filter(|heard| *heard)?;
        }
        Some(())
    }

    fn seq(&self) -> Option<u64> {
        self.cursor.as_ref()?["seq"].as_u64()
    }

    async fn connect(&mut self) -> Option<(Socket, u64)> {
        self.tries += 1;
        self.held.clear();
        self.held_to = None;
        if self.cursor.is_none() {
            self.copy.clear();
        }
        let address = {
            let hubs = self.hubs.lock().unwrap();
            hubs[self.tries % hubs.len()]
        };
        let connecting = timeout(PATIENCE, Socket::try_connect_at(address));
        let mut socket = connecting.await.ok().flatten()?;
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": self.client,
            "token": self.token, "cursor": self.cursor});
        socket.send(&hello).await;
        let Ok(Got::Message(message)) = timeout(PATIENCE, socket.next()).await else {
            return None;
        };
        match message["t"].as_str() {
            Some("welcome") => {
                self.epoch = message["epoch"].clone();
                if self
                    .cursor
                    .as_ref()
                    .is_some_and(|cursor| cursor["epoch"] != self.epoch)
                {
                    // A reset and a snapshot follow.
                    self.cursor = None;
                }
                Some((socket, message["head"].as_u64().expect("a head")))
            }
            Some("error" | "slow" | "reconnect") => None,
            _ => panic!("unexpected: {message}"),
        }
    }

    /// Takes a message, if one comes in time; `None` if the connection ended.
    async fn listen(&mut self, socket: &mut Socket, within: Duration) -> Option<bool> {
        match timeout(within, socket.next()).await {
            Err(_) => Some(false),
            Ok(Got::Message(message)) => self.take(&message).then_some(true),
            Ok(Got::Closed(_)) => None,
        }
    }

    /// False if it is to look elsewhere.
    fn take(&mut self, message: &Value) -> bool {
        match message["t"].as_str() {
            Some("reset") => {
                self.copy.clear();
                self.cursor = None;
                self.epoch = message["epoch"].clone();
            }
            Some("snapshot") => {
                for change in changes(message) {
                    self.apply(change);
                }
            }
            Some("snapshot_end") => {
                let (epoch, seq) = (&self.epoch, &message["at"]);
                self.cursor = Some(json!({"epoch": epoch, "seq": seq}));
            }
            Some("delta") => self.delta(message),
            Some("slow" | "reconnect" | "error") => return false,
            _ => panic!("unexpected: {message}"),
        }
        true
    }

    fn delta(&mut self, delta: &Value) {
        let at = self.held_to.clone().or_else(|| self.cursor.clone());
        let at = at.expect("a delta follows a cursor");
        assert_eq!(delta["from"], at["seq"], "it does not continue: {delta}");
        self.held.extend(changes(delta).iter().cloned());
        let to = json!({"epoch": at["epoch"], "seq": delta["to"]});
        if delta["more"] == true {
            self.held_to = Some(to);
            return;
        }
        (self.cursor, self.held_to) = (Some(to), None);
        for change in std::mem::take(&mut self.held) {
            self.apply(&change);
        }
        self.deltas += 1;
    }

    fn apply(&mut self, change: &Value) {
        let key = key(change);
        match change["op"] == "delete" {
            true => drop(self.copy.remove(&key)),
            false => drop(self.copy.insert(key, change["data"].clone())),
        }
    }
}

/// Which record a change is of.
pub(super) fn key(change: &Value) -> (String, String) {
    let text = |name: &str| change[name].as_str().expect("a text").to_owned();
    (text("table"), text("id"))
}

fn changes(message: &Value) -> &[Value] {
    message["changes"].as_array().expect("changes")
}
