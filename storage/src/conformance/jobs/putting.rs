//! Jobs and the commits that move them.

use syncline_protocol::ids::{Epoch, Seq};

use super::super::space::{NOW, key, titled};
use super::WithJobs;
use super::desk::{Desk, cancel, claimed, due, job, keep, keys, of_kind, replace, untried};
use crate::jobs::{JOB_LANE_BYTES_MAX, Job, JobArgs, JobKey, JobLane, Origin, TriggerId};

/// With the records, in one transaction.
pub async fn a_job_is_put_by_its_commit(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let mut commit = desk.space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    commit.jobs = vec![keep(job("a")), keep(job("b"))];
    desk.space.accept(commit).await;
    assert_eq!(desk.space.view.head, Seq(1));
    assert_eq!(desk.stored("a").await, Some(untried(job("a"))));
    assert_eq!(desk.stored("b").await, Some(untried(job("b"))));
}

/// It is tried again as a whole, and then makes its jobs anew.
pub async fn jobs_of_a_conflicting_commit_are_not_written(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["stays"]).await;
    let mut commit = desk.space.draft(vec![(key("tasks", "a"), titled("a", 0))]);
    commit.jobs = vec![keep(job("a")), replace(due("stays", 9)), cancel("stays")];
    commit.expect_head = commit.head;
    desk.space.conflict(commit).await;
    assert_eq!(desk.stored("a").await, None);
    assert_eq!(desk.stored("stays").await, Some(untried(job("stays"))));
    assert_eq!(keys(&claimed(store, 9, NOW).await), ["stays"]);
}

