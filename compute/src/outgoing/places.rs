//! How many workers of a pool a server holds at once: a part of the pool, so that one which is slow or
//! dead leaves the rest to others.
//!
//! One space has at most half of that part, which is also half of what the space may have of the pool:
//! neither keeps another space from a server, nor a dead server a space from the others. `line`
//! decides; here is waited. Servers that users name are of [`servers`](super::servers).

mod line;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::SpaceKey;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::line::{Asked, Line, TURN_MS, Ticket};

/// A server has this part of a pool.
const PART: usize = 4;

/// The longest wait for a place, in milliseconds: part of the time of a try.
pub const PLACE_WAIT_MS_MAX: u64 = TURN_MS;

/// The places of a server.
pub(crate) struct Places(Mutex<Told>);

/// The line, and how those who stand in it are told.
struct Told {
    line: Line,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// One that is taken until it is dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    space: &'a SpaceKey,
    answered: bool,
}

/// Who stands in line, until it is dropped.
struct Standing<'a> {
    places: &'a Places,
    space: &'a SpaceKey,
    ticket: Ticket,
}

impl Places {
    /// Of a pool of so many workers: a quarter of them, and at least one.
    pub(crate) fn of(pool: usize) -> Places {
        Places(Mutex::new(Told {
            line: Line::of(pool / PART),
            waiting: HashMap::new(),
        }))
    }

    /// Takes one for a space, when it is its turn. Errors: that would be too long; how long to wait
    /// until asking again, in milliseconds.
    pub(crate) async fn take<'a>(&'a self, space: &'a SpaceKey) -> Result<Place<'a>, u64> {
        let places = self;
        let (standing, turn, for_ms) = {
            let mut told = self.told();
            match told.line.ask(space) {
                Asked::Placed => return Ok(Place::of(places, space)),
                Asked::TurnedAway(wait_ms) => return Err(wait_ms),
                Asked::InLine(ticket, for_ms) => {
                    let (tell, turn) = oneshot::channel();
                    told.waiting.insert(ticket, tell);
                    let standing = Standing {
                        places,
                        space,
                        ticket,
                    };
                    (standing, turn, for_ms)
                }
            }
        };
        // Whether it was told or not, the line knows whether it has a place.
        let _ = timeout(Duration::from_millis(for_ms), turn).await;
        standing
            .end()
            .ok_or_else(|| self.told().line.left_in_vain(space))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever has the place now is told.
    fn pass_on(&self, give_back: impl FnOnce(&mut Line) -> Option<Ticket>) {
        let mut told = self.told();
        if let Some(ticket) = give_back(&mut told.line)
            && let Some(tell) = told.waiting.remove(&ticket)
        {
            // Who has gone gives the place back itself.
            let _ = tell.send(());
        }
    }
}

impl<'a> Standing<'a> {
    /// Leaves the line: with a place, if it was its turn.
    fn end(self) -> Option<Place<'a>> {
        let (places, space) = (self.places, self.space);
        let has_place = self.leave();
        std::mem::forget(self);
        has_place.then(|| Place::of(places, space))
    }

    fn leave(&self) -> bool {
        let mut told = self.places.told();
        told.waiting.remove(&self.ticket);
        !told.line.leave(self.ticket)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if self.leave() {
            let space = self.space;
            self.places.pass_on(|line| line.give_back_unanswered(space));
        }
    }
}

impl<'a> Place<'a> {
    fn of(places: &'a Places, space: &'a SpaceKey) -> Place<'a> {
        Place {
            places,
            space,
            answered: false,
        }
    }

    /// The endpoint does not hang: it has answered, whatever it said, or nobody took the connection.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let (space, answered) = (self.space, self.answered);
        self.places.pass_on(|line| match answered {
            true => line.give_back(space),
            false => line.give_back_unanswered(space),
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    fn space(name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(name),
        }
    }

    #[tokio::test]
    async fn a_server_has_a_quarter_of_the_pool_and_not_one_more() {
        for (pool, size) in [(0, 1), (1, 1), (7, 1), (8, 2), (11, 2), (32, 8)] {
            let places = Places::of(pool);
            let spaces: Vec<SpaceKey> = (0..=size).map(|n| space(&format!("s{n}"))).collect();
            let take = |space| places.take(space).now_or_never().and_then(Result::ok);
            let mut taken: Vec<_> = spaces.iter().map(take).collect();
            assert!(taken.pop().unwrap().is_none(), "{pool}");
            assert!(taken.iter().all(Option::is_some), "{pool}");
            drop(taken);
            assert!(take(&spaces[0]).is_some(), "{pool}");
        }
    }

    #[tokio::test]
    async fn who_stands_in_line_has_the_place_that_is_given_back() {
        let places = Places::of(4);
        let (ada, bob) = (space("ada"), space("bob"));
        let first = places.take(&ada).await.ok();
        let mut second = Box::pin(places.take(&bob));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!(
            places.take(&ada).now_or_never().is_none(),
            "it is the other's"
        );
        assert!(second.await.is_ok());
        assert!(places.take(&ada).await.is_ok());
    }

    /// Also one that was told just then.
    #[tokio::test]
    async fn who_is_stopped_in_line_keeps_no_place() {
        for is_told in [false, true] {
            let places = Places::of(4);
            let (ada, bob) = (space("ada"), space("bob"));
            let first = places.take(&ada).await.ok();
            let mut second = Box::pin(places.take(&bob));
            assert!((&mut second).now_or_never().is_none());
            match is_told {
                false => {
                    drop(second);
                    drop(first);
                }
                true => {
                    drop(first);
                    drop(second);
                }
            }
            assert!(places.take(&ada).await.is_ok(), "{is_told}");
        }
    }
}
