//! One try of a job, from its lease to its end, as a runner makes it: what it writes goes through a
//! session, and the hub says what the answer means.

use syncline_compute::jobs::retry::Moment;
use syncline_compute::worker::{NotWritten, SystemWrite, Task};
use syncline_hub::jobs::system_client::written;
use syncline_hub::session::event::{CallReply, Event, JobCall, JobWrite};
use syncline_protocol::limits::Limits;
use syncline_protocol::mutation::Mutation;
use syncline_storage::jobs::{Ended, JobError, Outcome};

use super::{FAILS, HOPELESS, PARTS, Stage};
use crate::sim::count::Kind;
use crate::sim::jobs::{DEPTH_MAX, LEASE_MS, RETRY, work};
use crate::sim::store::Fate;
use crate::sim::trace::{Checked, ensure};
use crate::sim::world::World;

impl World {
    pub(super) fn begin_try(&mut self, at: usize) {
        let (chaos, true_ms) = (self.chaos, self.now_ms);
        let Some(jobs) = &mut self.jobs else {
            return;
        };
        let (fails, hopeless) = (jobs.rng.chance(FAILS), jobs.rng.chance(HOPELESS));
        let one = &jobs.tries[at];
        let (node, attempt) = (one.node, one.leased.attempt);
        let now_ms = self.nodes[node].now_ms(true_ms);
        let outcome = if let Some(given_up) = RETRY.before_start(attempt) {
            self.aids.counts.add(Kind::JobGivenUp);
            given_up
        } else if !self.takes(node) {
            self.aids.counts.add(Kind::JobGivenBack);
            Outcome::Wait { at_ms: now_ms }
        } else if chaos && hopeless {
            self.aids.counts.add(Kind::JobGivenUp);
            let error = JobError::new("it can never be done");
            Outcome::Dead { error }
        } else if chaos && fails {
            self.aids.counts.add(Kind::JobFails);
            return self.fail_try(at, "it could not be done");
        } else {
            return self.stand_try(at, Stage::Ready);
        };
        self.stand_try(at, Stage::Ended(outcome));
    }

    fn drop_try(&mut self, at: usize) {
        if let Some(jobs) = &mut self.jobs {
            jobs.tries.swap_remove(at);
        }
    }

    fn stand_try(&mut self, at: usize, stage: Stage) {
        let held_until = self.hold_work();
        if let Some(jobs) = &mut self.jobs {
            jobs.tries[at].stage = stage;
            jobs.tries[at].held_until = held_until;
        }
    }

    /// A try failed: its job is tried again, or given up.
    pub(super) fn fail_try(&mut self, at: usize, why: &str) {
        let true_ms = self.now_ms;
        let Some(jobs) = &mut self.jobs else {
            return;
        };
        let one = &jobs.tries[at];
        let moment = Moment {
            now_ms: self.nodes[one.node].now_ms(true_ms),
            seed: jobs.rng.within(0, u64::MAX - 1),
        };
        let outcome = RETRY.after_failure(one.leased.attempt, JobError::new(why), moment);
        if matches!(outcome, Outcome::Dead { .. }) {
            self.aids.counts.add(Kind::JobGivenUp);
        }
        self.stand_try(at, Stage::Ended(outcome));
    }

