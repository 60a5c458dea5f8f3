//! The look at the store: which live spaces are elsewhere than their sessions believe?
//!
//! At once when messages were lost, and now and then in any case. Spaces are read many at a time,
//! and only sessions that are behind are told. This is when it looks and at what, a step function;
//! [`task`] carries out what it wants, and the simulation does.

mod task;

use std::collections::VecDeque;

use syncline_protocol::mutant::{Mutant, mutant};

pub(super) use self::task::run;
use crate::telemetry::labels::CatchUpCause;

/// Spaces in one read.
const BATCH: usize = 256;

/// Reads at once, when messages were lost.
const READS_AT_ONCE: usize = 4;

/// From one read to the next, when nothing is known to be lost, in milliseconds.
const PAUSE_MS: u64 = 50;

/// From the end of one look to the begin of the next, however many are wanted, in milliseconds.
const APART_MS: u64 = 1_000;

/// The shortest time from one regular look to the next, and how much longer it may be.
const EVERY_MS: (u64, u64) = (30_000, 30_000);

/// The same while the bus is away: it is all that tells what came to other nodes.
const EVERY_AWAY_MS: (u64, u64) = (3_000, 3_000);

/// The looks of a node. `E` is a space that is open on it.
#[derive(Debug)]
pub struct Audit<E> {
    doing: Doing<E>,
}

#[derive(Debug)]
enum Doing<E> {
    /// Until the next regular look.
    Resting,
    /// A look begins: the open spaces are listed.
    Listing(CatchUpCause),
    /// A regular look, one read after the other; so many are left.
    Slowly(VecDeque<Vec<E>>),
    /// A look that is wanted.
    AtOnce {
        cause: CatchUpCause,
        left: VecDeque<Vec<E>>,
        reading: usize,
        /// The store answered every read so far.
        answered: bool,
    },
    /// A look has ended; the one that the store did not answer comes again.
    Apart(Option<CatchUpCause>),
}

/// What happens to them.
#[derive(Debug)]
pub enum Event<E> {
    /// To [`Effect::Wait`].
    Waited,
    /// To [`Effect::List`].
    Listed(Vec<E>),
    /// To [`Effect::Look`]: whether the store answered.
    Looked(bool),
    /// Messages were lost. Only while [`Audit::takes_wishes`].
    Wanted(CatchUpCause),
}

/// What they want done.
#[derive(Debug, PartialEq)]
pub enum Effect<E> {
    /// Nothing for so many milliseconds.
    Wait(u64),
    /// The spaces that are open now. What was waited for and read before is of no use any more.
    List,
    /// To read these of the store and to tell the sessions that are elsewhere, for this cause.
    Look(Vec<E>, CatchUpCause),
}

/// The moment of a step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The bus is away.
    pub is_away: bool,
    /// Any number: it parts nodes that were started together.
    pub random: u64,
}

impl<E> Audit<E> {
    /// The looks of a node that starts, and how long until the first.
    pub fn begin(at: Moment) -> (Audit<E>, Effect<E>) {
        let doing = Doing::Resting;
        (Audit { doing }, Effect::Wait(until_next_ms(at)))
    }

    /// Whether it hears now that a look is wanted. Who wants one meanwhile waits.
    pub fn takes_wishes(&self) -> bool {
        matches!(self.doing, Doing::Resting | Doing::Slowly(_))
    }

    /// Takes one event.
    pub fn step(&mut self, event: Event<E>, at: Moment) -> Vec<Effect<E>> {
        let doing = std::mem::replace(&mut self.doing, Doing::Resting);
        let (doing, effects) = match (doing, event) {
            (_, Event::Wanted(cause)) | (Doing::Apart(Some(cause)), _) => {
                (Doing::Listing(cause), vec![Effect::List])
            }
            (Doing::Resting, _) => (Doing::Listing(CatchUpCause::Audit), vec![Effect::List]),
            (Doing::Listing(cause), Event::Listed(open)) => {
                let open = if mutant(Mutant::AuditOff) {
                    Vec::new()
                } else {
                    open
                };
                self::begin(cause, batches(open), at)
            }
            (Doing::Slowly(left), Event::Looked(_)) => {
                (Doing::Slowly(left), vec![Effect::Wait(PAUSE_MS)])
            }
            (Doing::Slowly(left), _) => look_slowly(left, at),
            (
                Doing::AtOnce {
                    cause,
                    mut left,
                    reading,
                    answered,
                },
                Event::Looked(answer),
            ) => {
                let next = left.pop_front().map(|batch| Effect::Look(batch, cause));
                let answered = answered && answer;
                let reading = reading - usize::from(next.is_none());
                if reading == 0 {
                    let again = (!answered).then_some(cause);
                    (Doing::Apart(again), vec![Effect::Wait(APART_MS)])
                } else {
                    let doing = Doing::AtOnce {
                        cause,
                        left,
                        reading,
                        answered,
                    };
                    (doing, next.into_iter().collect())
                }
            }
            (Doing::Apart(None), _) => (Doing::Resting, vec![Effect::Wait(until_next_ms(at))]),
            (doing @ (Doing::Listing(_) | Doing::AtOnce { .. }), _) => (doing, Vec::new()),
        };
        self.doing = doing;
        effects
    }
}

type Next<E> = (Doing<E>, Vec<Effect<E>>);

/// A look begins at these.
fn begin<E>(cause: CatchUpCause, mut left: VecDeque<Vec<E>>, at: Moment) -> Next<E> {
    if cause == CatchUpCause::Audit {
        return look_slowly(left, at);
    }
    let first = left.drain(..READS_AT_ONCE.min(left.len()));
    let looks: Vec<_> = first.map(|batch| Effect::Look(batch, cause)).collect();
    if looks.is_empty() {
        return (Doing::Apart(None), vec![Effect::Wait(APART_MS)]);
    }
    let doing = Doing::AtOnce {
        cause,
        left,
        reading: looks.len(),
        answered: true,
    };
    (doing, looks)
}

fn look_slowly<E>(mut left: VecDeque<Vec<E>>, at: Moment) -> Next<E> {
    match left.pop_front() {
        Some(batch) => {
            let look = Effect::Look(batch, CatchUpCause::Audit);
            (Doing::Slowly(left), vec![look])
        }
        None => (Doing::Resting, vec![Effect::Wait(until_next_ms(at))]),
    }
}

fn batches<E>(open: Vec<E>) -> VecDeque<Vec<E>> {
    let mut open = open.into_iter();
    let batches = std::iter::from_fn(|| {
        let batch: Vec<E> = open.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    });
    batches.collect()
}

/// Nodes that were started together do not look together.
fn until_next_ms(at: Moment) -> u64 {
    let (shortest, more) = if at.is_away { EVERY_AWAY_MS } else { EVERY_MS };
    shortest + at.random % (more + 1)
}

#[cfg(test)]
mod tests;
