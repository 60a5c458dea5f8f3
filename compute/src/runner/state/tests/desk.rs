//! A runner's state and a store that answers at once.

use std::collections::{BTreeMap, HashMap, VecDeque};

use syncline_protocol::ids::{AppId, Epoch, NodeId, Seq, SpaceId, SpaceKey};
use syncline_storage::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, JobName, JobState,
    Lease, LeaseError, LeaseLost, Origin, TriggerId,
};
use syncline_storage::model::ModelStore;
use syncline_storage::types::{Commit, StoreError};

use super::super::*;
use crate::runner::told::How;
use crate::worker::Task;

/// The hub's clock when tests begin.
pub(super) const NOW: u64 = 1_700_000_000_000;

pub(super) fn kind() -> JobKind {
    JobKind::trusted("webhook")
}

pub(super) fn space(name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(name),
    }
}

pub(super) fn job(key: &str, due_at_ms: u64) -> Job {
    Job {
        kind: kind(),
        key: JobKey::trusted(key),
        due_at_ms,
        lane: None,
        args: JobArgs::trusted("null"),
        depth: 0,
        origin: Origin {
            epoch: Epoch(1),
            seq: Seq(1),
            trigger: TriggerId::trusted("t"),
        },
    }
}

pub(super) fn in_lane(key: &str, lane: &str) -> Job {
    let lane = Some(JobLane::trusted(lane));
    Job {
        lane,
        ..job(key, NOW)
    }
}

/// Enqueues jobs in a commit of their own.
pub(super) fn put(store: &mut ModelStore, space: &SpaceKey, jobs: Vec<Job>) {
    let if_there = IfThere::Keep;
    let moves = jobs.into_iter().map(|job| JobMove::Put { job, if_there });
    commit(store, space, moves.collect());
}

pub(super) fn commit(store: &mut ModelStore, space: &SpaceKey, jobs: Vec<JobMove>) {
    let view = store.open_space(space, NOW);
    let commit = Commit {
        space: space.clone(),
        expect_epoch: view.epoch,
        expect_head: view.head,
        head: view.head,
        clock: view.clock,
        live: view.live,
        writers: view.writers,
        now_ms: NOW,
        records: Vec::new(),
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs,
    };
    store.commit(&commit).expect("nobody else commits");
}

pub(super) fn rules(concurrency: usize) -> RunnerRules {
    RunnerRules {
        node: NodeId::trusted("n1"),
        seed: 7,
        poll_ms: 1_000,
        kinds: vec![KindRules {
            kind: kind(),
            concurrency,
            lease: LeasePolicy {
                lease_ms: 30_000,
                margin_ms: 5_000,
            },
            retry: RetryPolicy {
                attempts_max: 3,
                first_ms: 1_000,
                longest_ms: 10_000,
            },
            time_ms: 60_000,
        }],
        schedules: Arc::default(),
    }
}

/// A runner with a store that answers at once.
pub(super) struct Desk {
    pub(super) store: ModelStore,
    pub(super) state: RunnerState,
    pub(super) now: Now,
    /// What was begun and has not ended.
    pub(super) begun: Vec<(TryId, Task)>,
    /// When each was begun that ever was, in the runner's time.
    pub(super) began_run_ms: HashMap<TryId, u64>,
    /// The keys of what was done, in order.
    pub(super) done: Vec<String>,
    /// What is to stop, and what it was told.
    pub(super) stopped: Vec<TryId>,
    pub(super) told: Vec<Told>,
    /// The claims made so far.
    pub(super) claims: usize,
    /// What they asked for.
    pub(super) asked: Vec<Claim>,
    /// Questions when something is due.
    pub(super) looks: usize,
    pub(super) drained: bool,
    /// The store answers nothing.
    pub(super) is_away: bool,
    /// It fails at the leases of this space.
    pub(super) failing: Option<SpaceKey>,
}

/// Answers as a store tells them.
pub(super) fn told(answers: Vec<Result<(), LeaseLost>>) -> Vec<Result<(), LeaseError>> {
    let told = |answer: Result<(), LeaseLost>| answer.map_err(LeaseError::from);
    answers.into_iter().map(told).collect()
}

