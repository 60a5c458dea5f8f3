//! What a device of the compatibility protocol is told: the session's part, the echoes, and the
//! reply that is made of them and of the store.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_protocol::compat::cursor::{EMPTY, STALE, Since};
use syncline_protocol::ids::Seq;
use syncline_storage::model::ModelStore;

use super::desk::{Desk, client, space, stamp};
use crate::gateway::compat::answer::{ALL, Answering, Next, Question, asker};
use crate::session::event::{CallId, CallReply};
use crate::session::state::SessionLimits;
use crate::session::synced::{Synced, Whole};

pub(super) const SECOND: u64 = 1_000;

pub(super) fn titled(id: &str, title: &str, at_ms: u64) -> Value {
    let fields = json!({"title": {"value": title, "updatedAt": stamp(at_ms)}});
    json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
}

pub(super) fn inserted(table: &str, id: &str, at_ms: u64) -> Value {
    let data = json!({"title": "a", "updatedAt": stamp(at_ms)});
    json!({"table": table, "id": id, "op": "insert", "data": data})
}

fn deleted(id: &str, at_ms: u64) -> Value {
    json!({"table": "tasks", "id": id, "op": "delete", "deletedAt": stamp(at_ms)})
}

/// Begins a reply by the store as it is.
pub(super) fn begin(
    desk: &Desk,
    since: &str,
    (synced, table): (Synced, Option<&str>),
) -> Answering {
    let question = Question {
        since: Since::parse(since).unwrap(),
        synced,
        table: table.map(str::to_owned),
    };
    Answering::new(question, &desk.store.space(&space()).unwrap())
}

/// Ends it by the store as it is then.
pub(super) fn end(desk: &Desk, answering: Answering) -> Value {
    let reply = end_within(desk, answering, usize::MAX);
    reply.expect("it is no more than any reply may hold")
}

/// The same where a reply may have so many bytes; `None` if it is more.
fn end_within(desk: &Desk, mut answering: Answering, bytes_max: usize) -> Option<Value> {
    loop {
        let after = answering.from().into();
        let page = desk.store.changes(&space(), &after, ALL).unwrap();
        match answering.page(page, bytes_max) {
            Next::Read(again) => answering = again,
            Next::Reply(reply) => {
                let (bytes, text) = (reply.bytes(), reply.into_text());
                assert_eq!(bytes, text.len());
                return Some(serde_json::from_str(&text).unwrap());
            }
            Next::TooLarge => return None,
            Next::Elsewhere => panic!("it is the same history"),
        }
    }
}

/// What the phone is replied that asks for a table, or for all without sending anything.
pub(super) fn pulled(desk: &Desk, since: &str, table: Option<&str>) -> Value {
    let marks = desk.store.marks(&space(), &[client("phone")]).unwrap();
    end(desk, begin(desk, since, (asker(marks), table)))
}

pub(super) fn cursor(reply: &Value) -> String {
    reply["syncedUntil"].as_str().unwrap().to_owned()
}

/// Ids and ops.
pub(super) fn told(reply: &Value) -> Vec<(&str, &str)> {
    let changes = reply["serverChanges"].as_array().unwrap().iter();
    changes
        .map(|change| {
            (
                change["id"].as_str().unwrap(),
                change["op"].as_str().unwrap(),
            )
        })
        .collect()
}

/// The only echo: of which record, which fields, whether whole and alive.
fn echo(synced: &Synced) -> (&str, Vec<&str>, Whole, bool) {
    let [echo] = &synced.echoes[..] else {
        panic!("{:?}", synced.echoes)
    };
    let fields = echo.fields.iter().map(|name| name.as_str()).collect();
    (
        echo.key.id.as_str(),
        fields,
        echo.whole,
        echo.record.is_live(),
    )
}

/// A reply on its way may overwrite what the device wrote after it asked.
#[test]
fn what_a_device_named_of_its_own_record_is_said_again() {
    let mut desk = Desk::new();
    assert_eq!(desk.sync("phone", &[inserted("tasks", "k1", 0)]).echoes, []);
    let synced = desk.sync("phone", &[titled("k1", "b", SECOND)]);
    assert_eq!(echo(&synced), ("k1", vec!["title"], Whole::No, true));
}

#[test]
fn a_record_deleted_and_inserted_again_replaces_what_the_device_has() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
    let again = [deleted("k1", SECOND), inserted("tasks", "k1", 2 * SECOND)];
    let synced = desk.sync("phone", &again);
    let fields = vec!["title", "updatedAt"];
    assert_eq!(echo(&synced), ("k1", fields, Whole::Replace, true));
}

