//! What the engine answers when the server or the way to it is at fault.

use std::time::Duration;

use syncline_protocol::ids::Seq;

use super::server::Server;
use super::{CassandraStore, options, runtime};
use crate::Store;
use crate::conformance::space::{Space, UNLIMITED, client, key, space_key, titled};
use crate::proxy::{Cut, Proxy};
use crate::types::{Commit, CommitError, StoreError};

/// The column that answers a conditional batch.
const APPLIED: &[u8] = b"[applied]";

/// How long the answer of a server that stands still is waited for.
const SHORT: Duration = Duration::from_secs(2);

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

#[test]
fn after_a_crash_of_the_server_the_same_store_goes_on() {
    let server = Server::start(&["commitlog_sync=batch"]);
    runtime().block_on(async {
        let options = options(&server.new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "before")]).await;
        server.tell("crash");
        assert!(is_unknown(&space.commit(one_record(&space, "lost")).await));
        said(store.space(&space.key).await);
        server.tell("start");
        until_accepted(&store, "after").await;
        let space = Space::open(&store).await;
        assert!(space.record(&key("t", "before")).await.is_some());
        assert!(space.record(&key("t", "lost")).await.is_none());
        assert_whole(&store).await;
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
