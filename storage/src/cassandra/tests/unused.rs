//! Clients that are not used any more, of which a space may have many.

use syncline_protocol::verdict::Mark;

use super::{CassandraStore, opened, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, client};
use crate::types::{Collect, Keys, USED_APART_MS};

const DAY: u64 = USED_APART_MS;

fn unused_since(marks_before_ms: u64, limit: usize) -> Collect {
    Collect {
        dead_before_ms: 0,
        marks_before_ms,
        keys: Keys::Remove,
        limit,
        bytes: usize::MAX,
    }
}

async fn collect(store: &CassandraStore, space: &Space<'_>, what: Collect) -> (usize, bool) {
    let collected = store.collect(&space.key, what).await.unwrap();
    (collected.marks, collected.more)
}

/// Has a client move its mark on a later day.
async fn use_on(space: &mut Space<'_>, name: &str, day: u64) {
    let who = client("ada", name);
    let mark = space.mark(&who).await;
    let mut commit = space.marked(Vec::new(), &who, mark);
    commit.now_ms = NOW + day * DAY;
    space.accept(commit).await;
}

async fn last(space: &Space<'_>, name: &str) -> Option<u64> {
    let mark: Option<Mark> = space.mark(&client("ada", name)).await;
    mark.and_then(|mark| mark.last)
}

/// The days under which clients stand, in milliseconds after the first.
async fn days(store: &CassandraStore) -> Vec<i64> {
    let asked = "SELECT n FROM KS.spaces WHERE app = 'todo' AND space = 'ada' AND kind = 12";
    let rows = store.server.raw_rows(asked).await.concat();
    let first = crate::types::used_at_ms(NOW) as i64;
    let rows = rows.into_iter().filter(|n| *n != i64::MAX);
    rows.map(|n| (n - first) / DAY as i64).collect()
}

#[test]
fn a_client_used_since_stands_under_its_last_day_and_is_collected_then() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        use_on(&mut space, "c1", 0).await;
        use_on(&mut space, "c1", 40).await;
        use_on(&mut space, "c2", 1).await;
        let on_day_20 = unused_since(NOW + 20 * DAY, 9);
        assert_eq!(collect(&store, &space, on_day_20).await, (1, false));
        assert_eq!(
            (last(&space, "c1").await, last(&space, "c2").await),
            (Some(2), None)
        );
        assert_eq!(days(&store).await, [40]);
        let on_day_42 = unused_since(NOW + 42 * DAY, 9);
        assert_eq!(collect(&store, &space, on_day_42).await, (1, false));
        assert_eq!(last(&space, "c1").await, None);
        assert_eq!(days(&store).await, Vec::<i64>::new());
    });
}

/// Those that come back stand again, and those of before are in nobody's way.
#[test]
fn a_look_reads_nothing_of_clients_that_were_collected() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        for n in 0..30 {
            use_on(&mut space, &format!("c{n}"), 0).await;
        }
        let on_day_9 = unused_since(NOW + 9 * DAY, 8);
        let mut marks = 0;
        loop {
            let (some, more) = collect(&store, &space, on_day_9).await;
            marks += some;
            if !more {
                break;
            }
        }
        assert_eq!(marks, 30);
        use_on(&mut space, "c7", 10).await;
        let before = store.server.counted.rows();
        assert_eq!(collect(&store, &space, on_day_9).await, (0, false));
        assert_eq!(store.server.counted.rows() - before, 2);
        assert_eq!(days(&store).await, [10]);
    });
}

/// More than a collection looks at are only to be moved: it goes on behind them.
#[test]
fn clients_that_are_used_hide_none_behind_them() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        for name in ["a", "b", "c", "d", "e"] {
            use_on(&mut space, name, 0).await;
            use_on(&mut space, name, 40).await;
        }
        use_on(&mut space, "z", 1).await;
        let on_day_20 = unused_since(NOW + 20 * DAY, 2);
        assert_eq!(collect(&store, &space, on_day_20).await, (1, false));
        assert_eq!(last(&space, "z").await, None);
        assert_eq!(days(&store).await, [40; 5]);
    });
}

#[test]
fn clients_that_an_older_version_wrote_are_collected_too() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        use_on(&mut space, "c1", 0).await;
        use_on(&mut space, "c2", 40).await;
        let as_before = "BEGIN UNLOGGED BATCH
            UPDATE KS.spaces SET importing = null WHERE app = 'todo' AND space = 'ada' IF epoch != -1;
            DELETE FROM KS.spaces WHERE app = 'todo' AND space = 'ada' AND kind = 12;
            APPLY BATCH";
        store.server.raw(as_before).await;
        let on_day_20 = unused_since(NOW + 20 * DAY, 9);
        assert_eq!(collect(&store, &space, on_day_20).await, (1, false));
        assert_eq!((last(&space, "c1").await, last(&space, "c2").await), (None, Some(1)));
        // Nobody is looked for again.
        let before = store.server.counted.by_level();
        assert_eq!(collect(&store, &space, on_day_20).await, (0, false));
        let after = store.server.counted.by_level();
        assert_eq!([0, 1, 2].map(|at| after[at] - before[at]), [0, 2, 0]);
    });
}

#[test]
fn an_erasure_leaves_no_name_of_a_client() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        use_on(&mut space, "c1", 0).await;
        store.erase(&space.key, NOW).await.unwrap();
        assert_eq!(days(&store).await, Vec::<i64>::new());
    });
}
