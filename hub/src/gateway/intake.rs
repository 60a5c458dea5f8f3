//! Back-pressure: how much of what came in may be undecided at once.
//!
//! A push holds a permit of its size until its mutations are decided. While none is free its
//! socket is not read, so the pressure reaches the sender; after a while it is told to slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes one permit stands for.
const UNIT_BYTES: usize = 1_024;

/// How long a push waits for its permit before the client is told to slow down.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The room for undecided pushes of a session.
#[derive(Clone, Debug)]
pub struct Intake {
    room: Arc<Semaphore>,
    units: u32,
}

/// No room within the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session is loaded")]
pub struct Full;

impl Intake {
    /// Room for so many bytes of undecided pushes.
    pub fn new(bytes_max: usize) -> Intake {
        let units = u32::try_from(bytes_max / UNIT_BYTES)
            .unwrap_or(u32::MAX >> 4)
            .max(1);
        Intake {
            room: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Room for a push of so many bytes, if there is some now. One larger than all the room
    /// takes all.
    pub fn permit_now(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let room = self.room.clone();
        room.try_acquire_many_owned(self.wanted(bytes)).ok()
    }

    /// Waits for that room.
    pub async fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Full> {
        let room = self.room.clone().acquire_many_owned(self.wanted(bytes));
        match tokio::time::timeout(WAIT_MAX, room).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }

    fn wanted(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / UNIT_BYTES + 1)
            .unwrap_or(u32::MAX)
            .min(self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_is_given_up_to_the_limit_and_refused_past_it() {
        let intake = Intake::new(4 * UNIT_BYTES);
        let first = intake.permit(2 * UNIT_BYTES).await.unwrap();
        let second = intake.permit(0).await.unwrap();
        assert_eq!(intake.permit(0).await.unwrap_err(), Full);
        drop(first);
        let third = intake.permit(2 * UNIT_BYTES).await.unwrap();
        drop((second, third));
    }

    #[tokio::test(start_paused = true)]
    async fn a_push_larger_than_all_room_takes_all_of_it() {
        let intake = Intake::new(4 * UNIT_BYTES);
        let whole = intake.permit(100 * UNIT_BYTES).await.unwrap();
        assert_eq!(intake.permit(0).await.unwrap_err(), Full);
        drop(whole);
        drop(intake.permit(0).await.unwrap());
    }
}
