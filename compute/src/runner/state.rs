//! The runner's state: which jobs it holds, and what is to be done about them next.
//!
//! A step function without IO: an [`Event`] and the time go in, [`Effect`]s come out. It is cut into
//! what is asked of the store and when (`asking`), what is held (`held`) and for how long
//! (`holding`), how tries begin (`beginning`), what one space may have (`spaces`), what is given back
//! (`giving_back`), what may end its process (`suspects`), and how leases end (`ending`). Lanes are the store's: it lets one of a lane be
//! claimed, and another one once that has ended.
//!
//! ```text
//!   claimed ──► waiting ──► running ──► ended ──► the store has it: forgotten
//!                  │           │
//!                  │           └─ lease lost: stopped, forgotten when its worker has stopped
//!                  └─ given back: ended
//! ```
//!
//! Never more is held of a kind than its workers and its ready queue take, whatever waits. What
//! ended is held until the store has it.

mod asking;
mod beginning;
mod ending;
mod giving_back;
mod held;
mod holding;
mod spaces;
mod suspects;

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::ids::NodeId;
use syncline_storage::jobs::{JobKind, JobName};

use self::asking::Asking;
use self::beginning::began;
use self::ending::Ending;
use self::held::{Pool, Stage, Try, Waits};
use self::holding::HubClock;
use super::event::{Effect, Event, Now, TryId};
use super::outcome::{End, Tried, concluded};
use super::told::Told;
use crate::jobs::lease::LeasePolicy;
use crate::jobs::retry::{Moment, RetryPolicy, mixed};
use crate::jobs::schedules::Schedules;

/// The rules of a kind.
#[derive(Clone, Debug)]
pub struct KindRules {
    /// The kind.
    pub kind: JobKind,
    /// Workers of it, at least 1. Half as many more jobs may be leased and wait for one.
    pub concurrency: usize,
    /// How long leases last.
    pub lease: LeasePolicy,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// How long a try may take, in milliseconds. It may take as long again to write what it changes.
    pub time_ms: u64,
}

/// What a runner is.
#[derive(Clone, Debug)]
pub struct RunnerRules {
    /// Who holds its leases, for people to see.
    pub node: NodeId,
    /// Parts runners that were started together.
    pub seed: u64,
    /// The longest time without a look at the store, in milliseconds, at least 1: as long as a job
    /// waits of which nobody told.
    pub poll_ms: u64,
    /// What it does; each kind once.
    pub kinds: Vec<KindRules>,
    /// Which jobs are firings of schedules.
    pub schedules: Arc<Schedules>,
}

/// The state of a runner.
#[derive(Debug)]
pub struct RunnerState {
    rules: RunnerRules,
    pools: Vec<Pool>,
    tries: HashMap<TryId, Try>,
    /// The last try of each job that is held.
    last_of: HashMap<JobName, TryId>,
    /// The last number of a try.
    last_id: u64,
    /// The last job that was kept of those that may end their process.
    suspect: Option<TryId>,
    /// The last try that was not given back at once.
    last_kept: TryId,
    /// Moves the seed.
    drawn: u64,
    asking: Asking,
    /// No lease has to be looked at before, in the runner's time.
    leases_due_run_ms: u64,
    clock: HubClock,
    ending: Ending,
    draining: bool,
    drained: bool,
    effects: Vec<Effect>,
}

impl RunnerState {
    /// The state of a runner that starts.
    pub fn new(rules: RunnerRules) -> RunnerState {
        let pool = || Pool {
            hungry: true,
            ..Pool::default()
        };
        RunnerState {
            pools: rules.kinds.iter().map(|_| pool()).collect(),
            rules,
            tries: HashMap::new(),
            last_of: HashMap::new(),
            last_id: 0,
            suspect: None,
            last_kept: TryId(0),
            drawn: 0,
            asking: Asking::default(),
            leases_due_run_ms: u64::MAX,
            clock: HubClock::default(),
            ending: Ending::default(),
            draining: false,
            drained: false,
            effects: Vec::new(),
        }
    }

    /// Takes one event. The first is [`Event::Woke`].
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Effect> {
        self.look_at_clock(now);
        match event {
            Event::Woke => {}
            Event::Rung(due_at_ms) => self.rung(due_at_ms, now),
            Event::Claimed(answer) => self.claimed(answer, now),
            Event::Due(answer) => self.told_due(answer, now),
            Event::Tried { id, end } => self.tried(id, end, now),
            Event::Extended {
                ids,
                until_run_ms,
                answer,
            } => self.extended(&ids, until_run_ms, answer, now),
            Event::Finished(answer) => self.finished(answer, now),
            Event::Drain => self.drain(now),
        }
        self.look_at_leases(now);
        self.begin(now);
        self.finish(now);
        self.ask(now);
        if self.draining && !self.drained && self.tries.is_empty() && !self.asking.is_claiming() {
            self.drained = true;
            self.effects.push(Effect::Drained);
        }
        std::mem::take(&mut self.effects)
    }

