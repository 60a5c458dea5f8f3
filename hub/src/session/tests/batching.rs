//! What one commit merges onto: never more than can be held at once.

use std::ops::RangeInclusive;

use serde_json::{Value, json};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{Epoch, Seq, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_storage::model::ModelStore;

use super::desk::{Desk, client, insert, space, stamp, update};
use crate::session::cache::known_bytes;
use crate::session::event::{CallId, CallReply, ConnId, Event, Sync};
use crate::session::state::SessionLimits;
use crate::session::synced::{SyncConflict, Synced};

/// A space with three long records, k1 to k3, and what one takes in memory.
fn long_records() -> (ModelStore, usize) {
    let mut desk = Desk::new();
    let phone = desk.hello(1, "phone", None);
    for m in 1..=3 {
        let data = json!({"text": "x".repeat(5_000)});
        desk.push(phone, &[insert(m, &format!("k{m}"), &data)]);
    }
    let records = desk.store.all(&space());
    let bytes = known_bytes(&records.values().next().cloned());
    (desk.store, bytes)
}

/// A session that knows no record yet, and its device.
fn session(
    store: ModelStore,
    commit_bytes_max: usize,
    mutation_bytes_max: usize,
) -> (Desk, ConnId) {
    let limits = SessionLimits {
        commit_bytes_max,
        data: Limits {
            mutation_bytes_max,
            ..Limits::DEFAULT
        },
        ..SessionLimits::default()
    };
    let mut desk = Desk::on(store, limits);
    let laptop = desk.hello(1, "laptop", None);
    desk.take(laptop);
    (desk, laptop)
}

/// A change of a short field in a long record.
fn touch(id: &str) -> Value {
    let fields = json!({"n": {"value": 1, "updatedAt": stamp(9)}});
    json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
}

fn touch_all(m: u64) -> Value {
    let changes = ["k1", "k2", "k3"].map(touch);
    json!({"m": m, "changes": changes})
}

#[test]
fn a_batch_ends_where_its_records_are_too_many_bytes() {
    let (store, bytes) = long_records();
    for (commit_bytes_max, commits) in [(4 * bytes, 1), (2 * bytes, 2), (bytes, 3)] {
        let (mut desk, laptop) = session(store.clone(), commit_bytes_max, usize::MAX);
        let edit = |m: u64| update(m, &format!("k{m}"), "n", &json!(1), 9);
        desk.push(laptop, &[edit(1), edit(2), edit(3)]);
        assert_eq!(desk.commits, commits, "{commit_bytes_max} bytes");
        assert_eq!(desk.head(), 3 + commits as u64);
    }
}

#[test]
fn records_in_the_cache_count_in_a_batch() {
    let (store, bytes) = long_records();
    let (mut desk, laptop) = session(store, 2 * bytes, usize::MAX);
    desk.push(laptop, &[touch_all(1)]);
    let edit = |m: u64| update(m, &format!("k{}", m - 1), "n", &json!(2), 10);
    desk.push(laptop, &[edit(2), edit(3), edit(4)]);
    assert_eq!((desk.record_reads, desk.commits), (3 + 1, 1 + 3));
}

#[test]
fn a_mutation_larger_than_a_batch_is_read_in_pieces_and_is_whole() {
    let (store, bytes) = long_records();
    let (mut desk, laptop) = session(store, bytes, 8 * bytes);
    let after = update(2, "k1", "n", &json!(2), 10);
    desk.push(laptop, &[touch_all(1), after]);
    // Three, two and one key were asked for.
    assert_eq!((desk.record_reads, desk.commits, desk.head()), (6, 2, 5));
    assert_eq!(desk.stored("k3").unwrap()["n"], 1);
    assert_eq!(desk.stored("k1").unwrap()["n"], 2);
}

#[test]
fn a_mutation_may_touch_so_many_bytes_and_not_one_more() {
    let (store, bytes) = long_records();
    for (mutation_bytes_max, code) in [
        (3 * bytes, Value::Null),
        (3 * bytes - 1, json!("mutation_too_large")),
    ] {
        let (mut desk, laptop) = session(store.clone(), bytes, mutation_bytes_max);
        let after = update(2, "k1", "m", &json!(2), 10);
        desk.push(laptop, &[touch_all(1), after]);
        let results: Vec<Value> = desk
            .take_of(laptop, "verdicts")
            .iter()
            .flat_map(|verdicts| verdicts["results"].as_array().unwrap().clone())
            .collect();
        assert_eq!(results[0]["code"], code, "{mutation_bytes_max}");
        // What follows is not blocked.
        assert_eq!(results[1]["status"], "applied");
        assert_eq!(desk.stored("k2").unwrap()["n"].is_null(), !code.is_null());
    }
}

#[test]
fn of_a_mutation_that_is_too_large_no_more_is_read() {
    let (store, bytes) = long_records();
    let (mut desk, laptop) = session(store, bytes, bytes);
    desk.push(laptop, &[touch_all(1)]);
    let verdicts = desk.take_of(laptop, "verdicts");
    assert_eq!(verdicts[0]["results"][0]["code"], "mutation_too_large");
    // Two pieces: the second says that it is too much.
    assert_eq!(desk.record_reads, 3 + 2);
}

#[test]
fn a_changeset_larger_than_a_batch_is_merged_in_parts_and_answered_once() {
    let (store, bytes) = long_records();
    let (mut desk, _) = session(store, bytes, 64 * bytes);
    let fields = json!({"n": {"value": "\0", "updatedAt": stamp(9)}});
    let poison = json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields});
    let changes = json!([touch("k1"), touch("k2"), poison, touch("k3"), touch("k1")]);
    let body = json!({"clientId": "c1", "since": "1970-01-01T00:00:00.000Z", "changes": changes});
    let request = SyncRequest::parse(&body.to_string(), &Limits::DEFAULT).unwrap();
    desk.step(Event::Sync(Sync {
        call: CallId(1),
        client: client("c1"),
        changes: request.changes,
        since: Since::Empty,
        permit: None,
        trace: None,
    }));
    desk.settle();
    assert_eq!((desk.commits, desk.head()), (3, 6));
    for id in ["k1", "k2", "k3"] {
        assert_eq!(desk.stored(id).unwrap()["n"], 1, "{id}");
    }
    let Some(CallReply::Synced(synced)) = desk.replies.remove(&CallId(1)) else {
        panic!("not answered");
    };
    let ids: Vec<_> = synced
        .echoes
        .iter()
        .map(|echo| echo.key.id.as_str())
        .collect();
    assert_eq!((ids, synced.conflicts.len()), (vec!["k1", "k2", "k3"], 1));
    assert!(synced.writer.is_some());
    assert_eq!(synced.commits, Some(Seq(4)..=Seq(6)));
}

