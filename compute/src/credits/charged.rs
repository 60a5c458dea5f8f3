//! A worker whose jobs cost credits: carries out what [`cost`](super::cost) decides.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::UserId;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

use super::cost::{
    Charge, Costs, Effect, Ending, Event, NotDone, RESERVED_MS, ReservationId, Went,
};
use crate::worker::{Task, Worked, Worker};

/// An order of the ledger: done once for its key, and answered the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Whose credits.
    pub user: UserId,
    /// Which order of the user.
    pub key: String,
    /// The hub's clock.
    pub now_ms: WallMs,
}

/// What of a ledger work needs. Who was not answered is told [`NotDone::Unknown`], and asks again.
#[async_trait]
pub trait CreditLedger: Send + Sync + 'static {
    /// Sets credits aside until then. Errors: [`NotDone::Short`].
    async fn reserve(
        &self,
        order: Ordered,
        credits: u64,
        until_ms: WallMs,
    ) -> Result<ReservationId, NotDone>;

    /// Uses so many of what was set aside, and gives the rest back. Errors: [`NotDone::KeyUsed`],
    /// [`NotDone::Over`].
    async fn settle(
        &self,
        order: Ordered,
        reservation: ReservationId,
        credits: u64,
    ) -> Result<(), NotDone>;

    /// Gives back what was set aside. Errors: [`NotDone::Over`].
    async fn release(&self, order: Ordered, reservation: ReservationId) -> Result<(), NotDone>;
}

/// Does jobs by another worker, once they can be paid. Who pays is whose personal space it is.
pub struct Charged {
    worker: Arc<dyn Worker>,
    ledger: Arc<dyn CreditLedger>,
    costs: Costs,
}

impl std::fmt::Debug for Charged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Charged").field(&self.costs).finish()
    }
}

impl Charged {
    /// Around a worker.
    pub fn new(worker: Arc<dyn Worker>, ledger: Arc<dyn CreditLedger>, costs: Costs) -> Charged {
        Charged {
            worker,
            ledger,
            costs,
        }
    }

    async fn work_for(&self, task: &Task, credits: u64) -> Worked {
        let (mut charge, mut effect) = Charge::begin(task, credits);
        let user = UserId::trusted(task.space().space.as_str());
        let order = |key| Ordered {
            user: user.clone(),
            key,
            now_ms: task.now_ms,
        };
        let mut worked = None;
        loop {
            let event = match effect {
                Effect::Reserve { key, credits } => {
                    let until_ms = task.now_ms.saturating_add(RESERVED_MS);
                    Event::Reserved(self.ledger.reserve(order(key), credits, until_ms).await)
                }
                Effect::Work => {
                    let done = self.worker.work(task).await;
                    let went = went(&done);
                    worked = Some(done);
                    Event::Worked(went)
                }
                Effect::Settle {
                    key,
                    reservation,
                    credits,
                } => Event::Settled(self.ledger.settle(order(key), reservation, credits).await),
                Effect::Release { key, reservation } => {
                    Event::Released(self.ledger.release(order(key), reservation).await)
                }
                Effect::End(ending) => return ended(ending, worked),
            };
            effect = charge.step(event);
        }
    }
}

#[async_trait]
impl Worker for Charged {
    async fn work(&self, task: &Task) -> Worked {
        match self.costs.amount(&task.space().app, &task.job.kind) {
            0 => self.worker.work(task).await,
            credits => self.work_for(task, credits).await,
        }
    }
}

fn went(worked: &Worked) -> Went {
    match worked {
        Worked::Done(_) | Worked::Again { .. } => Went::Well,
        Worked::Failed { .. } | Worked::Busy { .. } | Worked::Hopeless(_) => Went::Badly,
    }
}

