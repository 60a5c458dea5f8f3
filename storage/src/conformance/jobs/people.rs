//! What people see of jobs and do to them.

use super::super::space::NOW;
use super::WithJobs;
use super::desk::{
    Desk, LEASE_MS, claimed, due, finish, job, keep, keys, of_kind, untried, webhook, why,
};
use crate::jobs::{DeadJob, JobCounts, JobState, Outcome};

/// Whatever it does then.
pub async fn a_job_is_cancelled_by_its_name(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    assert_eq!(store.cancel(&desk.name("a")).await, Ok(true));
    assert_eq!(store.cancel(&desk.name("a")).await, Ok(false));
    assert_eq!(desk.stored("a").await, None);
    assert!(claimed(store, 9, NOW).await.is_empty());
}

/// Later, or sooner; it is for that time then.
pub async fn a_job_that_waits_is_snoozed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    assert_eq!(store.snooze(&desk.name("a"), NOW + 500).await, Ok(true));
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 500))));
    assert!(claimed(store, 9, NOW + 499).await.is_empty());
    assert_eq!(store.snooze(&desk.name("a"), NOW + 100).await, Ok(true));
    assert_eq!(keys(&claimed(store, 9, NOW + 100).await), ["a"]);
}

/// Those that are due are found as ever.
pub async fn snoozing_a_job_keeps_no_other(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a", "b"]).await;
    let tomorrow = NOW + 86_400_000;
    assert_eq!(store.snooze(&desk.name("a"), tomorrow).await, Ok(true));
    assert_eq!(keys(&claimed(store, 9, NOW).await), ["b"]);
    // The lease of the other one has run out long before.
    assert_eq!(keys(&claimed(store, 9, tomorrow).await), ["b", "a"]);
}

/// It is for the time it was for: what it does is named by that, and may have been done.
pub async fn a_job_that_was_tried_is_snoozed_and_stays_the_same(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let leased = desk.leased("a").await;
    let retry = Outcome::Retry {
        at_ms: NOW + 50,
        error: why(),
    };
    assert_eq!(finish(store, &leased.lease, retry).await, Ok(()));
    assert_eq!(store.snooze(&desk.name("a"), NOW + 500).await, Ok(true));
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.state, JobState::Retry { at_ms: NOW + 500 });
    assert_eq!((stored.job, stored.attempt), (leased.job, 1));
    assert!(claimed(store, 9, NOW + 499).await.is_empty());
    assert_eq!(keys(&claimed(store, 9, NOW + 500).await), ["a"]);
}

/// Its node's clock was a day ahead for a moment: what it put is found by the times that clock told, and
/// brought to when it was meant. Nobody knows it otherwise from what is meant for tomorrow.
pub async fn what_a_clock_ahead_put_off_is_found_and_brought_forward(store: &dyn WithJobs) {
    let day_ms = 86_400_000;
    let mut desk = Desk::open(store).await;
    let mut other = Desk::open_named(store, "bob").await;
    desk.commit(vec![
        keep(due("well", NOW)),
        keep(due("at noon", NOW + day_ms / 2)),
    ])
    .await;
    desk.commit(vec![keep(due("ahead", NOW + day_ms))]).await;
    let in_lane = |key: &str| keep(super::desk::in_lane("a record", due(key, NOW + day_ms)));
    other
        .commit(vec![in_lane("first ahead"), in_lane("behind it")])
        .await;
    other
        .commit(vec![keep(due("after", NOW + day_ms + 2))])
        .await;
    let lease = desk.leased("tried").await.lease;
    let retry = Outcome::Retry {
        at_ms: NOW + day_ms + 1,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    let between_ms = (NOW + day_ms - 1, NOW + day_ms + 1);
    let waiting = async |limit| {
        let waiting = store.waiting_jobs(&webhook(), between_ms, limit).await;
        waiting.expect("the store answers")
    };
    assert_eq!(waiting(2).await.len(), 2);
    let found = waiting(9).await;
    let mut found_keys: Vec<&str> = found.iter().map(|name| name.key.as_str()).collect();
    found_keys.sort_unstable();
    assert_eq!(found_keys, ["ahead", "behind it", "first ahead", "tried"]);
    for name in &found {
        assert_eq!(store.snooze(name, NOW).await, Ok(true));
    }
    assert_eq!(waiting(9).await, []);
    let mut done = desk.drained(NOW).await;
    done.sort_unstable();
    assert_eq!(done, ["ahead", "behind it", "first ahead", "tried", "well"]);
}

/// They are not waiting.
pub async fn what_is_leased_or_dead_does_not_wait(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("dead", NOW).await;
    desk.leased("leased").await;
    let all = (0, NOW + 86_400_000);
    assert_eq!(store.waiting_jobs(&webhook(), all, 9).await, Ok(Vec::new()));
}

/// The one is under way, the other is over.
pub async fn what_is_leased_or_dead_is_not_snoozed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("dead", NOW).await;
    desk.leased("leased").await;
    for key in ["dead", "leased", "never there"] {
        let before = desk.stored(key).await;
        assert_eq!(store.snooze(&desk.name(key), NOW + 9).await, Ok(false));
        assert_eq!(desk.stored(key).await, before, "{key}");
    }
}

