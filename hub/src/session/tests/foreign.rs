//! Devices with data of another server: no cursor of the hub says what they have, and their own
//! sort above all of the hub's.

use super::desk::Desk;
use super::replying::{SECOND, begin, cursor, end, inserted, less_than, pulled, titled, told};

/// A cursor of another server.
pub(super) const FOREIGN: &str = "2026-03-01T10:00:00.000Z";

/// A record in each of two tables.
fn two_tables() -> Desk {
    let mut desk = Desk::new();
    let both = [inserted("notes", "n1", 0), inserted("tasks", "k1", 0)];
    desk.sync("laptop", &both);
    desk
}

#[test]
fn a_cursor_of_another_server_hides_behind_no_pulled_table() {
    let mut desk = two_tables();
    let since = cursor(&pulled(&desk, FOREIGN, Some("tasks")));
    assert_eq!(told(&pulled(&desk, &since, Some("tasks"))), []);
    let synced = desk.sync("phone", &[titled("k1", "b", SECOND)]);
    let reply = end(&desk, begin(&desk, &since, (synced, None)));
    assert_eq!(told(&reply), [("n1", "update"), ("k1", "update")]);
}

/// Each table fits into a reply, both do not.
#[test]
fn a_device_of_another_server_goes_on_once_it_was_told_all_table_by_table() {
    let mut desk = two_tables();
    let post = |desk: &mut Desk, since: &str| {
        let synced = desk.sync("phone", &[]);
        end(desk, begin(desk, since, (synced, None)))
    };
    let whole = post(&mut desk, FOREIGN);
    assert_eq!(told(&whole), [("n1", "update"), ("k1", "update")]);
    let synced = desk.sync("phone", &[]);
    let alone = cursor(&less_than(&desk, &whole, (FOREIGN, synced)));
    let tasks = pulled(&desk, &alone, Some("tasks"));
    assert_eq!(told(&tasks), [("k1", "update")]);
    // Of the notes it was told nothing: the least says so.
    let least = cursor(&tasks).min(alone.clone());
    assert_eq!(told(&post(&mut desk, &least)), told(&whole));
    let notes = pulled(&desk, &alone, Some("notes"));
    assert_eq!(told(&notes), [("n1", "update")]);
    desk.sync("laptop", &[inserted("notes", "n2", 0)]);
    let least = cursor(&tasks).min(cursor(&notes));
    let reply = post(&mut desk, &least);
    assert_eq!(told(&reply), [("n2", "insert")]);
    assert_eq!(cursor(&reply), desk.since().text());
}

/// A restore that nobody was told of: the cursors of tables that it has not pulled are above too.
#[test]
fn a_table_of_a_lost_history_hides_behind_none_that_was_pulled() {
    let mut desk = two_tables();
    let backup = desk.store.clone();
    desk.sync("laptop", &[titled("k1", "lost", SECOND)]);
    let before = desk.since().text();
    let mut desk = Desk::on(backup, Default::default());
    let tasks = cursor(&pulled(&desk, &before, Some("tasks")));
    let synced = desk.sync("phone", &[]);
    let least = tasks.min(before);
    let reply = end(&desk, begin(&desk, &least, (synced, None)));
    assert_eq!(told(&reply), [("n1", "update"), ("k1", "update")]);
}

/// What it pulled before its changeset was answered alone says nothing of the other tables.
#[test]
fn a_device_of_another_server_that_pulled_a_table_starts_again_with_all() {
    let mut desk = two_tables();
    let before = cursor(&pulled(&desk, FOREIGN, Some("tasks")));
    let synced = desk.sync("phone", &[titled("k1", "b", SECOND)]);
    let whole = end(&desk, begin(&desk, &before, (synced.clone(), None)));
    let alone = cursor(&less_than(&desk, &whole, (&before, synced)));
    let pulled = pulled(&desk, &alone, Some("notes"));
    assert_eq!(told(&pulled), [("n1", "update")]);
    assert!(alone < cursor(&pulled) && alone < before);
}
