//! The tries of what fails only because somebody else was faster: some while others may write, then some
//! while the space is held.

use std::time::Duration;

use syncline_protocol::ids::SpaceKey;

use super::failure::{Failure, contended};
use super::hold::Hold;
use super::server::Server;
use crate::random;
use crate::types::StoreError;

/// Tries before a space is held.
pub(super) const FREE_TRIES: usize = 3;

/// Tries while it is held. One is enough, unless the hold ended before.
const HELD_TRIES: usize = 3;

const TRIES_END: usize = FREE_TRIES + HELD_TRIES;

/// Times that somebody else may be faster where each of these got on by it, or holds the space only for a
/// moment.
pub(super) const RACES_MAX: usize = 16;

/// Half of the longest pause before the second try, in milliseconds: about what an agreement takes.
const PAUSE_MS: u64 = 4;

/// Tries of something in a space. Each that was begun is to be ended, also where it failed.
pub(super) struct Tries<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    begun: usize,
    hold: Hold,
}

impl<'a> Tries<'a> {
    pub(super) fn of(server: &'a Server, space: &'a SpaceKey) -> Tries<'a> {
        Tries {
            server,
            space,
            begun: 0,
            hold: Hold::NONE,
        }
    }

    /// Begins the next one, once its time has come. What it writes is written by this holder. Errors:
    /// somebody was faster in all of them, or holds the space for too long.
    pub(super) async fn next(&mut self) -> Result<Hold, Failure> {
        let before = self.begun;
        self.begun += 1;
        match before {
            0 => {}
            1..FREE_TRIES => pause(before).await?,
            FREE_TRIES..TRIES_END => self.hold = Hold::take(self.server, self.space).await?,
            _ => return Err(contended().into()),
        }
        Ok(self.hold)
    }

    /// The last one is over: others may write again.
    pub(super) async fn end(&mut self) {
        let hold = std::mem::replace(&mut self.hold, Hold::NONE);
        hold.let_go(self.server, self.space).await;
    }
}

/// Waits for a random time, so that two who were in each other's way are not so again.
async fn pause(tries: usize) -> Result<(), StoreError> {
    let longest_ms = PAUSE_MS << tries;
    let ms = 1 + random()? % longest_ms;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(())
}
