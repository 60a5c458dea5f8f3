//! A room of which nobody holds more than a share. Who asks for more waits for what is its own,
//! and not in the queue of all: a user who announces bodies that never come delays itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::room::{NoRoom, Room, Taken};

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct Shares {
    room: Room,
    share_bytes: usize,
    lanes: Arc<Mutex<Lanes>>,
}

type Lanes = HashMap<Arc<str>, Lane>;

/// What one owner may hold. It exists while somebody holds or waits in it.
#[derive(Debug)]
struct Lane {
    own: Room,
    held: usize,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    own: Taken,
    all: Taken,
    _lane: InLane,
}

/// Keeps its owner's lane while it lives.
#[derive(Debug)]
struct InLane {
    lanes: Arc<Mutex<Lanes>>,
    owner: Arc<str>,
}

impl Drop for InLane {
    fn drop(&mut self) {
        let mut lanes = locked(&self.lanes);
        if let Some(lane) = lanes.get_mut(&self.owner) {
            lane.held -= 1;
            if lane.held == 0 {
                lanes.remove(&self.owner);
            }
        }
    }
}

impl Shares {
    /// Room for `bytes_max` bytes, of which an owner has at most `share_bytes`.
    pub fn new(bytes_max: usize, share_bytes: usize) -> Shares {
        Shares {
            room: Room::new(bytes_max),
            share_bytes,
            lanes: Arc::default(),
        }
    }

    /// Takes room for so many bytes: of the owner's share first, then of all the room. Of each,
    /// whoever came first is served first, and more than there is takes all: so one owner holds more
    /// than a share only as one thing, and nothing beside it.
    pub async fn take(&self, owner: &str, bytes: usize, due: Instant) -> Result<Share, NoRoom> {
        self.take_or(owner, bytes, due, || ()).await
    }

    /// The same; `full` is called if the room has not so much now, though the share has.
    pub async fn take_or(
        &self,
        owner: &str,
        bytes: usize,
        due: Instant,
        full: impl FnOnce(),
    ) -> Result<Share, NoRoom> {
        let (lane, own) = self.enter(owner);
        let own = own.take(bytes, due).await?;
        if !self.room.has(bytes) {
            full();
        }
        let all = self.room.take(bytes, due).await?;
        Ok(Share {
            own,
            all,
            _lane: lane,
        })
    }

    /// The same without waiting.
    pub fn take_now(&self, owner: &str, bytes: usize) -> Result<Share, NoRoom> {
        let (lane, own) = self.enter(owner);
        let own = own.take_now(bytes)?;
        let all = self.room.take_now(bytes)?;
        Ok(Share {
            own,
            all,
            _lane: lane,
        })
    }

    fn enter(&self, owner: &str) -> (InLane, Room) {
        let mut lanes = locked(&self.lanes);
        let owner: Arc<str> = owner.into();
        let lane = lanes.entry(owner.clone()).or_insert_with(|| Lane {
            own: Room::new(self.share_bytes),
            held: 0,
        });
        lane.held += 1;
        let lanes = self.lanes.clone();
        (InLane { lanes, owner }, lane.own.clone())
    }
}

impl Share {
    /// Takes more if this is not enough for so many bytes in all: a body that does not say its
    /// length grows as it comes.
    pub async fn grow(&mut self, bytes: usize, due: Instant) -> Result<(), NoRoom> {
        self.grow_or(bytes, due, || ()).await
    }

    /// The same; `full` is called if the room has not so much now, though the share has.
    pub async fn grow_or(
        &mut self,
        bytes: usize,
        due: Instant,
        full: impl FnOnce(),
    ) -> Result<(), NoRoom> {
        self.own.grow(bytes, due).await?;
        if !self.all.has(bytes) {
            full();
        }
        self.all.grow(bytes, due).await
    }

    /// Takes more or gives back what is too much, without waiting. After an error it is only good
    /// for [`Share::wait_for`].
    pub fn fit_now(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.own.fit_now(bytes)?;
        self.all.fit_now(bytes)
    }

