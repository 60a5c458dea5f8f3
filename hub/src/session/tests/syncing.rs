//! Changesets of clients without numbers: what comes again wins nothing, what is new is judged
//! by its own time.

use serde_json::{Value, json};
use syncline_protocol::limits::Limits;
use syncline_protocol::record::Field;
use syncline_storage::model::ModelStore;
use syncline_storage::types::{DEAD_LETTERS_MAX, DeadLetter};

use super::desk::{Desk, NOW_MS, stamp};
use crate::session::event::{Effect, Note};
use crate::session::state::SessionLimits;

pub(super) const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// An update of `title`, at so many milliseconds after the beginning.
pub(super) fn titled(id: &str, title: &str, at_ms: u64) -> Value {
    let fields = json!({"title": {"value": title, "updatedAt": stamp(at_ms)}});
    json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
}

/// The same without a time.
pub(super) fn titled_now(id: &str, title: &str) -> Value {
    let fields = json!({"title": {"value": title}});
    json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
}

pub(super) fn inserted(id: &str, title: &str, at_ms: u64) -> Value {
    let data = json!({"title": title, "updatedAt": stamp(at_ms)});
    json!({"table": "tasks", "id": id, "op": "insert", "data": data})
}

fn inserted_now(id: &str, title: &str) -> Value {
    json!({"table": "tasks", "id": id, "op": "insert", "data": {"title": title}})
}

fn deleted_now(id: &str) -> Value {
    json!({"table": "tasks", "id": id, "op": "delete"})
}

/// A record that the laptop inserted.
fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.sync("laptop", &[inserted("k1", "a", 0)]);
    desk
}

impl Desk {
    pub(super) fn title(&self, id: &str) -> Option<String> {
        let data = self.stored(id)?;
        Some(data["title"].as_str().expect("a title").to_owned())
    }

    pub(super) fn after(&mut self, ms: u64) {
        self.now_ms = NOW_MS + ms;
    }
}

#[test]
fn an_honest_edit_between_clamped_ones_wins_by_its_own_time() {
    let mut desk = desk();
    let fast = [titled("k1", "fast", HOUR), titled("k1", "faster", 3 * HOUR)];
    desk.sync("phone", &fast);
    desk.after(HOUR + SECOND);
    desk.sync("laptop", &[titled("k1", "laptop", HOUR + SECOND)]);
    // The phone's clock is put right.
    desk.after(2 * HOUR);
    desk.sync("phone", &[titled("k1", "honest", 2 * HOUR)]);
    assert_eq!(desk.title("k1").as_deref(), Some("honest"));
}

#[test]
fn a_clamped_claim_that_comes_again_days_later_wins_nothing() {
    let mut desk = desk();
    let fast = [titled("k1", "fast", HOUR)];
    desk.sync("phone", &fast);
    desk.after(HOUR / 2);
    desk.sync("laptop", &[titled("k1", "laptop", HOUR / 2)]);
    desk.after(30 * DAY);
    desk.sync("phone", &fast);
    assert_eq!(desk.title("k1").as_deref(), Some("laptop"));
}

#[test]
fn claims_of_one_millisecond_win_nothing_in_another_order() {
    let mut desk = desk();
    desk.sync("laptop", &[inserted("k2", "a", 0)]);
    let (one, two) = (titled("k1", "one", HOUR), titled("k2", "two", HOUR));
    desk.sync("phone", &[one.clone(), two.clone()]);
    let became = desk.title("k2");
    desk.after(SECOND);
    desk.sync(
        "laptop",
        &[titled("k1", "b", SECOND), titled("k2", "b", SECOND)],
    );
    desk.after(2 * SECOND);
    desk.sync("phone", &[two, one]);
    let now = (desk.title("k1"), desk.title("k2"));
    assert_eq!(became.as_deref(), Some("two"));
    assert_eq!(now, (Some("b".into()), Some("b".into())));
}

#[test]
fn a_record_inserted_again_without_a_time_takes_what_was_inserted() {
    let mut desk = desk();
    desk.after(SECOND);
    desk.sync("phone", &[inserted_now("k1", "again")]);
    assert_eq!(desk.title("k1").as_deref(), Some("again"));
}

#[test]
fn a_deleted_record_is_revived_by_an_insert_without_a_time() {
    let mut desk = desk();
    desk.after(SECOND);
    desk.sync("laptop", &[deleted_now("k1")]);
    assert_eq!(desk.title("k1"), None);
    desk.after(2 * SECOND);
    desk.sync("phone", &[inserted_now("k1", "again")]);
    assert_eq!(desk.title("k1").as_deref(), Some("again"));
}

