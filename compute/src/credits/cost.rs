//! What a job costs, and what is asked of the ledger around a try of it. Pure.
//!
//! Before the work the credits are reserved, so nobody spends them twice; after it they are settled if it
//! went well, and released if it did not. A job is done at least once, and paid once: a reservation is a
//! try's (its key is of the job and its lease), a settlement is the job's (its key is of the job alone). So
//! who settles a job that was settled by an earlier try is told that the key is used, and releases what it
//! reserved.
//!
//! It is settled before what the work changes is written, and before its lease ends. A try that ends between
//! the two is made again, and pays nothing then; the other way round it would be work for nothing. What is
//! never written although it went well, since the session refuses it, was paid all the same: the work was
//! done. A try that ends without a word leaves its reservation, which runs out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use syncline_protocol::ids::AppId;
use syncline_storage::jobs::JobKind;

use crate::worker::Task;

/// Costs of a config. One more is wrong.
pub const COSTS_MAX: usize = 1_000;

/// Credits of one job.
pub const COST_MAX: u64 = 1_000_000;

/// How long credits are set aside for a try, in milliseconds: an hour. What works longer is not paid.
pub const RESERVED_MS: u64 = 3_600_000;

/// A cost of the config, `[[credits.cost]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostConfig {
    /// The kind of job.
    pub job: String,
    /// Whose jobs; those of every app that has no cost of its own, if it is left out.
    #[serde(default)]
    pub app: Option<String>,
    /// Credits of one job.
    pub amount: u64,
}

/// What jobs cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs(BTreeMap<(String, Option<String>), u64>);

impl Costs {
    /// Checks a config. An amount of 0 has an app's jobs cost nothing where others' do. `is_known` says
    /// whether there is a kind of job of a name. Errors: everything that is wrong, a sentence each.
    pub fn of(
        configs: &[CostConfig],
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Costs, Vec<String>> {
        if configs.len() > COSTS_MAX {
            return Err(vec![format!(
                "credits: there are more than {COSTS_MAX} costs"
            )]);
        }
        let (mut costs, mut wrong) = (BTreeMap::new(), BTreeSet::new());
        for CostConfig { job, app, amount } in configs {
            let mut refuse = |why: &str| wrong.insert(format!("credits: cost of {job:?}: {why}"));
            if !is_known(job) {
                refuse("there is no such kind of job");
            }
            if *amount > COST_MAX {
                refuse(&format!("amount: at most {COST_MAX}"));
            }
            if costs.insert((job.clone(), app.clone()), *amount).is_some() {
                refuse("it is said twice for an app");
            }
        }
        match wrong.is_empty() {
            true => Ok(Costs(costs)),
            false => Err(wrong.into_iter().collect()),
        }
    }

    /// Credits of a job; 0 if it costs nothing.
    pub fn amount(&self, app: &AppId, kind: &JobKind) -> u64 {
        let of = |app: Option<String>| self.0.get(&(kind.to_string(), app)).copied();
        let own = of(Some(app.to_string()));
        own.or_else(|| of(None)).unwrap_or_default()
    }
}

/// Credits that were set aside, as the ledger calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(pub u128);

/// Why the ledger did not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotDone {
    /// There are not so many credits.
    Short,
    /// The key was used for something else.
    KeyUsed,
    /// The reservation has ended.
    Over,
    /// Nobody knows whether it was done.
    Unknown,
}

/// What a try wants done, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To set credits aside.
    Reserve {
        /// The order's key.
        key: String,
        /// How many.
        credits: u64,
    },
    /// To do the work.
    Work,
    /// To use what was set aside.
    Settle {
        /// The order's key.
        key: String,
        /// What was set aside.
        reservation: ReservationId,
        /// How many, all of it.
        credits: u64,
    },
    /// To give back what was set aside.
    Release {
        /// The order's key.
        key: String,
        /// What was set aside.
        reservation: ReservationId,
    },
    /// Nothing more.
    End(Ending),
}