async fn dead(store: &dyn WithJobs, after: Option<&DeadJob>, limit: usize) -> Vec<DeadJob> {
    let after = after.map(|dead| dead.cursor);
    let dead = store.dead_jobs(&webhook(), after, limit).await;
    dead.expect("the store answers")
}

fn dead_keys(dead: &[DeadJob]) -> Vec<&str> {
    dead.iter()
        .map(|dead| dead.stored.job.key.as_str())
        .collect()
}

/// Of all spaces, page by page.
pub async fn dead_jobs_are_told_newest_first(store: &dyn WithJobs) {
    let mut ada = Desk::open_named(store, "ada").await;
    let mut bob = Desk::open_named(store, "bob").await;
    ada.dead("1", NOW + 1).await;
    bob.dead("2", NOW + 2).await;
    ada.dead("3", NOW + 2).await;
    bob.dead("4", NOW + 4).await;
    let first = dead(store, None, 3).await;
    assert_eq!(dead_keys(&first), ["4", "3", "2"]);
    assert_eq!(first[0].name(), bob.name("4"));
    assert_eq!(Some(&first[0].stored), bob.stored("4").await.as_ref());
    assert_eq!(dead_keys(&dead(store, first.first(), 1).await), ["3"]);
    assert_eq!(dead_keys(&dead(store, first.get(1), 9).await), ["2", "1"]);
    assert_eq!(dead_keys(&dead(store, first.last(), 9).await), ["1"]);
}

/// All its tries are before it; why it died is still told.
pub async fn a_dead_job_is_replayed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.dead("a", NOW).await;
    assert_eq!(store.replay(&desk.name("a"), NOW + 5).await, Ok(true));
    assert_eq!(store.replay(&desk.name("a"), NOW + 5).await, Ok(false));
    let stored = desk.stored("a").await.expect("it is there");
    assert_eq!(stored.state, JobState::Retry { at_ms: NOW + 5 });
    assert_eq!((stored.attempt, stored.error), (0, Some(why())));
    assert_eq!(dead(store, None, 9).await, []);
    let leased = claimed(store, 9, NOW + 5).await;
    assert_eq!((leased[0].attempt, &leased[0].job), (1, &job("a")));
}

/// The oldest first, of one kind.
pub async fn all_dead_jobs_of_a_kind_are_replayed(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let mut other = Desk::open_named(store, "bob").await;
    for (n, key) in ["1", "2", "3"].into_iter().enumerate() {
        desk.dead(key, NOW + n as u64).await;
    }
    other.dead("4", NOW + 9).await;
    let mail = of_kind("mail", "a").kind;
    assert_eq!(store.replay_all(&mail, NOW + 9, 9).await, Ok(0));
    assert_eq!(store.replay_all(&webhook(), NOW + 9, 3).await, Ok(3));
    assert_eq!(dead_keys(&dead(store, None, 9).await), ["4"]);
    assert_eq!(
        store.replay_all(&webhook(), NOW + 8, 3).await,
        Ok(0),
        "it died since"
    );
    assert_eq!(store.replay_all(&webhook(), NOW + 9, 3).await, Ok(1));
    let mut leased = claimed(store, 9, NOW + 9).await;
    leased.extend(claimed(store, 9, NOW + 9).await);
    assert_eq!(leased.len(), 4);
}

/// The oldest first; the young ones stay, and so do those that live.
pub async fn old_dead_jobs_are_forgotten(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    for (n, key) in ["1", "2", "3"].into_iter().enumerate() {
        desk.dead(key, NOW + n as u64).await;
    }
    desk.put(&["lives"]).await;
    let forget = async |before_ms, limit| store.forget_dead(&webhook(), before_ms, limit).await;
    assert_eq!(forget(NOW, 9).await, Ok(0));
    assert_eq!(forget(NOW + 2, 1).await, Ok(1));
    assert_eq!(desk.stored("1").await, None);
    assert_eq!(forget(NOW + 2, 9).await, Ok(1));
    assert_eq!(dead_keys(&dead(store, None, 9).await), ["3"]);
    assert_eq!(desk.stored("lives").await, Some(untried(job("lives"))));
}

/// Of each kind asked, in that order.
pub async fn jobs_are_counted_by_state(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let mut other = Desk::open_named(store, "bob").await;
    desk.dead("dead", NOW).await;
    let lease = desk.leased("retry").await.lease;
    let retry = Outcome::Retry {
        at_ms: NOW + LEASE_MS,
        error: why(),
    };
    assert_eq!(finish(store, &lease, retry).await, Ok(()));
    desk.leased("leased").await;
    other.put(&["a", "b"]).await;
    desk.commit(vec![keep(of_kind("mail", "a"))]).await;
    let kinds = ["none", "webhook", "mail"].map(|kind| of_kind(kind, "a").kind);
    let counts = store.job_counts(&kinds).await;
    let webhooks = JobCounts {
        scheduled: 2,
        leased: 1,
        retry: 1,
        dead: 1,
    };
    let mails = JobCounts {
        scheduled: 1,
        ..JobCounts::default()
    };
    assert_eq!(counts, Ok(vec![JobCounts::default(), webhooks, mails]));
}
