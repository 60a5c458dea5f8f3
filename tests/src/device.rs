//! A device as an SDK makes it: a local replica of what the hub told, an outbox of its own
//! mutations laid over it, a cursor. It works offline and syncs when it is connected.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::node::TestNode;
use crate::socket::Socket;

/// The data of a record.
pub type Data = Map<String, Value>;

type Key = (String, String);

/// A device of a user.
#[derive(Debug)]
pub struct Device {
    user: String,
    client: String,
    cursor: Option<Value>,
    /// The cursor of what it shows.
    complete: Option<Value>,
    /// What the hub told, taken as a whole.
    server: BTreeMap<Key, Data>,
    /// Mutations without a verdict, by number.
    outbox: BTreeMap<u64, Vec<Value>>,
    last: u64,
    socket: Option<Socket>,
    /// Changes of a catch-up that is not complete: shown to nobody yet.
    held: Vec<Value>,
    /// Verdicts, by number.
    pub verdicts: BTreeMap<u64, Value>,
}

impl Device {
    /// A device that has never seen the hub.
    pub fn new(user: &str, client: &str) -> Device {
        Device {
            user: user.into(),
            client: client.into(),
            cursor: None,
            complete: None,
            server: BTreeMap::new(),
            outbox: BTreeMap::new(),
            last: 0,
            socket: None,
            held: Vec::new(),
            verdicts: BTreeMap::new(),
        }
    }

    /// Makes a mutation, at once and offline.
    pub fn edit(&mut self, changes: &Value) {
        self.last += 1;
        let changes = changes.as_array().expect("a list of changes").clone();
        self.outbox.insert(self.last, changes);
    }

    /// What the device shows of a record.
    pub fn shows(&self, table: &str, id: &str) -> Option<Value> {
        let mut shown = self.server.get(&(table.into(), id.into())).cloned();
        let own = self.outbox.values().flatten();
        for change in own.filter(|change| change["table"] == table && change["id"] == id) {
            match change["op"].as_str() {
                Some("insert") => {
                    let data = change["data"].as_object().cloned().unwrap_or_default();
                    shown.get_or_insert_default().extend(data);
                }
                Some("update") => {
                    let fields = change["fields"].as_object().cloned().unwrap_or_default();
                    if let Some(shown) = &mut shown {
                        shown.extend(fields.into_iter().map(|(n, w)| (n, w["value"].clone())));
                    }
                }
                _ => shown = None,
            }
        }
        shown.map(Value::Object)
    }

    /// Everything the device shows that the hub has told.
    pub fn told(&self) -> &BTreeMap<Key, Data> {
        &self.server
    }

    /// Goes online: hello, what was missed, what was edited meanwhile. Returns when the hub
    /// has answered for all of it.
    pub async fn connect(&mut self, node: &TestNode) {
        let token = node.token(&self.user);
        self.connect_at(node.app.public_addr(), &token).await;
    }

    /// The same at an address.
    pub async fn connect_at(&mut self, address: SocketAddr, token: &str) {
        let (client, acked) = (&self.client, self.acked());
        let more = json!({"client": client, "cursor": self.cursor, "acked": acked, "token": token});
        let (socket, welcome) = Socket::hello_at(address, more).await;
        self.socket = Some(socket);
        let acked = welcome["acked"].as_u64().unwrap_or(0);
        if self.cursor.is_none() {
            self.snapshot(&welcome).await;
        }
        self.reach(welcome["head"].as_u64().expect("a head")).await;
        let unsent: Vec<Value> = self
            .outbox
            .iter()
            .map(|(m, changes)| json!({"m": m, "changes": changes}))
            .collect();
        if !unsent.is_empty() {
            self.socket()
                .send(&json!({"t": "push", "muts": unsent}))
                .await;
        }
        assert!(acked <= self.last);
        self.settle().await;
    }