    /// A session takes what a job writes.
    pub(super) fn write(&mut self, at: usize) -> Checked {
        let chaos = self.chaos;
        let Some(jobs) = &mut self.jobs else {
            return Ok(());
        };
        let is_part = chaos && jobs.people.chance(PARTS);
        let one = &mut jobs.tries[at];
        let node = one.node;
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let task = Task::of(one.leased.clone(), now_ms);
        let outcome = match is_part {
            true => Outcome::Again {
                due_at_ms: now_ms + LEASE_MS / 2,
            },
            false => Outcome::Done,
        };
        self.aids.counts.add_many(Kind::JobInParts, is_part.into());
        let write = SystemWrite::of(&task, outcome, work(&task.job));
        let mutation = Mutation::of_changes(&write.changes.0, &Limits::DEFAULT);
        let call = self.calls.number();
        one.stage = Stage::Writing {
            call,
            incarnation: self.nodes[node].incarnation,
            began_ms: self.now_ms,
        };
        ensure(write.depth <= DEPTH_MAX, "depth", || {
            format!("{:?} writes at {}", one.leased, write.depth)
        })?;
        self.aids.trace.say(&self.nodes[node].name, || {
            format!("writes for {:?}: {}", task.no(), write.changes.0)
        });
        let write = Box::new(JobWrite {
            epoch: Some(write.epoch),
            depth: write.depth,
            mutation,
            ended: Some(write.ended),
        });
        let permit = None;
        self.tell(
            node,
            Event::Job(JobCall {
                call,
                write,
                permit,
            }),
        );
        Ok(())
    }

    /// A session answered.
    pub(in crate::sim::world) fn job_answered(&mut self, at: usize, reply: CallReply) {
        match written(reply) {
            Ok(()) => {
                self.aids.counts.add(Kind::JobDone);
                self.drop_try(at);
            }
            Err(NotWritten::LeaseLost) => {
                self.aids.counts.add(Kind::JobWriteLost);
                self.drop_try(at);
            }
            Err(NotWritten::Refused(refusal)) => {
                self.aids.counts.add(Kind::JobRefused);
                let error = JobError::new(&refusal.message);
                self.stand_try(at, Stage::Ended(Outcome::Dead { error }));
            }
            Err(NotWritten::Later(refusal)) => {
                self.aids.counts.add(Kind::JobTurnedAway);
                self.fail_try(at, &refusal.message);
            }
        }
    }

    /// A try lasts longer than its lease.
    pub(super) fn extend(&mut self, at: usize) {
        let Some(jobs) = &self.jobs else {
            return;
        };
        let one = &jobs.tries[at];
        let (node, lease) = (one.node, one.leased.lease.clone());
        let fate = self.draw_job_fate(node, (Kind::ExtendFails, Kind::ExtendFails));
        if fate == Fate::Fails {
            return;
        }
        let to_ms = self.nodes[node].now_ms(self.now_ms) + LEASE_MS;
        let extended = self.store.model.extend(&[lease], to_ms);
        let is_held = extended.iter().all(Result::is_ok);
        let Some(jobs) = self.jobs.as_mut().filter(|_| fate == Fate::Done) else {
            return;
        };
        match is_held {
            true => jobs.tries[at].until_ms = to_ms,
            // It stops. What a session took it writes.
            false => {
                self.aids.counts.add(Kind::LeaseLost);
                jobs.tries.swap_remove(at);
            }
        }
    }

    /// The store is told how a try ended, until it answers.
    pub(super) fn end_try(&mut self, at: usize) -> Checked {
        let Some(jobs) = &self.jobs else {
            return Ok(());
        };
        let one = &jobs.tries[at];
        let (node, unsure) = (one.node, one.unsure);
        let Stage::Ended(outcome) = &one.stage else {
            return Ok(());
        };
        let ended = Ended {
            lease: one.leased.lease.clone(),
            outcome: outcome.clone(),
        };
        let fate = self.draw_job_fate(node, (Kind::FinishAnswerLost, Kind::FinishFails));
        if fate == Fate::Fails {
            return Ok(());
        }
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let done = self
            .store
            .model
            .finish(std::slice::from_ref(&ended), now_ms);
        let done = done.into_iter().next().expect("one lease was to be ended");
        self.aids.trace.say(&self.nodes[node].name, || {
            format!("ends ({fate:?}) {ended:?}: {done:?}")
        });
        self.checker
            .job_ended((&ended, done), unsure, &self.store.model)?;
        if done.is_err() {
            self.aids.counts.add(Kind::LeaseLost);
        }
        if let Some(jobs) = self.jobs.as_mut().filter(|_| fate == Fate::Done) {
            jobs.tries.swap_remove(at);
        }
        Ok(())
    }
}
