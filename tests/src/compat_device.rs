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
        let first = self.push_request();
        edit(self);
        let second = self.push_request();
        let (first, second) = tokio::join!(first.send(), second.send());
        self.pending.clear();
        for response in [first, second] {
            let response = response.expect("an answer");
            assert_eq!(response.status(), 200);
            let reply = response.text().await.expect("a body");
            self.take(&serde_json::from_str(&reply).expect("JSON"), &TABLES);
        }
    }

    /// Sends the queue. On 2xx it is cleared, the reply applied, its cursor set everywhere.
    pub async fn push(&mut self) -> StatusCode {
        let request = self.push_request();
        let sent = self.pending.len();
        let response = request.send().await.expect("an answer");
        let status = response.status();
        if status.is_success() {
            let reply = response.text().await.expect("a body");
            self.pending.drain(..sent);
            self.take(&serde_json::from_str(&reply).expect("JSON"), &TABLES);
        }
        status
    }

    /// Sends the queue and never hears the answer.
    pub async fn push_in_vain(&mut self) {
        let request = self.push_request();
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

    fn push_request(&mut self) -> RequestBuilder {
        // The text minimum of the cursors and the device's own clock, which is slow.
        let own_clock = "2020-01-01T00:00:00.000Z";
        let since = self
            .cursors
            .values()
            .map(String::as_str)
            .chain([own_clock])
            .min();
        let body = json!({"clientId": self.name, "appId": "todo", "since": since,
            "changes": self.pending})
        .to_string();
        self.sent.push_front(body.clone());
        self.sent.truncate(SENT_MAX);
        self.authorized(self.http.post(&self.url)).body(body)
    }

    /// Asks for one table.
    pub async fn pull(&mut self, table: &'static str) -> StatusCode {
        let since = self.cursors[table].clone();
        let url = format!("{}/pull?collection={table}&since={since}", self.url);
        let response = self
            .authorized(self.http.get(url))
            .send()
            .await
            .expect("an answer");
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