/// What became of a part that was merged in these commits.
fn merged(commits: Option<RangeInclusive<u64>>) -> Synced {
    Synced {
        epoch: Epoch(1),
        writer: None,
        conflicts: Vec::new(),
        echoes: Vec::new(),
        commits: commits.map(|seqs| Seq(*seqs.start())..=Seq(*seqs.end())),
        is_untold: false,
    }
}

/// Between two that do not follow one another may be other changes of the same client.
#[test]
fn the_commits_of_a_changeset_are_known_while_each_part_follows_the_last() {
    for (first, later, both) in [
        (Some(4..=5), Some(6..=6), Some(4..=6)),
        (Some(4..=5), Some(7..=7), None),
        (Some(4..=5), None, Some(4..=5)),
        (None, Some(6..=7), Some(6..=7)),
        (None, None, None),
    ] {
        let synced = merged(first.clone()).and(merged(later.clone()));
        assert_eq!(synced, merged(both), "{first:?} {later:?}");
    }
}

#[test]
fn what_became_of_a_changeset_is_of_its_first_history_and_of_all_its_parts() {
    let conflict = |id: &str| SyncConflict {
        table: "tasks".into(),
        id: id.into(),
        code: Code::NulInString,
    };
    let first = Synced {
        writer: Some(WriterNo(1)),
        conflicts: vec![conflict("k1")],
        ..merged(None)
    };
    let later = Synced {
        epoch: Epoch(2),
        conflicts: vec![conflict("k2")],
        is_untold: true,
        ..merged(None)
    };
    let both = first.clone().and(later.clone());
    assert_eq!((both.epoch, both.writer), (Epoch(1), Some(WriterNo(1))));
    assert_eq!(both.conflicts, [conflict("k1"), conflict("k2")]);
    assert!(both.is_untold);
    let turned = later.and(first);
    assert_eq!((turned.epoch, turned.writer), (Epoch(2), Some(WriterNo(1))));
    assert!(turned.is_untold);
}