#[test]
fn what_has_no_time_wins_nothing_when_it_comes_again() {
    let changes = [
        titled_now("k1", "phone"),
        inserted_now("k1", "phone"),
        deleted_now("k1"),
    ];
    for change in changes {
        let mut desk = desk();
        desk.after(SECOND);
        desk.sync("phone", std::slice::from_ref(&change));
        assert_ne!(desk.title("k1").as_deref(), Some("a"), "{change}");
        desk.after(2 * SECOND);
        desk.sync("laptop", &[inserted("k1", "laptop", 2 * SECOND)]);
        let commits = desk.commits;
        desk.after(3 * SECOND);
        desk.sync("phone", std::slice::from_ref(&change));
        assert_eq!(desk.title("k1").as_deref(), Some("laptop"), "{change}");
        assert_eq!(desk.commits, commits, "{change}");
    }
}

#[test]
fn a_value_set_again_without_a_time_is_the_last_of_its_request() {
    let mut desk = desk();
    let queue = [
        titled_now("k1", "on"),
        titled_now("k1", "off"),
        titled_now("k1", "on"),
    ];
    desk.sync("phone", &queue);
    assert_eq!(desk.title("k1").as_deref(), Some("on"));
    let (commits, head) = (desk.commits, desk.head());
    desk.after(SECOND);
    desk.sync("phone", &queue);
    assert_eq!((desk.commits, desk.head()), (commits, head));
}

#[test]
fn another_session_remembers_what_was_given() {
    let mut desk = desk();
    let queue = [titled("k1", "fast", HOUR), titled_now("k1", "now")];
    desk.sync("phone", &queue);
    let mut other = Desk::on(desk.store, SessionLimits::default());
    other.after(2 * HOUR);
    other.sync("laptop", &[titled("k1", "laptop", SECOND)]);
    let head = other.head();
    other.sync("phone", &queue);
    assert_eq!(
        (other.title("k1").as_deref(), other.head()),
        (Some("laptop"), head)
    );
}

/// The space's clock has passed them, on a node that is ahead of this one.
#[test]
fn what_the_clock_of_the_space_has_passed_is_not_made_newer() {
    let mut desk = desk();
    desk.after(HOUR);
    desk.sync("tablet", &[titled_now("k1", "before")]);
    desk.sync("laptop", &[inserted("k2", "a", 0)]);
    desk.after(0);
    desk.sync("laptop", &[titled("k2", "newer", 3 * 60 * SECOND)]);
    desk.sync("phone", &[titled("k2", "older", 2 * 60 * SECOND)]);
    assert_eq!(desk.title("k2").as_deref(), Some("newer"));
}

/// Two nodes at one head: one of them gave a claim a stamp, which moved no record, and its
/// event was lost. Then the claim comes again at the other one, at once or after another commit
/// of the client.
#[test]
fn what_another_session_gave_at_the_same_head_is_not_forgotten() {
    for commits_before in [false, true] {
        let mut one = desk();
        one.sync("phone", &[inserted("k2", "x", 0)]);
        one.sync("laptop", &[titled("k1", "laptop", 50 * SECOND)]);
        let lost = [titled("k1", "fast", HOUR)];
        let mut other = Desk::on(one.store.clone(), SessionLimits::default());
        other.sync("phone", &lost);
        assert_eq!((other.commits, other.head()), (1, one.head()));
        one.store = other.store;
        if commits_before {
            one.sync("phone", &[titled_now("k2", "y")]);
        }
        one.after(100 * SECOND);
        one.sync("phone", &lost);
        assert!(one.notes.contains(&Note::Conflict));
        assert_eq!(one.title("k1").as_deref(), Some("laptop"));
    }
}

/// A restore that nobody was told of, from a backup at the same head.
#[test]
fn given_stamps_that_the_store_has_lost_block_nobody() {
    let mut desk = desk();
    desk.sync("phone", &[titled("k1", "phone", 40 * SECOND)]);
    desk.sync("laptop", &[titled("k1", "laptop", 50 * SECOND)]);
    let backup = desk.store.clone();
    desk.sync("phone", &[titled("k1", "fast", HOUR)]);
    let head = desk.head();
    desk.store = backup;
    assert_eq!(desk.head(), head);
    desk.after(100 * SECOND);
    desk.sync("phone", &[titled_now("k1", "later")]);
    assert_eq!(desk.title("k1").as_deref(), Some("later"));
}

#[test]
fn fields_without_a_time_are_written_at_one_time() {
    let mut desk = desk();
    let fields =
        json!({"a": {"value": 1}, "b": {"value": 2}, "c": {"value": 3, "updatedAt": stamp(5)}});
    let change = json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields});
    desk.sync("phone", &[change]);
    let records = desk.store.all(&super::desk::space());
    let record = records.values().next().expect("a record");
    let at = |name| record.field(name).expect("a field").stamp.at;
    assert_eq!(at("a"), at("b"));
    assert_eq!(at("c").wall_ms(), NOW_MS + 5);
}

