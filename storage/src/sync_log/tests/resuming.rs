//! Imports that end early, and logs that go on.

use std::pin::pin;

use tokio::sync::Notify;

use super::super::{LogError, LogImportError, Summary, import};
use super::at;
use super::old_server::{
    JOB, OldServer, SMALL_PAGES, borrowed, everything, shown, some_log, space, sqlite,
};
use crate::conformance::transfer::interrupted::Interrupted;
use crate::postgres::tests::runtime;
use crate::store::Store;
use crate::transfer::{Export, ImportError, Transfer};

#[test]
fn an_import_interrupted_anywhere_goes_on_to_the_same_end() {
    runtime().block_on(async {
        let old = OldServer::with(&borrowed(&some_log(4))).await;
        let (_whole, whole) = sqlite();
        let expected = old.import(&whole).await.unwrap();
        let (_dir, store) = sqlite();
        let mut calls = 0;
        // Each run gets further than the one before, by one call.
        let summary = loop {
            calls += 1;
            let interrupted = Interrupted::after(&store, calls);
            let mut progress = |_: &Summary| {};
            let job = (SMALL_PAGES, &mut progress as _);
            match import(&old.log().await, &interrupted, job).await {
                Ok(summary) => break summary,
                Err(LogImportError::Import(ImportError::Store(_))) => {}
                Err(other) => panic!("{other}"),
            }
            assert!(store.is_half_imported().await.unwrap());
        };
        assert!(calls > 10, "it was interrupted only {calls} times");
        assert!(summary.spaces_before > 0);
        let spaces_before = summary.spaces_before;
        assert_eq!(
            summary,
            Summary {
                spaces_before,
                ..expected
            }
        );
        assert_eq!(everything(&store).await, everything(&whole).await);
    });
}

fn three_spaces(time: &str) -> [[&str; 9]; 3] {
    ["a", "b", "c"].map(|user| ["todo", user, "t", "k1", "insert", "{}", "{}", "d1", time])
}

/// Runs until the first space is whole, and ends.
async fn first_space(old: &OldServer, store: &dyn Transfer) {
    let first = Notify::new();
    let log = old.log().await;
    let mut progress = |_: &Summary| first.notify_one();
    tokio::select! {
        biased;
        () = first.notified() => {}
        ended = import(&log, store, (JOB, &mut progress)) => panic!("{ended:?}"),
    }
}

#[test]
fn a_log_that_grew_where_it_was_imported_is_refused() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        first_space(&old, &store).await;
        old.add(&[[
            "todo",
            "a",
            "t",
            "k1",
            "update",
            r#"{"x": 1}"#,
            "{}",
            "d1",
            &time,
        ]])
        .await;
        let refused = old.import(&store).await.unwrap_err();
        assert!(matches!(&refused, LogImportError::Changed(key) if *key == space("todo", "a")));
        assert!(store.is_half_imported().await.unwrap());
    });
}

#[test]
fn what_came_since_where_nothing_was_imported_yet_is_imported() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        first_space(&old, &store).await;
        let x = r#"{"x": 1}"#;
        old.add(&[["todo", "c", "t", "k1", "update", x, "{}", "d1", &at(2)]])
            .await;
        let summary = old.import(&store).await.unwrap();
        assert_eq!((summary.rows, summary.spaces_before), (4, 1));
        let x = Some(r#"{"x":1}"#.to_owned());
        assert_eq!(shown(&store, &space("todo", "c"), "k1").await, x);
    });
}

/// Imports beside a log that changes as soon as the first space is whole, which keeps the import from
/// its end.
async fn import_beside(
    old: &OldServer,
    store: &dyn Transfer,
    change: impl Future<Output = ()>,
) -> Summary {
    let first = Notify::new();
    let log = old.log().await;
    let mut progress = |_: &Summary| first.notify_one();
    let mut importing = pin!(import(&log, store, (JOB, &mut progress)));
    tokio::select! {
        biased;
        () = first.notified() => {}
        ended = &mut importing => panic!("{ended:?}"),
    }
    change.await;
    match importing.await.unwrap_err() {
        LogImportError::Late(summary) => *summary,
        other => panic!("{other}"),
    }
}

/// An import that ends well holds all there is.
#[test]
fn rows_that_come_while_it_runs_are_counted_and_keep_it_from_its_end() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        let added = [["todo", "d", "t", "k1", "insert", "{}", "{}", "d1", &time]];
        let late = import_beside(&old, &store, old.add(&added)).await;
        assert_eq!((late.rows, late.late), (3, 1));
        assert!(store.is_half_imported().await.unwrap());
        // A space that is new since then is all that is missing.
        let summary = old.import(&store).await.unwrap();
        assert_eq!(
            (summary.spaces, summary.spaces_before, summary.late),
            (4, 3, 0)
        );
        assert!(store.space(&space("todo", "d")).await.unwrap().is_some());
    });
}

/// The count alone would not tell.
#[test]
fn as_many_rows_that_go_as_come_while_it_runs_keep_it_from_its_end() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        let replaced = async {
            old.remove("c").await;
            let later = at(2);
            old.add(&[["todo", "d", "t", "k1", "insert", "{}", "{}", "d1", &later]])
                .await;
        };
        let late = import_beside(&old, &store, replaced).await;
        assert_eq!((late.rows, late.late), (3, 1));
    });
}

#[test]
fn a_log_that_lost_a_space_that_was_imported_is_refused() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        first_space(&old, &store).await;
        old.remove("a").await;
        let refused = old.import(&store).await.unwrap_err();
        assert!(matches!(refused, LogImportError::Gone(1)), "{refused}");
        assert!(store.is_half_imported().await.unwrap());
    });
}

/// Its operator may restart it meanwhile; it is the same log afterwards.
#[test]
fn a_connection_that_is_lost_ends_a_run_and_another_goes_on() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        let first = Notify::new();
        let log = old.log().await;
        let mut progress = |_: &Summary| first.notify_one();
        let mut importing = pin!(import(&log, &store, (JOB, &mut progress)));
        tokio::select! {
            biased;
            () = first.notified() => {}
            ended = &mut importing => panic!("{ended:?}"),
        }
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        old.client.batch_execute(end).await.unwrap();
        let lost = importing.await.unwrap_err();
        assert!(
            matches!(lost, LogImportError::Log(LogError::Lost(_))),
            "{lost}"
        );
        assert_eq!(old.import(&store).await.unwrap().spaces, 3);
    });
}

#[test]
fn another_old_server_does_not_go_on_with_it() {
    runtime().block_on(async {
        let time = at(1);
        let old = OldServer::with(&three_spaces(&time)).await;
        let (_dir, store) = sqlite();
        first_space(&old, &store).await;
        let other = OldServer::with(&three_spaces(&time)).await;
        let refused = other.import(&store).await.unwrap_err();
        assert!(
            matches!(refused, LogImportError::Import(ImportError::Other(_))),
            "{refused}"
        );
    });
}
