//! A native device that survives its hub's store: it does what the protocol asks of one whose
//! history was replaced.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use syncline_tests::node::TestNode;
use syncline_tests::socket::Socket;

type Key = (String, String);

/// A record as it was told.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    data: Map<String, Value>,
    /// The newest stamp the device knows of it.
    at: String,
}

/// The device.
#[derive(Debug)]
pub(super) struct Survivor {
    user: &'static str,
    name: &'static str,
    /// Client ids used up.
    generation: u32,
    cursor: Option<(Value, u64)>,
    told: BTreeMap<Key, Held>,
    /// Mutations without a verdict, by number.
    outbox: BTreeMap<u64, Value>,
    last: u64,
    acked: Option<u64>,
    /// Where its last applied mutation stands.
    applied: Option<(Value, u64)>,
    /// What it showed before its history was replaced.
    before_reset: Option<BTreeMap<Key, Held>>,
    /// Why it was reset, each time.
    pub(super) resets: Vec<String>,
    /// Its verdicts, by client id and number.
    pub(super) verdicts: Vec<Value>,
    socket: Option<Socket>,
}

impl Survivor {
    /// A device that has never seen a hub.
    pub(super) fn new(user: &'static str, name: &'static str) -> Survivor {
        Survivor {
            user,
            name,
            generation: 0,
            cursor: None,
            told: BTreeMap::new(),
            outbox: BTreeMap::new(),
            last: 0,
            acked: None,
            applied: None,
            before_reset: None,
            resets: Vec::new(),
            verdicts: Vec::new(),
            socket: None,
        }
    }

    /// Its client id.
    pub(super) fn client(&self) -> String {
        match self.generation {
            0 => self.name.to_owned(),
            n => format!("{}.{n}", self.name),
        }
    }

    /// Inserts a task, offline.
    pub(super) fn insert(&mut self, id: &str, title: &str) {
        let data = json!({"title": title});
        self.make(&json!({"table": "tasks", "id": id, "op": "insert", "data": data}));
    }

    /// Writes a task's title, offline.
    pub(super) fn title(&mut self, id: &str, title: &str) {
        let fields = json!({"title": {"value": title}});
        self.make(&json!({"table": "tasks", "id": id, "op": "update", "fields": fields}));
    }

    /// Deletes a task, offline.
    pub(super) fn delete(&mut self, id: &str) {
        self.make(&json!({"table": "tasks", "id": id, "op": "delete"}));
    }

    fn make(&mut self, change: &Value) {
        self.last += 1;
        self.outbox.insert(self.last, json!([change]));
    }

    /// What it was told: titles by id.
    pub(super) fn titles(&self) -> BTreeMap<String, String> {
        let title = |held: &Held| held.data["title"].as_str().unwrap().to_owned();
        self.told
            .iter()
            .map(|((_, id), held)| (id.clone(), title(held)))
            .collect()
    }

    /// Mutations without a verdict.
    pub(super) fn unanswered(&self) -> usize {
        self.outbox.len()
    }

    /// Goes online until everything is answered and told, and offline again.
    pub(super) async fn sync(&mut self, node: &TestNode) {
        self.come(node).await;
        self.push().await;
        while !self.outbox.is_empty() || self.is_behind() {
            self.take().await;
        }
        self.catch_up().await;
        self.socket = None;
    }

    /// What it was told of does not hold yet what was applied of its own.
    fn is_behind(&self) -> bool {
        let (epoch, seq) = self.cursor.as_ref().unwrap();
        self.applied
            .as_ref()
            .is_some_and(|(of, at)| of == epoch && at > seq)
    }

    /// Sends what it has and goes away before it is answered.
    pub(super) async fn push_in_vain(&mut self, node: &TestNode) {
        self.come(node).await;
        self.push().await;
        self.catch_up().await;
        self.socket = None;
    }

