//! The open sockets of a node: counted, bounded for each user, closed when the node drains.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use syncline_protocol::error::close;
use syncline_protocol::ids::UserId;
use syncline_protocol::wire::hub;

use super::outbox::Outbox;
use crate::session::event::{ConnId, FrameKind};
use crate::telemetry::Metrics;

/// The open sockets. Clones share them.
#[derive(Clone, Debug)]
pub struct Sockets {
    open: Arc<Mutex<Open>>,
    metrics: Arc<Metrics>,
    per_user_max: usize,
}

#[derive(Debug, Default)]
struct Open {
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    users: HashMap<UserId, usize>,
    draining: bool,
}

/// The user has as many sockets as a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sockets of this user")]
pub struct TooMany;

impl Sockets {
    /// No sockets yet.
    pub fn new(per_user_max: usize, metrics: Arc<Metrics>) -> Sockets {
        Sockets { open: Arc::default(), metrics, per_user_max }
    }

    /// Counts a socket in until the returned guard is dropped. While the node drains, it is
    /// closed at once.
    pub fn enter(&self, conn: ConnId, outbox: &Arc<Outbox>) -> OpenSocket {
        let mut open = self.lock();
        open.outboxes.insert(conn, outbox.clone());
        if open.draining {
            outbox.close(close::DRAINING, DRAINING);
        }
        self.metrics.sockets.inc();
        OpenSocket { sockets: self.clone(), conn, user: None }
    }

    /// Tells every socket to come back elsewhere and closes it.
    pub fn drain(&self) {
        let mut open = self.lock();
        open.draining = true;
        for outbox in open.outboxes.values() {
            outbox.push(Bytes::from(hub::reconnect(0)), FrameKind::Answer);
            outbox.close(close::DRAINING, DRAINING);
        }
    }

    /// Sockets open now.
    pub fn count(&self) -> usize {
        self.lock().outboxes.len()
    }

    /// Users with a socket now.
    pub fn user_count(&self) -> usize {
        self.lock().users.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Both maps are whole whatever panicked while they were locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const DRAINING: &str = "this node is going down";

/// A socket's place among the open ones.
#[derive(Debug)]
pub struct OpenSocket {
    sockets: Sockets,
    conn: ConnId,
    user: Option<UserId>,
}

impl OpenSocket {
    /// Counts the socket as the user's, once.
    pub fn authenticated(&mut self, user: &UserId) -> Result<(), TooMany> {
        let mut open = self.sockets.lock();
        let count = open.users.entry(user.clone()).or_default();
        if *count >= self.sockets.per_user_max {
            return Err(TooMany);
        }
        *count += 1;
        self.sockets.metrics.users_connected.set(gauge(open.users.len()));
        self.user = Some(user.clone());
        Ok(())
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut open = self.sockets.lock();
        open.outboxes.remove(&self.conn);
        if let Some(user) = &self.user
            && let Some(count) = open.users.get_mut(user)
        {
            *count -= 1;
            if *count == 0 {
                open.users.remove(user);
            }
        }
        self.sockets.metrics.users_connected.set(gauge(open.users.len()));
        self.sockets.metrics.sockets.dec();
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::outbox::End;
    use super::*;

    fn sockets() -> Sockets {
        Sockets::new(2, Arc::new(Metrics::new()))
    }

    fn enter(sockets: &Sockets, conn: u64) -> (OpenSocket, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::default());
        (sockets.enter(ConnId(conn), &outbox), outbox)
    }

    #[test]
    fn a_user_has_sockets_up_to_the_limit_and_not_one_past_it() {
        let sockets = sockets();
        let (ada, bob) = (UserId::trusted("ada"), UserId::trusted("bob"));
        let (mut first, _a) = enter(&sockets, 1);
        let (mut second, _b) = enter(&sockets, 2);
        let (mut third, _c) = enter(&sockets, 3);
        first.authenticated(&ada).unwrap();
        second.authenticated(&ada).unwrap();
        assert_eq!(third.authenticated(&ada), Err(TooMany));
        third.authenticated(&bob).unwrap();
        drop(first);
        let (mut fourth, _d) = enter(&sockets, 4);
        fourth.authenticated(&ada).unwrap();
        assert_eq!((sockets.count(), sockets.user_count()), (3, 2));
    }

    #[test]
    fn draining_closes_open_and_later_sockets() {
        let sockets = sockets();
        let (_open, outbox) = enter(&sockets, 1);
        sockets.drain();
        let (_late, late) = enter(&sockets, 2);
        let mut frames = Vec::new();
        outbox.take(&mut frames, usize::MAX);
        assert_eq!(frames.len(), 1);
        for outbox in [outbox, late] {
            assert_eq!(outbox.ended(), Some(End::Close(close::DRAINING, DRAINING)));
        }
    }
}
