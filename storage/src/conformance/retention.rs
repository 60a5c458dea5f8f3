//! Collecting: what has grown too old goes, and everybody who might have needed it can tell.

use std::collections::BTreeSet;

use syncline_protocol::error::Code;
use syncline_protocol::given::{Carried, Claimed, Given, Part};
use syncline_protocol::ids::{Seq, SpaceKey};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::Hlc;

use super::space::{
    NOW, Space, UNLIMITED, client, key, names, space_key, stamp, titled, tombstone,
};
use crate::Store;
use crate::types::{Collect, Collected, DeadLetter, Keys, SpaceView, USED_APART_MS};

/// Everything dead and unused since [`NOW`] is too old.
const ALL: Collect = Collect {
    dead_before_ms: NOW + 1,
    marks_before_ms: NOW + USED_APART_MS + 1,
    keys: Keys::Remove,
    limit: 1_000,
    bytes: usize::MAX,
};

async fn collect(space: &Space<'_>, what: Collect) -> Collected {
    let collected = space.store.collect(&space.key, what).await;
    collected.expect("it is collected")
}

/// Commits tombstones, each in a commit of its own.
async fn bury(space: &mut Space<'_>, ids: &[&str]) {
    for id in ids {
        let dead = vec![(key("tasks", id), tombstone(0))];
        space.accept(space.draft(dead)).await;
    }
}

/// A tombstone with a field that is newer than the delete.
fn with_hidden_field() -> Record {
    let mut record = tombstone(0);
    record.fields = titled("hidden", 0).fields;
    record.fields[0].stamp = stamp(9, 0);
    record
}

/// In an order that stays.
pub async fn every_space_is_listed_once(store: &dyn Store) {
    let names = [("todo", "bob"), ("calendar", "zoe"), ("todo", "ada")];
    for (app, name) in names {
        Space::open_named(store, app, name).await;
    }
    let listed = store.spaces(None, 10).await.expect("they are listed");
    let again = store.spaces(None, 10).await.expect("they are listed");
    assert_eq!(listed, again);
    let by_name: BTreeSet<SpaceKey> = listed.iter().cloned().collect();
    let opened = names.map(|(app, name)| space_key(app, name));
    assert_eq!(by_name, BTreeSet::from(opened));
    assert_eq!(listed.len(), names.len());
}

/// After the one named, there or not, up to the limit.
pub async fn the_list_of_spaces_goes_on_after_one(store: &dyn Store) {
    for name in ["a", "b", "c", "d"] {
        Space::open_named(store, "todo", name).await;
    }
    let all = store.spaces(None, 9).await.expect("they are listed");
    assert_eq!(all.len(), 4);
    for (n, after) in all.iter().enumerate() {
        for limit in [1, 2, 9] {
            let listed = store.spaces(Some(after), limit).await;
            let rest = all[n + 1..].iter().take(limit).cloned().collect();
            assert_eq!(listed, Ok(rest), "after {after}");
        }
    }
    let nobody = space_key("todo", "bb");
    let listed = store.spaces(Some(&nobody), 9).await.expect("it is listed");
    assert!(all.ends_with(&listed), "{listed:?} of {all:?}");
}

/// The view does not move, and nothing says that it had.
pub async fn where_nothing_is_old_nothing_is_written(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.introduce(&client("ada", "c1")).await;
    bury(&mut space, &["a"]).await;
    space.put(&[("tasks", "b")]).await;
    let young = Collect {
        dead_before_ms: NOW,
        marks_before_ms: NOW,
        ..ALL
    };
    let collected = collect(&space, young).await;
    let nothing = Collected {
        view: space.view,
        tombstones: 0,
        marks: 0,
        more: false,
    };
    assert_eq!(collected, nothing);
    assert_eq!(space.now().await, space.view);
}

/// Whether it is there no more. What the call says of itself would be lost with its answer.
async fn is_forgotten(space: &Space<'_>, before_ms: u64) -> bool {
    let forgotten = space.store.forget_unwritten(&space.key, before_ms).await;
    forgotten.expect("the store answers");
    let found = space.store.space(&space.key).await;
    found.expect("the store answers").is_none()
}

/// As if nobody had ever opened it; others stay.
pub async fn a_space_never_written_is_forgotten_once_it_is_old(store: &dyn Store) {
    let space = Space::open(store).await;
    let other = Space::open_named(store, "todo", "other").await;
    assert!(!is_forgotten(&space, NOW).await, "it is as old as that");
    assert_eq!(space.now().await, space.view);
    assert!(is_forgotten(&space, NOW + 1).await);
    assert_eq!(other.now().await, other.view);
    let again = store.forget_unwritten(&space.key, NOW + 1).await;
    assert_eq!(again, Ok(false), "it is not there");
}

