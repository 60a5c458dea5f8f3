//! A few connections, lent to one call at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::connection::{Connection, Connector};
use super::error::Failure;
use crate::types::StoreError;

/// The connections. They are made when they are needed and kept.
pub(super) struct Pool {
    connector: std::sync::Arc<Connector>,
    /// Those that nobody uses.
    idle: Mutex<Vec<Connection>>,
    /// One for each connection that may be.
    places: Semaphore,
    /// How long a call waits for a place.
    wait: Duration,
}

impl Pool {
    pub(super) fn new(connector: std::sync::Arc<Connector>, size: usize, wait: Duration) -> Pool {
        Pool {
            connector,
            idle: Mutex::default(),
            places: Semaphore::new(size.max(1)),
            wait,
        }
    }

    /// A connection to be used alone. Errors: all are in use for too long, or none can be made.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, Failure> {
        let waiting = tokio::time::timeout(self.wait, self.places.acquire());
        let none = || StoreError::Unavailable("no connection is free".to_owned());
        let place = waiting.await.ok().and_then(Result::ok).ok_or_else(none)?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        Ok(Lent {
            connection,
            pool: self,
            _place: place,
        })
    }

    /// One that has not ended as far as we know.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.client.is_closed());
        idle.pop()
    }

    /// Closes those that nobody uses: when one has ended, the others are likely to.
    pub(super) fn forget_idle(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
    }
}

/// A connection in use. Dropped, it is closed, since nobody knows what is still under way on it;
/// [`Lent::give_back`] keeps it.
pub(super) struct Lent<'p> {
    pub(super) connection: Connection,
    pool: &'p Pool,
    _place: SemaphorePermit<'p>,
}

impl Lent<'_> {
    /// Everything asked was answered, and no transaction is open.
    pub(super) fn give_back(self) {
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.push(self.connection);
    }
}
