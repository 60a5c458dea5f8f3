//! The store: calls reach it late, are refused, or their answers are lost.

use syncline_storage::faulty::Fault;
use syncline_storage::jobs::{Claim, Ended, Lease, LeaseError, LeaseLost, LeasedJob};
use syncline_storage::types::StoreError;

use super::broken::Broken;
use super::{Due, World};
use crate::runner::event::{Effect, Event, LeaseAnswers, TryId};

/// A call of the store.
#[derive(Debug)]
pub(super) enum Call {
    Claim(Claim),
    NextDue(Vec<syncline_storage::jobs::JobKind>),
    Extend(Vec<TryId>, Vec<Lease>, u64, u64),
    Finish(Vec<Ended>, u64),
}

impl Call {
    pub(super) fn of(effect: Effect) -> Option<Call> {
        Some(match effect {
            Effect::Claim(claim) => Call::Claim(claim),
            Effect::NextDue(kinds) => Call::NextDue(kinds),
            Effect::Extend {
                ids,
                leases,
                until_ms,
                until_run_ms,
            } => Call::Extend(ids, leases, until_ms, until_run_ms),
            Effect::Finish { ended, now_ms } => Call::Finish(ended, now_ms),
            _ => return None,
        })
    }
}

/// A claim that says of no space that it is full.
fn of_all_spaces(claim: &Claim) -> Claim {
    let mut claim = claim.clone();
    claim.wanted[0].full.clear();
    claim
}

impl World {
    /// A call is on its way.
    pub(super) fn send(&mut self, node: usize, call: Call) {
        let life = self.nodes[node].life;
        let delay_ms = self.delay_ms();
        self.after(delay_ms, Due::Call { node, life, call });
    }

    fn delay_ms(&mut self) -> u64 {
        match self.random.below(100) {
            0 if self.is_troubled => self.random.below(15_000),
            _ => 1 + self.random.below(20),
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        if self.at_ms < self.away_until_ms {
            return Some(Fault::Refused);
        }
        let drawn = self.random.below(100);
        match drawn {
            0..6 if self.is_troubled => Some(Fault::Refused),
            6..12 if self.is_troubled => Some(Fault::AnswerLost),
            _ => None,
        }
    }

    /// A call reaches the store, also if whoever made it is gone by now.
    pub(super) fn call(&mut self, node: usize, life: u64, call: Call) -> Result<(), String> {
        let fault = self.fault();
        let lost = || StoreError::Unavailable("no answer".to_owned());
        if fault == Some(Fault::Refused) {
            let event = match call {
                Call::Claim(_) => Event::Claimed(Err(lost())),
                Call::NextDue(_) => Event::Due(Err(lost())),
                Call::Extend(ids, _, _, until_run_ms) => Event::Extended {
                    ids,
                    until_run_ms,
                    answer: Err(lost()),
                },
                Call::Finish(..) => Event::Finished(Err(lost())),
            };
            self.answer(node, life, event);
            return Ok(());
        }
        let is_lost = fault == Some(Fault::AnswerLost);
        let event = match call {
            Call::Claim(claim) => {
                let leased = self.claim(&claim)?;
                Event::Claimed(if is_lost { Err(lost()) } else { Ok(leased) })
            }
            Call::NextDue(kinds) => Event::Due(Ok(self.store.next_due(&kinds))),
            Call::Extend(ids, leases, until_ms, until_run_ms) => {
                let answers = match self.is_broken(Broken::ExtendDoesNothing) {
                    true => vec![Ok(()); leases.len()],
                    false => self.store.extend(&leases, until_ms),
                };
                self.checks.seen.extended += answers.iter().filter(|one| one.is_ok()).count();
                Event::Extended {
                    ids,
                    until_run_ms,
                    answer: self.told(answers, is_lost),
                }
            }
            Call::Finish(ended, now_ms) => {
                let answers = self.finish(&ended, now_ms)?;
                Event::Finished(self.told(answers, is_lost))
            }
        };
        self.answer(node, life, event);
        Ok(())
    }

    /// As the store tells them. What is lost is lost of all or of some.
    fn told(&mut self, answers: Vec<Result<(), LeaseLost>>, is_lost: bool) -> LeaseAnswers {
        let lost = || StoreError::Unavailable("no answer".to_owned());
        if is_lost && self.random.below(2) == 0 {
            return Err(lost());
        }
        let told = |answer: Result<(), LeaseLost>| match is_lost && self.random.below(2) == 0 {
            true => Err(lost().into()),
            false => answer.map_err(LeaseError::from),
        };
        Ok(answers.into_iter().map(told).collect())
    }

    fn answer(&mut self, node: usize, life: u64, event: Event) {
        let delay_ms = self.delay_ms();
        self.after(delay_ms, Due::Event { node, life, event });
    }

    fn claim(&mut self, claim: &Claim) -> Result<Vec<LeasedJob>, String> {
        let mut leased = match self.is_broken(Broken::FullIsIgnored) {
            true => self.store.claim(&of_all_spaces(claim)),
            false => self.store.claim(claim),
        };
        self.trace(|| {
            let keys: Vec<_> = leased.iter().map(|one| one.job.key.as_str()).collect();
            format!("claimed {keys:?}")
        });
        for one in &mut leased {
            if self.is_broken(Broken::TriesAreNotCounted) {
                one.attempt = 1;
            }
            if self.is_broken(Broken::NumberComesAgain) {
                one.lease.number = one.lease.number.div_ceil(2);
            }
            self.checks.leased(&one.lease)?;
            if claim.wanted[0].full.contains(&one.lease.name.space) {
                return Err(format!("{} is of a full space", one.lease.name));
            }
        }
        Ok(leased)
    }

    fn finish(
        &mut self,
        ended: &[Ended],
        now_ms: u64,
    ) -> Result<Vec<Result<(), LeaseLost>>, String> {
        let stored = ended.iter().map(|one| self.store.job(&one.lease.name));
        let stored: Vec<_> = stored.collect();
        let mut answers = self.store.finish(ended, now_ms);
        for ((one, answer), stored) in ended.iter().zip(&mut answers).zip(stored) {
            self.trace(|| format!("finish {} {:?}: {answer:?}", one.lease.name, one.outcome));
            if answer.is_err() && self.is_broken(Broken::FinishIgnoresLease) {
                *answer = self.store.finish(&[self.with_any_lease(one)], now_ms)[0];
                let is_done = one.outcome == syncline_storage::jobs::Outcome::Done;
                *answer = if is_done { Ok(()) } else { *answer };
            }
            match answer {
                Ok(()) => {
                    self.checks.finished(one)?;
                    self.ended_well(one, stored)?;
                }
                Err(_) => self.checks.seen.ends_too_late += 1,
            }
        }
        Ok(answers)
    }

    /// The same end with whatever lease the job has.
    fn with_any_lease(&self, ended: &Ended) -> Ended {
        let mut ended = ended.clone();
        if let Some(lease) = self.checks.last_lease(&ended.lease.name) {
            ended.lease = lease;
        }
        ended
    }

    pub(super) fn is_broken(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }
}
