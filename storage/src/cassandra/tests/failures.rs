//! What the engine answers when the server or the way to it is at fault.

use std::time::Duration;

use futures_util::future::{join, join_all};
use syncline_protocol::ids::Seq;

use super::server::Server;
use super::way::{Fate, Told, behind_a_way, opened_behind, way_to};
use super::{CassandraStore, options, runtime};
use crate::Store;
use crate::conformance::space::{Space, UNLIMITED, client, key, space_key, titled};
use crate::proxy::{Cut, Proxy};
use crate::types::{Commit, CommitError, StoreError};

/// The column that answers a conditional batch.
const APPLIED: &[u8] = b"[applied]";

/// How long the answer of a server that stands still is waited for.
const SHORT: Duration = Duration::from_secs(2);

/// Commits that are under way when the server ends.
const UNDER_WAY: usize = 8;

/// The driver connects again by itself, after some while.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn said<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("answered {other:?}"),
    }
}

fn is_unknown(answer: &Result<(), CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::Unavailable(_))))
}

fn one_record(space: &Space<'_>, id: &str) -> Commit {
    space.draft(vec![(key("t", id), titled("a", 0))])
}

/// Reads until the server answers.
async fn until_read(store: &dyn Store) -> Space<'_> {
    let reading = async {
        loop {
            if let Ok(Some(view)) = store.space(&space_key("todo", "ada")).await {
                let key = space_key("todo", "ada");
                return Space { store, key, view };
            }
            tokio::task::yield_now().await;
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.expect("the server does not answer")
}

/// Reads and commits until a commit is accepted, as a hub does: one that was accepted although its
/// answer was lost is found, and not made again.
async fn until_accepted(store: &dyn Store, id: &str) {
    let keys = [key("t", id)];
    let committing = async {
        loop {
            let space = until_read(store).await;
            match store.records(&space.key, &keys, usize::MAX).await {
                Ok(read) if read.records[0].is_some() => return,
                Ok(_) => {}
                Err(_) => continue,
            }
            if space.commit(one_record(&space, id)).await.is_ok() {
                return;
            }
        }
    };
    let committed = tokio::time::timeout(PATIENCE, committing).await;
    committed.expect("nothing is accepted any more");
}

/// Head and records agree, whatever happened before.
async fn assert_whole(store: &dyn Store) -> u64 {
    let space = Space::open(store).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    let seqs = page.records.iter().map(|(_, record)| record.seq.0);
    assert!(seqs.eq(1..=page.view.head.0), "{page:?}");
    page.view.head.0
}

/// One that was done before the crash and not told, and others that are under way when it comes.
#[test]
fn after_a_crash_of_the_server_the_same_store_goes_on() {
    let server = Server::start(&["commitlog_sync=batch"]);
    runtime().block_on(async {
        let (way, url) = way_to(&server).await;
        let (store, way) = opened_behind(way, &options(&url)).await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "before")]).await;
        let names: Vec<String> = (0..UNDER_WAY).map(|n| n.to_string()).collect();
        let others = names
            .iter()
            .map(|name| Space::open_named(&store, "todo", name));
        let others = join_all(others).await;
        let untold = one_record(&space, "untold");
        way.next_batch(Fate::done(Told::Nothing)).await;
        let crash = async {
            way.withheld().await;
            let under_way = others
                .iter()
                .map(|other| other.commit(one_record(other, "a")));
            let ending = async { server.tell("crash") };
            join(join_all(under_way), ending).await.0
        };
        let (told, told_others) = join(space.commit(untold.clone()), crash).await;
        assert!(is_unknown(&told), "{told:?}");
        said(store.space(&space.key).await);
        server.tell("start");
        let space = until_read(&store).await;
        assert_eq!(space.commit(untold).await, Err(CommitError::Conflict));
        until_accepted(&store, "after").await;
        for id in ["before", "untold", "after"] {
            assert!(space.record(&key("t", id)).await.is_some(), "{id}");
        }
        assert_eq!(assert_whole(&store).await, 3);
        for (other, told) in others.iter().zip(told_others) {
            let page = other.changes(Seq(0), UNLIMITED).await;
            assert_eq!(page.records.len() as u64, page.view.head.0, "{page:?}");
            assert!(
                told.is_err() || page.view.head == Seq(1),
                "{told:?}: {page:?}"
            );
            assert!(told.is_ok() || is_unknown(&told), "{told:?}");
        }
    });
}

