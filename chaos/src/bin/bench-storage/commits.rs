//! Sessions that commit, each to spaces of its own.

use std::sync::Arc;
use std::time::Instant;

use syncline_protocol::ids::{ClientId, ClientKey, UserId, WriterNo};
use syncline_protocol::verdict::{Mark, Remembered, Status, Verdict};
use syncline_storage::Store;
use syncline_storage::faulty::Prng;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::types::{MarkMove, SpaceView};
use tokio::task::JoinSet;

use super::fill::{self, SPACE_RECORDS, SPACES, space_key, task};
use super::timing::{Load, Measured, Times};

/// A space as its only session knows it.
struct Space {
    n: usize,
    view: SpaceView,
    mark: Option<Mark>,
}

/// Runs the load.
pub(crate) async fn run(store: &Arc<dyn Store>, load: Load) -> anyhow::Result<Measured> {
    let (group, committers) = GroupCommit::start(store, GroupLimits::default());
    let mut all: Vec<Vec<Space>> = (0..load.sessions).map(|_| Vec::new()).collect();
    for n in 0..SPACES {
        let client = client();
        let read = store.marks(&space_key(n), &[client]).await?;
        all[n % load.sessions].push(Space {
            n,
            view: read.view,
            mark: read.marks[0].clone(),
        });
    }
    let began = Instant::now();
    let mut running = JoinSet::new();
    for (seed, spaces) in all.into_iter().enumerate() {
        running.spawn(session(group.clone(), spaces, (load, seed as u64)));
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.push(ended??);
    }
    let lasted = began.elapsed();
    drop(group);
    committers.shut_down().await;
    Ok(Measured::new(times, lasted))
}

fn client() -> ClientKey {
    ClientKey {
        user: UserId::trusted("ada"),
        client: ClientId::trusted("c-8f2a"),
    }
}

async fn session(
    group: GroupCommit,
    mut spaces: Vec<Space>,
    (load, seed): (Load, u64),
) -> anyhow::Result<Times> {
    let mut random = Prng::new(seed);
    let mut times = Times::default();
    let began = Instant::now();
    while began.elapsed() < load.lasts {
        let at = random.below(spaces.len() as u64) as usize;
        let space = &mut spaces[at];
        let first = random.below(SPACE_RECORDS as u64) as usize;
        let one = Instant::now();
        space.step(&group, (first, load.changes)).await?;
        times.note(one);
    }
    Ok(times)
}

impl Space {
    /// Commits one mutation of so many changes.
    async fn step(
        &mut self,
        group: &GroupCommit,
        (first, changes): (usize, usize),
    ) -> anyhow::Result<()> {
        let last = self.mark.as_ref().and_then(|mark| mark.last);
        let writer = self
            .mark
            .as_ref()
            .map_or(WriterNo(self.view.writers.0 + 1), |mark| mark.writer);
        let (m, head) = (last.unwrap_or(0) + 1, self.view.head.next());
        let records = (0..changes).map(|at| {
            let n = (first + at) % SPACE_RECORDS;
            (fill::record_key(n), Arc::new(task(n, head, writer)))
        });
        let mut commit = fill::commit(self.n, &self.view, records.collect());
        commit.writers = commit.writers.max(writer);
        commit.marks = vec![MarkMove {
            client: client(),
            writer,
            expect_last: last,
            expect_given: None,
            last: Some(m),
            given: None,
            verdicts: vec![Remembered {
                m,
                hash: [m as u8; 32],
                verdict: Verdict {
                    status: Status::Applied,
                    seq: head,
                    winners: Vec::new(),
                    clamped: false,
                },
            }],
        }];
        let writers = commit.writers;
        group.commit(commit).await?;
        (self.view.head, self.view.writers) = (head, writers);
        self.mark = Some(Mark {
            writer,
            last: Some(m),
            given: None,
        });
        Ok(())
    }
}