/// How a try ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As the work did. What went well is paid, by this try or an earlier one.
    AsWorked,
    /// The same, and it went well for longer than its credits were set aside: nobody paid.
    Unpaid,
    /// It was not begun: the credits are not there. Tried again, and given up at last, as its kind's policy
    /// says.
    Short,
    /// Nobody knows whether it is paid, or it could not be begun. Tried again.
    Later,
}

/// What a try hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// To [`Effect::Reserve`].
    Reserved(Result<ReservationId, NotDone>),
    /// To [`Effect::Work`].
    Worked(Went),
    /// To [`Effect::Settle`].
    Settled(Result<(), NotDone>),
    /// To [`Effect::Release`].
    Released(Result<(), NotDone>),
}

/// How the work went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Went {
    /// It is done, also if it is due once more.
    Well,
    /// It failed, can never be done, or was not begun.
    Badly,
}

/// A try of a job that costs something.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The job, in every try and every store.
    job: String,
    /// The lease of the try, in its store.
    lease: String,
    credits: u64,
    at: Place,
}

/// Which answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Reserving,
    Working(ReservationId),
    Settling(ReservationId),
    Releasing,
    Ended,
}

impl Charge {
    /// Of a task that costs so many, at least 1; and what to do first.
    pub fn begin(task: &Task, credits: u64) -> (Charge, Effect) {
        Charge::of(
            crate::webhook::id_of(task),
            format!("{}.{}", task.lease.no.0, task.lease.number),
            credits,
        )
    }

    fn of(job: String, lease: String, credits: u64) -> (Charge, Effect) {
        let charge = Charge {
            job,
            lease,
            credits,
            at: Place::Reserving,
        };
        let key = format!("{}:{}", charge.job, charge.lease);
        (charge, Effect::Reserve { key, credits })
    }

    /// What is to be done after an answer, which must be the one that is waited for.
    pub fn step(&mut self, event: Event) -> Effect {
        match (self.at, event) {
            (Place::Reserving, Event::Reserved(answer)) => self.reserved(answer),
            (Place::Working(reservation), Event::Worked(Went::Well)) => self.settle(reservation),
            (Place::Working(reservation), Event::Worked(Went::Badly)) => self.release(reservation),
            (Place::Settling(reservation), Event::Settled(answer)) => match answer {
                Ok(()) => self.end(Ending::AsWorked),
                // An earlier try has paid.
                Err(NotDone::KeyUsed) => self.release(reservation),
                Err(NotDone::Over) => self.end(Ending::Unpaid),
                Err(NotDone::Short | NotDone::Unknown) => self.end(Ending::Later),
            },
            // What was not released runs out.
            (Place::Releasing, Event::Released(_)) => self.end(Ending::AsWorked),
            (at, event) => panic!("{event:?} is no answer while {at:?}"),
        }
    }

    fn reserved(&mut self, answer: Result<ReservationId, NotDone>) -> Effect {
        match answer {
            Ok(reservation) => {
                self.at = Place::Working(reservation);
                Effect::Work
            }
            Err(NotDone::Short) => self.end(Ending::Short),
            Err(NotDone::KeyUsed | NotDone::Over | NotDone::Unknown) => self.end(Ending::Later),
        }
    }

    fn settle(&mut self, reservation: ReservationId) -> Effect {
        self.at = Place::Settling(reservation);
        Effect::Settle {
            key: self.job.clone(),
            reservation,
            credits: self.credits,
        }
    }

    fn release(&mut self, reservation: ReservationId) -> Effect {
        self.at = Place::Releasing;
        let key = format!("{}:{}:released", self.job, self.lease);
        Effect::Release { key, reservation }
    }

    fn end(&mut self, ending: Ending) -> Effect {
        self.at = Place::Ended;
        Effect::End(ending)
    }
}

#[cfg(test)]
mod tests;
