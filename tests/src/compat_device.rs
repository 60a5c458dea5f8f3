//! A device as the first user's client makes it: a cursor for each table compared as text, one
//! queue that is cleared on any 2xx, blind overwrites by what it is told.

use std::collections::{BTreeMap, VecDeque};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};

use crate::node::TestNode;

/// The tables of these devices.
pub const TABLES: [&str; 2] = ["tasks", "labels"];

/// What a device without data sends.
const EMPTY: &str = "1970-01-01T00:00:00.000Z";

/// Requests a device remembers having sent.
const SENT_MAX: usize = 4;

type Key = (String, String);

/// What a tab asked and has not taken yet. The device's other tab goes on meanwhile.
#[derive(Debug)]
pub struct InTab {
    reply: Value,
    tables: Vec<&'static str>,
    /// Of the queue it sent what stood before this place, counted from the device's first change.
    sent: usize,
}

/// A device of a user.
#[derive(Debug)]
pub struct CompatDevice {
    http: Client,
    url: String,
    token: String,
    name: String,
    records: BTreeMap<Key, Map<String, Value>>,
    cursors: BTreeMap<&'static str, String>,
    /// Changes not yet answered.
    pub pending: Vec<Value>,
    /// Changes that were answered.
    cleared: usize,
    /// The bodies of its last changesets, the newest first.
    sent: VecDeque<String>,
    /// The last reply.
    pub reply: Value,
}

impl CompatDevice {
    /// A device that has never seen the hub.
    pub fn new(node: &TestNode, user: &str, name: &str) -> CompatDevice {
        CompatDevice {
            http: Client::new(),
            url: node.url("/sync/todo"),
            token: node.token(user),
            name: name.into(),
            records: BTreeMap::new(),
            cursors: TABLES
                .iter()
                .map(|table| (*table, EMPTY.to_owned()))
                .collect(),
            pending: Vec::new(),
            cleared: 0,
            sent: VecDeque::new(),
            reply: Value::Null,
        }
    }

    /// From now on it asks another node.
    pub fn turn_to(&mut self, node: &TestNode, user: &str) {
        self.url = node.url("/sync/todo");
        self.token = node.token(user);
    }

    /// Writes a whole record.
    pub fn insert(&mut self, (table, id): (&str, &str), data: &Value, at: &str) {
        let mut data = data.as_object().cloned().unwrap_or_default();
        data.insert("updatedAt".into(), at.into());
        self.records.insert((table.into(), id.into()), data.clone());
        self.pending
            .push(json!({"table": table, "id": id, "op": "insert", "data": data}));
    }

    /// Writes one field, if the device has the record.
    pub fn update(&mut self, (table, id): (&str, &str), (name, value): (&str, Value), at: &str) {
        if let Some(record) = self.records.get_mut(&(table.into(), id.into())) {
            record.insert(name.into(), value.clone());
            let fields = json!({name: {"value": value, "updatedAt": at}});
            let change = json!({"table": table, "id": id, "op": "update", "fields": fields});
            self.pending.push(change);
        }
    }

    /// Deletes a record, if the device has it.
    pub fn delete(&mut self, (table, id): (&str, &str), at: &str) {
        if let Some(record) = self.records.get_mut(&(table.into(), id.into())) {
            record.insert("deletedAt".into(), at.into());
            self.pending
                .push(json!({"table": table, "id": id, "op": "delete", "deletedAt": at}));
        }
    }

    /// Writes a whole record that names no time.
    pub fn insert_now(&mut self, (table, id): (&str, &str), data: &Value) {
        let fields = data.as_object().cloned().unwrap_or_default();
        self.records.insert((table.into(), id.into()), fields);
        self.pending
            .push(json!({"table": table, "id": id, "op": "insert", "data": data}));
    }

    /// Writes one field without a time, if the device has the record.
    pub fn update_now(&mut self, (table, id): (&str, &str), (name, value): (&str, Value)) {
        if let Some(record) = self.records.get_mut(&(table.into(), id.into())) {
            record.insert(name.into(), value.clone());
            let fields = json!({name: {"value": value}});
            self.pending
                .push(json!({"table": table, "id": id, "op": "update", "fields": fields}));
        }
    }

    /// Deletes a record without a time, if the device has it.
    pub fn delete_now(&mut self, (table, id): (&str, &str)) {
        if let Some(record) = self.records.get_mut(&(table.into(), id.into())) {
            record.insert("deletedAt".into(), "then".into());
            self.pending
                .push(json!({"table": table, "id": id, "op": "delete"}));
        }
    }

    /// It comes with a record it has of another server, which it sends nobody.
    pub fn hold(&mut self, (table, id): (&str, &str), data: &Value) {
        let fields = data.as_object().cloned().unwrap_or_default();
        self.records.insert((table.into(), id.into()), fields);
    }

    /// Two tabs send the queue they share at once, the second after another edit. Their requests
    /// arrive in any order; the second's reply is heard last.
    pub async fn push_in_two_tabs(&mut self, edit: impl FnOnce(&mut CompatDevice)) {
        let first = self.remembered_push();
        edit(self);
        let second = self.remembered_push();
        let (first, second) = tokio::join!(first.send(), second.send());
        self.clear(self.pending.len());
        for response in [first, second] {
            let response = response.expect("an answer");
            assert_eq!(response.status(), 200);
            let reply = response.text().await.expect("a body");
            self.take(&serde_json::from_str(&reply).expect("JSON"), &TABLES);
        }
    }