    /// Says hello and takes what was missed.
    async fn come(&mut self, node: &TestNode) {
        loop {
            let cursor = self.cursor.as_ref();
            let cursor = cursor.map(|(epoch, seq)| json!({"epoch": epoch, "seq": seq}));
            let more = json!({"client": self.client(), "cursor": cursor, "acked": self.acked});
            let (socket, welcome) = Socket::hello(node, self.user, more).await;
            if welcome["acked"].as_u64() < self.acked {
                self.take_new_id();
                continue;
            }
            let (epoch, head) = (welcome["epoch"].clone(), welcome["head"].as_u64().unwrap());
            let goes_on = self.cursor.as_ref().is_some_and(|(own, _)| *own == epoch);
            self.socket = Some(socket);
            if !goes_on {
                self.snapshot(epoch).await;
            }
            while self.cursor.as_ref().unwrap().1 < head {
                self.take().await;
            }
            return self.offer_back();
        }
    }

    /// The hub has lost what it confirmed: the numbers begin again under another name.
    fn take_new_id(&mut self) {
        self.generation += 1;
        let outbox = std::mem::take(&mut self.outbox).into_values();
        self.outbox = (1..).zip(outbox).collect();
        self.last = self.outbox.len() as u64;
        self.acked = None;
        self.cursor = None;
        self.before_reset
            .get_or_insert(std::mem::take(&mut self.told));
    }

    /// Takes the history of an epoch from its beginning.
    async fn snapshot(&mut self, epoch: Value) {
        loop {
            let message = self.message().await;
            match message["t"].as_str().unwrap() {
                "reset" => {
                    self.resets
                        .push(message["why"].as_str().unwrap().to_owned());
                    self.before_reset
                        .get_or_insert(std::mem::take(&mut self.told));
                }
                "snapshot" => self.apply(&message),
                "snapshot_end" => {
                    self.cursor = Some((epoch, message["at"].as_u64().unwrap()));
                    return;
                }
                other => panic!("{other} inside a snapshot"),
            }
        }
    }

    /// What it showed and the hub does not have is written again, as old as it is.
    fn offer_back(&mut self) {
        for ((table, id), held) in self.before_reset.take().into_iter().flatten() {
            let now = self.told.get(&(table.clone(), id.clone()));
            if now.is_none_or(|now| now.data != held.data) {
                self.make(
                    &json!({"table": table, "id": id, "op": "insert", "data": held.data,
                    "insertedAt": held.at}),
                );
            }
        }
    }

    async fn push(&mut self) {
        let muts: Vec<Value> = self
            .outbox
            .iter()
            .map(|(m, changes)| json!({"m": m, "changes": changes}))
            .collect();
        if !muts.is_empty() {
            let push = json!({"t": "push", "muts": muts});
            self.socket.as_mut().unwrap().send(&push).await;
        }
    }

    /// Takes what the hub has said up to now.
    async fn catch_up(&mut self) {
        let ping = json!({"t": "ping"});
        self.socket.as_mut().unwrap().send(&ping).await;
        while self.take().await != "pong" {}
    }

    async fn message(&mut self) -> Value {
        self.socket.as_mut().unwrap().message().await
    }

    async fn take(&mut self) -> String {
        let message = self.message().await;
        match message["t"].as_str().unwrap() {
            "delta" => {
                self.apply(&message);
                self.cursor.as_mut().unwrap().1 = message["to"].as_u64().unwrap();
            }
            "verdicts" => {
                for result in message["results"].as_array().unwrap() {
                    let m = result["m"].as_u64().unwrap();
                    self.outbox.remove(&m);
                    self.acked = self.acked.max(Some(m));
                    if result["status"] == "applied" {
                        let epoch = self.cursor.as_ref().unwrap().0.clone();
                        self.applied = Some((epoch, result["seq"].as_u64().unwrap()));
                    }
                    self.verdicts.push(result.clone());
                }
            }
            "pong" => {}
            other => panic!("{other}: {message}"),
        }
        message["t"].as_str().unwrap().to_owned()
    }

    fn apply(&mut self, message: &Value) {
        for change in message["changes"].as_array().unwrap() {
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            let key = (text("table"), text("id"));
            if change["op"] == "delete" {
                self.told.remove(&key);
                continue;
            }
            let fields = change["fields"].as_object().into_iter().flatten();
            let newest = fields
                .filter_map(|(_, told)| told["updatedAt"].as_str())
                .max();
            let newest = newest.or(change["insertedAt"].as_str());
            let held = Held {
                data: change["data"].as_object().unwrap().clone(),
                at: newest.unwrap_or_default().to_owned(),
            };
            self.told.insert(key, held);
        }
    }
}