#[test]
fn a_server_that_stands_still_leaves_outcomes_open_and_nothing_torn() {
    let server = Server::start(&[]);
    runtime().block_on(async {
        let options = options(&server.new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        server.tell("pause");
        // No answer comes, so it is not waited for long. Of a server that runs it is.
        store.server.wait_for_answers(SHORT);
        let told = space.commit(one_record(&space, "b")).await;
        assert!(is_unknown(&told), "{told:?}");
        said(store.space(&space.key).await);
        store.server.wait_for_answers(options.answer_timeout);
        server.tell("resume");
        until_accepted(&store, "c").await;
        // What was sent before may have been done since; then it is the second of three.
        let head = assert_whole(&store).await;
        let b = space.record(&key("t", "b")).await;
        assert_eq!(head, if b.is_some() { 3 } else { 2 });
    });
}

/// A store whose connections can be cut.
async fn behind_proxy() -> (CassandraStore, Proxy) {
    let server = Server::shared();
    let proxy = Proxy::to(server.address(), APPLIED).await;
    let url = server.new_keyspace();
    let url = url.replace(server.address(), &proxy.address.to_string());
    let store = CassandraStore::open(&options(&url)).await.unwrap();
    (store, proxy)
}

/// Nothing else is wrong with the way: so the read that tells comes, and it tells.
#[test]
fn a_commit_whose_answer_never_comes_is_told_as_done() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        let mut space = Space::open(&store).await;
        let ada = client("ada", "c1");
        let mark = space.introduce(&ada).await;
        let commit = space.marked(vec![(key("t", "a"), titled("a", 1))], &ada, Some(mark));
        let before = store.attempts().totals().batches;
        store.server.wait_for_answers(SHORT);
        way.next_batch(Fate::done(Told::Nothing)).await;
        assert_eq!(space.commit(commit.clone()).await, Ok(()));
        assert!(!way.forget_next().await);
        assert_eq!(store.attempts().totals().batches - before, 1);
        assert_eq!(space.commit(commit).await, Err(CommitError::Conflict));
        assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
        assert_eq!(assert_whole(&store).await, 1);
    });
}

/// It may still come, so that a read which does not find it tells nothing.
#[test]
fn a_commit_that_never_comes_and_is_not_answered_is_open() {
    runtime().block_on(async {
        let (store, way) = behind_a_way().await;
        let space = Space::open(&store).await;
        store.server.wait_for_answers(SHORT);
        way.next_batch(Fate::not_done(Told::Nothing)).await;
        let commit = one_record(&space, "a");
        let told = space.commit(commit.clone()).await;
        assert!(is_unknown(&told), "{told:?}");
        assert!(!way.forget_next().await);
        assert_eq!(space.now().await, space.view);
        assert_eq!(space.commit(commit).await, Ok(()));
    });
}

/// The read that tells goes by a connection of its own, if there is one again in time.
#[test]
fn a_commit_whose_answer_is_cut_off_is_done_once_whatever_is_told() {
    runtime().block_on(async {
        let (store, proxy) = behind_proxy().await;
        let mut space = Space::open(&store).await;
        let ada = client("ada", "c1");
        let mark = space.introduce(&ada).await;
        let commit = space.marked(vec![(key("t", "a"), titled("a", 1))], &ada, Some(mark));
        proxy.cut(Cut::Ends);
        let told = space.commit(commit.clone()).await;
        assert!(told.is_ok() || is_unknown(&told), "{told:?}");
        proxy.cut(Cut::Never);
        let space = until_read(&store).await;
        assert_eq!(space.commit(commit).await, Err(CommitError::Conflict));
        assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
        assert_eq!(assert_whole(&store).await, 1);
    });
}

#[test]
fn a_commit_that_is_cut_off_on_its_way_is_open_and_was_not_done() {
    runtime().block_on(async {
        let (store, proxy) = behind_proxy().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let commit = one_record(&space, "b");
        proxy.cut(Cut::Requests);
        assert!(is_unknown(&space.commit(commit.clone()).await));
        proxy.cut(Cut::Never);
        let space = until_read(&store).await;
        assert_eq!(space.commit(commit).await, Ok(()));
        assert_eq!(assert_whole(&store).await, 2);
    });
}