    /// Goes offline without a word.
    pub fn disconnect(&mut self) {
        self.socket.take().expect("a connected device").cut();
        // What is not shown is not had.
        self.held.clear();
        self.cursor.clone_from(&self.complete);
    }

    /// Sends the mutations made while connected, and waits for their verdicts and changes.
    pub async fn push(&mut self) {
        let sent: Vec<Value> = self
            .outbox
            .iter()
            .map(|(m, changes)| json!({"m": m, "changes": changes}))
            .collect();
        self.socket()
            .send(&json!({"t": "push", "muts": sent}))
            .await;
        self.settle().await;
    }

    /// Takes messages until the cursor is at `seq` or past it.
    pub async fn reach(&mut self, seq: u64) {
        while self.seq() < seq {
            self.take().await;
        }
    }

    /// The cursor's seq.
    pub fn seq(&self) -> u64 {
        self.cursor
            .as_ref()
            .map_or(0, |cursor| cursor["seq"].as_u64().expect("a seq"))
    }

    fn acked(&self) -> Option<u64> {
        self.verdicts.keys().next_back().copied()
    }

    fn socket(&mut self) -> &mut Socket {
        self.socket.as_mut().expect("a connected device")
    }

    /// Takes messages until every mutation has its verdict and the cursor has passed it.
    async fn settle(&mut self) {
        loop {
            let (verdicts, seq) = (&self.verdicts, self.seq());
            self.outbox.retain(|m, _| {
                verdicts
                    .get(m)
                    .is_none_or(|v| v["seq"].as_u64().is_some_and(|s| s > seq))
            });
            if self.outbox.is_empty() {
                return;
            }
            self.take().await;
        }
    }

    async fn take(&mut self) {
        let message = self.socket().message().await;
        match message["t"].as_str() {
            Some("delta") => self.delta(&message),
            Some("verdicts") => {
                for result in message["results"].as_array().expect("results") {
                    self.verdicts
                        .insert(result["m"].as_u64().expect("a number"), result.clone());
                }
            }
            Some("reset") => {
                // What it has not sent stays.
                self.server.clear();
                self.held.clear();
                self.snapshot(&message).await;
            }
            Some("presence" | "broadcast") => {}
            _ => panic!("unexpected: {message}"),
        }
    }

    fn delta(&mut self, delta: &Value) {
        assert_eq!(
            delta["from"],
            self.seq(),
            "a delta that does not continue the cursor"
        );
        self.held.extend(
            delta["changes"]
                .as_array()
                .expect("changes")
                .iter()
                .cloned(),
        );
        let epoch = self.cursor.as_ref().expect("a cursor")["epoch"].clone();
        self.cursor = Some(json!({"epoch": epoch, "seq": delta["to"]}));
        if delta["more"] != true {
            self.complete.clone_from(&self.cursor);
            for change in std::mem::take(&mut self.held) {
                self.apply(&change);
            }
        }
    }

    fn apply(&mut self, change: &Value) {
        let text = |name: &str| change[name].as_str().expect("a text").to_owned();
        let key = (text("table"), text("id"));
        if change["op"] == "delete" {
            self.server.remove(&key);
        } else {
            self.server
                .insert(key, change["data"].as_object().expect("data").clone());
        }
    }

    /// Of the epoch that this message names.
    async fn snapshot(&mut self, welcome: &Value) {
        let mut count = 0;
        loop {
            let part = self.socket().message().await;
            match part["t"].as_str() {
                Some("snapshot") => {
                    for change in part["changes"].as_array().expect("changes") {
                        self.apply(change);
                        count += 1;
                    }
                }
                Some("snapshot_end") => {
                    assert_eq!(part["count"], count);
                    self.cursor = Some(json!({"epoch": welcome["epoch"], "seq": part["at"]}));
                    self.complete.clone_from(&self.cursor);
                    return;
                }
                _ => panic!("unexpected: {part}"),
            }
        }
    }
}
