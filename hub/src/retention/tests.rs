//! The walk through the spaces.

use syncline_protocol::ids::{AppId, Seq, SpaceId, WriterNo};
use syncline_storage::types::SpaceView;

use super::*;

/// 2026-11-24T10:00:00Z.
const NOW_MS: u64 = 1_795_514_400_000;

const AT: Moment = Moment {
    now_ms: NOW_MS,
    random: 0,
};

fn space(name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(name),
    }
}

fn walk() -> Walk {
    Walk::new(
        &RetentionConfig::default(),
        &CompatConfig {
            enabled: false,
            ..CompatConfig::default()
        },
    )
}

fn collected(tombstones: usize, more: bool) -> Event {
    let head = Seq(1);
    Event::Collected(Ok(Collected {
        view: SpaceView {
            head,
            ..SpaceView::NEVER_OPENED
        },
        tombstones,
        marks: 0,
        more,
    }))
}

/// Which space is to be collected next.
fn named(effect: &Effect) -> &str {
    match effect {
        Effect::Collect(space, _) => space.space.as_str(),
        other => panic!("collects nothing: {other:?}"),
    }
}

/// A walk that listed these spaces, and what it wants.
fn listed(names: &[&str]) -> (Walk, Effect) {
    let mut walk = walk();
    let effect = walk.step(
        Event::Listed(Ok(names.iter().map(|n| space(n)).collect())),
        AT,
    );
    (walk, effect)
}

#[test]
fn records_go_after_the_days_and_marks_after_twice_as_many() {
    let (_, effect) = listed(&["ada"]);
    let days_30_ms = 30 * 86_400_000;
    let expected = Collect {
        dead_before_ms: NOW_MS - days_30_ms,
        marks_before_ms: NOW_MS - 2 * days_30_ms,
        keys: Keys::Remove,
        limit: 500,
        bytes: 4 << 20,
    };
    assert_eq!(effect, Effect::Collect(space("ada"), expected));
}

#[test]
fn keys_are_kept_for_the_first_users_clients() {
    let mut walk = Walk::new(&RetentionConfig::default(), &CompatConfig::default());
    match walk.step(Event::Listed(Ok(vec![space("ada")])), AT) {
        Effect::Collect(_, collect) => assert_eq!(collect.keys, Keys::Keep),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_space_is_collected_until_nothing_is_left_with_a_pause_after_each_batch() {
    let (mut walk, effect) = listed(&["ada", "bob"]);
    assert_eq!(named(&effect), "ada");
    assert_eq!(walk.step(collected(500, true), AT), Effect::Pause(50));
    assert_eq!(named(&walk.step(Event::Go, AT)), "ada");
    assert_eq!(walk.step(collected(3, false), AT), Effect::Pause(50));
    assert_eq!(named(&walk.step(Event::Go, AT)), "bob");
}

#[test]
fn where_nothing_is_old_the_next_space_follows_at_once() {
    let (mut walk, _) = listed(&["ada", "bob"]);
    assert_eq!(named(&walk.step(collected(0, false), AT)), "bob");
}

#[test]
fn a_page_of_spaces_ends_with_a_pause_and_the_next_one_begins_after_it() {
    let (mut walk, _) = listed(&["ada", "bob"]);
    walk.step(collected(0, false), AT);
    assert_eq!(walk.step(collected(0, false), AT), Effect::Pause(50));
    let next = walk.step(Event::Go, AT);
    assert_eq!(next, Effect::List(Some(space("bob")), SPACES));
}

#[test]
fn after_the_last_space_it_waits_about_the_interval_and_begins_anew() {
    let (mut walk, _) = listed(&["ada"]);
    walk.step(collected(0, false), AT);
    let waits = |random| {
        let (mut walk, _) = listed(&["ada"]);
        match walk.step(Event::Listed(Ok(Vec::new())), Moment { random, ..AT }) {
            Effect::Pause(ms) => ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((waits(0), waits(3_600_000)), (1_800_000, 5_400_000));
    walk.step(Event::Listed(Ok(Vec::new())), AT);
    assert_eq!(walk.step(Event::Go, AT), Effect::List(None, SPACES));
}

#[test]
fn a_space_that_fails_is_left_for_the_next_round() {
    let (mut walk, _) = listed(&["ada", "bob"]);
    let down = StoreError::Unavailable("down".into());
    assert_eq!(
        walk.step(Event::Collected(Err(down)), AT),
        Effect::Pause(50)
    );
    assert_eq!(named(&walk.step(Event::Go, AT)), "bob");
}

#[test]
fn a_list_that_fails_ends_the_round() {
    let mut walk = walk();
    let down = StoreError::Unavailable("down".into());
    let effect = walk.step(Event::Listed(Err(down)), AT);
    assert_eq!(effect, Effect::Pause(1_800_000));
    assert_eq!(walk.step(Event::Go, AT), Effect::List(None, SPACES));
}

#[test]
fn nodes_that_start_together_part() {
    let walk = walk();
    assert_eq!(walk.first(7_200_005), Effect::Pause(5));
    assert_eq!(walk.first(1_234), Effect::Pause(1_234));
}

/// A space that was opened at a time and is as `change` says since.
fn opened(at_ms: u64, change: impl FnOnce(&mut SpaceView)) -> Event {
    let mut view = SpaceView {
        epoch_at_ms: at_ms,
        ..SpaceView::NEVER_OPENED
    };
    change(&mut view);
    Event::Collected(Ok(Collected {
        view,
        tombstones: 0,
        marks: 0,
        more: false,
    }))
}

#[test]
fn what_was_opened_days_ago_and_never_written_is_forgotten_and_nothing_else() {
    let before_ms = NOW_MS - 30 * 86_400_000;
    let (mut walk, _) = listed(&["ada", "bob", "eve", "zoe"]);
    let forget = Effect::Forget(space("ada"), before_ms);
    assert_eq!(walk.step(opened(before_ms - 1, |_| {}), AT), forget);
    assert_eq!(
        walk.step(Event::Forgotten(Ok(true)), AT),
        Effect::Pause(50),
        "it has written"
    );
    assert_eq!(named(&walk.step(Event::Go, AT)), "bob");
    // Bob's is too young, a client of Eve's is known.
    assert_eq!(named(&walk.step(opened(before_ms, |_| {}), AT)), "eve");
    let known = |view: &mut SpaceView| view.writers = WriterNo(1);
    assert_eq!(named(&walk.step(opened(1, known), AT)), "zoe");
    let forget = Effect::Forget(space("zoe"), before_ms);
    assert_eq!(walk.step(opened(1, |_| {}), AT), forget);
    assert_eq!(
        walk.step(Event::Forgotten(Ok(false)), AT),
        Effect::Pause(50)
    );
    assert_eq!(
        walk.step(Event::Go, AT),
        Effect::List(Some(space("zoe")), SPACES)
    );
}

#[test]
fn a_space_that_is_open_here_is_passed_over() {
    let (mut walk, _) = listed(&["ada", "bob"]);
    walk.step(opened(1, |_| {}), AT);
    assert_eq!(named(&walk.step(Event::Forgotten(Ok(false)), AT)), "bob");
}
