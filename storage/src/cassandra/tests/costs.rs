//! What a commit asks of the cluster.

use syncline_protocol::ids::Seq;

use super::{CassandraStore, opened, runtime};
use crate::conformance::space::{Space, client, key, titled, tombstone};
use crate::types::{Commit, CommitError, Stood};

/// Reads and batches of a commit.
async fn statements(space: &Space<'_>, store: &CassandraStore, commit: Commit) -> [usize; 2] {
    let before = store.server.counted.statements();
    assert_eq!(space.commit(commit).await, Ok(()));
    let after = store.server.counted.statements();
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn a_commit_that_says_how_its_records_stood_reads_nothing() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let ada = client("ada", "c1");
        let mark = space.introduce(&ada).await;
        space.put(&[("t", "lives")]).await;
        let at = space.view.head;
        let records = ["lives", "new"].map(|id| (key("t", id), titled("a", 1)));
        let mut commit = space.marked(records.to_vec(), &ada, Some(mark));
        commit.stood = vec![Stood::Live(at), Stood::Absent];
        assert_eq!(statements(&space, &store, commit).await, [0, 1]);
        space.refresh().await;
        let page = space
            .changes(at, crate::conformance::space::UNLIMITED)
            .await;
        assert_eq!(page.records.len(), 2);
    });
}

#[test]
fn what_a_commit_does_not_say_is_one_read() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let ada = client("ada", "c1");
        let new = |id| vec![(key("t", id), titled("a", 1))];
        // Nobody expects anything of a client that is new.
        let mut commit = space.marked(new("a"), &ada, None);
        commit.stood = vec![Stood::Absent];
        assert_eq!(statements(&space, &store, commit).await, [1, 1]);
        space.refresh().await;
        let mark = space.mark(&ada).await;
        let commit = space.marked(new("b"), &ada, mark);
        assert_eq!(statements(&space, &store, commit).await, [1, 1]);
        space.refresh().await;
        space
            .accept(space.draft(vec![(key("t", "c"), tombstone(1))]))
            .await;
        let mut commit = space.draft(new("c"));
        commit.stood = vec![Stood::Dead];
        assert_eq!(statements(&space, &store, commit).await, [1, 1]);
    });
}

#[test]
fn a_conflict_is_told_after_one_read_of_now() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        let mut stale = space.draft(vec![(key("t", "a"), titled("a", 0))]);
        stale.stood = vec![Stood::Absent];
        space.put(&[("t", "b")]).await;
        let before = store.server.counted.statements();
        assert_eq!(space.commit(stale).await, Err(CommitError::Conflict));
        let after = store.server.counted.statements();
        assert_eq!([after[0] - before[0], after[1] - before[1]], [1, 1]);
    });
}

/// Of what a commit is wrong about a row is left that says nothing.
#[test]
fn a_commit_that_is_wrong_about_how_records_stood_is_as_good() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a"), ("t", "b")]).await;
        // The last one says what cannot be.
        for (seq, cost) in [(1, [0, 1]), (1, [0, 1]), (99, [1, 1])] {
            let records = ["a", "b"].map(|id| (key("t", id), titled("a", 0)));
            let mut commit = space.draft(records.to_vec());
            commit.stood = vec![Stood::Absent, Stood::Live(Seq(seq))];
            assert_eq!(statements(&space, &store, commit).await, cost);
            space.refresh().await;
        }
        let page = space
            .changes(Seq(0), crate::conformance::space::UNLIMITED)
            .await;
        let seqs: Vec<Seq> = page.records.iter().map(|(_, record)| record.seq).collect();
        assert_eq!(seqs, [space.view.head; 2]);
    });
}
