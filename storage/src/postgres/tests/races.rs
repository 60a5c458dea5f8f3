//! Transactions that lose to others, or wait for them.

use syncline_protocol::error::Code;

use super::failures::{assert_whole, is_unknown, one_record};
use super::server::Server;
use super::{opened, options, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, client};
use crate::postgres::PostgresStore;
use crate::postgres::commit::TRIES_MAX;
use crate::types::DeadLetter;

fn letter() -> DeadLetter {
    DeadLetter {
        at_ms: NOW,
        client: client("ada", "c1"),
        code: Code::RecordTooLarge,
        table: "t".to_owned(),
        id: "a".to_owned(),
        change: "{}".to_owned(),
    }
}

/// Makes the first `times` inserts of a record fail with an error of another transaction.
async fn lose_races(database: &super::Database, code: &str, times: u32) {
    let raw = database.raw().await;
    let trigger = format!(
        "CREATE SEQUENCE lost;
        CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('lost') <= {times} THEN
                RAISE EXCEPTION 'as asked' USING ERRCODE = '{code}'; END IF;
            RETURN new; END $$;
        CREATE TRIGGER loses BEFORE INSERT ON syncline.record_states
            FOR EACH ROW EXECUTE FUNCTION lose()"
    );
    raw.batch_execute(&trigger).await.unwrap();
}

async fn spoilt() -> (PostgresStore, super::Database) {
    let database = Server::shared().new_database().await;
    let store = PostgresStore::open(&options(&database)).await.unwrap();
    (store, database)
}

#[test]
fn lost_races_are_run_again() {
    for code in ["40001", "40P01"] {
        runtime().block_on(async {
            let (store, database) = spoilt().await;
            lose_races(&database, code, 3).await;
            let space = Space::open(&store).await;
            let answer = space.commit(one_record(&space, "a")).await;
            assert_eq!(answer, Ok(()), "{code}");
            assert_eq!(assert_whole(&store).await, 1);
        });
    }
}

/// What is set aside is written after what the transaction tells at once.
#[test]
fn so_are_those_of_a_commit_with_dead_letters() {
    for code in ["40001", "40P01"] {
        runtime().block_on(async {
            let (store, database) = spoilt().await;
            lose_races(&database, code, 3).await;
            let space = Space::open(&store).await;
            let mut commit = one_record(&space, "a");
            commit.dead_letters.push(letter());
            assert_eq!(space.commit(commit).await, Ok(()), "{code}");
            assert_eq!(assert_whole(&store).await, 1);
            let kept = store.dead_letters(&space.key, 9).await.unwrap();
            assert_eq!(kept, [letter()]);
        });
    }
}

/// As one does that erases it.
#[test]
fn who_holds_a_space_for_long_holds_up_no_other() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let ada = Space::open_named(&store, "todo", "ada").await;
        let bob = Space::open_named(&store, "todo", "bob").await;
        let eve = Space::open_named(&store, "todo", "eve").await;
        let mut raw = database.raw().await;
        let held = raw.transaction().await.unwrap();
        let sql = "SELECT 1 FROM syncline.spaces WHERE space = 'bob' FOR UPDATE";
        held.batch_execute(sql).await.unwrap();
        let all = [&ada, &bob, &eve].map(|space| one_record(space, "a"));
        let answers = store.commit(all.to_vec()).await;
        assert_eq!((&answers[0], &answers[2]), (&Ok(()), &Ok(())));
        assert!(is_unknown(&answers[1]), "{answers:?}");
        held.rollback().await.unwrap();
        assert_eq!(bob.now().await, bob.view);
        assert_eq!(bob.commit(one_record(&bob, "a")).await, Ok(()));
    });
}

#[test]
fn races_that_are_always_lost_are_given_up() {
    runtime().block_on(async {
        let (store, database) = spoilt().await;
        lose_races(&database, "40001", 1_000).await;
        let space = Space::open(&store).await;
        assert!(is_unknown(&space.commit(one_record(&space, "a")).await));
        let tried = database.raw().await;
        let tried = tried.query_one("SELECT last_value FROM lost", &[]).await;
        assert_eq!(tried.unwrap().get::<_, i64>(0), i64::from(TRIES_MAX));
        assert_eq!(space.now().await, space.view);
    });
}

#[test]
fn a_failing_statement_fails_its_whole_group_and_writes_nothing() {
    runtime().block_on(async {
        let (store, database) = spoilt().await;
        lose_races(&database, "23514", 1_000).await;
        let ada = Space::open_named(&store, "todo", "ada").await;
        let bob = Space::open_named(&store, "todo", "bob").await;
        let marks_alone = bob.marked(Vec::new(), &client("bob", "c1"), None);
        let both = vec![one_record(&ada, "a"), marks_alone];
        for answer in store.commit(both).await {
            assert!(is_unknown(&answer), "{answer:?}");
        }
        assert_eq!((ada.now().await, bob.now().await), (ada.view, bob.view));
    });
}
