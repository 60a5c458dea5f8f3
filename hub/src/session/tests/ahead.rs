//! A changeset whose device has heard of more than the session has: of what it has not read yet, or
//! of what the store has lost.

use serde_json::json;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::ids::{Epoch, Seq};
use syncline_storage::model::ModelStore;

use super::desk::{Desk, insert, space};
use super::syncing::inserted;
use crate::session::event::Note;
use crate::session::state::SessionLimits;

/// A store, the same two commits later, and the cursor of a device that has heard of both.
fn stores() -> (ModelStore, ModelStore, Since) {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("k1", "a", 0)]);
    let before = desk.store.clone();
    desk.sync("laptop", &[inserted("k2", "b", 0)]);
    desk.sync("laptop", &[inserted("k3", "c", 0)]);
    let since = desk.since();
    (before, desk.store, since)
}

fn epoch(store: &ModelStore) -> Epoch {
    store.space(&space()).unwrap().epoch
}

fn epochs_lost(desk: &Desk) -> usize {
    let notes = desk.notes.iter();
    notes.filter(|note| **note == Note::EpochLost).count()
}

#[test]
fn what_the_store_has_lost_ends_its_epoch_before_its_numbers_are_given_again() {
    let (backup, _, since) = stores();
    let lost = epoch(&backup);
    let mut desk = Desk::on(backup, SessionLimits::default());
    desk.start_sync_since("phone", &[inserted("k4", "d", 0)], since);
    desk.settle();
    let synced = desk.synced();
    assert_ne!(synced.epoch, lost);
    assert_eq!(synced.epoch, epoch(&desk.store));
    assert_eq!(desk.title("k4").as_deref(), Some("d"));
    assert_eq!(epochs_lost(&desk), 1);
}

#[test]
fn so_does_a_changeset_of_nothing() {
    let (backup, _, since) = stores();
    let lost = epoch(&backup);
    let mut desk = Desk::on(backup, SessionLimits::default());
    desk.start_sync_since("phone", &[], since);
    desk.settle();
    assert_ne!(desk.synced().epoch, lost);
}

#[test]
fn it_is_found_beside_the_changesets_of_others() {
    let (backup, _, since) = stores();
    let lost = epoch(&backup);
    let mut desk = Desk::on(backup, SessionLimits::default());
    let tablet = desk.hello(1, "tablet", None);
    desk.start_push(tablet, &[insert(1, "k5", &json!({}))]);
    desk.start_sync_since("phone", &[inserted("k4", "d", 0)], since);
    desk.settle();
    assert_ne!(desk.synced().epoch, lost);
    assert_ne!(epoch(&desk.store), lost);
}

#[test]
fn what_is_only_not_read_yet_ends_nothing() {
    let (before, now, since) = stores();
    let mut desk = Desk::on(before, SessionLimits::default());
    desk.store = now;
    let own = epoch(&desk.store);
    desk.start_sync_since("phone", &[inserted("k4", "d", 0)], since);
    desk.settle();
    assert_eq!(desk.synced().epoch, own);
    assert_eq!(epoch(&desk.store), own);
    assert_eq!(epochs_lost(&desk), 0);
}

#[test]
fn an_epoch_ends_so_once_in_an_interval() {
    let (backup, _, since) = stores();
    let mut desk = Desk::on(backup, SessionLimits::default());
    let ahead = |since| match since {
        Since::At { minute, reach, .. } => Since::At {
            minute,
            seq: Seq(1_000),
            reach,
        },
        other => panic!("{other:?} is of no commit"),
    };
    desk.start_sync_since("phone", &[], since);
    desk.settle();
    let given = desk.synced().epoch;
    let within = SessionLimits::default().epoch_change_interval_ms - 1;
    for (after_ms, ends) in [(0, false), (within, false), (within + 1, true)] {
        desk.after(after_ms);
        let forged = ahead(desk.since());
        desk.start_sync_since("phone", &[], forged);
        desk.settle();
        assert_eq!(desk.synced().epoch != given, ends, "after {after_ms} ms");
    }
    assert_eq!(epochs_lost(&desk), 2);
}

/// A running session of which the store, and nobody else, went back. What it must read of it for
/// what comes says so.
fn ran_ahead() -> (Desk, Epoch) {
    let (backup, now, _) = stores();
    let mut desk = Desk::on(now, SessionLimits::default());
    let lost = epoch(&backup);
    desk.store = backup;
    (desk, lost)
}

#[test]
fn a_store_that_went_back_is_found_by_the_mark_of_a_changeset() {
    let (mut desk, lost) = ran_ahead();
    desk.start_sync("tablet", &[inserted("k4", "d", 0)]);
    desk.settle();
    assert_ne!(desk.synced().epoch, lost);
    assert_eq!(desk.title("k4").as_deref(), Some("d"));
    assert_eq!(epochs_lost(&desk), 1);
}

#[test]
fn and_by_the_records_of_a_mutation() {
    let (backup, now, _) = stores();
    let mut desk = Desk::on(now, SessionLimits::default());
    let tablet = desk.hello(1, "tablet", None);
    let lost = epoch(&backup);
    desk.store = backup;
    desk.start_push(tablet, &[insert(1, "k5", &json!({}))]);
    desk.settle();
    assert_ne!(epoch(&desk.store), lost);
    assert_eq!(epochs_lost(&desk), 1);
}