#[test]
fn a_record_dead_on_arrival_is_said_to_be_dead() {
    let nothing = json!({"table": "tasks", "id": "k1", "op": "insert", "data": {}});
    for insert in [inserted("tasks", "k1", SECOND), nothing] {
        let mut desk = Desk::new();
        desk.sync("laptop", &[deleted("k1", 50 * SECOND)]);
        let synced = desk.sync("phone", &[insert]);
        let (id, _, _, is_live) = echo(&synced);
        assert_eq!((id, is_live), ("k1", false));
        let reply = end(&desk, begin(&desk, EMPTY, (synced, None)));
        assert_eq!(told(&reply), [("k1", "delete")]);
    }
}

/// The device shows it as deleted. Its clock was set back before the delete.
#[test]
fn a_new_record_that_survives_its_own_delete_is_said_to_live() {
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted("tasks", "k2", 5 * SECOND)]);
    let both = [inserted("tasks", "k1", 5 * SECOND), deleted("k1", SECOND)];
    let synced = desk.sync("phone", &both);
    assert_eq!(echo(&synced), ("k1", vec![], Whole::Replace, true));
}

/// It took away fields that the device still shows.
#[test]
fn a_record_that_survives_a_delete_replaces_what_the_device_has() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 10 * SECOND)]);
    let synced = desk.sync("phone", &[deleted("k1", 5 * SECOND)]);
    assert_eq!(echo(&synced), ("k1", vec![], Whole::Replace, true));
}

/// Between the commit and the reply a late copy of another request of the device came: its own
/// change, of which the store's part of the reply says nothing.
#[test]
fn an_echo_is_of_the_moment_of_the_reply() {
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted("tasks", "k1", 0)]);
    let since = cursor(&pulled(&desk, EMPTY, None));
    let synced = desk.sync("phone", &[titled("k1", "named", SECOND)]);
    desk.sync("phone", &[titled("k1", "late", 2 * SECOND)]);
    let reply = end(&desk, begin(&desk, &since, (synced, None)));
    assert_eq!(reply["serverChanges"][0]["data"]["title"], "late");
}

/// A later changeset of the device was merged in the same commit.
#[test]
fn an_echo_is_of_the_whole_commit() {
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted("tasks", "k1", 0)]);
    let since = cursor(&pulled(&desk, EMPTY, None));
    let mut synced = desk.sync("phone", &[titled("k1", "later", SECOND)]);
    let between = Arc::make_mut(&mut synced.echoes[0].record);
    between.deleted = between.inserted.take();
    let reply = end(&desk, begin(&desk, &since, (synced, None)));
    assert_eq!(told(&reply), [("k1", "insert")]);
    assert_eq!(reply["serverChanges"][0]["data"]["title"], "later");
}

/// Two changesets of the device in one commit: an older reply may come between their replies and take
/// away what the second wrote.
#[test]
fn a_changeset_is_told_of_another_of_its_device_in_the_same_commit() {
    let mut desk = Desk::new();
    desk.sync(
        "phone",
        &[inserted("tasks", "k1", 0), inserted("tasks", "k2", 0)],
    );
    desk.sync("laptop", &[inserted("tasks", "k3", 0)]);
    let since = cursor(&pulled(&desk, EMPTY, None));
    let at = Since::parse(&since).unwrap();
    // The laptop's is on its way to the store, so the phone's two wait and go together.
    desk.start_sync("laptop", &[titled("k3", "three", SECOND)]);
    desk.start_sync_as(CallId(1), "phone", &[titled("k1", "one", SECOND)], at);
    desk.start_sync_as(CallId(2), "phone", &[titled("k2", "two", SECOND)], at);
    desk.settle();
    let records = desk.store.all(&space());
    let seqs: Vec<Seq> = records.values().map(|record| record.seq).collect();
    assert!(seqs[0] == seqs[1] && seqs[1] > seqs[2], "{seqs:?}");
    for call in [CallId(1), CallId(2)] {
        let Some(CallReply::Synced(synced)) = desk.replies.remove(&call) else {
            panic!("it was not answered")
        };
        let reply = end(&desk, begin(&desk, &since, (synced, None)));
        assert_eq!(
            told(&reply),
            [("k1", "update"), ("k2", "update"), ("k3", "update")]
        );
    }
}

