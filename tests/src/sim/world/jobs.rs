//! Workers of jobs: nodes claim what is due, write what it asks for through their own sessions, and
//! end it. Each call of the store and its answer are two steps, and between them leases run out,
//! others claim, sessions and nodes end. The rules of a runner are tried beside the runner; here is
//! what many of them do to one store and one history. People cancel, snooze and replay jobs beside them.

mod people;
mod tries;

use syncline_hub::session::event::CallId;
use syncline_protocol::ids::NodeId;
use syncline_storage::jobs::{Claim, JobKind, LeasedJob, Outcome, Wanted};

use super::World;
use super::steps::Step;
use crate::sim::count::Kind;
use crate::sim::jobs::{LEASE_MS, SHARE, WRITE_MS, kinds, triggers};
use crate::sim::node::SKEW_MS_MAX;
use crate::sim::plan::LASTS;
use crate::sim::rng::Rng;
use crate::sim::store::Fate;
use crate::sim::trace::Checked;

/// Jobs of a kind that a claim wants, and jobs that a node holds before it claims more.
const CLAIMED_MAX: usize = 2;
const HELD_MAX: usize = 4;

/// In a thousand: tries whose worker fails, tries that are hopeless, and calls that are held up.
const FAILS: u64 = 120;
const HOPELESS: u64 = 15;
const HELD: u64 = 120;

/// In a thousand: calls of the store that fail or lose their answer, and steps that are one of jobs if
/// there is any.
const CALL_FAILS: u64 = 350;
const WORKS: u64 = 300;

/// In a thousand: writes that are a part of the work, of which the rest is due again, and steps in which
/// people do something about a job.
const PARTS: u64 = 150;
const OPERATES: u64 = 100;

/// What a world with jobs has besides. What it draws it draws apart.
#[derive(Debug)]
pub(super) struct Jobs {
    rng: Rng,
    /// What people do, and which writes are parts.
    people: Rng,
    kinds: Vec<JobKind>,
    tries: Vec<Try>,
    /// Nobody claims: what the store has lost is to be noticed first.
    pub(super) paused: bool,
}

/// A job that a node holds.
#[derive(Debug)]
struct Try {
    node: usize,
    leased: LeasedJob,
    stage: Stage,
    /// When its lease ends, by the clock of its node.
    until_ms: u64,
    /// The step before which nothing happens to it.
    held_until: u64,
    /// It was begun in a history that is lost.
    unsure: bool,
}

#[derive(Debug)]
enum Stage {
    /// The answer to its claim is on its way.
    Leased,
    /// What it writes waits for a session.
    Ready,
    /// A session has it.
    Writing {
        call: CallId,
        incarnation: u64,
        began_ms: u64,
    },
    /// The store is to be told how it ended.
    Ended(Outcome),
}

/// Something that can happen to jobs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// A node claims.
    Claim(usize),
    /// A try begins.
    Begin(usize),
    /// A session takes what it writes.
    Write(usize),
    /// Its lease is extended.
    Extend(usize),
    /// It waits for an answer no longer.
    GiveUp(usize),
    /// The store is told how it ended.
    End(usize),
}

impl World {
    /// Whether the world has jobs. Drawn apart.
    pub(super) fn draw_jobs(&mut self, seed: u64) {
        let mut rng = Rng::new(!seed.rotate_left(48));
        if !rng.chance(SHARE) {
            return;
        }
        self.plan.triggers = triggers();
        self.plan.chaos_steps += self.plan.chaos_steps / 2;
        self.jobs = Some(Jobs {
            rng,
            people: Rng::new(!seed.rotate_left(40)),
            kinds: kinds(),
            tries: Vec::new(),
            paused: false,
        });
    }