/// A commit, a client's mark, an erasure, another epoch.
pub async fn what_says_something_to_anybody_is_not_forgotten(store: &dyn Store) {
    let mut written = Space::open_named(store, "todo", "written").await;
    written.put(&[("tasks", "a")]).await;
    let mut introduced = Space::open_named(store, "todo", "introduced").await;
    introduced.introduce(&client("ada", "c1")).await;
    let erased = Space::open_named(store, "todo", "erased").await;
    store.erase(&erased.key, NOW).await.expect("it is erased");
    let lost = Space::open_named(store, "todo", "lost").await;
    let changed = store.new_epoch(&lost.key, lost.view.epoch, NOW).await;
    changed.expect("it is changed");
    // Nothing of it was taken, and it is kept for people to look at.
    let mut set_aside = Space::open_named(store, "todo", "set-aside").await;
    let mut commit = set_aside.draft(Vec::new());
    commit.dead_letters = vec![DeadLetter {
        at_ms: NOW,
        client: client("ada", "c1"),
        table: "tasks".to_owned(),
        id: "a".to_owned(),
        code: Code::ValueInvalid,
        change: "{}".to_owned(),
    }];
    set_aside.accept(commit).await;
    for space in [&written, &introduced, &erased, &lost, &set_aside] {
        assert!(!is_forgotten(space, u64::MAX >> 1).await, "{}", space.key);
    }
}

/// Who had it open conflicts; who opens it again gets another epoch and writes.
pub async fn a_forgotten_space_begins_anew(store: &dyn Store) {
    let before = Space::open(store).await;
    assert!(is_forgotten(&before, NOW + 1).await);
    let late = before.draft(vec![(key("tasks", "late"), titled("late", 0))]);
    before.conflict(late.clone()).await;
    let mut space = Space::open(store).await;
    assert_ne!(space.view.epoch, before.view.epoch);
    space.put(&[("tasks", "a")]).await;
    before.conflict(late).await;
    assert!(space.record(&key("tasks", "late")).await.is_none());
    assert!(space.record(&key("tasks", "a")).await.is_some());
}

/// It is as if it had never been there.
pub async fn a_collected_record_is_gone(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    assert_eq!(collect(&space, ALL).await.tombstones, 1);
    assert_eq!(space.record(&key("tasks", "a")).await, None);
    assert!(space.changes(Seq(0), UNLIMITED).await.records.is_empty());
}

/// However old it is.
pub async fn a_live_record_is_never_collected(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    assert_eq!(collect(&space, ALL).await.tombstones, 0);
    assert!(space.record(&key("tasks", "a")).await.is_some());
}

/// What was inserted again lives.
pub async fn a_revived_record_is_not_collected(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    space.put(&[("tasks", "a")]).await;
    assert_eq!(collect(&space, ALL).await.tombstones, 0);
    assert!(space.record(&key("tasks", "a")).await.is_some());
}

/// A record's age counts from the last commit that found it dead.
pub async fn a_tombstone_that_changes_is_young_again(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    let mut again = space.draft(vec![(key("tasks", "a"), tombstone(0))]);
    again.now_ms = NOW + 5;
    space.accept(again).await;
    assert_eq!(collect(&space, ALL).await.tombstones, 0);
    let later = Collect {
        dead_before_ms: NOW + 6,
        ..ALL
    };
    assert_eq!(collect(&space, later).await.tombstones, 1);
}

/// Fields that wait for an insert, of a record nobody ever saw, age as tombstones do.
pub async fn a_record_never_inserted_is_collected(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let hidden = Record {
        inserted: None,
        ..titled("a", 0)
    };
    space
        .accept(space.draft(vec![(key("tasks", "a"), hidden)]))
        .await;
    assert_eq!(collect(&space, ALL).await.tombstones, 1);
    assert_eq!(space.record(&key("tasks", "a")).await, None);
}

/// By one, with `swept`, so that every session sees it.
pub async fn collecting_records_moves_the_head(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a", "b"]).await;
    let view = collect(&space, ALL).await.view;
    let expected = SpaceView {
        head: Seq(3),
        swept: Seq(3),
        gc_seq: Seq(2),
        ..space.view
    };
    assert_eq!(view, expected);
    assert_eq!(space.now().await, expected);
}

/// What a session has under way stands on records that are gone.
pub async fn a_commit_under_way_while_records_go_conflicts(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    let commit = space.draft(vec![(key("tasks", "a"), titled("again", 0))]);
    collect(&space, ALL).await;
    space.conflict(commit).await;
    assert_eq!(space.record(&key("tasks", "a")).await, None);
}