/// The device heard of it on another node, which this one has not.
#[test]
fn a_changeset_without_effect_is_answered_by_what_its_device_has_heard_of() {
    let mut desk = Desk::new();
    desk.sync("phone", &[inserted("tasks", "k1", 0)]);
    desk.sync("phone", &[titled("k1", "mine", SECOND)]);
    let mut other = Desk::on(desk.store.clone(), Default::default());
    other.sync("laptop", &[titled("k1", "theirs", 2 * SECOND)]);
    desk.store = other.store;
    let synced = desk.sync_at_head("phone", &[titled("k1", "mine", SECOND)]);
    let title = synced.echoes[0].record.field("title").unwrap();
    assert_eq!(title.value.as_str(), "\"theirs\"");
}

/// Between the view and the page, what the cursor may have missed was collected.
#[test]
fn a_page_from_too_late_a_seq_is_read_again() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
    let since = cursor(&pulled(&desk, EMPTY, None));
    desk.sync("laptop", &[inserted("tasks", "k2", 0)]);
    let marks = desk.store.marks(&space(), &[client("phone")]).unwrap();
    let answering = begin(&desk, &since, (asker(marks), None));
    assert_eq!(answering.from(), Seq(1));
    desk.store.raise_gc_seq(&space(), Seq(2));
    let reply = end(&desk, answering);
    assert_eq!(told(&reply), [("k1", "update"), ("k2", "update")]);
}

/// The least of its cursors is the empty one, but it may have pulled other tables. Of one table it may
/// have asked twice.
#[test]
fn an_empty_cursor_beside_others_skips_no_delete() {
    let mut desk = Desk::new();
    desk.sync(
        "laptop",
        &[inserted("tasks", "k1", 0), deleted("k1", SECOND)],
    );
    let synced = desk.sync("phone", &[inserted("notes", "n1", 0)]);
    let reply = end(&desk, begin(&desk, EMPTY, (synced, None)));
    assert_eq!(told(&reply), [("n1", "insert"), ("k1", "delete")]);
    let reply = pulled(&desk, EMPTY, Some("tasks"));
    assert_eq!(told(&reply), [("k1", "delete")]);
}

/// What a changeset of the phone is replied where a reply may have a byte less than `reply`.
pub(super) fn less_than(desk: &Desk, reply: &Value, (since, synced): (&str, Synced)) -> Value {
    let bytes_max = reply.to_string().len() - 1;
    let reply = end_within(desk, begin(desk, since, (synced, None)), bytes_max);
    reply.expect("a changeset is answered whatever it takes")
}

#[test]
fn a_reply_is_whole_at_its_bound_and_one_past_it_tells_less() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 5 * SECOND)]);
    let since = cursor(&pulled(&desk, EMPTY, None));
    desk.sync("laptop", &[inserted("tasks", "k2", 0)]);
    let wrong = json!({"table": "tasks", "id": "\u{7}\"", "op": "update", "fields": {}});
    let synced = desk.sync("phone", &[titled("k1", "b", SECOND), wrong]);
    let whole = end(&desk, begin(&desk, &since, (synced.clone(), None)));
    assert_eq!(told(&whole), [("k1", "update"), ("k2", "insert")]);
    assert_eq!(whole["conflicts"].as_array().unwrap().len(), 1);
    // It is told who won, and goes on where it is.
    let echoes = less_than(&desk, &whole, (&since, synced.clone()));
    assert_eq!(told(&echoes), [("k1", "update")]);
    assert_eq!(cursor(&echoes), since);
    assert_eq!(echoes["conflicts"], whole["conflicts"]);
    // It is told nothing of what it shows, and must look at all of it again.
    let alone = less_than(&desk, &echoes, (&since, synced.clone()));
    assert_eq!(told(&alone), []);
    assert_eq!(cursor(&alone), STALE);
    assert_eq!(alone["conflicts"], whole["conflicts"]);
    assert_eq!(less_than(&desk, &alone, (&since, synced)), alone);
}

