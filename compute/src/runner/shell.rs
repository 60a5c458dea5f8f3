//! Carries out what the runner's state wants: calls of the store, tries in the pools, waiting.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use syncline_protocol::stamp::WallMs;
use syncline_storage::JobStore;
use syncline_storage::types::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::bell::Bell;
use super::event::{Effect, Event, Now, TryId};
use super::outcome::End;
use super::pool::{Pool, Run, Word, said};
use super::state::{RunnerRules, RunnerState};
use super::told::Told;

/// What the state is carried out with.
pub(super) struct Shell {
    pub(super) jobs: Arc<dyn JobStore>,
    pub(super) now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    pub(super) told: Arc<dyn Fn(Told) + Send + Sync>,
    pub(super) bell: Bell,
    /// In the order of the kinds.
    pub(super) pools: Vec<Pool>,
}

/// What is under way.
struct UnderWay {
    calls: FuturesUnordered<BoxFuture<'static, Event>>,
    /// What stops tries, when it is dropped.
    stops: HashMap<TryId, oneshot::Sender<()>>,
    ends: mpsc::UnboundedSender<(TryId, End)>,
    /// Nothing is held any more.
    drained: bool,
}

impl Shell {
    /// Runs until it is drained.
    pub(super) async fn run(self, rules: RunnerRules, mut drain: oneshot::Receiver<()>) {
        let begin = Instant::now();
        let now = || Now {
            wall_ms: (self.now)(),
            run_ms: begin.elapsed().as_millis() as u64,
        };
        let mut state = RunnerState::new(rules);
        let (ends, mut ended) = mpsc::unbounded_channel();
        let mut under_way = UnderWay {
            calls: FuturesUnordered::new(),
            stops: HashMap::new(),
            ends,
            drained: false,
        };
        let mut draining = false;
        let mut wake = pin!(sleep_until(begin));
        let mut event = Event::Woke;
        loop {
            for effect in state.step(event, now()) {
                self.carry_out(effect, &mut under_way);
            }
            if under_way.drained {
                return;
            }
            let wake_at_ms = state.wake_at_ms();
            if let Some(at_ms) = wake_at_ms {
                wake.as_mut().reset(begin + Duration::from_millis(at_ms));
            }
            event = tokio::select! {
                Some((id, end)) = ended.recv() => {
                    under_way.stops.remove(&id);
                    Event::Tried { id, end }
                }
                Some(event) = under_way.calls.next() => event,
                due_at_ms = self.bell.rung() => Event::Rung(due_at_ms),
                () = &mut wake, if wake_at_ms.is_some() => Event::Woke,
                // Its other end goes only with this task.
                _ = &mut drain, if !draining => {
                    draining = true;
                    Event::Drain
                }
            };
        }
    }

    fn carry_out(&self, effect: Effect, under_way: &mut UnderWay) {
        let jobs = self.jobs.clone();
        let call: BoxFuture<'static, Event> = match effect {
            Effect::Tell(told) => return (self.told)(told),
            Effect::Drained => {
                under_way.drained = true;
                return;
            }
            Effect::Stop(id) => {
                under_way.stops.remove(&id);
                return;
            }
            Effect::Begin { id, pool, task } => {
                let (stops, stop) = oneshot::channel();
                under_way.stops.insert(id, stops);
                let word = Word::new(id, under_way.ends.clone());
                self.pools[pool].run(id, Run { task, stop, word });
                return;
            }
            Effect::Claim(claim) => {
                async move { Event::Claimed(answered(jobs.claim(&claim)).await) }.boxed()
            }
            Effect::NextDue(kinds) => {
                async move { Event::Due(answered(jobs.next_due(&kinds)).await) }.boxed()
            }
            Effect::Extend {
                ids,
                leases,
                until_ms,
                until_run_ms,
            } => async move {
                let answer = answered(jobs.extend(&leases, until_ms)).await;
                Event::Extended {
                    ids,
                    until_run_ms,
                    answer,
                }
            }
            .boxed(),
            Effect::Finish { ended, now_ms } => {
                async move { Event::Finished(answered(jobs.finish(&ended, now_ms)).await) }.boxed()
            }
        };
        under_way.calls.push(call);
    }
}

/// The store's answer. One that panicked has answered nothing.
async fn answered<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = AssertUnwindSafe(call).catch_unwind().await;
    answer.unwrap_or_else(|panic| {
        let said = said(&*panic);
        Err(StoreError::Unavailable(format!("it panicked: {said}")))
    })
}