    /// When it wants to be woken, in its own time: no later than [`RunnerRules::poll_ms`] from now
    /// unless it waits for an answer.
    pub fn wake_at_ms(&self) -> Option<u64> {
        let leases = (self.leases_due_run_ms < u64::MAX).then_some(self.leases_due_run_ms);
        [leases, self.ending.wake_at_ms(), self.ask_at_ms()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Nothing new is claimed, and what has not begun is given back.
    fn drain(&mut self, now: Now) {
        self.draining = true;
        let waiting = self.tries.iter().filter(|(_, one)| one.stage.is_waiting());
        let mut waiting: Vec<TryId> = waiting.map(|(id, _)| *id).collect();
        waiting.sort_unstable();
        for id in waiting {
            self.give_back(id, now.wall_ms, now);
        }
    }

    /// A worker is free again.
    fn tried(&mut self, id: TryId, end: End, now: Now) {
        let seed = self.draw();
        let Some(one) = self.tries.get(&id) else {
            return;
        };
        let (pool, began_run_ms) = match one.stage {
            Stage::Running(began_run_ms) => (one.pool, Some(began_run_ms)),
            Stage::Stopping => (one.pool, None),
            Stage::Waiting { .. } | Stage::Ended { .. } => return,
        };
        let kind = &self.rules.kinds[pool];
        if let End::Panicked(error) = &end {
            let (kind, error) = (kind.kind.clone(), error.clone());
            self.effects
                .push(Effect::Tell(Told::Panicked { kind, error }));
        }
        let Some(began_run_ms) = began_run_ms else {
            // Its lease was taken for lost here, and the store had it.
            match &end {
                End::Written(outcome) => self.ended_with_write(id, outcome, now),
                _ => self.forget(id),
            }
            return;
        };
        if !matches!(end, End::Busy { .. }) {
            self.effects.push(began(one, &kind.kind, began_run_ms, now));
        }
        match end {
            End::Written(outcome) => return self.ended_with_write(id, &outcome, now),
            End::LeaseLost => return self.lease_lost(id, now),
            _ => {}
        }
        let of = Tried {
            attempt: one.attempt,
            due_at_ms: one.due_at_ms,
            schedule: self.rules.schedules.firing(&one.lease.name).schedule(),
        };
        let at = Moment {
            now_ms: now.wall_ms,
            seed,
        };
        let concluded = concluded(end, of, &kind.retry, at);
        self.conclude(id, concluded, now);
    }

    /// Moves a try on. Returns where it was.
    fn turn(&mut self, id: TryId, stage: Stage) -> Option<Stage> {
        let one = self.tries.get_mut(&id)?;
        let (pool, space) = (one.pool, one.lease.name.space.clone());
        self.pools[pool].leave(&space, &one.stage);
        self.pools[pool].enter(&space, &stage);
        let before = std::mem::replace(&mut one.stage, stage);
        self.move_up(pool, &space);
        Some(before)
    }

    /// Has what waits wait for something else.
    fn wait_for(&mut self, id: TryId, next: Waits) {
        let Some(one) = self.tries.get_mut(&id) else {
            return;
        };
        let pool = &mut self.pools[one.pool];
        pool.leave(&one.lease.name.space, &one.stage);
        if let Stage::Waiting { waits, .. } = &mut one.stage {
            *waits = next;
        }
        pool.enter(&one.lease.name.space, &one.stage);
    }

    fn workers(&self, pool: usize) -> usize {
        self.rules.kinds[pool].concurrency.max(1)
    }

    /// Forgets what is not held any more.
    fn forget(&mut self, id: TryId) {
        let Some(one) = self.tries.remove(&id) else {
            return;
        };
        if self.last_of.get(&one.lease.name) == Some(&id) {
            self.last_of.remove(&one.lease.name);
        }
        let space = &one.lease.name.space;
        let workers = self.workers(one.pool);
        let pool = &mut self.pools[one.pool];
        pool.leave(space, &one.stage);
        pool.forget_one(space, workers);
        self.move_up(one.pool, space);
    }

    fn tell(&mut self, told: Told) {
        self.effects.push(Effect::Tell(told));
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        mixed(self.rules.seed ^ self.drawn.rotate_left(32))
    }
}

#[cfg(test)]
mod tests;