    /// Gives back what it has and waits for so many bytes instead. Who waits so holds nothing, so
    /// two that need more never wait for each other.
    pub async fn wait_for(&mut self, bytes: usize, due: Instant) -> Result<(), NoRoom> {
        self.fit_now(0)?;
        self.grow(bytes, due).await
    }
}

fn locked(lanes: &Mutex<Lanes>) -> MutexGuard<'_, Lanes> {
    lanes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KIB: usize = 1_024;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_its_share_waits_for_itself_and_lets_others_pass() {
        let shares = Shares::new(4 * KIB, 2 * KIB);
        let first = shares.take("ada", 2 * KIB, soon()).await.unwrap();
        assert_eq!(shares.take("ada", 1, soon()).await.unwrap_err(), NoRoom);
        let later = Instant::now() + Duration::from_secs(60);
        let waits = {
            let shares = shares.clone();
            tokio::spawn(async move { shares.take("ada", 2 * KIB, later).await })
        };
        tokio::task::yield_now().await;
        drop(shares.take("bob", 2 * KIB, soon()).await.unwrap());
        drop(first);
        drop(waits.await.unwrap().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_now_is_of_the_share_and_of_all_the_room() {
        let shares = Shares::new(4 * KIB, 3 * KIB);
        let first = shares.take_now("ada", 2 * KIB).unwrap();
        assert_eq!(shares.take_now("ada", 2 * KIB).unwrap_err(), NoRoom);
        assert_eq!(shares.take_now("bob", 3 * KIB).unwrap_err(), NoRoom);
        let second = shares.take_now("bob", 2 * KIB).unwrap();
        drop(first);
        drop(shares.take_now("ada", 2 * KIB).unwrap());
        drop(second);
        assert!(locked(&shares.lanes).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_grows_to_its_end_and_no_further() {
        let shares = Shares::new(8 * KIB, 2 * KIB);
        let mut grown = shares.take("ada", 0, soon()).await.unwrap();
        grown.grow(KIB, soon()).await.unwrap();
        let rest = shares.take("ada", KIB, soon()).await.unwrap();
        assert_eq!(grown.grow(KIB + 1, soon()).await, Err(NoRoom));
        drop(rest);
        grown.grow(2 * KIB, soon()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_a_share_is_held_as_one_thing() {
        let shares = Shares::new(8 * KIB, 2 * KIB);
        let mut small = shares.take("ada", KIB, soon()).await.unwrap();
        let mut large = shares.take("ada", 0, soon()).await.unwrap();
        assert_eq!(large.fit_now(4 * KIB), Err(NoRoom));
        small.fit_now(0).unwrap();
        large.fit_now(4 * KIB).unwrap();
        assert_eq!(small.fit_now(1), Err(NoRoom));
        drop(shares.take("bob", 4 * KIB, soon()).await.unwrap());
        assert_eq!(
            shares.take("eve", 5 * KIB, soon()).await.unwrap_err(),
            NoRoom
        );
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_need_more_get_it_one_after_the_other() {
        let shares = Shares::new(4 * KIB, 2 * KIB);
        let mut first = shares.take("ada", KIB, soon()).await.unwrap();
        let mut second = shares.take("ada", KIB, soon()).await.unwrap();
        assert_eq!(first.fit_now(2 * KIB), Err(NoRoom));
        let waits = tokio::spawn(async move {
            first.wait_for(2 * KIB, soon()).await.unwrap();
        });
        tokio::task::yield_now().await;
        second.wait_for(2 * KIB, soon()).await.unwrap();
        waits.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_an_owner_that_left() {
        let shares = Shares::new(4 * KIB, KIB);
        let held = shares.take("ada", KIB, soon()).await.unwrap();
        assert_eq!(shares.take("ada", 1, soon()).await.unwrap_err(), NoRoom);
        assert_eq!(locked(&shares.lanes).len(), 1);
        drop(held);
        assert!(locked(&shares.lanes).is_empty());
    }
}
