//! Room for what many requests of a node hold together, in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Bytes one permit stands for. What takes room takes whole ones, at least one.
const UNIT_BYTES: usize = 1_024;

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    room: Room,
    permit: OwnedSemaphorePermit,
}

/// There was no room in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room")]
pub struct NoRoom;

impl Room {
    /// Room for so many bytes, rounded down to KiB, at least one.
    pub fn new(bytes_max: usize) -> Room {
        let units = u32::try_from(bytes_max / UNIT_BYTES).unwrap_or(u32::MAX);
        let units = units.clamp(1, u32::MAX >> 4);
        Room {
            free: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Takes room for so many bytes; whoever came first is served first. More than all the room
    /// takes all.
    pub async fn take(&self, bytes: usize, due: Instant) -> Result<Taken, NoRoom> {
        let permit = self.permit(self.units_of(bytes), due).await?;
        Ok(Taken {
            room: self.clone(),
            permit,
        })
    }

    /// The same without waiting: there is no room now, or only for those who wait already.
    pub fn take_now(&self, bytes: usize) -> Result<Taken, NoRoom> {
        let free = self.free.clone();
        let permit = free.try_acquire_many_owned(self.units_of(bytes));
        Ok(Taken {
            room: self.clone(),
            permit: permit.map_err(|_| NoRoom)?,
        })
    }

    /// Whether so much is free now.
    pub fn has(&self, bytes: usize) -> bool {
        self.free.available_permits() >= self.units_of(bytes) as usize
    }

    async fn permit(&self, units: u32, due: Instant) -> Result<OwnedSemaphorePermit, NoRoom> {
        let wanted = self.free.clone().acquire_many_owned(units);
        match timeout_at(due, wanted).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(NoRoom),
        }
    }

    fn units_of(&self, bytes: usize) -> u32 {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        units.min(self.units)
    }
}

impl Taken {
    /// Takes more if this is not enough for so many bytes in all: a body that does not say its
    /// length grows as it comes.
    pub async fn grow(&mut self, bytes: usize, due: Instant) -> Result<(), NoRoom> {
        let (wanted, held) = (self.room.units_of(bytes), self.units());
        if wanted > held {
            let more = self.room.permit(wanted - held, due).await?;
            self.permit.merge(more);
        }
        Ok(())
    }

    /// Whether what is lacking for so many bytes in all is free now.
    pub fn has(&self, bytes: usize) -> bool {
        let lacking = self.room.units_of(bytes).saturating_sub(self.units());
        self.room.free.available_permits() >= lacking as usize
    }

    /// Takes more or gives back what is too much, so that it is enough for so many bytes in all.
    /// Does not wait: there is no room now, or only for those who wait already.
    pub fn fit_now(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let (wanted, held) = (self.room.units_of(bytes), self.units());
        if wanted > held {
            let free = self.room.free.clone();
            let more = free.try_acquire_many_owned(wanted - held);
            self.permit.merge(more.map_err(|_| NoRoom)?);
        } else {
            drop(self.permit.split((held - wanted) as usize));
        }
        Ok(())
    }

    fn units(&self) -> u32 {
        u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_given_up_to_the_limit_and_refused_past_it() {
        let room = Room::new(4 * UNIT_BYTES);
        let first = room.take(3 * UNIT_BYTES, soon()).await.unwrap();
        let second = room.take(1, soon()).await.unwrap();
        assert_eq!(room.take(1, soon()).await.unwrap_err(), NoRoom);
        drop(second);
        drop(room.take(UNIT_BYTES, soon()).await.unwrap());
        assert_eq!(room.take(UNIT_BYTES + 1, soon()).await.unwrap_err(), NoRoom);
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_grows_takes_what_it_lacks() {
        let room = Room::new(4 * UNIT_BYTES);
        let mut grown = room.take(0, soon()).await.unwrap();
        grown.grow(3 * UNIT_BYTES, soon()).await.unwrap();
        grown.grow(3 * UNIT_BYTES, soon()).await.unwrap();
        let last = room.take(1, soon()).await.unwrap();
        assert_eq!(grown.grow(3 * UNIT_BYTES + 1, soon()).await, Err(NoRoom));
        drop(last);
        grown.grow(4 * UNIT_BYTES, soon()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_fits_now_is_taken_without_waiting_and_what_is_too_much_given_back() {
        let room = Room::new(4 * UNIT_BYTES);
        let mut first = room.take(1, soon()).await.unwrap();
        let second = room.take(UNIT_BYTES, soon()).await.unwrap();
        assert_eq!(first.fit_now(3 * UNIT_BYTES + 1), Err(NoRoom));
        first.fit_now(3 * UNIT_BYTES).unwrap();
        drop(second);
        assert_eq!(room.take(1 + UNIT_BYTES, soon()).await.unwrap_err(), NoRoom);
        first.fit_now(2 * UNIT_BYTES).unwrap();
        drop(room.take(2 * UNIT_BYTES, soon()).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_larger_than_all_room_takes_all_of_it() {
        let room = Room::new(2 * UNIT_BYTES);
        let whole = room.take(9 * UNIT_BYTES, soon()).await.unwrap();
        assert_eq!(room.take(1, soon()).await.unwrap_err(), NoRoom);
        drop(whole);
        drop(room.take(1, soon()).await.unwrap());
    }
}
