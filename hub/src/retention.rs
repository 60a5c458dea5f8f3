//! Retention: walks through the spaces of the store, again and again, and has collected what is
//! too old. This is the walk, a step function; [`task`] carries out what it wants. What may be
//! collected is the store's to say, so several nodes may walk at once.

mod task;

use std::collections::VecDeque;

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::types::{Collect, Collected, Keys, StoreError};

pub use task::run;

use crate::config::{CompatConfig, RetentionConfig};

/// Spaces listed at once.
const SPACES: usize = 64;

const DAY_MS: u64 = 86_400_000;

/// A walk.
#[derive(Debug)]
pub struct Walk {
    config: RetentionConfig,
    keys: Keys,
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
}

/// What it wants done; what comes of it is the next event.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Spaces after one.
    List(Option<SpaceKey>, usize),
    /// Collecting in a space.
    Collect(SpaceKey, Collect),
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
        Walk {
            config: config.clone(),
            keys: match compat.enabled {
                true => Keys::Keep,
                false => Keys::Remove,
            },
            left: VecDeque::new(),
            listed: None,
        }
    }

    /// What is done first: nodes that start together part.
    pub fn first(&self, random: u64) -> Effect {
        Effect::Pause(random % self.config.interval_ms)
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
            Event::Collected(Ok(collected)) => {
                if !collected.more {
                    self.left.pop_front();
                }
                let wrote = collected.more || collected.tombstones > 0 || collected.marks > 0;
                if wrote || self.left.is_empty() {
                    return Effect::Pause(self.config.pause_ms);
                }
                self.go_on(at)
            }
            Event::Collected(Err(error)) => {
                // It comes again in the next round.
                let space = self.left.pop_front();
                let space = space.map(|space| space.to_string());
                tracing::warn!(space, %error, "retention of a space failed");
                Effect::Pause(self.config.pause_ms)
            }
        }
    }

    fn go_on(&self, at: Moment) -> Effect {
        let Some(space) = self.left.front() else {
            return Effect::List(self.listed.clone(), SPACES);
        };
        let kept_ms = self.config.days * DAY_MS;
        let collect = Collect {
            dead_before_ms: at.now_ms.saturating_sub(kept_ms),
            marks_before_ms: at.now_ms.saturating_sub(2 * kept_ms),
            keys: self.keys,
            limit: usize::try_from(self.config.batch).unwrap_or(usize::MAX),
        };
        Effect::Collect(space.clone(), collect)
    }

    /// Between half and one and a half of the interval.
    fn end_round(&mut self, at: Moment) -> Effect {
        self.left.clear();
        self.listed = None;
        let interval_ms = self.config.interval_ms;
        Effect::Pause(interval_ms / 2 + at.random % (interval_ms + 1))
    }
}

#[cfg(test)]
mod tests;
