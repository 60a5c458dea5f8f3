//! A model of a client over the wire text: whatever is committed, however long the client was
//! away and wherever its pages were cut, in the end it holds exactly what is visible.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::change::StampedChange;
use crate::samples::{cases, changes_of, key};

const IDS: &[&str] = &["k1", "k2", "k3"];

/// The hub's side: records and a head.
#[derive(Default)]
struct Space {
    records: BTreeMap<RecordKey, Record>,
    head: Seq,
}

impl Space {
    /// Commits the changes as one commit; what changes nothing gets no seq. Tells whether
    /// anything of it can be seen.
    fn commit(&mut self, changes: &[StampedChange]) -> bool {
        let seq = self.head.next();
        let (mut changed, mut visible) = (false, false);
        for change in changes {
            let merged = self
                .records
                .entry(change.key.clone())
                .or_default()
                .merge(change, seq);
            changed |= merged.changed;
            visible |= merged.visible;
        }
        if changed {
            self.head = seq;
        }
        visible
    }

    /// What the store returns for a page that ends at `to`: as records are now, by seq.
    fn page(&self, after: Seq, to: Seq) -> Vec<(&RecordKey, &Record)> {
        let within = |record: &Record| after < record.seq && record.seq <= to;
        let mut page: Vec<_> = self.records.iter().filter(|(_, r)| within(r)).collect();
        page.sort_by_key(|(_, record)| record.seq);
        page
    }

    fn visible(&self) -> BTreeMap<RecordKey, Map<String, Value>> {
        let live = self.records.iter().filter(|(_, record)| record.is_live());
        live.map(|(key, record)| {
            let mut text = String::new();
            write_data(&mut text, record);
            (key.clone(), serde_json::from_str(&text).unwrap())
        })
        .collect()
    }
}

/// The device: it knows only texts and its cursor.
#[derive(Default)]
struct Client {
    held: BTreeMap<RecordKey, Map<String, Value>>,
    cursor: Seq,
}

impl Client {
    /// Takes what [`since`] tells: an insert replaces, an update sets fields, a delete removes.
    fn follow(&mut self, space: &Space) -> usize {
        let mut told = 0;
        for (key, record) in space.page(self.cursor, space.head) {
            let Some(shown) = since(record, self.cursor) else {
                continue;
            };
            let entry = entry(key, record, shown, self.cursor);
            told += 1;
            match entry["op"].as_str().unwrap() {
                "insert" => drop(self.held.insert(key.clone(), object(&entry["data"]))),
                "update" => {
                    let held = self
                        .held
                        .get_mut(key)
                        .expect("an update is of a record held");
                    for (name, write) in object(&entry["fields"]) {
                        assert!(write["updatedAt"].is_string());
                        held.insert(name, write["value"].clone());
                    }
                    assert_eq!(*held, object(&entry["data"]), "data is the full record");
                }
                _ => drop(self.held.remove(key)),
            }
        }
        self.cursor = space.head;
        told
    }

    /// Takes one page of what [`paged`] tells: a record with data replaces, a delete removes.
    fn read_page(&mut self, space: &Space, commits: u64) {
        let to = Seq(self.cursor.0 + commits).min(space.head);
        for (key, record) in space.page(self.cursor, to) {
            let Some(shown) = paged(record, self.cursor) else {
                continue;
            };
            let entry = entry(key, record, shown, self.cursor);
            match entry.get("data") {
                Some(data) => drop(self.held.insert(key.clone(), object(data))),
                None => drop(self.held.remove(key)),
            }
        }
        self.cursor = to;
    }
}

fn entry(key: &RecordKey, record: &Record, shown: Shown, after: Seq) -> Value {
    let mut text = String::new();
    Entry {
        key,
        record,
        shown,
        after,
        by: None,
    }
    .write(&mut text);
    serde_json::from_str(&text).expect("an entry is JSON")
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn commits() -> impl Strategy<Value = Vec<StampedChange>> {
    prop::collection::vec(changes_of(IDS), 1..4)
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<StampedChange>),
    Page(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        commits().prop_map(Step::Commit),
        (1..4u64).prop_map(Step::Page)
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn a_client_that_skips_commits_holds_what_is_visible(
        history in prop::collection::vec((commits(), any::<bool>()), 0..16),
    ) {
        let (mut space, mut client) = (Space::default(), Client::default());
        for (changes, connected) in &history {
            space.commit(changes);
            if *connected {
                client.follow(&space);
                prop_assert_eq!(&client.held, &space.visible());
            }
        }
        client.follow(&space);
        prop_assert_eq!(&client.held, &space.visible());
    }

    #[test]
    fn a_client_whose_pages_are_cut_holds_what_is_visible(steps in steps()) {
        let (mut space, mut client) = (Space::default(), Client::default());
        for step in &steps {
            match step {
                Step::Commit(changes) => {
                    let live = client.cursor == space.head;
                    space.commit(changes);
                    if live && changes.len() > 1 {
                        client.follow(&space);
                    }
                }
                Step::Page(commits) => client.read_page(&space, *commits),
            }
        }
        while client.cursor < space.head {
            client.read_page(&space, 2);
        }
        prop_assert_eq!(&client.held, &space.visible());
    }

    #[test]
    fn what_is_told_of_one_change_is_what_is_visible_of_it(
        history in prop::collection::vec(changes_of(IDS), 0..24),
    ) {
        let (mut space, mut client) = (Space::default(), Client::default());
        for change in history {
            let visible = space.commit(&[change]);
            prop_assert_eq!(client.follow(&space), usize::from(visible));
        }
    }

    #[test]
    fn a_client_that_hears_again_holds_the_same(
        first in prop::collection::vec(commits(), 0..8),
        second in prop::collection::vec(commits(), 0..8),
    ) {
        let (mut space, mut client) = (Space::default(), Client::default());
        for changes in &first {
            space.commit(changes);
        }
        client.follow(&space);
        let old = client.cursor;
        for changes in &second {
            space.commit(changes);
        }
        client.follow(&space);
        client.cursor = old;
        client.read_page(&space, u64::from(u32::MAX));
        prop_assert_eq!(&client.held, &space.visible());
    }
}

#[test]
fn since_alone_would_lose_a_delete_behind_a_cut() {
    use crate::samples::{at, delete, insert, update};
    let mut space = Space::default();
    space.commit(&[insert(at(0, 1), &[("a", "1")])]);
    let mut client = Client::default();
    client.follow(&space);
    space.commit(&[delete(at(5, 1))]);
    space.commit(&[update(at(9, 1), "a", "2")]);
    client.read_page(&space, 1);
    assert!(
        client.held.contains_key(&key("k1")),
        "the record moved to the next page"
    );
    assert_eq!(since(&space.records[&key("k1")], client.cursor), None);
    client.read_page(&space, 1);
    assert!(client.held.is_empty());
}
