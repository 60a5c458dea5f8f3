//! Retention: walks through the spaces of the store, again and again, and has collected what is
//! too old. This is the walk, a step function; [`task`] carries out what it wants. What may be
//! collected is the store's to say, so several nodes may walk at once.

mod task;

use std::collections::VecDeque;

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::stamp::WallMs;
use syncline_storage::types::{Collect, Collected, Keys, StoreError};

pub use task::run;

use crate::config::{CompatConfig, RetentionConfig};

/// Spaces listed at once.
const SPACES: usize = 64;

/// Bytes of records collected in one transaction: what waits behind it waits no longer than behind
/// a large commit.
const BATCH_BYTES: usize = 4 << 20;

const DAY_MS: u64 = 86_400_000;

/// What a walk goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a deleted record is known, in milliseconds; numbers of clients twice as long.
    pub kept_ms: u64,
    /// Whether keys of records stay.
    pub keys: Keys,
    /// Records, and clients, collected at once, and never more than [`BATCH_BYTES`] of records.
    pub batch: usize,
    /// From one round to the next, on average.
    pub interval_ms: u64,
    /// Between two transactions.
    pub pause_ms: u64,
}

/// A walk.
#[derive(Debug)]
pub struct Walk {
    rules: Rules,
    /// Spaces listed and not done.
    left: VecDeque<SpaceKey>,
    /// The last one listed in this round.
    listed: Option<SpaceKey>,
}

/// What happens to it.
#[derive(Debug)]
pub enum Event {
    /// It begins, or a pause is over.
    Go,
    /// To [`Effect::List`].
    Listed(Result<Vec<SpaceKey>, StoreError>),
    /// To [`Effect::Collect`].
    Collected(Result<Collected, StoreError>),
    /// To [`Effect::Forget`]: whether it went.
    Forgotten(Result<bool, StoreError>),
}

/// What it wants done; what comes of it is the next event.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Spaces after one.
    List(Option<SpaceKey>, usize),
    /// Collecting in a space.
    Collect(SpaceKey, Collect),
    /// Forgetting a space that was opened before a time and never written, if it is not open here.
    Forget(SpaceKey, WallMs),
    /// Nothing for so many milliseconds.
    Pause(u64),
}

/// The moment of a step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The hub's clock.
    pub now_ms: WallMs,
    /// Any number: it parts nodes.
    pub random: u64,
}

impl Walk {
    /// Before its first round.
    pub fn new(config: &RetentionConfig, compat: &CompatConfig) -> Walk {
        Walk::by(Rules {
            kept_ms: config.days * DAY_MS,
            keys: match compat.enabled {
                true => Keys::Keep,
                false => Keys::Remove,
            },
            batch: usize::try_from(config.batch).unwrap_or(usize::MAX),
            interval_ms: config.interval_ms,
            pause_ms: config.pause_ms,
        })
    }

    /// The same by such rules.
    pub fn by(rules: Rules) -> Walk {
        Walk {
            rules,
            left: VecDeque::new(),
            listed: None,
        }
    }

    /// What is done first: nodes that start together part.
    pub fn first(&self, random: u64) -> Effect {
        Effect::Pause(random % self.rules.interval_ms)
    }

    /// Takes one event.
    pub fn step(&mut self, event: Event, at: Moment) -> Effect {
        match event {
            Event::Go => self.go_on(at),
            Event::Listed(Ok(spaces)) => {
                let Some(last) = spaces.last() else {
                    return self.end_round(at);
                };
                self.listed = Some(last.clone());
                self.left = spaces.into();
                self.go_on(at)
            }
            Event::Listed(Err(error)) => {
                tracing::warn!(%error, "spaces could not be listed for retention");
                self.end_round(at)
            }
            Event::Collected(Ok(collected)) if collected.view.is_unwritten() => {
                let before_ms = at.now_ms.saturating_sub(self.rules.kept_ms);
                match self.left.front() {
                    Some(space) if collected.view.epoch_at_ms < before_ms => {
                        Effect::Forget(space.clone(), before_ms)
                    }
                    _ => self.done(false, at),
                }
            }
            Event::Forgotten(Ok(has_gone)) => self.done(has_gone, at),
            Event::Collected(Ok(collected)) => {
                if collected.more {
                    return Effect::Pause(self.rules.pause_ms);
                }
                self.done(collected.tombstones > 0 || collected.marks > 0, at)
            }
            Event::Collected(Err(error)) | Event::Forgotten(Err(error)) => {
                // It comes again in the next round.
                let space = self.left.pop_front();
                let space = space.map(|space| space.to_string());
                tracing::warn!(space, %error, "retention of a space failed");
                Effect::Pause(self.rules.pause_ms)
            }
        }
    }

    /// Goes on behind the first space that is left, after a pause if something was written.
    fn done(&mut self, wrote: bool, at: Moment) -> Effect {
        self.left.pop_front();
        if wrote || self.left.is_empty() {
            return Effect::Pause(self.rules.pause_ms);
        }
        self.go_on(at)
    }

    fn go_on(&self, at: Moment) -> Effect {
        let Some(space) = self.left.front() else {
            return Effect::List(self.listed.clone(), SPACES);
        };
        let kept_ms = match mutant(Mutant::CollectEarly) {
            false => self.rules.kept_ms,
            true => 0,
        };
        let collect = Collect {
            dead_before_ms: at.now_ms.saturating_sub(kept_ms),
            marks_before_ms: at.now_ms.saturating_sub(2 * kept_ms),
            keys: self.rules.keys,
            limit: self.rules.batch,
            bytes: BATCH_BYTES,
        };
        Effect::Collect(space.clone(), collect)
    }

    /// Between half and one and a half of the interval.
    fn end_round(&mut self, at: Moment) -> Effect {
        self.left.clear();
        self.listed = None;
        let interval_ms = self.rules.interval_ms;
        Effect::Pause(interval_ms / 2 + at.random % (interval_ms + 1))
    }
}

#[cfg(test)]
mod tests;