    /// A tab sends the queue that all tabs share, or asks for a table, and holds what it is answered.
    pub async fn ask_in_tab(&self, table: Option<&'static str>) -> InTab {
        let request = match table {
            Some(table) => self.pull_request(table),
            None => self.push_request(),
        };
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let reply = response.text().await.expect("a body");
        InTab {
            reply: serde_json::from_str(&reply).expect("JSON"),
            tables: table.map_or(TABLES.to_vec(), |table| vec![table]),
            sent: table.map_or(self.cleared + self.pending.len(), |_| 0),
        }
    }

    /// The tab takes it, however late.
    pub fn take_in_tab(&mut self, held: &InTab) {
        self.clear(held.sent.saturating_sub(self.cleared));
        self.take(&held.reply, &held.tables);
    }

    fn clear(&mut self, count: usize) {
        self.pending.drain(..count);
        self.cleared += count;
    }

    /// Sends the queue. On 2xx it is cleared, the reply applied, its cursor set everywhere.
    pub async fn push(&mut self) -> StatusCode {
        let request = self.remembered_push();
        let sent = self.pending.len();
        let response = request.send().await.expect("an answer");
        let status = response.status();
        if status.is_success() {
            let reply = response.text().await.expect("a body");
            self.clear(sent);
            self.take(&serde_json::from_str(&reply).expect("JSON"), &TABLES);
        }
        status
    }

    /// Sends the queue and never hears the answer.
    pub async fn push_in_vain(&mut self) {
        let request = self.remembered_push();
        let answer = request.send().await.expect("an answer");
        drop(answer);
    }

    /// The network delivers a copy of an earlier changeset, so many before the last one. Whether
    /// there was one.
    pub async fn deliver_late(&self, before_last: usize) -> bool {
        let Some(body) = self.sent.get(before_last) else {
            return false;
        };
        let request = self.authorized(self.http.post(&self.url));
        let answer = request.body(body.clone()).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
        true
    }

    fn push_request(&self) -> RequestBuilder {
        self.authorized(self.http.post(&self.url)).body(self.body())
    }

    /// What it sends is remembered.
    fn remembered_push(&mut self) -> RequestBuilder {
        self.sent.push_front(self.body());
        self.sent.truncate(SENT_MAX);
        self.push_request()
    }

    fn body(&self) -> String {
        // The text minimum of the cursors and the device's own clock, which is slow.
        let own_clock = "2020-01-01T00:00:00.000Z";
        let since = self
            .cursors
            .values()
            .map(String::as_str)
            .chain([own_clock])
            .min();
        json!({"clientId": self.name, "appId": "todo", "since": since, "changes": self.pending})
            .to_string()
    }

    fn pull_request(&self, table: &str) -> RequestBuilder {
        let since = &self.cursors[table];
        let url = format!("{}/pull?collection={table}&since={since}", self.url);
        self.authorized(self.http.get(url))
    }

    /// Asks for one table.
    pub async fn pull(&mut self, table: &'static str) -> StatusCode {
        let asked = self.pull_request(table).send().await;
        let response = asked.expect("an answer");
        let status = response.status();
        if status.is_success() {
            let reply = response.text().await.expect("a body");
            self.take(&serde_json::from_str(&reply).expect("JSON"), &[table]);
        }
        status
    }

    /// Pushes and pulls everything.
    pub async fn sync(&mut self) {
        assert_eq!(self.push().await, 200);
        for table in TABLES {
            assert_eq!(self.pull(table).await, 200);
        }
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(&self.token)
            .header("x-client-id", &self.name)
    }

    fn take(&mut self, reply: &Value, tables: &[&'static str]) {
        for change in reply["serverChanges"].as_array().expect("changes") {
            self.apply(change);
        }
        let until = reply["syncedUntil"].as_str().expect("a cursor");
        for table in tables {
            self.cursors.insert(table, until.to_owned());
        }
        self.reply = reply.clone();
    }

    fn apply(&mut self, change: &Value) {
        let text = |name: &str| change[name].as_str().expect("a text").to_owned();
        let key = (text("table"), text("id"));
        let data = change["data"].as_object();
        match change["op"].as_str() {
            Some("insert") => {
                self.records.insert(key, data.expect("data").clone());
            }
            Some("update") => match self.records.get_mut(&key) {
                Some(record) => {
                    for (name, write) in change["fields"].as_object().expect("fields") {
                        record.insert(name.clone(), write["value"].clone());
                    }
                }
                None => {
                    if let Some(data) = data {
                        self.records.insert(key, data.clone());
                    }
                }
            },
            Some("delete") => {
                if let Some(record) = self.records.get_mut(&key) {
                    record.insert("deletedAt".into(), change["deletedAt"].clone());
                }
            }
            _ => panic!("unexpected: {change}"),
        }
    }

    /// What the device shows: records that are not deleted.
    pub fn shows(&self) -> BTreeMap<Key, Map<String, Value>> {
        let is_shown =
            |record: &Map<String, Value>| record.get("deletedAt").is_none_or(Value::is_null);
        let shown = self.records.iter().filter(|(_, record)| is_shown(record));
        shown
            .map(|(key, record)| {
                let mut record = record.clone();
                record.remove("deletedAt");
                (key.clone(), record)
            })
            .collect()
    }

    /// One field of a record the device shows.
    pub fn field(&self, (table, id): (&str, &str), name: &str) -> Option<Value> {
        self.shows()
            .get(&(table.into(), id.into()))?
            .get(name)
            .cloned()
    }

    /// The cursor of a table.
    pub fn cursor(&self, table: &str) -> &str {
        &self.cursors[table]
    }

    /// Sets every cursor, as an installed device brings its own.
    pub fn set_cursors(&mut self, cursor: &str) {
        self.cursors
            .values_mut()
            .for_each(|own| cursor.clone_into(own));
    }
}
