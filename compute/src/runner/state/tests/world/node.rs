//! A process with a runner, and what its workers do.

use std::collections::BTreeMap;

use syncline_storage::jobs::{JobError, JobName, Outcome};

use super::super::super::*;
use super::super::desk::{NOW, rules};
use super::broken::Broken;
use super::calls::Call;
use super::jobs::Way;
use super::{Due, NODES, World};
use crate::worker::Task;

/// A process.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its runner, if it runs.
    state: Option<RunnerState>,
    /// How often it started.
    pub(super) life: u64,
    born_ms: u64,
    /// How far its clock is ahead.
    pub(super) ahead_ms: i64,
    /// The last time it said when to wake it.
    wake_no: u64,
    at_work: BTreeMap<TryId, Work>,
}

/// A worker at work.
#[derive(Clone, Debug)]
struct Work {
    name: JobName,
    task: Task,
    /// It does not let itself be stopped.
    is_deaf: bool,
}

impl World {
    fn now(&self, node: usize) -> Now {
        let node = &self.nodes[node];
        Now {
            wall_ms: (NOW + self.at_ms).saturating_add_signed(node.ahead_ms),
            run_ms: self.at_ms - node.born_ms,
        }
    }

    /// What the clocks that are ahead show.
    pub(super) fn latest_ms(&self) -> u64 {
        (0..NODES)
            .map(|node| self.now(node).wall_ms)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn start(&mut self, node: usize) -> Result<(), String> {
        let seed = self.random.next_u64();
        let mut rules = rules(self.workers);
        rules.seed = seed;
        rules.node = NodeId::trusted(&format!("n{node}"));
        rules.kinds[0].retry.attempts_max = 6;
        rules.kinds[0].retry.first_ms = 200;
        let place = &mut self.nodes[node];
        place.state = Some(RunnerState::new(rules));
        place.life += 1;
        place.born_ms = self.at_ms;
        let life = place.life;
        self.trace(|| format!("n{node} starts"));
        self.step(node, life, Event::Woke)
    }

    /// The process is gone, with all it knew; another one starts after a while.
    pub(super) fn kill(&mut self, node: usize) {
        self.trace(|| format!("n{node} is killed"));
        let place = &mut self.nodes[node];
        if let Some(state) = place.state.take() {
            self.checks.seen.killed_holding += usize::from(!state.tries.is_empty());
            place.at_work.clear();
            let delay_ms = self.random.below(10_000);
            self.after(delay_ms, Due::Start { node });
        }
    }

    /// Tells the runners of a put, most of them.
    pub(super) fn ring(&mut self, due_at_ms: u64) {
        for node in 0..NODES {
            if self.random.below(10) < 7 {
                let life = self.nodes[node].life;
                let event = Event::Rung(due_at_ms);
                self.after(1, Due::Event { node, life, event });
            }
        }
    }

    pub(super) fn wake(&mut self, node: usize, life: u64, no: u64) -> Result<(), String> {
        if self.nodes[node].wake_no == no {
            return self.step(node, life, Event::Woke);
        }
        Ok(())
    }

    pub(super) fn step(&mut self, node: usize, life: u64, event: Event) -> Result<(), String> {
        let (now, workers) = (self.now(node), self.workers);
        let place = &mut self.nodes[node];
        let Some(state) = place.state.as_mut().filter(|_| place.life == life) else {
            return Ok(());
        };
        let effects = state.step(event, now);
        let pool = &state.pools[0];
        if pool.held > 2 * workers || pool.running > workers {
            return Err(format!(
                "n{node} holds {}, runs {}",
                pool.held, pool.running
            ));
        }
        for effect in &effects {
            if let Effect::Claim(claim) = effect {
                self.checks.claims(claim, state)?;
            }
        }
        place.wake_no += 1;
        let no = place.wake_no;
        if let Some(at_ms) = state.wake_at_ms() {
            let wait_ms = at_ms.saturating_sub(now.run_ms);
            self.after(wait_ms, Due::Wake { node, life, no });
        }
        for effect in effects {
            match effect {
                Effect::Begin { id, task, .. } => self.begin_work(node, id, *task)?,
                Effect::Stop(id) => self.stop_work(node, id),
                Effect::Tell(_) | Effect::Drained => {}
                effect => {
                    if let Some(call) = Call::of(effect) {
                        self.send(node, call);
                    }
                }
            }
        }
        Ok(())
    }

    fn begin_work(&mut self, node: usize, id: TryId, task: Task) -> Result<(), String> {
        let name = task.lease.name.clone();
        self.trace(|| format!("n{node} begins {name}, try {}", task.attempt));
        let plan = self.plans.by_name.get(&name);
        let way = plan.ok_or_else(|| format!("{name} was never put"))?.way;
        if way == Way::Poison {
            self.kill(node);
            return Ok(());
        }
        let takes_ms = match way {
            Way::Slow => 90_000,
            _ => self.random.below(400),
        };
        let work = Work {
            name,
            task,
            is_deaf: self.is_troubled && self.random.below(6) != 0,
        };
        let place = &mut self.nodes[node];
        let life = place.life;
        place.at_work.insert(id, work);
        self.after(takes_ms, Due::Worked { node, life, id });
        Ok(())
    }

    fn stop_work(&mut self, node: usize, id: TryId) {
        let life = self.nodes[node].life;
        let Some(work) = self.nodes[node].at_work.get_mut(&id) else {
            return;
        };
        self.checks.seen.stopped += 1;
        if !work.is_deaf {
            self.nodes[node].at_work.remove(&id);
            let end = End::Stopped;
            let event = Event::Tried { id, end };
            self.after(3, Due::Event { node, life, event });
        }
    }

    /// A worker has done what it does, and writes.
    pub(super) fn worked(&mut self, node: usize, life: u64, id: TryId) -> Result<(), String> {
        if self.nodes[node].life != life {
            return Ok(());
        }
        let Some(work) = self.nodes[node].at_work.remove(&id) else {
            return Ok(());
        };
        let Some(plan) = self.plans.by_name.get(&work.name).cloned() else {
            return Err(format!("{} was never put", work.name));
        };
        let error = || JobError::new("no");
        let failed = End::Failed {
            error: error(),
            wait_ms: 0,
        };
        let end = match (plan.way, work.task.attempt) {
            (Way::Fails, 1..=2) => failed,
            (Way::Panics, 1) => End::Panicked(error()),
            (Way::Hopeless, _) => End::Hopeless(error()),
            (way, _) => self.done(way, &work.task)?,
        };
        self.trace(|| format!("n{node} ends {} {end:?}", work.name));
        if self.is_broken(Broken::EndIsNotSaid) && self.random.below(20) == 0 {
            return Ok(());
        }
        let event = Event::Tried { id, end };
        self.after(1, Due::Event { node, life, event });
        Ok(())
    }

    /// A try went well, and writes.
    fn done(&mut self, way: Way, task: &Task) -> Result<End, String> {
        let outcome = match way == Way::Twice && self.is_first_time(task) {
            true => Outcome::Again {
                due_at_ms: task.job.due_at_ms + 1_000,
            },
            false => Outcome::Done,
        };
        if self.random.below(8) == 0 && !self.is_broken(Broken::WriteUnfenced) {
            // Nothing is to be written: its end is all there is of it.
            return Ok(match outcome {
                Outcome::Again { due_at_ms } => End::Again(due_at_ms),
                _ => End::Done,
            });
        }
        // Whether it was written nobody knows, and it is tried again.
        let no_answer = self.is_troubled && self.random.below(10) == 0;
        let is_taken = !no_answer || self.random.below(2) == 0;
        let is_written = is_taken && self.write(task, outcome.clone())?;
        Ok(match (no_answer, is_written) {
            (true, _) => End::Failed {
                error: JobError::new("no"),
                wait_ms: 0,
            },
            (false, false) => End::LeaseLost,
            (false, true) if self.is_broken(Broken::WriteUnfenced) => End::Done,
            (false, true) => End::Written(outcome),
        })
    }
}
