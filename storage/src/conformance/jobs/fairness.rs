//! One space with much to do does not keep others waiting.

use syncline_protocol::ids::SpaceKey;

use super::super::space::{NOW, space_key};
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, claim, claimed, due, finish, keep, keys, of_kind, spaces, webhook, why,
};
use crate::jobs::{CLAIM_FULL_MAX, Claim, Outcome, Wanted};

/// However much longer its jobs have waited.
pub async fn a_space_with_many_due_jobs_leaves_room_for_others(store: &dyn WithJobs) {
    let mut busy = Desk::open_named(store, "busy").await;
    busy.commit((0..200).map(|n| keep(due(&format!("{n:03}"), 1))).collect())
        .await;
    for name in ["ada", "bob"] {
        Desk::open_named(store, name).await.put(&["a"]).await;
    }
    let leased = claimed(store, 9, NOW).await;
    let names = spaces(&leased);
    assert!(
        names.contains(&"ada") && names.contains(&"bob"),
        "{names:?}"
    );
    assert!(names.contains(&"busy"), "it has its share: {names:?}");
}

/// Nothing is left lying for fairness's sake.
pub async fn a_space_that_is_alone_gets_all_that_is_wanted(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_many(20).await;
    assert_eq!(claimed(store, 15, NOW).await.len(), 15);
}

/// What one may hold at once is bounded by who claims.
pub async fn a_space_gives_no_more_than_its_share(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put_many(20).await;
    let mut few = claim(15, NOW);
    few.per_space = 3;
    let leased = store.claim(&few).await.expect("the store answers");
    assert_eq!(leased.len(), 3);
    let again = store.claim(&few).await.expect("the store answers");
    assert_eq!(again.len(), 3);
}

/// Who claims holds all that it may hold of it. The others share all that is wanted.
pub async fn a_full_space_gives_nothing_and_the_others_their_share(store: &dyn WithJobs) {
    let mut busy = Desk::open_named(store, "busy").await;
    let old = (0..40).map(|n| keep(due(&format!("{n:03}"), 1)));
    busy.commit(old.collect()).await;
    for name in ["ada", "bob"] {
        Desk::open_named(store, name).await.put_many(20).await;
    }
    let beside = beside_full(10, &[busy.space.key.clone()]);
    let leased = store.claim(&beside).await.expect("the store answers");
    let expected = ["ada"; 5].into_iter().chain(["bob"; 5]);
    assert_eq!(spaces(&leased), expected.collect::<Vec<_>>());
    let again = claimed(store, 9, NOW).await;
    assert!(
        spaces(&again).contains(&"busy"),
        "whoever does not name it gets it: {again:?}"
    );
}

/// Nor is anything of it touched: it is as much its turn as before.
pub async fn a_full_space_keeps_its_turn(store: &dyn WithJobs) {
    let mut busy = Desk::open_named(store, "busy").await;
    busy.put_many(5).await;
    let beside = beside_full(3, &[busy.space.key.clone()]);
    assert_eq!(store.claim(&beside).await, Ok(Vec::new()));
    let next = store.next_due(&[webhook()]).await.expect("it answers");
    assert!(next.is_some_and(|at_ms| at_ms <= NOW), "{next:?}");
    assert_eq!(claimed(store, 9, NOW).await.len(), 5);
}

/// Of one kind it may be full and of another not, and one that is not there is full as well.
pub async fn a_space_is_full_of_one_kind(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    desk.commit(vec![keep(of_kind("mail", "m"))]).await;
    let nobody = space_key("todo", "nobody");
    let mut both = beside_full(9, &[desk.space.key.clone(), nobody]);
    both.wanted.push(Wanted::of(of_kind("mail", "m").kind, 9));
    let leased = store.claim(&both).await.expect("the store answers");
    assert_eq!(keys(&leased), ["m"]);
}

/// Past the bound they are claimed from as if nobody had named them.
pub async fn no_more_full_spaces_are_passed_over_than_the_bound(store: &dyn WithJobs) {
    let mut full = Vec::new();
    for n in 0..=CLAIM_FULL_MAX {
        let mut desk = Desk::open_named(store, &format!("full-{n:02}")).await;
        desk.put(&["a"]).await;
        full.push(desk.space.key.clone());
    }
    let beside = beside_full(9, &full);
    let leased = store.claim(&beside).await.expect("the store answers");
    assert_eq!(spaces(&leased), [format!("full-{CLAIM_FULL_MAX:02}")]);
}