    pub(super) fn add_work(&self, steps: &mut Vec<Step>) {
        let Some(jobs) = &self.jobs else {
            return;
        };
        let step = self.aids.trace.step;
        let due_ms = self.store.model.next_due(&jobs.kinds);
        for (number, node) in self.nodes.iter().enumerate() {
            let held = jobs.tries.iter().filter(|one| one.node == number).count();
            let is_due = due_ms.is_some_and(|due_ms| due_ms <= node.now_ms(self.now_ms));
            let may = !jobs.paused && held < HELD_MAX && self.runs(number) && self.takes(number);
            if is_due && may {
                steps.push(Step::Work(Work::Claim(number)));
            }
        }
        for (at, one) in jobs.tries.iter().enumerate() {
            if step < one.held_until || !self.runs(one.node) {
                continue;
            }
            let node = &self.nodes[one.node];
            let runs_out = node.now_ms(self.now_ms) + LEASE_MS / 2 >= one.until_ms;
            let work = match &one.stage {
                Stage::Leased => Some(Work::Begin(at)),
                Stage::Ready => node.session.is_some().then_some(Work::Write(at)),
                Stage::Writing { began_ms, .. } if began_ms + WRITE_MS <= self.now_ms => {
                    Some(Work::GiveUp(at))
                }
                Stage::Writing { .. } => None,
                Stage::Ended(_) => Some(Work::End(at)),
            };
            let extends = matches!(one.stage, Stage::Ready | Stage::Writing { .. }) && runs_out;
            let extends = extends.then_some(Work::Extend(at));
            steps.extend(work.into_iter().chain(extends).map(Step::Work));
        }
    }

