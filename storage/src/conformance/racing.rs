//! Several at once on one space. Each of these needs to know what became of its own commits, so
//! they are not run behind faults.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use syncline_protocol::ids::{ClientKey, Seq, TableName};

use super::space::{NOW, Space, UNLIMITED, client, key, titled, tombstone};
use crate::Store;
use crate::types::{Collect, CommitError, Keys};

/// Callers at once.
const CALLERS: usize = 8;

fn passed(answers: &[Result<(), CommitError>]) -> usize {
    for answer in answers {
        assert!(
            matches!(answer, Ok(()) | Err(CommitError::Conflict)),
            "{answer:?}"
        );
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// The head tells them apart.
pub async fn of_commits_at_once_one_passes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let drafts = (0..CALLERS).map(|n| {
        let record = (key("t", &n.to_string()), titled("a", 0));
        space.commit(space.draft(vec![record]))
    });
    assert_eq!(passed(&join_all(drafts).await), 1);
    space.refresh().await;
    assert_eq!((space.view.head, space.view.live), (Seq(1), 1));
}

/// The head does not tell them apart.
pub async fn of_moves_of_a_mark_at_once_one_passes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ada = client("ada", "c1");
    let mark = space.introduce(&ada).await;
    let drafts =
        (0..CALLERS).map(|_| space.commit(space.marked(Vec::new(), &ada, Some(mark.clone()))));
    assert_eq!(passed(&join_all(drafts).await), 1);
    assert_eq!(space.mark(&ada).await.and_then(|mark| mark.last), Some(2));
}

/// Neither head nor marks do; no number is given twice.
pub async fn of_new_clients_at_once_one_gets_the_number(store: &dyn Store) {
    let space = Space::open(store).await;
    let clients: Vec<ClientKey> = (0..CALLERS)
        .map(|n| client("ada", &format!("c{n}")))
        .collect();
    let drafts = clients
        .iter()
        .map(|each| space.commit(space.marked(Vec::new(), each, None)));
    assert_eq!(passed(&join_all(drafts).await), 1);
    assert_eq!(space.now().await.writers.0, 1);
}

/// Whoever loses reads again and goes on.
pub async fn those_who_try_again_all_get_in(store: &dyn Store) {
    let callers = (0..CALLERS).map(async |caller| {
        let mut space = Space::open(store).await;
        for n in 0..5 {
            let record = key("t", &format!("{caller}-{n}"));
            loop {
                let draft = space.draft(vec![(record.clone(), titled("a", 0))]);
                let answer = space.commit(draft).await;
                space.refresh().await;
                if passed(&[answer]) == 1 {
                    break;
                }
            }
        }
    });
    join_all(callers).await;
    let space = Space::open(store).await;
    let page = space.changes(Seq(0), UNLIMITED).await;
    let seqs = page.records.iter().map(|(_, record)| record.seq.0);
    assert!(seqs.eq(1..=5 * CALLERS as u64), "{:?}", page.view);
}

/// None waits for another in a circle.
pub async fn groups_in_any_order_pass_each_other(store: &dyn Store) {
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        Space::open_named(store, "todo", name).await;
    }
    let callers = (0..CALLERS).map(async |caller| {
        for _ in 0..5 {
            let mut drafts = Vec::new();
            for name in names {
                let space = Space::open_named(store, "todo", name).await;
                drafts.push(space.draft(vec![(key("t", "a"), titled("a", 0))]));
            }
            drafts.rotate_left(caller % names.len());
            if caller % 2 == 0 {
                drafts.reverse();
            }
            passed(&store.commit(drafts).await);
        }
    });
    join_all(callers).await;
    for name in names {
        let space = Space::open_named(store, "todo", name).await;
        assert!(space.view.head > Seq(0), "{name}");
    }
}

/// The others are told the one that came of it.
pub async fn of_new_epochs_at_once_there_is_one(store: &dyn Store) {
    let space = Space::open(store).await;
    let expected = space.view.epoch;
    let asking = (0..CALLERS).map(|_| store.new_epoch(&space.key, expected, NOW));
    let told: Vec<_> = join_all(asking)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_ne!(told[0].epoch, expected);
    assert!(told.iter().all(|view| *view == told[0]), "{told:?}");
}

/// A reader between two of them sees all of one or none of it.
pub async fn no_read_sees_half_a_commit(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let reader = Space::open(store).await;
    let goal = Seq(30);
    let writing = async {
        while space.view.head < goal {
            space.put(&[("t", "a"), ("t", "b"), ("u", "a")]).await;
        }
    };
    let reading = async {
        loop {
            let page = reader.changes(Seq(0), UNLIMITED).await;
            let head = page.view.head;
            let seqs = page.records.iter().map(|(_, record)| record.seq);
            assert!(
                seqs.eq((0..3).filter(|_| head > Seq(0)).map(|_| head)),
                "{page:?}"
            );
            if head == goal {
                break;
            }
        }
    };
    futures_util::future::join(writing, reading).await;
}

/// Does something while two write without pause.
pub(super) async fn while_others_write<T>(store: &dyn Store, doing: impl Future<Output = T>) -> T {
    let is_done = AtomicBool::new(false);
    let writing = (0..2).map(async |writer| {
        while !is_done.load(Ordering::Relaxed) {
            let space = Space::open(store).await;
            let record = key("busy", &format!("{writer}"));
            passed(&[space
                .commit(space.draft(vec![(record, titled("a", 0))]))
                .await]);
            tokio::task::yield_now().await;
        }
    });
    let doing = async {
        let answer = doing.await;
        is_done.store(true, Ordering::Relaxed);
        answer
    };
    futures_util::future::join(join_all(writing), doing).await.1
}

/// It need not be asked for again.
pub async fn a_space_is_erased_while_others_write(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("t", "a"), ("t", "b")]).await;
    let erasing = store.erase(&space.key, NOW);
    let erased = while_others_write(store, erasing)
        .await
        .expect("it is erased");
    assert!(erased.records >= 2, "{erased:?}");
    assert_eq!(space.record(&key("t", "a")).await, None);
    space.refresh().await;
    assert_eq!(space.view.epoch, erased.view.epoch);
}

/// It need not be asked for again.
pub async fn what_is_old_is_collected_while_others_write(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let old = |id| (key("t", id), tombstone(0));
    space.accept(space.draft(vec![old("a"), old("b")])).await;
    let all = Collect {
        dead_before_ms: NOW + 1,
        marks_before_ms: 0,
        keys: Keys::Remove,
        limit: 9,
        bytes: usize::MAX,
    };
    let collecting = store.collect(&space.key, all);
    let collected = while_others_write(store, collecting).await;
    assert_eq!(collected.map(|done| done.tombstones), Ok(2));
    assert_eq!(space.record(&key("t", "a")).await, None);
}

/// Of that moment, or said not to be.
pub async fn holdings_are_counted_while_others_write(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("t", "a"), ("t", "b")]).await;
    let held = while_others_write(store, store.holdings(&space.key)).await;
    let held = held.expect("it is counted");
    assert!(
        held.tables.contains(&(TableName::trusted("t"), 2)),
        "{held:?}"
    );
}

/// It need not be asked for again.
pub async fn an_epoch_is_changed_while_others_write(store: &dyn Store) {
    let space = Space::open(store).await;
    let changing = store.new_epoch(&space.key, space.view.epoch, NOW);
    let changed = while_others_write(store, changing).await;
    assert_ne!(changed.map(|view| view.epoch), Ok(space.view.epoch));
}
