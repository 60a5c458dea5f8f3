//! The way in: WebSocket and HTTP, for one node.
//!
//! [`upgrade`] takes a request out of HTTP and makes a task of it ([`task`]), whose connection
//! is a [`link`], whose protocol [`socket`] or [`compat`] (the first user's clients); [`ws`] is
//! the strict framing under it, [`outbox`] what a session holds of a socket. [`api`] is the
//! native protocol over HTTP, [`call`] a push without a socket. [`access`] decides who may use which space, [`intake`] is
//! the back-pressure on what comes in, [`pace`] how fast one user may push.

pub mod access;
pub mod api;
pub(crate) mod call;
pub mod compat;
mod entering;
pub mod frame;
pub mod intake;
pub mod link;
mod lost;
pub mod notify;
pub mod outbox;
pub mod pace;
mod sender;
pub mod socket;
pub mod sockets;
pub mod stream;
mod task;
#[cfg(test)]
mod tests;
pub mod unfinished;
pub mod upgrade;
pub mod user_data;
pub mod ws;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syncline_compute::recurrence::Expansions;
use syncline_protocol::ids::UserId;
use syncline_protocol::limits::Limits;
use syncline_storage::Store;
use syncline_storage::types::StoreError;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::access::Access;
use self::compat::storm::Storm;
use self::link::SocketLimits;
use self::pace::{Load, Paces, TooFast};
use self::sockets::Sockets;
use self::unfinished::Unfinished;
use crate::clock::Clock;
use crate::http::{HttpError, ReplyRoom};
use crate::session::event::{CallId, ConnId};
use crate::session::registry::Sessions;
use crate::telemetry::{Lags, Metrics, Traces};
use crate::wheel::Wheel;

/// What every request and socket needs. Shared by `Arc`.
pub struct Gateway {
    /// Who may do what.
    pub access: Access,
    /// The sessions of this node.
    pub sessions: Sessions,
    /// Reads over HTTP go to it directly.
    pub store: Arc<dyn Store>,
    /// The open sockets.
    pub sockets: Sockets,
    /// The hub's clock.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is made of pushes that are traced.
    pub traces: Traces,
    /// How long commits are on their way to devices.
    pub lags: Arc<Lags>,
    /// Numbers sockets and calls.
    pub numbers: AtomicU64,
    /// The epoch changes by itself at most once in so many milliseconds.
    pub epoch_change_interval_ms: u64,
    /// Who asks the same too often.
    pub storm: Storm,
    /// Messages that have begun to arrive.
    pub unfinished: Unfinished,
    /// Limits of sockets.
    pub limits: SocketLimits,
    /// Deadlines of sockets and sessions.
    pub wheel: Arc<Wheel>,
    /// What a push may hold.
    pub data: Limits,
    /// What replies that are read of the store share.
    pub replies: ReplyRoom,
    /// How fast each user may push.
    pub paces: Arc<Paces>,
    /// How fast each user's sockets may tell each other something.
    pub telling: Arc<Paces>,
    /// Turns of counting and erasing users' data, which take connections of the store for long.
    pub user_data: Semaphore,
    /// Turns of expanding recurrences, for jobs and who asks.
    pub expansions: Expansions,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A number for a new socket.
    pub fn next_conn(&self) -> ConnId {
        ConnId(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// What a request is answered that the store failed.
    pub fn store_failed(&self, error: &StoreError) -> HttpError {
        HttpError::of_store(error, &self.metrics)
    }

    /// Whether a request of a user may push now; asked before its body is read. Errors: `slow`.
    pub fn check_pace(&self, user: &UserId) -> Result<(), HttpError> {
        let checked = self.paces.check(user, Instant::now());
        checked.map_err(|too_fast| self.paced(too_fast))
    }

    /// Lets a request's push in. Errors: `slow`, if others of the user came before it.
    pub fn take_pace(&self, user: &UserId, load: Load) -> Result<(), HttpError> {
        let taken = self.paces.take(user, load, Instant::now());
        taken.map_err(|too_fast| self.paced(too_fast))
    }

    fn paced(&self, too_fast: TooFast) -> HttpError {
        self.metrics.pushes_paced.inc();
        HttpError::slow("this user pushes more than limits.user_… allow", too_fast.0)
    }

    /// A number for a new call.
    pub fn next_call(&self) -> CallId {
        CallId(self.numbers.fetch_add(1, Ordering::Relaxed))
    }
}