    /// Jobs go on faster than the rest, so that enough happens to them before the faults end. True if
    /// one did.
    pub(super) fn work_now(&mut self) -> Checked<bool> {
        let chaos = self.chaos;
        let Some(jobs) = &mut self.jobs else {
            return Ok(false);
        };
        if chaos && !jobs.paused && jobs.people.chance(OPERATES) {
            return self.operate_on_jobs();
        }
        if !jobs.rng.chance(WORKS) {
            return Ok(false);
        }
        let mut steps = Vec::new();
        self.add_work(&mut steps);
        let place = match &mut self.jobs {
            Some(jobs) => jobs.rng.below(steps.len()),
            None => 0,
        };
        match steps.get(place) {
            Some(step) => self.take(*step).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn do_work(&mut self, work: Work) -> Checked {
        match work {
            Work::Claim(node) => self.claim(node),
            Work::Begin(at) => {
                self.begin_try(at);
                Ok(())
            }
            Work::Write(at) => self.write(at),
            Work::Extend(at) => {
                self.extend(at);
                Ok(())
            }
            Work::GiveUp(at) => {
                self.aids.counts.add(Kind::JobWriteLate);
                self.fail_try(at, "no verdict in time");
                Ok(())
            }
            Work::End(at) => self.end_try(at),
        }
    }

    /// Whether a try waits for a session of this node.
    pub(super) fn has_job_for(&self, node: usize) -> bool {
        let mut tries = self.jobs.iter().flat_map(|jobs| &jobs.tries);
        tries.any(|one| one.node == node && matches!(one.stage, Stage::Ready))
    }

    /// What becomes of a call of a node that must not wait: `lost` and `fails` name its faults.
    fn draw_job_fate(&mut self, node: usize, (lost, fails): (Kind, Kind)) -> Fate {
        if self.is_away(node) {
            return Fate::Fails;
        }
        let chaos = self.chaos;
        let Some(jobs) = self.jobs.as_mut().filter(|_| chaos) else {
            return Fate::Done;
        };
        if !jobs.rng.chance(CALL_FAILS) {
            return Fate::Done;
        }
        let (fate, kind) = match jobs.rng.chance(500) {
            true => (Fate::AnswerLost, lost),
            false => (Fate::Fails, fails),
        };
        self.aids.counts.add(kind);
        fate
    }

    fn claim(&mut self, node: usize) -> Checked {
        let fate = self.draw_job_fate(node, (Kind::ClaimAnswerLost, Kind::ClaimFails));
        let Some(jobs) = self.jobs.as_ref().filter(|_| fate != Fate::Fails) else {
            return Ok(());
        };
        let wanted = |kind: &JobKind| Wanted::of(kind.clone(), CLAIMED_MAX);
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let holder: NodeId = self.nodes[node].name.clone();
        let claimed = self.store.model.claim(&Claim {
            wanted: jobs.kinds.iter().map(wanted).collect(),
            holder,
            now_ms,
            lease_ms: LEASE_MS,
            per_space: CLAIMED_MAX,
        });
        for leased in claimed {
            self.aids.trace.say(&self.nodes[node].name, || {
                format!("claims ({fate:?}) {:?} {:?}", leased.lease, leased.job)
            });
            self.checker.job_leased(&leased)?;
            self.count_run_out(&leased);
            if fate == Fate::Done {
                self.hold_try(node, leased);
            }
        }
        Ok(())
    }

    /// Somebody else may still be at it.
    fn count_run_out(&mut self, leased: &LeasedJob) {
        let jobs = self.jobs.iter().flat_map(|jobs| &jobs.tries);
        let mut of_job = jobs.filter(|one| one.leased.lease.no == leased.lease.no);
        if of_job.next().is_some() {
            self.aids.counts.add(Kind::LeaseRanOut);
        }
    }

    fn hold_try(&mut self, node: usize, leased: LeasedJob) {
        let unsure = self.checker.is_split(self.store.view().epoch);
        let held_until = self.hold_work();
        let Some(jobs) = &mut self.jobs else {
            return;
        };
        jobs.tries.push(Try {
            node,
            until_ms: leased.until_ms,
            leased,
            stage: Stage::Leased,
            held_until,
            unsure,
        });
    }

    /// The step before which a call is held up.
    fn hold_work(&mut self) -> u64 {
        let (step, chaos) = (self.aids.trace.step, self.chaos);
        let Some(jobs) = self.jobs.as_mut().filter(|_| chaos) else {
            return 0;
        };
        if !jobs.rng.chance(HELD) {
            return 0;
        }
        self.aids.counts.add(Kind::JobHeldUp);
        step + jobs.rng.within(LASTS.0, LASTS.1)
    }

    /// A node's process ends over the jobs it holds.
    pub(super) fn lose_tries(&mut self, node: usize) {
        let Some(jobs) = &mut self.jobs else {
            return;
        };
        let held = jobs.tries.len();
        jobs.tries.retain(|one| one.node != node);
        let lost = held - jobs.tries.len();
        self.aids.counts.add_many(Kind::LeaseCrash, lost as u64);
    }

    /// A session ends over what it was to write.
    pub(super) fn abandon_writes(&mut self, (node, ended): (usize, u64)) {
        let tries = self.jobs.iter().flat_map(|jobs| &jobs.tries);
        let of_session = |one: &Try| {
            let writes =
                matches!(one.stage, Stage::Writing { incarnation, .. } if incarnation == ended);
            one.node == node && writes
        };
        let places = tries.enumerate().filter(|(_, one)| of_session(one));
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        for at in places {
            self.aids.counts.add(Kind::JobWriteTorn);
            self.fail_try(at, "the session ended");
        }
    }

    /// The try that waits for the answer to a call.
    pub(super) fn try_of(&self, call: CallId) -> Option<usize> {
        let mut tries = self.jobs.iter().flat_map(|jobs| &jobs.tries);
        tries.position(|one| matches!(one.stage, Stage::Writing { call: own, .. } if own == call))
    }

    /// The store was replaced: of what was begun before nothing is promised.
    pub(super) fn doubt_tries(&mut self) {
        for one in self.jobs.iter_mut().flat_map(|jobs| &mut jobs.tries) {
            self.aids.counts.add(Kind::JobRestored);
            one.unsure = true;
        }
    }

    /// Nothing is held up any more.
    pub(super) fn heal_jobs(&mut self) {
        for one in self.jobs.iter_mut().flat_map(|jobs| &mut jobs.tries) {
            one.held_until = 0;
        }
    }

    /// Nobody claims, or all may again.
    pub(super) fn pause_jobs(&mut self, paused: bool) {
        if let Some(jobs) = &mut self.jobs {
            jobs.paused = paused;
        }
    }

    /// Nothing can happen now. Lets time pass until a job is due or a try waits no longer; false if
    /// there is neither.
    pub(super) fn wait_for_jobs(&mut self) -> bool {
        let Some(jobs) = self.jobs.as_ref().filter(|jobs| !jobs.paused) else {
            return false;
        };
        let given_up = jobs.tries.iter().filter_map(|one| match one.stage {
            Stage::Writing { began_ms, .. } => Some(began_ms + WRITE_MS),
            _ => None,
        });
        // By then every clock says so.
        let due = self.store.model.next_due(&jobs.kinds);
        let due = due.map(|due_ms| due_ms + SKEW_MS_MAX);
        let Some(next_ms) = given_up.chain(due).min() else {
            return false;
        };
        self.now_ms = self.now_ms.max(next_ms);
        true
    }
}
