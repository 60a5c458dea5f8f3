//! What the engine answers when something below it is wrong.

use syncline_protocol::ids::{Seq, WriterNo};

use super::{opened, runtime};
use crate::Store;
use crate::conformance::space::{Space, UNLIMITED, client, key, titled};
use crate::types::{CommitError, StoreError};

fn is_damaged<T>(read: &Result<T, StoreError>) -> bool {
    matches!(read, Err(StoreError::Damaged(_)))
}

fn names_the_record<T>(read: &Result<T, StoreError>) -> bool {
    matches!(read, Err(StoreError::Damaged(why)) if why.starts_with("record t/a: "))
}

#[test]
fn damaged_records_are_told_from_an_unavailable_store() {
    let opened = opened();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.put(&[("t", "a")]).await;
        opened
            .raw()
            .execute("UPDATE records SET state = x'01ffff'", [])
            .unwrap();
        let (store, asked) = (&opened.store, [key("t", "a")]);
        assert!(names_the_record(
            &store.records(&space.key, &asked, usize::MAX).await
        ));
        assert!(names_the_record(
            &store.changes(&space.key, Seq(0).into(), UNLIMITED).await
        ));
        assert!(names_the_record(
            &store.snapshot(&space.key, None, None, UNLIMITED).await
        ));
    });
}

#[test]
fn records_of_a_newer_version_are_not_guessed_at() {
    let opened = opened();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.put(&[("t", "a")]).await;
        opened
            .raw()
            .execute("UPDATE records SET state = x'63'", [])
            .unwrap();
        let read = opened
            .store
            .records(&space.key, &[key("t", "a")], usize::MAX)
            .await;
        let Err(StoreError::Damaged(why)) = read else {
            panic!("read as {read:?}");
        };
        assert!(why.contains("version 99"), "{why}");
    });
}

#[test]
fn damaged_verdicts_are_told() {
    let opened = opened();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.introduce(&client("ada", "c1")).await;
        opened
            .raw()
            .execute("UPDATE verdicts SET verdict = x''", [])
            .unwrap();
        assert!(is_damaged(
            &opened.store.verdicts(&space.key, WriterNo(1), &[1]).await
        ));
    });
}

#[test]
fn a_failing_statement_fails_its_whole_group_and_writes_nothing() {
    let opened = opened();
    let trigger = "CREATE TRIGGER fails BEFORE INSERT ON records WHEN new.id = 'fails'
        BEGIN SELECT RAISE(ABORT, 'as asked'); END";
    opened.raw().execute_batch(trigger).unwrap();
    runtime().block_on(async {
        let ada = Space::open_named(&opened.store, "todo", "ada").await;
        let bob = Space::open_named(&opened.store, "todo", "bob").await;
        let good = ada.draft(vec![(key("t", "a"), titled("a", 0))]);
        let bad = bob.draft(vec![(key("t", "fails"), titled("a", 0))]);
        for answer in opened.store.commit(vec![good, bad]).await {
            assert!(matches!(
                answer,
                Err(CommitError::Store(StoreError::Unavailable(_)))
            ));
        }
        assert_eq!(ada.now().await, ada.view);
        assert_eq!(ada.record(&key("t", "a")).await, None);
    });
}

#[test]
fn a_panicking_job_is_an_answer_and_the_next_one_works() {
    let opened = opened();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        let failed = opened.store.writer.run(|conn| -> Result<(), StoreError> {
            let _half = conn.transaction()?;
            panic!("as asked")
        });
        assert!(matches!(failed.await, Err(StoreError::Unavailable(_))));
        space.put(&[("t", "a")]).await;
    });
}

#[test]
fn a_commit_waits_for_another_program_that_holds_the_file() {
    let opened = opened();
    runtime().block_on(async {
        let space = Space::open(&opened.store).await;
        let mut other = opened.raw();
        let held = other
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .unwrap();
        let commit = space.commit(space.draft(vec![(key("t", "a"), titled("a", 0))]));
        let release = async {
            tokio::task::yield_now().await;
            held.rollback().unwrap();
        };
        let (answer, ()) = tokio::join!(commit, release);
        assert_eq!(answer, Ok(()));
    });
}
