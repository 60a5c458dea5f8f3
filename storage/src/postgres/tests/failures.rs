//! What the engine answers when the server, the way to it or another program is at fault.

use std::time::Duration;

use syncline_protocol::ids::{Seq, WriterNo};

use super::server::Server;
use super::{opened, options, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, UNLIMITED, client, key, titled};
use crate::postgres::{PostgresOptions, PostgresStore};
use crate::proxy::{Cut, Proxy};
use crate::types::{Commit, CommitError, StoreError, epoch_after_erasure};

/// The tag of the server's answer to COMMIT.
const COMMITTED: &[u8] = b"COMMIT\0";

/// What a hub would do about it takes a few tries.
const TRIES: usize = 50;

pub(super) fn is_unknown(answer: &Result<(), CommitError>) -> bool {
    matches!(answer, Err(CommitError::Store(StoreError::Unavailable(_))))
}

pub(super) fn said<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("answered {other:?}"),
    }
}

pub(super) fn one_record(space: &Space<'_>, id: &str) -> Commit {
    space.draft(vec![(key("t", id), titled("a", 0))])
}

/// Reads and commits until a commit is accepted, as a hub does.
pub(super) async fn until_accepted(store: &dyn Store, id: &str) {
    for _ in 0..TRIES {
        let space = crate::conformance::space::space_key("todo", "ada");
        let Ok(Some(view)) = store.space(&space).await else {
            continue;
        };
        let space = Space {
            store,
            key: space,
            view,
        };
        if space.commit(one_record(&space, id)).await.is_ok() {
            return;
        }
    }
    panic!("nothing is accepted any more");
}

/// Head and records agree, whatever happened before.
pub(super) async fn assert_whole(store: &dyn Store) -> u64 {
    let space = Space::open(store).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    let seqs = page.records.iter().map(|(_, record)| record.seq.0);
    assert!(seqs.eq(1..=page.view.head.0), "{page:?}");
    page.view.head.0
}

#[test]
fn after_a_crash_of_the_server_the_same_store_goes_on() {
    let server = Server::start(&[]);
    runtime().block_on(async {
        let options = PostgresOptions::parse(server.url()).unwrap();
        let store = PostgresStore::open(&options).await.unwrap();
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
        let mut options = PostgresOptions::parse(server.url()).unwrap();
        options.answer_timeout = Duration::from_secs(1);
        options.connect_timeout = Duration::from_secs(1);
        let store = PostgresStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        server.tell("pause");
        assert!(is_unknown(&space.commit(one_record(&space, "b")).await));
        assert_eq!(said(store.space(&space.key).await), "no answer in time");
        // No connection is left; one that is made now does not come about.
        assert_eq!(said(store.space(&space.key).await), "no answer in time");
        server.tell("resume");
        until_accepted(&store, "c").await;
        // The commit that was sent before may have been done since; then it is the second of
        // three.
        let head = assert_whole(&store).await;
        let b = space.record(&key("t", "b")).await;
        assert_eq!(head, if b.is_some() { 3 } else { 2 });
    });
}

/// A store whose connections can be cut.
async fn behind_proxy() -> (PostgresStore, Proxy, super::Database) {
    let database = Server::shared().database().await;
    let server = Server::shared().address();
    let proxy = Proxy::to(server, COMMITTED).await;
    let url = database.url().replace(server, &proxy.address.to_string());
    let options = PostgresOptions::parse(&url).unwrap();
    (
        PostgresStore::open(&options).await.unwrap(),
        proxy,
        database,
    )
}

#[test]
fn a_commit_whose_answer_is_cut_off_is_open_and_was_done() {
    runtime().block_on(async {
        let (store, proxy, _database) = behind_proxy().await;
        let mut space = Space::open(&store).await;
        let ada = client("ada", "c1");
        let mark = space.introduce(&ada).await;
        let commit = space.marked(vec![(key("t", "a"), titled("a", 1))], &ada, Some(mark));
        proxy.cut(Cut::Commits);
        assert!(is_unknown(&space.commit(commit.clone()).await));
        proxy.cut(Cut::Never);
        assert_eq!(space.commit(commit).await, Err(CommitError::Conflict));
        assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
        assert!(space.record(&key("t", "a")).await.is_some());
    });
}

#[test]
fn a_commit_that_is_cut_off_on_its_way_is_open_and_was_not_done() {
    runtime().block_on(async {
        let (store, proxy, _database) = behind_proxy().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let commit = one_record(&space, "b");
        proxy.cut(Cut::Requests);
        assert!(is_unknown(&space.commit(commit.clone()).await));
        proxy.cut(Cut::Never);
        assert_eq!(space.commit(commit).await, Ok(()));
        assert_eq!(assert_whole(&store).await, 2);
    });
}

#[test]
fn an_erasure_whose_answer_is_cut_off_is_not_done_again() {
    runtime().block_on(async {
        let (store, proxy, _database) = behind_proxy().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        proxy.cut(Cut::Ends);
        said(store.erase(&space.key, NOW).await);
        proxy.cut(Cut::Never);
        let left = store.holdings(&space.key).await.unwrap();
        assert_eq!((left.records, left.tables), (0, Vec::new()));
        // It is of the lineage after the one before, with its own random bits.
        let epoch = left.view.epoch;
        assert_eq!(epoch, epoch_after_erasure(space.view.epoch, epoch.0));
    });
}

