//! Back-pressure: how much of what came in may be undecided at once.
//!
//! A push holds a permit of its size until its mutations are decided: of the room of all sessions
//! of the node, of which its user has a share, and of its session's own. While none is free its
//! socket is not read, so the pressure reaches the sender; after a while it is told to slow.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::http::shares::{Share, Shares};

/// Bytes one permit stands for.
const UNIT_BYTES: usize = 1_024;

/// How long a push waits for its permit before the client is told to slow down.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A user may fill this part of the node's room, and always that of one session.
const USERS_PART: usize = 8;

/// Who holds the room of what other nodes tell.
pub const OTHER_NODES: &str = "";

/// The room for undecided pushes of all sessions of a node.
#[derive(Debug)]
pub struct Undecided {
    shares: Shares,
    /// Bytes of a session.
    session_bytes_max: usize,
    /// Tells the operator of all of it.
    all: IntGauge,
}

/// The room for undecided pushes of a session.
#[derive(Clone, Debug)]
pub struct Intake {
    room: Arc<Semaphore>,
    units: u32,
    node: Arc<Undecided>,
}

/// Room that is held until what it is for is decided.
#[derive(Debug)]
pub struct Permit {
    _session: OwnedSemaphorePermit,
    _node: Counted,
}

/// A part of the node's room.
#[derive(Debug)]
struct Counted {
    _share: Share,
    bytes: i64,
    all: IntGauge,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.sub(self.bytes);
    }
}

/// No room within the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session, the node or its user's share is loaded")]
pub struct Full;

impl Undecided {
    /// Room for so many bytes of all sessions, and in each for so many. `all` tells the operator
    /// of what is taken.
    pub fn new(bytes_max: usize, session_bytes_max: usize, all: IntGauge) -> Undecided {
        let share_bytes = (bytes_max / USERS_PART).max(session_bytes_max);
        Undecided {
            shares: Shares::new(bytes_max, share_bytes),
            session_bytes_max,
            all,
        }
    }

    fn counted(&self, share: Share, bytes: usize) -> Counted {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.all.add(bytes);
        Counted {
            _share: share,
            bytes,
            all: self.all.clone(),
        }
    }
}

impl Intake {
    /// The room of one more session of the node.
    pub fn new(node: &Arc<Undecided>) -> Intake {
        let units = u32::try_from(node.session_bytes_max / UNIT_BYTES)
            .unwrap_or(u32::MAX >> 4)
            .max(1);
        Intake {
            room: Arc::new(Semaphore::new(units as usize)),
            units,
            node: node.clone(),
        }
    }

    /// Room for a push of so many bytes, if there is some now. One larger than all the room
    /// takes all.
    pub fn permit_now(&self, owner: &str, bytes: usize) -> Option<Permit> {
        let share = self.node.shares.take_now(owner, bytes).ok()?;
        let room = self.room.clone();
        let session = room.try_acquire_many_owned(self.wanted(bytes)).ok()?;
        Some(Permit {
            _session: session,
            _node: self.node.counted(share, bytes),
        })
    }

    /// Waits for that room: first for the owner's share and the node's, since what waits for its
    /// session is held too, and who waits for its own share keeps nobody out of the session.
    pub async fn permit(&self, owner: &str, bytes: usize) -> Result<Permit, Full> {
        let due = Instant::now() + WAIT_MAX;
        let share = self.node.shares.take(owner, bytes, due).await;
        let node = self.node.counted(share.map_err(|_| Full)?, bytes);
        let room = self.room.clone().acquire_many_owned(self.wanted(bytes));
        match timeout_at(due, room).await {
            Ok(Ok(session)) => Ok(Permit {
                _session: session,
                _node: node,
            }),
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
pub mod tests {
    use super::*;

    /// A node's room, and its gauge.
    fn node(bytes_max: usize, session_bytes_max: usize) -> (Arc<Undecided>, IntGauge) {
        let all = IntGauge::new("all", "all").unwrap();
        let node = Undecided::new(bytes_max, session_bytes_max, all.clone());
        (Arc::new(node), all)
    }

    /// A session with room for so many bytes, on a node that has room for many such.
    pub fn session(bytes_max: usize) -> Intake {
        Intake::new(&node(64 * bytes_max, bytes_max).0)
    }

    impl Permit {
        /// One of a session's room that has so many permits, on a node of its own.
        pub fn of(room: &Arc<Semaphore>) -> Permit {
            let (node, _) = node(1 << 20, 1 << 20);
            Permit {
                _session: room.clone().try_acquire_owned().unwrap(),
                _node: node.counted(node.shares.take_now("ada", 1).unwrap(), 1),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_given_up_to_the_limit_and_refused_past_it() {
        let intake = session(4 * UNIT_BYTES);
        let first = intake.permit("ada", 2 * UNIT_BYTES).await.unwrap();
        let second = intake.permit("ada", 0).await.unwrap();
        assert_eq!(intake.permit("ada", 0).await.unwrap_err(), Full);
        drop(first);
        let third = intake.permit("ada", 2 * UNIT_BYTES).await.unwrap();
        drop((second, third));
    }

    #[tokio::test(start_paused = true)]
    async fn a_push_larger_than_all_room_takes_all_of_it() {
        let intake = session(4 * UNIT_BYTES);
        let whole = intake.permit("ada", 100 * UNIT_BYTES).await.unwrap();
        assert_eq!(intake.permit("ada", 0).await.unwrap_err(), Full);
        drop(whole);
        drop(intake.permit("ada", 0).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn all_sessions_of_a_node_share_its_room_and_a_user_has_a_part() {
        const KIB: usize = 1 << 10;
        let (node, all) = node(32 * KIB, 4 * KIB);
        let sessions: Vec<Intake> = (0..16).map(|_| Intake::new(&node)).collect();
        // A user has as much as a session, however many sessions it pushes to.
        let own = sessions[0].permit("ada", 3 * KIB).await.unwrap();
        assert!(sessions[1].permit_now("ada", 2 * KIB).is_none());
        assert_eq!(sessions[1].permit("ada", 2 * KIB).await.unwrap_err(), Full);
        drop(own);
        let mut held = Vec::new();
        for (n, session) in sessions.iter().enumerate().take(10) {
            held.push(session.permit(&format!("user{n}"), 3 * KIB).await.unwrap());
        }
        assert_eq!(all.get(), 30 * KIB as i64);
        // Sessions that have room, and users who hold nothing: the node has none.
        assert!(sessions[10].permit_now("eve", 3 * KIB).is_none());
        assert_eq!(sessions[10].permit("eve", 3 * KIB).await.unwrap_err(), Full);
        assert_eq!(all.get(), 30 * KIB as i64);
        let waits = sessions[11].permit("eve", 3 * KIB);
        held.pop();
        drop((waits.await.unwrap(), held));
        assert_eq!(all.get(), 0);
        drop(sessions[15].permit_now("eve", 100 * KIB).unwrap());
    }
}