fn ended(ending: Ending, worked: Option<Worked>) -> Worked {
    let failed = |why: &str| Worked::Failed {
        error: JobError::new(why),
        wait_ms: 0,
    };
    match (ending, worked) {
        (Ending::AsWorked | Ending::Unpaid, Some(worked)) => worked,
        (Ending::Short, _) => failed("credits_short: it costs more credits than there are"),
        (Ending::Later, _) | (_, None) => {
            failed("ledger_unavailable: nobody knows whether it is paid")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey};
    use syncline_storage::jobs::{
        Job, JobArgs, JobKey, JobKind, JobName, JobNo, Lease, Origin, TriggerId,
    };

    use super::*;
    use crate::credits::cost::CostConfig;

    const NOW_MS: u64 = 1_795_514_400_000;

    fn task(app: &str) -> Task {
        let name = JobName {
            space: SpaceKey {
                app: AppId::trusted(app),
                space: SpaceId::trusted("ada"),
            },
            kind: JobKind::trusted("webhook"),
            key: JobKey::trusted("t/1"),
        };
        Task {
            job: Job {
                kind: name.kind.clone(),
                key: name.key.clone(),
                lane: None,
                due_at_ms: NOW_MS,
                args: JobArgs::trusted(&json!({}).to_string()),
                depth: 0,
                origin: Origin {
                    epoch: Epoch(7),
                    seq: Seq(3),
                    trigger: TriggerId::trusted("t"),
                },
            },
            lease: Lease {
                name,
                no: JobNo(7),
                number: 9,
            },
            attempt: 1,
            now_ms: NOW_MS,
        }
    }

    /// Answers with what it was given, and writes down what it was asked.
    struct Told {
        worked: Worked,
        reserved: Result<ReservationId, NotDone>,
        settled: Result<(), NotDone>,
        asked: Mutex<Vec<String>>,
    }

    impl Told {
        fn of(worked: Worked) -> Told {
            Told {
                worked,
                reserved: Ok(ReservationId(1)),
                settled: Ok(()),
                asked: Mutex::default(),
            }
        }

        fn note(&self, what: &str, order: &Ordered) {
            assert_eq!((order.user.as_str(), order.now_ms), ("ada", NOW_MS));
            // What a job is called is its digest.
            let key = order.key.split_once(':').map_or("", |(_, lease)| lease);
            self.asked.lock().unwrap().push(format!("{what} {key}"));
        }
    }

    #[async_trait]
    impl Worker for Told {
        async fn work(&self, _: &Task) -> Worked {
            self.asked.lock().unwrap().push("work".to_owned());
            self.worked.clone()
        }
    }

    #[async_trait]
    impl CreditLedger for Told {
        async fn reserve(
            &self,
            order: Ordered,
            credits: u64,
            until_ms: WallMs,
        ) -> Result<ReservationId, NotDone> {
            assert_eq!((credits, until_ms), (3, NOW_MS + RESERVED_MS));
            self.note("reserve", &order);
            self.reserved
        }

        async fn settle(
            &self,
            order: Ordered,
            _: ReservationId,
            credits: u64,
        ) -> Result<(), NotDone> {
            assert_eq!(credits, 3);
            self.note("settle", &order);
            self.settled
        }

        async fn release(&self, order: Ordered, _: ReservationId) -> Result<(), NotDone> {
            self.note("release", &order);
            Ok(())
        }
    }

    async fn charged(told: Told, app: &str) -> (Worked, Vec<String>) {
        let told = Arc::new(told);
        let config = CostConfig {
            job: "webhook".to_owned(),
            app: Some("chat".to_owned()),
            amount: 3,
        };
        let costs = Costs::of(&[config], |_| true).unwrap();
        let charged = Charged::new(told.clone(), told.clone(), costs);
        let worked = charged.work(&task(app)).await;
        let asked = told.asked.lock().unwrap().clone();
        (worked, asked)
    }

    fn failed() -> Worked {
        Worked::Failed {
            error: JobError::new("no answer"),
            wait_ms: 7,
        }
    }

    #[tokio::test]
    async fn what_goes_well_is_settled_and_what_does_not_is_released() {
        let again = Worked::Again {
            due_at_ms: 5,
            changes: None,
        };
        for worked in [Worked::Done(None), again] {
            let (ended, asked) = charged(Told::of(worked.clone()), "chat").await;
            assert_eq!(asked, ["reserve 7.9", "work", "settle "]);
            assert_eq!(ended, worked);
        }
        let hopeless = Worked::Hopeless(JobError::new("gone"));
        for worked in [failed(), Worked::Busy { wait_ms: 5 }, hopeless] {
            let (ended, asked) = charged(Told::of(worked.clone()), "chat").await;
            assert_eq!(asked, ["reserve 7.9", "work", "release 7.9:released"]);
            assert_eq!(ended, worked);
        }
    }

    #[tokio::test]
    async fn what_costs_nothing_asks_no_ledger() {
        let (ended, asked) = charged(Told::of(Worked::Done(None)), "todo").await;
        assert_eq!(
            (ended, asked),
            (Worked::Done(None), vec!["work".to_owned()])
        );
    }

    #[tokio::test]
    async fn what_cannot_be_paid_is_not_begun() {
        for (why, code) in [
            (NotDone::Short, "credits_short"),
            (NotDone::Unknown, "ledger_unavailable"),
        ] {
            let mut told = Told::of(Worked::Done(None));
            told.reserved = Err(why);
            let (ended, asked) = charged(told, "chat").await;
            assert_eq!(asked, ["reserve 7.9"]);
            let Worked::Failed { error, .. } = ended else {
                panic!("it failed: {ended:?}");
            };
            assert!(error.as_str().starts_with(code), "{}", error.as_str());
        }
    }

    #[tokio::test]
    async fn a_job_that_is_paid_already_is_not_paid_again() {
        let mut told = Told::of(Worked::Done(None));
        told.settled = Err(NotDone::KeyUsed);
        let (ended, asked) = charged(told, "chat").await;
        assert_eq!(ended, Worked::Done(None));
        assert_eq!(
            asked,
            ["reserve 7.9", "work", "settle ", "release 7.9:released"]
        );
    }
}
