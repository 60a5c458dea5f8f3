//! How many jobs are at a server at once that a user's device is reached by, so that one which is slow,
//! dead or hostile leaves the workers to others.
//!
//! A server that answers well has more places the better it answers (`window`), up to a part of the
//! pool, and the others share some (`shared`); `desk` decides who gets one, here is waited.

mod desk;
mod shared;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::SpaceKey;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use self::desk::{Asked, Desk, Grant, TURN_MS, Ticket};
pub(crate) use self::desk::{Said, Whose};

/// The longest wait for a place, in milliseconds: part of the time of a try.
pub const PLACE_WAIT_MS_MAX: u64 = TURN_MS;

/// The places of a pool, by server.
pub(crate) struct Servers {
    told: Mutex<Told>,
    begin: Instant,
}

/// Who has places, and how those who wait for one are told.
struct Told {
    desk: Desk,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// One that is taken until it is dropped.
pub(crate) struct Place<'a> {
    servers: &'a Servers,
    grant: Grant,
    said: Said,
}

/// Who stands in line, until it is dropped.
struct Standing<'a> {
    servers: &'a Servers,
    name: &'a str,
    ticket: Ticket,
}

impl Servers {
    /// Of a pool of so many workers.
    pub(crate) fn of(pool: usize) -> Servers {
        Servers {
            told: Mutex::new(Told {
                desk: Desk::of(pool),
                waiting: HashMap::new(),
            }),
            begin: Instant::now(),
        }
    }

    /// Takes a place at a server for a space, when it is its turn. Errors: that would be too long; how
    /// long to wait until asking again, in milliseconds.
    pub(crate) async fn take<'a>(
        &'a self,
        (name, whose): (&'a str, Whose),
        space: &SpaceKey,
    ) -> Result<Place<'a>, u64> {
        let servers = self;
        let (standing, turn, for_ms) = {
            let mut told = self.told();
            match told.desk.ask((name, whose), space, self.now_ms()) {
                Asked::Placed(grant) => return Ok(Place::of(servers, grant)),
                Asked::TurnedAway(wait_ms) => return Err(wait_ms),
                Asked::InLine(ticket, for_ms) => {
                    let (tell, turn) = oneshot::channel();
                    told.waiting.insert(ticket, tell);
                    let standing = Standing {
                        servers,
                        name,
                        ticket,
                    };
                    (standing, turn, for_ms)
                }
            }
        };
        // Whether it was told or not, the desk knows whether it has a place.
        let _ = timeout(Duration::from_millis(for_ms), turn).await;
        standing.end()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while it is held.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Told {
    /// Tells those who have a place now. Who has gone gives it back itself.
    fn tell(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            if let Some(tell) = self.waiting.remove(&ticket) {
                let _ = tell.send(());
            }
        }
    }
}

impl<'a> Standing<'a> {
    /// Leaves the line: with a place, if it was its turn.
    fn end(self) -> Result<Place<'a>, u64> {
        let (servers, name, ticket) = (self.servers, self.name, self.ticket);
        std::mem::forget(self);
        let mut told = servers.told();
        told.waiting.remove(&ticket);
        let left = told.desk.leave(name, ticket, servers.now_ms());
        left.map(|grant| Place::of(servers, grant))
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut told = self.servers.told();
        told.waiting.remove(&self.ticket);
        let now_ms = self.servers.now_ms();
        let others = told.desk.withdraw(self.name, self.ticket, now_ms);
        told.tell(others);
    }
}

impl<'a> Place<'a> {
    fn of(servers: &'a Servers, grant: Grant) -> Place<'a> {
        Place {
            servers,
            grant,
            said: Said::Nothing,
        }
    }

    /// Gives it back, with what the server said. One that is dropped says that nobody waited for it.
    pub(crate) fn end(mut self, said: Said) {
        self.said = said;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut told = self.servers.told();
        let now_ms = self.servers.now_ms();
        let others = told.desk.give_back(&self.grant, self.said, now_ms);
        told.tell(others);
    }
}