/// The next commit goes on after it, and a page says so.
pub async fn the_space_goes_on_after_collecting(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    collect(&space, ALL).await;
    space.refresh().await;
    space.put(&[("tasks", "b")]).await;
    let page = space.changes(Seq(1), UNLIMITED).await;
    assert_eq!(
        (names(&page.records), page.to),
        (vec!["tasks/b".to_owned()], Seq(3))
    );
    assert_eq!(page.view.gc_seq, Seq(1));
}

/// The greatest seq of what went, and never less than before.
pub async fn gc_seq_never_goes_back(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    let mut late = space.draft(vec![(key("tasks", "b"), tombstone(0))]);
    late.now_ms = NOW - 10;
    space.accept(late).await;
    let oldest = Collect {
        dead_before_ms: NOW,
        ..ALL
    };
    assert_eq!(collect(&space, oldest).await.view.gc_seq, Seq(2));
    assert_eq!(collect(&space, ALL).await.view.gc_seq, Seq(2));
    assert_eq!(space.now().await.gc_seq, Seq(2));
}

/// The oldest go first; who asks again gets the rest.
pub async fn collecting_is_limited(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for (n, id) in ["a", "b", "c"].iter().enumerate() {
        let mut dead = space.draft(vec![(key("tasks", id), tombstone(0))]);
        dead.now_ms = NOW - n as u64;
        space.accept(dead).await;
    }
    let two = Collect { limit: 2, ..ALL };
    let first = collect(&space, two).await;
    assert_eq!((first.tombstones, first.more), (2, true));
    let left = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!(names(&left.records), ["tasks/a"]);
    let second = collect(&space, two).await;
    assert_eq!((second.tombstones, second.more), (1, false));
}

/// What is large goes in several calls, at least one record in each.
pub async fn collecting_is_limited_by_bytes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    for (n, id) in ["a", "b", "c", "d"].iter().enumerate() {
        let mut large = with_hidden_field();
        large.fields[0].value = Json::trusted(&format!("\"{}\"", "x".repeat(1_000)));
        let mut dead = space.draft(vec![(key("tasks", id), large)]);
        dead.now_ms = NOW - n as u64;
        space.accept(dead).await;
    }
    let at_most = |bytes| Collect { bytes, ..ALL };
    let first = collect(&space, at_most(2_500)).await;
    assert_eq!((first.tombstones, first.more), (2, true));
    let left = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!(names(&left.records), ["tasks/a", "tasks/b"]);
    let second = collect(&space, at_most(1)).await;
    assert_eq!((second.tombstones, second.more), (1, true));
    let last = collect(&space, at_most(1)).await;
    assert_eq!((last.tombstones, last.more), (1, false));
}

/// A limit that is just reached leaves nothing.
pub async fn more_to_collect_is_exact(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a", "b"]).await;
    let collected = collect(&space, Collect { limit: 2, ..ALL }).await;
    assert_eq!((collected.tombstones, collected.more), (2, false));
}

/// Table, id, stamps and seqs stay, and no cursor becomes too old.
pub async fn a_key_that_is_kept_loses_only_its_fields(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let dead = vec![(key("tasks", "a"), with_hidden_field())];
    space.accept(space.draft(dead)).await;
    let kept = Collect {
        keys: Keys::Keep,
        ..ALL
    };
    let collected = collect(&space, kept).await;
    assert_eq!((collected.tombstones, collected.view.gc_seq), (1, Seq(0)));
    assert_eq!(collected.view.swept, Seq(2));
    let expected = Record {
        fields: Vec::new(),
        seq: Seq(1),
        ..with_hidden_field()
    };
    assert_eq!(space.record(&key("tasks", "a")).await, Some(expected));
    let page = space.changes(Seq(0), UNLIMITED).await;
    assert_eq!(names(&page.records), ["tasks/a"]);
    assert!(space.snapshot(None, UNLIMITED).await.records.is_empty());
}

/// So collecting costs what is new.
pub async fn a_kept_key_is_collected_once(store: &dyn Store) {
    let mut space = Space::open(store).await;
    bury(&mut space, &["a"]).await;
    let kept = Collect {
        keys: Keys::Keep,
        ..ALL
    };
    collect(&space, kept).await;
    space.refresh().await;
    assert_eq!(collect(&space, kept).await.tombstones, 0);
    assert_eq!(space.now().await, space.view);
}

/// A key that was kept may live again, and die again.
pub async fn a_kept_key_lives_and_dies_again(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let kept = Collect {
        keys: Keys::Keep,
        ..ALL
    };
    bury(&mut space, &["a"]).await;
    collect(&space, kept).await;
    space.refresh().await;
    space.put(&[("tasks", "a")]).await;
    assert_eq!(
        names(&space.snapshot(None, UNLIMITED).await.records),
        ["tasks/a"]
    );
    let dead = vec![(key("tasks", "a"), with_hidden_field())];
    space.accept(space.draft(dead)).await;
    assert_eq!(collect(&space, kept).await.tombstones, 1);
}

