//! Having a space to oneself: what that lets pass, and whom it keeps waiting.

use std::sync::Arc;

use futures_util::future::join;
use tokio::sync::mpsc;

use super::super::hold::Hold;
use super::super::interlude::Step;
use super::super::space::opened as opened_space;
use super::super::tries::FREE_TRIES;
use super::{CassandraStore, opened, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, UNLIMITED, key, titled, tombstone};
use crate::group::{GroupCommit, GroupLimits};
use crate::transfer::{Export, Part, Sent};
use crate::types::{Collect, Collected, Committing, Keys};

const ALL: Collect = Collect {
    dead_before_ms: NOW + 1,
    marks_before_ms: 0,
    keys: Keys::Remove,
    limit: 9,
    bytes: usize::MAX,
};

/// Whenever somebody comes there, another one is faster, as long as anybody may.
pub(super) fn always_faster(store: &CassandraStore, step: Step, times: usize) {
    for n in 0..times {
        let there = store.clone();
        store.server.interludes.once(step, move || async move {
            let faster = format!(
                "UPDATE KS.spaces SET last_commit = {n} WHERE app = 'todo' AND space = 'ada'
                IF held = null"
            );
            there.server.raw(&faster).await;
        });
    }
}

#[test]
fn a_space_is_erased_although_somebody_is_always_faster() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        always_faster(&store, Step::PlanAndBatch, 64);
        let erased = store.erase(&space.key, NOW).await.unwrap();
        assert_eq!((erased.records, erased.is_exact), (2, false));
        space.refresh().await;
        assert_eq!(space.view, erased.view);
        space.put(&[("t", "after")]).await;
    });
}

#[test]
fn what_is_old_is_collected_although_somebody_is_always_faster() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let old = |id| (key("t", id), tombstone(0));
        space.accept(space.draft(vec![old("a"), old("b")])).await;
        always_faster(&store, Step::PlanAndBatch, 64);
        let collected = store.collect(&space.key, ALL).await.unwrap();
        assert_eq!(collected.tombstones, 2);
        space.refresh().await;
        assert_eq!(space.view, collected.view);
        space.put(&[("t", "after")]).await;
    });
}

#[test]
fn a_space_is_exported_although_somebody_is_always_faster() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        always_faster(&store, Step::LookAndFollow, 64);
        let (to, mut sent) = mpsc::channel(64);
        assert_eq!(store.export_space(&space.key, UNLIMITED, to).await, Ok(()));
        let mut records = 0;
        while let Some(sent) = sent.recv().await {
            if let Sent::Part(Part::Records(rows)) = sent {
                records += rows.len();
            }
        }
        assert_eq!(records, 2);
        let row = opened_space(&store.server, &space.key).await.unwrap();
        assert_eq!(row.held, None);
    });
}

/// Nothing is written, so nothing else lets the space go.
#[test]
fn a_space_in_which_others_left_nothing_old_is_let_go() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&store).await;
        let old = |id| (key("t", id), tombstone(0));
        space.accept(space.draft(vec![old("a")])).await;
        always_faster(&store, Step::PlanAndBatch, FREE_TRIES - 1);
        let faster = space.key.clone();
        let collecting = move || async move {
            let collected = other.collect(&faster, ALL).await;
            assert_eq!(collected.map(|done| done.tombstones), Ok(1));
        };
        let interludes = &store.server.interludes;
        interludes.once(Step::PlanAndBatch, collecting);
        let collected = store.collect(&space.key, ALL).await.unwrap();
        let row = opened_space(&store.server, &space.key).await.unwrap();
        assert_eq!(collected, Collected::nothing(row.view));
        assert_eq!(row.held, None);
    });
}

#[test]
fn who_finds_a_space_held_waits_and_goes_on() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let space = Space::open(&other).await;
        let hold = Hold::take(&store.server, &space.key).await.unwrap();
        let before = other.attempts().totals().commit_batches;
        let (here, held) = (store.clone(), space.key.clone());
        let told = move || async move { hold.let_go(&here.server, &held).await };
        other.server.interludes.once(Step::WaitAndLook, told);
        let commit = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        assert_eq!(space.commit(commit).await, Ok(()));
        // One that found it held, and one that passed.
        let sent = other.attempts().totals().commit_batches - before;
        assert_eq!(sent, 2);
    });
}

/// It is answered while the other still waits: nobody lets that one's space go before.
#[test]
fn who_waits_for_a_space_keeps_nobody_of_another_waiting() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        assert!(matches!(store.committing(), Committing::Apart(_)));
        let held = Space::open_named(&store, "todo", "held").await;
        let free = Space::open_named(&store, "todo", "free").await;
        let hold = Hold::take(&other.server, &held.key).await.unwrap();
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let apart = Committing::Apart(1);
        let (group, committers) = GroupCommit::start_as(apart, &shared, GroupLimits::default());
        let draft = |space: &Space<'_>| space.draft(vec![(key("t", "a"), titled("a", 0))]);
        let passing = async {
            let passed = group.commit(draft(&free)).await;
            let committed = group.stats().totals().committed;
            hold.let_go(&other.server, &held.key).await;
            (passed, committed)
        };
        let (waited, passed) = join(group.commit(draft(&held)), passing).await;
        assert_eq!((waited, passed), (Ok(()), (Ok(()), 1)));
        committers.shut_down().await;
    });
}

/// The server takes it away after some seconds.
#[test]
fn a_space_whose_holder_is_gone_is_written_again() {
    runtime().block_on(async {
        let (store, lent) = opened().await;
        let other = lent.other().await;
        let mut space = Space::open(&other).await;
        Hold::take(&store.server, &space.key).await.unwrap();
        space.put(&[("t", "a")]).await;
        assert_eq!(space.now().await.head, space.view.head);
    });
}
