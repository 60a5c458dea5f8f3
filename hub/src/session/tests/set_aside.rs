//! What is set aside of a changeset is taken back on its device: it is told its records as all
//! others show them.

use serde_json::{Value, json};
use syncline_protocol::compat::cursor::EMPTY;
use syncline_protocol::limits::Limits;
use syncline_storage::DEAD_LETTER_BYTES_MAX;

use super::desk::{Desk, stamp};
use super::replying::{SECOND, begin, cursor, end, inserted, pulled, titled, told};
use crate::session::state::SessionLimits;

const OF_2019: &str = "2019-12-31T23:59:59.999Z";

fn update(name: &str, value: &Value, at: &str) -> Value {
    let fields = json!({name: {"value": value, "updatedAt": at}});
    json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields})
}

/// Changes of a record that can never be stored, and are kept whole.
fn poison() -> [Value; 5] {
    let now = stamp(2 * SECOND);
    [
        update("title", &json!("\0"), &now),
        update("title", &json!("of 2019"), OF_2019),
        padded_to(DEAD_LETTER_BYTES_MAX),
        json!({"table": "tasks", "id": "k1", "op": "insert", "data": {"only": "\0"}}),
        json!({"table": "tasks", "id": "k1", "op": "delete", "deletedAt": OF_2019}),
    ]
}

/// One whose text has so many bytes.
fn padded_to(bytes: usize) -> Value {
    let of = |pad: usize| update("title", &json!("x".repeat(pad)), OF_2019);
    of(bytes - of(0).to_string().len())
}

/// Changes that can never be stored, and are too large to be kept.
fn large() -> [Value; 3] {
    let now = stamp(2 * SECOND);
    let large = "x".repeat(Limits::DEFAULT.record_bytes_max);
    let wide: Value = (0..=Limits::DEFAULT.fields_max)
        .map(|i| (format!("f{i}"), json!({"value": i, "updatedAt": now})))
        .collect();
    [
        padded_to(DEAD_LETTER_BYTES_MAX + 1),
        update("large", &json!(large), &now),
        json!({"table": "tasks", "id": "k1", "op": "update", "fields": wide}),
    ]
}

/// What the phone is replied, which had heard of all there is.
fn reply(desk: &mut Desk, changes: &[Value]) -> Value {
    let since = cursor(&pulled(desk, EMPTY, None));
    let synced = desk.sync_at_head("phone", changes);
    assert_eq!(synced.conflicts.len(), 1, "{changes:?}");
    end(desk, begin(desk, &since, (synced, None)))
}

/// Whoever wrote the record last, and whatever else the request holds.
#[test]
fn the_record_replaces_what_the_device_has() {
    for poison in poison() {
        for writer in ["phone", "laptop"] {
            let beside = [titled("k1", "b", SECOND), inserted("tasks", "k2", SECOND)];
            for beside in [vec![], beside[..1].to_vec(), beside[1..].to_vec()] {
                let mut desk = Desk::new();
                desk.sync(writer, &[inserted("tasks", "k1", 0)]);
                let mut changes = beside.clone();
                changes.push(poison.clone());
                let reply = reply(&mut desk, &changes);
                assert_eq!(told(&reply), [("k1", "insert")], "{changes:?}");
                let data = &reply["serverChanges"][0]["data"];
                assert_eq!(Some(data), desk.stored("k1").as_ref(), "{changes:?}");
            }
        }
    }
}

#[test]
fn a_record_that_the_same_request_inserts_replaces_it_too() {
    for poison in poison() {
        let mut desk = Desk::new();
        let changes = [inserted("tasks", "k1", SECOND), poison];
        let reply = reply(&mut desk, &changes);
        assert_eq!(told(&reply), [("k1", "insert")], "{changes:?}");
    }
}

#[test]
fn a_dead_record_is_said_to_be_dead() {
    let at = stamp(SECOND);
    let delete = json!({"table": "tasks", "id": "k1", "op": "delete", "deletedAt": at});
    for poison in poison() {
        let mut desk = Desk::new();
        desk.sync("laptop", &[inserted("tasks", "k1", 0), delete.clone()]);
        let reply = reply(&mut desk, std::slice::from_ref(&poison));
        assert_eq!(told(&reply), [("k1", "delete")], "{poison}");
    }
}

/// Nobody else has anything of it: the device keeps what its user typed.
#[test]
fn of_a_record_that_was_never_inserted_nothing_is_told() {
    for hidden in [vec![], vec![titled("k1", "hidden", SECOND)]] {
        for poison in poison() {
            let mut desk = Desk::new();
            desk.sync("laptop", &hidden);
            let reply = reply(&mut desk, std::slice::from_ref(&poison));
            assert_eq!(told(&reply), [], "{poison}");
        }
    }
}

/// The device has the only whole copy of it.
#[test]
fn of_what_is_too_large_to_be_kept_nothing_is_told() {
    for large in large() {
        let mut desk = Desk::new();
        desk.sync("laptop", &[inserted("tasks", "k1", 0)]);
        let reply = reply(&mut desk, std::slice::from_ref(&large));
        assert_eq!(told(&reply), [], "{} bytes", large.to_string().len());
    }
}

#[test]
fn a_name_that_no_record_can_have_is_told_nothing_of() {
    let mut desk = Desk::new();
    let broken = json!({"table": "tasks", "id": "k\u{1}", "op": "delete"});
    let reply = reply(&mut desk, &[broken]);
    assert_eq!(told(&reply), []);
}

/// As many as the store reads at once are in each part.
#[test]
fn records_of_which_something_is_set_aside_are_read_in_parts() {
    let mut desk = Desk::on(
        syncline_storage::model::ModelStore::new(1),
        SessionLimits {
            commit_bytes_max: 1,
            ..SessionLimits::default()
        },
    );
    let ids = ["k1", "k2", "k3"];
    let inserts = ids.map(|id| inserted("tasks", id, 0));
    desk.sync("laptop", &inserts);
    desk.cache = super::desk::MapCache::default();
    let poison = ids.map(|id| {
        let fields = json!({"title": {"value": "\0", "updatedAt": stamp(SECOND)}});
        json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
    });
    let synced = desk.sync("phone", &poison);
    let told: Vec<_> = synced
        .echoes
        .iter()
        .map(|echo| echo.key.id.as_str())
        .collect();
    assert_eq!((told, synced.conflicts.len()), (ids.to_vec(), ids.len()));
}