/// A claim of [`webhook`] by who holds all that it may hold of these spaces.
fn beside_full(jobs: usize, full: &[SpaceKey]) -> Claim {
    let mut claim = claim(jobs, NOW);
    claim.wanted[0].full = full.to_vec();
    claim
}

/// One after the other, whoever has most.
pub async fn spaces_take_turns(store: &dyn WithJobs) {
    let names = ["ada", "bob", "eve"];
    for (name, count) in names.iter().zip([2, 9, 5]) {
        Desk::open_named(store, name).await.put_many(count).await;
    }
    for begins_ms in [NOW, NOW + 3] {
        let mut turns = Vec::new();
        for now_ms in begins_ms..begins_ms + 3 {
            turns.extend(claimed(store, 1, now_ms).await);
        }
        assert_eq!(spaces(&turns), names);
    }
}

/// Nor does it help to say that they were due long ago.
pub async fn putting_more_brings_no_turn_forward(store: &dyn WithJobs) {
    let mut busy = Desk::open_named(store, "busy").await;
    let mut ada = Desk::open_named(store, "ada").await;
    busy.put_many(9).await;
    assert_eq!(spaces(&claimed(store, 1, NOW).await), ["busy"]);
    ada.put(&["a"]).await;
    busy.commit(vec![keep(due("pushy", 1))]).await;
    assert_eq!(spaces(&claimed(store, 1, NOW + 1).await), ["ada"]);
}

/// It is told of what comes as soon as that comes.
pub async fn what_is_due_is_found_whatever_came_before(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.commit(vec![keep(due("late", NOW + 500))]).await;
    assert_eq!(claimed(store, 9, NOW).await, []);
    let lease = desk.leased("soon").await.lease;
    let retry = Outcome::Retry {
        at_ms: NOW + 20,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    desk.commit(vec![keep(due("sooner", NOW + 10))]).await;
    assert_eq!(keys(&claimed(store, 9, NOW + 10).await), ["sooner"]);
    assert_eq!(keys(&claimed(store, 9, NOW + 20).await), ["soon"]);
    assert_eq!(keys(&claimed(store, 9, NOW + 500).await), ["late"]);
}

/// Queues that have nothing any more do not hide those behind them.
pub async fn spaces_without_anything_left_are_passed_over(store: &dyn WithJobs) {
    for n in 0..12 {
        let mut desk = Desk::open_named(store, &format!("done-{n:02}")).await;
        let lease = desk.leased("a").await.lease;
        assert_eq!(finish(store, &lease, Outcome::Done).await, Ok(()));
    }
    let mut desk = Desk::open(store).await;
    let later = NOW + LEASE_MS + 1;
    desk.commit(vec![keep(due("a", later))]).await;
    let mut leased = Vec::new();
    for _ in 0..12 {
        leased.extend(claimed(store, 4, later).await);
    }
    assert_eq!(keys(&leased), ["a"]);
}

/// The sooner of what waits and of leases that run out.
pub async fn when_something_is_due_next_is_told(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let next = async || store.next_due(&[webhook()]).await.expect("it answers");
    assert_eq!(next().await, None);
    desk.commit(vec![keep(due("b", NOW + 90_000))]).await;
    assert_eq!(next().await, Some(NOW + 90_000));
    let lease = desk.leased("a").await.lease;
    assert_eq!(next().await, Some(NOW + LEASE_MS));
    let retry = Outcome::Retry {
        at_ms: NOW + 5,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    assert_eq!(next().await, Some(NOW + 5));
    let other = crate::jobs::JobKind::trusted("mail");
    assert_eq!(store.next_due(&[other]).await, Ok(None));
}

/// A look in vain is the last one.
pub async fn what_is_told_in_vain_is_told_once(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let lease = desk.leased("a").await.lease;
    assert_eq!(finish(store, &lease, Outcome::Done).await, Ok(()));
    if let Some(at_ms) = store.next_due(&[webhook()]).await.expect("it answers") {
        assert_eq!(claimed(store, 1, at_ms).await, []);
    }
    assert_eq!(store.next_due(&[webhook()]).await, Ok(None));
}