/// More than is remembered of claims that came in older requests.
pub(super) fn many(count: usize) -> Vec<Value> {
    (0..count)
        .map(|i| titled_now(&format!("k{}", i % 100), &i.to_string()))
        .collect()
}

#[test]
fn twenty_thousand_changes_without_a_time_win_nothing_when_they_come_again() {
    let limits = SessionLimits::default();
    let mut desk = Desk::on(ModelStore::new(1), limits);
    let inserts: Vec<_> = (0..100)
        .map(|i| inserted(&format!("k{i}"), "a", 0))
        .collect();
    desk.sync("laptop", &inserts);
    let queue = many(20_000);
    desk.sync("phone", &queue);
    // Each was newer than the one before.
    assert_eq!(desk.title("k7").as_deref(), Some("19907"));
    desk.after(SECOND);
    desk.sync("laptop", &[titled("k7", "laptop", SECOND)]);
    let head = desk.head();
    desk.after(2 * SECOND);
    desk.sync("phone", &queue);
    assert_eq!(
        (desk.title("k7").as_deref(), desk.head()),
        (Some("laptop"), head)
    );
}

/// Older claims crowd out no new ones: each later edit is stored, one a request, with a time or
/// without one.
#[test]
fn after_twenty_thousand_changes_without_a_time_every_later_edit_is_stored() {
    let mut desk = desk();
    desk.sync("phone", &many(20_000));
    for i in 0..1_200 {
        desk.after(SECOND + i);
        let title = format!("later {i}");
        let later = match i % 3 {
            0 => titled_now("k1", &title),
            1 => titled("k1", &title, SECOND + i),
            _ => titled("k1", &title, HOUR + i),
        };
        desk.sync("phone", &[later]);
        assert_eq!(desk.title("k1"), Some(title));
    }
}

/// A clock that stands still far ahead: only what the very same change said is taken for old.
#[test]
fn another_edit_of_the_same_time_too_far_ahead_is_new() {
    let mut desk = desk();
    desk.sync("laptop", &[inserted("k2", "a", 0)]);
    desk.sync("phone", &[titled("k1", "first", HOUR)]);
    desk.after(SECOND);
    let both = [
        titled("k1", "laptop", SECOND),
        titled("k2", "laptop", SECOND),
    ];
    desk.sync("laptop", &both);
    desk.after(2 * SECOND);
    for (id, title) in [("k2", "another record"), ("k1", "another value")] {
        desk.sync("phone", &[titled(id, title, HOUR)]);
        assert_eq!(desk.title(id).as_deref(), Some(title));
    }
}

/// The clock was put right before the queue was sent: the first edit counts as of now, and the
/// second was made after it, whatever it says.
#[test]
fn an_edit_queued_behind_one_of_a_time_too_far_ahead_comes_after_it() {
    let mut desk = desk();
    desk.after(10 * SECOND);
    let queue = [titled("k1", "far", HOUR), titled("k1", "right", 9 * SECOND)];
    desk.sync("phone", &queue);
    assert_eq!(desk.title("k1").as_deref(), Some("right"));
    desk.sync("phone", &queue);
    desk.sync("phone", &[titled("k1", "late", 9 * SECOND + 1)]);
    assert_eq!(desk.title("k1").as_deref(), Some("late"));
    desk.after(11 * SECOND);
    desk.sync("phone", &[titled("k1", "right again", 11 * SECOND)]);
    assert_eq!(desk.title("k1").as_deref(), Some("right again"));
}

/// Values that change and change back within one far millisecond, and in a second request too.
#[test]
fn the_last_of_equal_changes_too_far_ahead_is_the_last_of_its_request() {
    let mut desk = desk();
    let queue = ["on", "off", "on"].map(|title| titled("k1", title, HOUR));
    desk.sync("phone", &queue);
    assert_eq!(desk.title("k1").as_deref(), Some("on"));
    let head = desk.head();
    desk.after(SECOND);
    desk.sync("phone", &queue);
    assert_eq!(desk.head(), head);
    desk.sync(
        "phone",
        &[titled("k1", "off", HOUR), titled("k1", "end", HOUR)],
    );
    assert_eq!(desk.title("k1").as_deref(), Some("end"));
}

