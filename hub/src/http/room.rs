//! Room for the bodies of all requests of a node, in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Bytes one permit stands for. A body takes whole ones, so a small body takes one.
const UNIT_BYTES: usize = 1_024;

/// The room. Clones share it.
#[derive(Clone, Debug)]
pub struct BodyRoom {
    free: Arc<Semaphore>,
    units: u32,
}

/// A body's part of the room, given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    room: BodyRoom,
    permit: OwnedSemaphorePermit,
}

/// There was no room in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the body")]
pub struct NoRoom;

impl BodyRoom {
    /// Room for so many bytes, rounded down to KiB, at least one.
    pub fn new(bytes_max: usize) -> BodyRoom {
        let units = u32::try_from(bytes_max / UNIT_BYTES).unwrap_or(u32::MAX);
        let units = units.clamp(1, u32::MAX >> 4);
        BodyRoom {
            free: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Takes room for a body of so many bytes; whoever came first is served first. One larger
    /// than all the room takes all.
    pub async fn take(&self, bytes: usize, due: Instant) -> Result<Taken, NoRoom> {
        let permit = self.permit(self.units_of(bytes), due).await?;
        Ok(Taken {
            room: self.clone(),
            permit,
        })
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
        let wanted = self.room.units_of(bytes);
        let held = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        if wanted > held {
            let more = self.room.permit(wanted - held, due).await?;
            self.permit.merge(more);
        }
        Ok(())
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
        let room = BodyRoom::new(4 * UNIT_BYTES);
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
        let room = BodyRoom::new(4 * UNIT_BYTES);
        let mut grown = room.take(0, soon()).await.unwrap();
        grown.grow(3 * UNIT_BYTES, soon()).await.unwrap();
        grown.grow(3 * UNIT_BYTES, soon()).await.unwrap();
        let last = room.take(1, soon()).await.unwrap();
        assert_eq!(grown.grow(3 * UNIT_BYTES + 1, soon()).await, Err(NoRoom));
        drop(last);
        grown.grow(4 * UNIT_BYTES, soon()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_larger_than_all_room_takes_all_of_it() {
        let room = BodyRoom::new(2 * UNIT_BYTES);
        let whole = room.take(9 * UNIT_BYTES, soon()).await.unwrap();
        assert_eq!(room.take(1, soon()).await.unwrap_err(), NoRoom);
        drop(whole);
        drop(room.take(1, soon()).await.unwrap());
    }
}