/// It shows a winner's loser, a record that is dead, and a field that a delete took away.
#[test]
fn who_is_not_told_what_became_of_its_changeset_is_told_all_when_it_pulls() {
    let mut desk = Desk::new();
    desk.sync(
        "laptop",
        &[
            inserted("tasks", "k1", 5 * SECOND),
            deleted("k2", 50 * SECOND),
        ],
    );
    let since = cursor(&pulled(&desk, EMPTY, None));
    let changes = [titled("k1", "b", SECOND), inserted("tasks", "k2", SECOND)];
    let synced = desk.sync("phone", &changes);
    let alone = end_within(&desk, begin(&desk, &since, (synced, None)), 0).unwrap();
    let tasks = pulled(&desk, &cursor(&alone), Some("tasks"));
    assert_eq!(told(&tasks), [("k1", "insert"), ("k2", "delete")]);
    assert_eq!(tasks["serverChanges"][0]["data"]["title"], "a");
    // What was told of one table says nothing of the others, which stay: the least is sent.
    desk.sync("laptop", &[inserted("notes", "n1", 0)]);
    let synced = desk.sync("phone", &[inserted("notes", "n2", 0)]);
    let least = cursor(&tasks).min(cursor(&alone));
    let all = end(&desk, begin(&desk, &least, (synced, None)));
    let ops = told(&all);
    assert!(
        ops.contains(&("n1", "insert")) && ops.contains(&("k2", "delete")),
        "{ops:?}"
    );
    assert_eq!(told(&pulled(&desk, &cursor(&all), Some("tasks"))), []);
}

/// Its least cursor is that of a table it pulled: none stays where all were told to start.
#[test]
fn who_had_to_start_again_and_has_pulled_its_tables_is_told_only_what_follows() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
    let pulled = cursor(&pulled(&desk, STALE, Some("tasks")));
    let between = [inserted("notes", "n1", SECOND)];
    desk.sync("laptop", &between);
    let synced = desk.sync("phone", &[inserted("notes", "n2", SECOND)]);
    let reply = end(&desk, begin(&desk, &pulled, (synced, None)));
    assert_eq!(told(&reply), [("n1", "insert")]);
    let until = Since::parse(&cursor(&reply)).unwrap();
    assert_eq!(until, desk.since());
}

/// The least of its cursors is the empty one, but it may have pulled other tables.
#[test]
fn an_empty_device_whose_changeset_is_answered_alone_skips_no_delete() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
    assert_eq!(
        told(&pulled(&desk, EMPTY, Some("tasks"))),
        [("k1", "insert")]
    );
    desk.sync(
        "laptop",
        &[deleted("k1", SECOND), inserted("notes", "n1", 0)],
    );
    let synced = desk.sync("phone", &[inserted("notes", "n2", 0)]);
    let all = end(&desk, begin(&desk, EMPTY, (synced.clone(), None)));
    let alone = less_than(&desk, &all, (EMPTY, synced));
    assert_eq!(told(&alone), []);
    let tasks = pulled(&desk, &cursor(&alone), Some("tasks"));
    assert_eq!(told(&tasks), [("k1", "delete")]);
}

/// A changeset is merged in parts as large as it likes: what is kept for its answer is bounded.
#[test]
fn records_named_are_kept_up_to_their_bound_and_one_past_it_none_is_told() {
    // {"title":"a","updatedAt":"…"}
    let bytes = 2 * (r#"{"title":"a","updatedAt":""}"#.len() + stamp(0).len());
    for (echo_bytes_max, echoes, is_untold) in [(bytes, 2, false), (bytes - 1, 0, true)] {
        let mut desk = Desk::on(
            ModelStore::new(100),
            SessionLimits {
                commit_changes_max: 1,
                echo_bytes_max,
                ..SessionLimits::default()
            },
        );
        let mut both = [
            inserted("tasks", "k1", 5 * SECOND),
            inserted("tasks", "k2", 5 * SECOND),
        ];
        desk.sync("laptop", &both[..1]);
        desk.sync("laptop", &both[1..]);
        for insert in &mut both {
            insert["data"]["updatedAt"] = json!(stamp(SECOND));
        }
        let synced = desk.sync("phone", &both);
        assert_eq!((synced.echoes.len(), synced.is_untold), (echoes, is_untold));
        let reply = end(&desk, begin(&desk, EMPTY, (synced, None)));
        assert_eq!(
            (cursor(&reply) == STALE, told(&reply).is_empty()),
            (is_untold, is_untold)
        );
    }
}

#[test]
fn a_pull_of_more_than_a_reply_holds_has_none() {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
    let bytes = pulled(&desk, EMPTY, Some("tasks")).to_string().len();
    let pull = |bytes_max| {
        let marks = desk.store.marks(&space(), &[client("phone")]).unwrap();
        let answering = begin(&desk, EMPTY, (asker(marks), Some("tasks")));
        end_within(&desk, answering, bytes_max)
    };
    assert!(pull(bytes).is_some());
    assert_eq!(pull(bytes - 1), None);
}