impl Desk {
    pub(super) fn new(rules: RunnerRules) -> Desk {
        Desk {
            store: ModelStore::new(1),
            state: RunnerState::new(rules),
            now: Now {
                wall_ms: NOW,
                run_ms: 0,
            },
            begun: Vec::new(),
            began_run_ms: HashMap::new(),
            done: Vec::new(),
            stopped: Vec::new(),
            told: Vec::new(),
            claims: 0,
            asked: Vec::new(),
            looks: 0,
            drained: false,
            is_away: false,
            failing: None,
        }
    }

    /// With jobs of one space that are due.
    pub(super) fn with(rules: RunnerRules, jobs: Vec<Job>) -> Desk {
        let mut desk = Desk::new(rules);
        put(&mut desk.store, &space("ada"), jobs);
        desk.step(Event::Woke);
        desk
    }

    /// An event, and the answers to all that is asked then.
    pub(super) fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        let mut steps = 0;
        while let Some(event) = events.pop_front() {
            steps += 1;
            assert!(steps < 100_000, "it asks for ever");
            for effect in self.state.step(event, self.now) {
                events.extend(self.answer(effect));
            }
        }
    }

    fn answer(&mut self, effect: Effect) -> Option<Event> {
        let away = || StoreError::Unavailable("away".to_owned());
        let store = (!self.is_away).then_some(&mut self.store).ok_or_else(away);
        let failing = self.failing.as_ref();
        let fails = |lease: &Lease| Some(&lease.name.space) == failing;
        match effect {
            Effect::Claim(claim) => {
                self.claims += 1;
                self.asked.push(claim.clone());
                Some(Event::Claimed(store.map(|store| store.claim(&claim))))
            }
            Effect::NextDue(kinds) => {
                self.looks += 1;
                Some(Event::Due(store.map(|store| store.next_due(&kinds))))
            }
            Effect::Extend {
                ids,
                leases,
                until_ms,
                until_run_ms,
            } => Some(Event::Extended {
                ids,
                until_run_ms,
                answer: store.map(|store| {
                    let answer = |lease: &Lease| match fails(lease) {
                        true => Err(away().into()),
                        false => {
                            told(store.extend(std::slice::from_ref(lease), until_ms)).remove(0)
                        }
                    };
                    leases.iter().map(answer).collect()
                }),
            }),
            Effect::Finish { ended, now_ms } => {
                let answer = store.map(|store| {
                    let answer = |one: &Ended| match fails(&one.lease) {
                        true => Err(away().into()),
                        false => told(store.finish(std::slice::from_ref(one), now_ms)).remove(0),
                    };
                    ended.iter().map(answer).collect()
                });
                Some(Event::Finished(answer))
            }
            Effect::Begin { id, task, .. } => {
                self.began_run_ms.insert(id, self.now.run_ms);
                self.begun.push((id, *task));
                None
            }
            Effect::Stop(id) => {
                self.stopped.push(id);
                None
            }
            Effect::Tell(told) => {
                self.told.push(told);
                None
            }
            Effect::Drained => {
                self.drained = true;
                None
            }
        }
    }

    /// Time goes on, and the runner is woken as often as it wants.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now.run_ms + ms;
        let mut wakes = 0;
        while let Some(at) = self.state.wake_at_ms().filter(|at| *at <= end) {
            wakes += 1;
            assert!(wakes < 100_000, "it wants to be woken for ever");
            let passed = at.saturating_sub(self.now.run_ms);
            self.now.run_ms += passed;
            self.now.wall_ms += passed;
            self.step(Event::Woke);
        }
        self.now.wall_ms += end - self.now.run_ms;
        self.now.run_ms = end;
    }

    /// The first that was begun ends.
    pub(super) fn end(&mut self, end: End) {
        let (id, task) = self.begun.remove(0);
        if end == End::Done {
            self.done.push(task.job.key.to_string());
        }
        self.step(Event::Tried { id, end });
    }

    /// Time goes on, and what was begun is done after so long.
    pub(super) fn work(&mut self, ms: u64, takes_ms: u64) {
        let end_run_ms = self.now.run_ms + ms;
        let next = |desk: &Desk| {
            let (id, _) = desk.begun.first()?;
            Some(desk.began_run_ms[id] + takes_ms)
        };
        loop {
            let woken = self.state.wake_at_ms();
            let at = [next(self), woken].into_iter().flatten().min();
            let Some(at) = at.filter(|at| *at <= end_run_ms) else {
                break;
            };
            self.pass(at.saturating_sub(self.now.run_ms));
            while next(self).is_some_and(|done| done <= self.now.run_ms) {
                self.end(End::Done);
            }
        }
        self.pass(end_run_ms - self.now.run_ms);
    }

    /// Time goes on, and what was begun is done after so long. The store takes so long for each call,
    /// which it carries out in between. Returns how many calls there were.
    pub(super) fn work_slowly(&mut self, (ms, call_ms): (u64, u64), takes_ms: u64) -> usize {
        let end_run_ms = self.now.run_ms + ms;
        let (mut calls, mut no) = (0, 0);
        // What comes when: answers of the store, and ends of tries.
        let mut agenda: BTreeMap<(u64, u64), Event> = BTreeMap::new();
        let mut event = Event::Woke;
        loop {
            for effect in self.state.step(event, self.now) {
                let is_call = !matches!(
                    effect,
                    Effect::Begin { .. } | Effect::Stop(_) | Effect::Tell(_) | Effect::Drained
                );
                let began = self.begun.len();
                let answer = self.answer(effect);
                let at = self.now.run_ms + if is_call { call_ms } else { takes_ms };
                let begun = self.begun.drain(began..).next();
                let done = begun.map(|(id, task)| {
                    self.done.push(task.job.key.to_string());
                    let end = End::Done;
                    Event::Tried { id, end }
                });
                if let Some(event) = answer.or(done) {
                    calls += usize::from(is_call);
                    no += 1;
                    agenda.insert((at, no), event);
                }
            }
            let next = agenda.first_key_value().map(|((at, _), _)| *at);
            let woken = self.state.wake_at_ms();
            let Some(at) = [next, woken].into_iter().flatten().min() else {
                return calls;
            };
            if at > end_run_ms {
                return calls;
            }
            let passed = at.saturating_sub(self.now.run_ms);
            self.now.run_ms += passed;
            self.now.wall_ms += passed;
            event = match agenda.first_entry() {
                Some(first) if first.key().0 <= at => first.remove(),
                _ => Event::Woke,
            };
        }
    }

    /// Everything that was begun, and what begins then, is done.
    pub(super) fn end_all(&mut self) {
        while !self.begun.is_empty() {
            self.end(End::Done);
        }
    }

    /// The keys of what is at work.
    pub(super) fn at_work(&self) -> Vec<&str> {
        let begun = self.begun.iter();
        begun.map(|(_, task)| task.job.key.as_str()).collect()
    }

    /// How tries ended, as the runner told.
    pub(super) fn ends(&self) -> Vec<How> {
        let ends = self.told.iter().filter_map(|told| match told {
            Told::Ended { how, .. } => Some(*how),
            _ => None,
        });
        ends.collect()
    }

    /// The state of a job of the first space.
    pub(super) fn stored(&self, key: &str) -> Option<JobState> {
        let name = JobName {
            space: space("ada"),
            kind: kind(),
            key: JobKey::trusted(key),
        };
        self.store.job(&name).map(|stored| stored.state)
    }

    /// Jobs that are leased in the store.
    pub(super) fn leased(&self) -> u64 {
        self.store.job_counts(&[kind()])[0].leased
    }
}

pub(super) fn many(count: usize) -> Vec<Job> {
    (0..count)
        .map(|n| job(&format!("{n:06}"), NOW - 1))
        .collect()
}

pub(super) fn failed(why: &str) -> End {
    End::Failed {
        error: syncline_storage::jobs::JobError::new(why),
        wait_ms: 0,
    }
}
