//! The open sockets of a node: counted, bounded for each user, closed when the node drains.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use syncline_protocol::error::close;
use syncline_protocol::ids::UserId;
use syncline_protocol::wire::hub;
use tokio::sync::Notify;

use super::outbox::Outbox;
use crate::session::event::{ConnId, FrameKind};
use crate::telemetry::Metrics;

/// The open sockets. Clones share them.
#[derive(Clone, Debug)]
pub struct Sockets {
    open: Arc<Mutex<Open>>,
    /// Told when the last one closes.
    emptied: Arc<Notify>,
    metrics: Arc<Metrics>,
    caps: SocketCaps,
}

/// How many sockets may be open.
#[derive(Clone, Copy, Debug)]
pub struct SocketCaps {
    /// On this node.
    pub all: usize,
    /// Before their hello.
    pub before_hello: usize,
    /// Of one user on this node.
    pub per_user: usize,
}

#[derive(Debug, Default)]
struct Open {
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    users: HashMap<UserId, usize>,
    /// Sockets before their hello.
    strangers: usize,
    draining: bool,
}

/// There are as many sockets as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sockets")]
pub struct TooMany;

impl Sockets {
    /// No sockets yet.
    pub fn new(caps: SocketCaps, metrics: Arc<Metrics>) -> Sockets {
        Sockets {
            open: Arc::default(),
            emptied: Arc::default(),
            metrics,
            caps,
        }
    }

    /// Counts a socket in until the returned guard is dropped. While the node drains, it is
    /// closed at once.
    pub fn enter(&self, conn: ConnId, outbox: &Arc<Outbox>) -> Result<OpenSocket, TooMany> {
        let mut open = self.lock();
        if open.outboxes.len() >= self.caps.all || open.strangers >= self.caps.before_hello {
            return Err(TooMany);
        }
        open.strangers += 1;
        open.outboxes.insert(conn, outbox.clone());
        if open.draining {
            outbox.close(close::DRAINING, DRAINING);
        }
        self.show(&open);
        Ok(OpenSocket {
            sockets: self.clone(),
            conn,
            user: None,
        })
    }

    fn show(&self, open: &Open) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.sockets.set(gauge(open.outboxes.len()));
        self.metrics
            .compat_connections
            .set(gauge(open.outboxes.len()));
        self.metrics.compat_users.set(gauge(open.users.len()));
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

    /// Returns when no socket is open.
    pub async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
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
    /// Counts the socket as the user's, and no longer as another's.
    pub fn authenticated(&mut self, user: &UserId) -> Result<(), TooMany> {
        let mut open = self.sockets.lock();
        let count = open.users.get(user).copied().unwrap_or(0);
        if count >= self.sockets.caps.per_user {
            return Err(TooMany);
        }
        open.users.insert(user.clone(), count + 1);
        match self.user.replace(user.clone()) {
            None => open.strangers -= 1,
            Some(before) => open.forget(&before),
        }
        self.sockets.show(&open);
        Ok(())
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut open = self.sockets.lock();
        open.outboxes.remove(&self.conn);
        match &self.user {
            None => open.strangers -= 1,
            Some(user) => open.forget(user),
        }
        self.sockets.show(&open);
        if open.outboxes.is_empty() {
            self.sockets.emptied.notify_waiters();
        }
    }
}

impl Open {
    fn forget(&mut self, user: &UserId) {
        if let Some(count) = self.users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::End;
    use super::*;

    fn sockets() -> Sockets {
        let caps = SocketCaps {
            all: 5,
            before_hello: 3,
            per_user: 2,
        };
        Sockets::new(caps, Arc::new(Metrics::new()))
    }

    fn enter(sockets: &Sockets, conn: u64) -> (OpenSocket, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(1_000));
        (sockets.enter(ConnId(conn), &outbox).unwrap(), outbox)
    }

    #[test]
    fn strangers_and_all_sockets_are_taken_up_to_their_limits() {
        let sockets = sockets();
        let outbox = Arc::new(Outbox::new(1_000));
        let mut open: Vec<_> = (0..3).map(|conn| enter(&sockets, conn).0).collect();
        assert_eq!(sockets.enter(ConnId(9), &outbox).unwrap_err(), TooMany);
        for (i, socket) in open.iter_mut().enumerate() {
            socket
                .authenticated(&UserId::trusted(&i.to_string()))
                .unwrap();
        }
        open.extend((3..5).map(|conn| enter(&sockets, conn).0));
        assert_eq!(sockets.enter(ConnId(9), &outbox).unwrap_err(), TooMany);
        open.pop();
        drop(sockets.enter(ConnId(9), &outbox).unwrap());
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