#[test]
fn a_read_whose_connection_had_ended_is_asked_on_another() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let lent = store.calling.lend().await.unwrap();
        let pid = lent
            .connection
            .client
            .query_one("SELECT pg_backend_pid()", &[]);
        let pid: i32 = pid.await.unwrap().get(0);
        let raw = database.raw().await;
        raw.query_one("SELECT pg_terminate_backend($1, 10000)", &[&pid])
            .await
            .unwrap();
        lent.give_back();
        assert_eq!(space.now().await, space.view);
    });
}

#[test]
fn a_call_that_finds_no_connection_is_told_so() {
    runtime().block_on(async {
        let database = Server::shared().database().await;
        let mut options = options(&database);
        options.connections = 1;
        options.connect_timeout = Duration::from_secs(1);
        let store = PostgresStore::open(&options).await.unwrap();
        let space = Space::open(&store).await;
        let lent = store.calling.lend().await.unwrap();
        assert_eq!(said(store.space(&space.key).await), "no connection is free");
        lent.give_back();
        assert_eq!(space.now().await, space.view);
    });
}

#[test]
fn the_server_ends_a_statement_that_takes_too_long() {
    runtime().block_on(async {
        let database = Server::shared().database().await;
        let mut options = options(&database);
        options.statement_timeout = Duration::from_millis(500);
        let store = PostgresStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let mut raw = database.raw().await;
        let held = raw.transaction().await.unwrap();
        held.batch_execute("LOCK TABLE syncline.spaces")
            .await
            .unwrap();
        assert!(said(store.space(&space.key).await).contains("57014"));
        assert!(is_unknown(&space.commit(one_record(&space, "b")).await));
        held.rollback().await.unwrap();
        assert_eq!(space.commit(one_record(&space, "b")).await, Ok(()));
        assert_eq!(assert_whole(&store).await, 2);
    });
}

/// As one of a large space is.
#[test]
fn an_erasure_takes_as_long_as_it_takes() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let mut options = options(&database);
        let store = PostgresStore::open(&options).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        options.statement_timeout = Duration::from_millis(200);
        options.answer_timeout = Duration::from_millis(300);
        let limited = PostgresStore::open(&options).await.unwrap();
        let slow = "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
            CREATE TRIGGER slowly AFTER DELETE ON syncline.record_states
                FOR EACH STATEMENT EXECUTE FUNCTION slowly()";
        database.raw().await.batch_execute(slow).await.unwrap();
        assert_eq!(limited.erase(&space.key, NOW).await.unwrap().records, 1);
        assert_eq!(store.holdings(&space.key).await.unwrap().records, 0);
    });
}

#[test]
fn a_server_that_acknowledges_too_early_is_told_not_to() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let raw = database.raw().await;
        let name = database.url().rsplit('/').next().unwrap().to_owned();
        for (theirs, ours) in [("off", "on"), ("remote_apply", "remote_apply")] {
            let set = format!("ALTER DATABASE {name} SET synchronous_commit = {theirs}");
            raw.batch_execute(&set).await.unwrap();
            let store = PostgresStore::open(&options(&database)).await.unwrap();
            let lent = store.committing.lend().await.unwrap();
            let shown = lent
                .connection
                .client
                .query_one("SHOW synchronous_commit", &[]);
            assert_eq!(shown.await.unwrap().get::<_, String>(0), ours);
        }
    });
}

#[test]
fn damaged_rows_are_told_from_an_unavailable_store() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let mut space = Space::open(&store).await;
        space.introduce(&client("ada", "c1")).await;
        space.put(&[("t", "a")]).await;
        let raw = database.raw().await;
        for damage in [
            r"UPDATE syncline.record_states SET data = '{}'",
            r"UPDATE syncline.record_states SET state = '\x01ffff'",
            r"UPDATE syncline.verdicts SET verdict = ''",
            r"UPDATE syncline.clients SET given = '\x00'",
        ] {
            raw.batch_execute(damage).await.unwrap();
        }
        let asked = [key("t", "a")];
        let records = store.records(&space.key, &asked, usize::MAX).await;
        let changes = store.changes(&space.key, Seq(0).into(), UNLIMITED).await;
        let snapshot = store.snapshot(&space.key, None, None, UNLIMITED).await;
        let verdicts = store.verdicts(&space.key, WriterNo(1), &[1]).await;
        let marks = store.marks(&space.key, &[client("ada", "c1")]).await;
        let damaged = |error: Option<StoreError>| matches!(error, Some(StoreError::Damaged(_)));
        let named = |error: Option<StoreError>| matches!(error, Some(StoreError::Damaged(why)) if why.starts_with("record t/a: "));
        assert!(named(records.err()) && named(changes.err()) && named(snapshot.err()));
        assert!(damaged(verdicts.err()) && damaged(marks.err()));
        assert_eq!(space.now().await, space.view);
    });
}