/// It finds that nothing of it is known, and takes a new id.
pub async fn a_client_not_used_for_long_loses_its_numbers(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let collected = collect(&space, ALL).await;
    assert_eq!(collected.marks, 1);
    let left = space.mark(&ada).await.expect("its number stays");
    assert_eq!((left.writer, left.last), (mark.writer, None));
    assert_eq!(space.verdicts(mark.writer, &[1]).await, [None]);
}

/// Those who wait for the mark see it there; the head needs not move.
pub async fn collecting_marks_leaves_the_head(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let commit = space.marked(Vec::new(), &ada, Some(mark));
    assert_eq!(collect(&space, ALL).await.view, space.view);
    space.conflict(commit).await;
}

/// Its last use counts.
pub async fn a_client_used_since_keeps_its_numbers(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let mut later = space.marked(Vec::new(), &ada, Some(mark));
    later.now_ms = NOW + 2 * USED_APART_MS;
    space.accept(later).await;
    assert_eq!(collect(&space, ALL).await.marks, 0);
    assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
}

/// The names of writers are asked for as long as there are records of theirs.
pub async fn a_client_without_numbers_still_names_its_records(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let record = vec![(key("tasks", "a"), titled("a", 1))];
    space.accept(space.marked(record, &ada, None)).await;
    collect(&space, ALL).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    let named: Vec<_> = page
        .writers
        .iter()
        .map(|(no, id)| (no.0, id.as_str()))
        .collect();
    assert_eq!(named, [(1, "c1")]);
}

/// A claim that comes again must never win again, however late.
pub async fn what_a_client_was_given_is_never_collected(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mut commit = space.marked(Vec::new(), &ada, None);
    let carried = Carried {
        again: Vec::new(),
        fresh: vec![(Claimed::from_bits(9), Hlc::new(NOW, 1))],
        ..Carried::default()
    };
    let given = Given::default().and(carried, Part::whole(Seq(1)));
    commit.marks[0].given = Some(given.into());
    space.accept(commit).await;
    collect(&space, ALL).await;
    let mark = space.mark(&ada).await.expect("it is known");
    assert_eq!(mark.given.map(|given| given.count), Some(1));
}

/// Its numbers begin again.
pub async fn a_forgotten_client_may_begin_again(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    space.introduce(&ada).await;
    collect(&space, ALL).await;
    let mark = space.mark(&ada).await;
    space.accept(space.marked(Vec::new(), &ada, mark)).await;
    assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(1));
}

/// A client is forgotten once, so that looking costs what is new.
pub async fn a_forgotten_client_is_not_forgotten_again(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.introduce(&client("ada", "c1")).await;
    assert_eq!(collect(&space, ALL).await.marks, 1);
    assert_eq!(collect(&space, ALL).await.marks, 0);
}

/// Whatever its size and age.
pub async fn collecting_leaves_other_spaces_alone(store: &dyn Store) {
    let mut ada = Space::open_named(store, "todo", "ada").await;
    let mut bob = Space::open_named(store, "todo", "bob").await;
    bury(&mut ada, &["a"]).await;
    bury(&mut bob, &["a"]).await;
    bob.introduce(&client("bob", "c1")).await;
    collect(&ada, ALL).await;
    assert_eq!(bob.now().await, bob.view);
    assert!(bob.record(&key("tasks", "a")).await.is_some());
    assert!(
        bob.mark(&client("bob", "c1"))
            .await
            .and_then(|mark| mark.last)
            .is_some()
    );
}

/// It makes no space.
pub async fn collecting_needs_an_opened_space(store: &dyn Store) {
    let nobody = space_key("todo", "nobody");
    assert!(store.collect(&nobody, ALL).await.is_err());
    assert_eq!(store.space(&nobody).await, Ok(None));
}

/// The field of a record that lives is no part of this.
pub async fn fields_of_the_living_stay(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let mut record = titled("a", 0);
    record.fields.push(Field {
        value: Json::trusted("true"),
        ..record.fields[0].clone()
    });
    record.fields[0].name = syncline_protocol::ids::FieldName::trusted("done");
    space
        .accept(space.draft(vec![(key("tasks", "a"), record)]))
        .await;
    let kept = Collect {
        keys: Keys::Keep,
        ..ALL
    };
    collect(&space, kept).await;
    let fields = space
        .record(&key("tasks", "a"))
        .await
        .map(|record| record.fields.len());
    assert_eq!(fields, Some(2));
}