/// A client that always writes every field, without times.
#[test]
fn what_a_change_says_again_beside_something_new_is_new() {
    let mut desk = desk();
    let write = |title: &str, done: bool| {
        let fields = json!({"title": {"value": title}, "done": {"value": done}});
        json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields})
    };
    for (title, done) in [("a", false), ("a", true), ("b", false)] {
        desk.sync("phone", &[write(title, done)]);
        let stored = desk.stored("k1").expect("a record");
        assert_eq!(
            (&stored["title"], &stored["done"]),
            (&json!(title), &json!(done))
        );
    }
}

/// Changes that can never be stored.
fn poison(count: usize, length: usize) -> Vec<Value> {
    let change = |i| {
        let data = json!({"i": i, "x": format!("\u{0}{}", "y".repeat(length))});
        json!({"table": "tasks", "id": format!("p{i}"), "op": "insert", "data": data})
    };
    (0..count).map(change).collect()
}

/// The dead letters of the one commit that a request makes.
fn letters(desk: &mut Desk, changes: &[Value]) -> Vec<DeadLetter> {
    desk.start_sync("phone", changes);
    loop {
        if let Some(Effect::Commit(commit)) = desk.asked.front() {
            return commit.dead_letters.clone();
        }
        desk.serve_one(None);
    }
}

fn conflicts(desk: &mut Desk) -> usize {
    desk.settle();
    desk.synced().conflicts.len()
}

#[test]
fn a_commit_carries_so_many_dead_letters_and_the_reply_names_all() {
    let mut desk = Desk::new();
    let kept = letters(&mut desk, &poison(DEAD_LETTERS_MAX + 500, 1));
    assert_eq!(kept.len(), DEAD_LETTERS_MAX);
    assert_eq!(kept[0].id, "p0");
    assert_eq!(conflicts(&mut desk), DEAD_LETTERS_MAX + 500);
    assert!(desk.notes.contains(&Note::LettersLeftOut(500)));
    // What is kept stays within the limit: nothing is left out.
    desk.notes.clear();
    letters(&mut desk, &poison(DEAD_LETTERS_MAX, 1));
    desk.settle();
    assert_eq!(desk.notes, [Note::Committed(1)]);
}

#[test]
fn dead_letters_of_a_commit_are_bounded_in_bytes() {
    let mut desk = Desk::new();
    let kept = letters(&mut desk, &poison(400, 20_000));
    let bytes: usize = kept.iter().map(DeadLetter::bytes).sum();
    assert!(bytes <= 1 << 20 && bytes > (1 << 20) - 5_000, "{bytes}");
    assert!(kept.iter().all(|letter| letter.change.ends_with(']')));
    assert_eq!(kept[0].id, "p0");
    assert_eq!(conflicts(&mut desk), 400);
    assert!(desk.notes.contains(&Note::LettersLeftOut(400 - kept.len())));
}

/// Bytes allocated on this thread while something is done.
fn allocated(act: impl FnOnce()) -> u64 {
    let counter = tikv_jemalloc_ctl::thread::allocatedp::read().expect("jemalloc counts");
    let before = counter.get();
    act();
    counter.get() - before
}

/// A record with a title and so many other fields.
fn wide(fields: usize) -> Desk {
    let mut desk = Desk::new();
    let mut data = json!({"title": "a", "updatedAt": stamp(0)});
    for i in 0..fields {
        data[format!("f{i}")] = json!(i);
    }
    let insert = json!({"table": "tasks", "id": "k1", "op": "insert", "data": data});
    assert_eq!(desk.sync("laptop", &[insert]).conflicts, []);
    desk
}

#[test]
fn many_changes_of_one_record_copy_it_a_few_times_at_most() {
    const FIELDS: usize = Limits::DEFAULT.fields_max - 2;
    let wins: Vec<_> = (0..1_000)
        .map(|i| titled("k1", &i.to_string(), i + 1))
        .collect();
    let fields = json!({"one more": {"value": 1, "updatedAt": stamp(9)}});
    let one_more = json!({"table": "tasks", "id": "k1", "op": "update", "fields": fields});
    let refused = vec![one_more; 1_000];
    let (mut narrow, mut wide) = (wide(0), wide(FIELDS));
    for (what, changes) in [("new", &wins), ("again", &wins), ("refused", &refused)] {
        let on_narrow = allocated(|| drop(narrow.sync("phone", changes)));
        let on_wide = allocated(|| drop(wide.sync("phone", changes)));
        let copies = on_wide.saturating_sub(on_narrow) / (FIELDS * size_of::<Field>()) as u64;
        assert!(
            copies < 20,
            "{what}: {copies} copies, {on_wide} bytes against {on_narrow}"
        );
        assert_eq!(wide.title("k1").as_deref(), Some("999"), "{what}");
    }
    assert_eq!(wide.sync("phone", &refused).conflicts.len(), refused.len());
}