/// Each commit of a group by itself.
pub async fn jobs_of_a_group_are_those_of_what_was_accepted(store: &dyn WithJobs) {
    let ada = Desk::open_named(store, "ada").await;
    let bob = Desk::open_named(store, "bob").await;
    let eve = Desk::open_named(store, "eve").await;
    let drafts = [&ada, &bob, &eve].map(|desk| {
        let mut commit = desk.space.draft(vec![(key("t", "a"), titled("a", 0))]);
        commit.jobs = vec![keep(job("j"))];
        commit
    });
    let mut drafts = drafts.to_vec();
    drafts[1].expect_head = drafts[1].head;
    let answers = store.commit(drafts).await;
    assert_eq!(
        answers.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    let mut there = Vec::new();
    for desk in [&ada, &bob, &eve] {
        there.push(desk.stored("j").await.is_some());
    }
    assert_eq!(there, [true, false, true]);
}

/// As marks alone do.
pub async fn jobs_alone_leave_the_head(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let before = desk.space.view;
    desk.put(&["a"]).await;
    assert_eq!(desk.space.view, before);
    assert_eq!(desk.stored("a").await, Some(untried(job("a"))));
}

/// Whatever is put.
pub async fn a_job_that_is_there_is_kept(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    desk.commit(vec![keep(due("a", NOW + 99))]).await;
    assert_eq!(desk.stored("a").await, Some(untried(job("a"))));
}

/// Where that is asked for.
pub async fn a_job_that_is_there_is_replaced(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    let later = Job {
        args: JobArgs::trusted("[1]"),
        depth: 3,
        ..due("a", NOW + 99)
    };
    desk.commit(vec![replace(later.clone())]).await;
    assert_eq!(desk.stored("a").await, Some(untried(later)));
    assert!(claimed(store, 9, NOW).await.is_empty(), "it is due later");
}

/// Of one job, whatever order an engine writes in.
pub async fn moves_of_a_commit_follow_each_other(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a", "b"]).await;
    let moves = vec![
        cancel("a"),
        keep(due("a", NOW + 1)),
        keep(due("b", NOW + 2)),
        cancel("b"),
        keep(due("c", NOW + 3)),
        keep(due("c", NOW + 4)),
        replace(due("d", NOW + 5)),
        replace(due("d", NOW + 6)),
    ];
    desk.commit(moves).await;
    assert_eq!(desk.stored("a").await, Some(untried(due("a", NOW + 1))));
    assert_eq!(desk.stored("b").await, None);
    assert_eq!(desk.stored("c").await, Some(untried(due("c", NOW + 3))));
    assert_eq!(desk.stored("d").await, Some(untried(due("d", NOW + 6))));
}

/// Nobody does it.
pub async fn a_cancelled_job_is_gone(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a", "b"]).await;
    desk.commit(vec![cancel("a"), cancel("never there")]).await;
    assert_eq!(desk.stored("a").await, None);
    assert_eq!(keys(&claimed(store, 9, NOW).await), ["b"]);
}

/// A key is one's own.
pub async fn equal_keys_of_two_spaces_and_kinds_share_nothing(store: &dyn WithJobs) {
    let mut ada = Desk::open_named(store, "ada").await;
    let mut bob = Desk::open_named(store, "bob").await;
    let mail = of_kind("mail", "a");
    ada.commit(vec![keep(job("a")), keep(mail.clone())]).await;
    bob.put(&["a"]).await;
    ada.commit(vec![cancel("a")]).await;
    assert_eq!(ada.stored("a").await, None);
    assert_eq!(bob.stored("a").await, Some(untried(job("a"))));
    let mails = ada.name_of(&mail);
    assert_eq!(ada.at(&mails).await, Some(untried(mail)));
}

/// Every bit of it, in the store and out of it.
pub async fn a_job_round_trips(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let odd = Job {
        key: JobKey::trusted("t/é\u{1f600}\"'\\%_/1"),
        lane: Some(JobLane::trusted(&"é".repeat(JOB_LANE_BYTES_MAX / 2))),
        args: JobArgs::trusted(r#"{"a":["\u0000é",1e-300,null],"ß":"\\\""}"#),
        depth: u8::MAX,
        origin: Origin {
            epoch: Epoch(u64::MAX - 1),
            seq: Seq(1 << 60),
            trigger: TriggerId::trusted("on ü"),
        },
        ..job("a")
    };
    desk.commit(vec![keep(odd.clone())]).await;
    let name = desk.name_of(&odd);
    assert_eq!(desk.at(&name).await, Some(untried(odd.clone())));
    let leased = claimed(store, 1, NOW).await.remove(0);
    assert_eq!((leased.lease.name, leased.job), (name, odd));
}

/// Somebody waits for it.
pub async fn a_space_with_a_job_is_not_forgotten(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    desk.put(&["a"]).await;
    let forgotten = store.forget_unwritten(&desk.space.key, NOW + 9).await;
    assert_eq!(forgotten, Ok(false));
    assert_eq!(keys(&claimed(store, 1, NOW).await), ["a"]);
}

/// They are part of what is removed, and of what the receipt says.
pub async fn erasing_takes_jobs_along(store: &dyn WithJobs) {
    let mut desk = Desk::open(store).await;
    let mut other = Desk::open_named(store, "bob").await;
    desk.dead("0", NOW).await;
    desk.put(&["a", "b"]).await;
    other.put(&["a"]).await;
    let held = store.holdings(&desk.space.key).await;
    assert_eq!(held.map(|held| held.jobs), Ok(3));
    let erased = store.erase(&desk.space.key, NOW).await;
    assert_eq!(erased.map(|erased| erased.jobs), Ok(3));
    assert_eq!(desk.stored("a").await, None);
    let left = claimed(store, 9, NOW + 99).await;
    assert_eq!(super::desk::spaces(&left), ["bob"]);
}

/// What it asks for is a space that is there.
pub async fn a_space_never_opened_has_no_jobs(store: &dyn WithJobs) {
    let desk = Desk::open(store).await;
    let nobody = super::super::space::space_key("todo", "nobody");
    let name = crate::jobs::JobName {
        space: nobody,
        ..desk.name("a")
    };
    assert_eq!(store.job(&name).await, Ok(None));
    assert_eq!(store.cancel(&name).await, Ok(false));
    assert_eq!(store.snooze(&name, NOW).await, Ok(false));
}
