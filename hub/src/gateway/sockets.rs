//! The open sockets of a node: counted, bounded for each user and address, closed when the node
//! drains.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::UserId;
use tokio::sync::{Notify, Semaphore};

use super::outbox::Outbox;
use crate::http::peers::network;
use crate::session::event::ConnId;
use crate::telemetry::Metrics;

/// Sockets that are told at once that there is no room for them.
const TURNED_AWAY_MAX: usize = 1_000;

/// The open sockets.
#[derive(Debug)]
pub struct Sockets {
    open: Mutex<Open>,
    /// Told when the last one closes.
    emptied: Notify,
    metrics: Arc<Metrics>,
    caps: SocketCaps,
    /// Places of those that are told that there is no room.
    pub(super) turned_away: Semaphore,
}

/// How many sockets may be open.
#[derive(Clone, Copy, Debug)]
pub struct SocketCaps {
    /// On this node.
    pub all: usize,
    /// Before their hello.
    pub before_hello: usize,
    /// Of those, from one address (IPv6: one /64).
    pub before_hello_per_address: usize,
    /// Of one user on this node.
    pub per_user: usize,
    /// From one address (IPv6: one /64) on this node; `None` does not count them.
    pub per_address: Option<usize>,
}

#[derive(Debug, Default)]
struct Open {
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    users: HashMap<UserId, u32>,
    /// Sockets of users that are saying goodbye, and how many of each user.
    parting: HashSet<ConnId>,
    parting_of: HashMap<UserId, u32>,
    /// Kept only if addresses are counted.
    addresses: HashMap<IpAddr, u32>,
    address_of: HashMap<ConnId, IpAddr>,
    strangers: Strangers,
    draining: Option<Draining>,
}

/// Sockets before their hello.
#[derive(Debug, Default)]
struct Strangers {
    from: HashMap<ConnId, IpAddr>,
    addresses: HashMap<IpAddr, u32>,
}

/// The node goes down.
#[derive(Clone, Copy, Debug)]
struct Draining {
    /// Sockets are to come back elsewhere within so long.
    within_ms: u64,
    /// Sockets that came since.
    late: u64,
}

/// Sockets that come while the node drains are told to come back at one of so many moments.
const LATE_MOMENTS: u64 = 16;

/// Sockets that are shed at once come back within so long.
const SHED_WITHIN_MS: u64 = 1_000;

/// There are as many sockets as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sockets")]
pub struct TooMany;

impl Sockets {
    /// No sockets yet.
    pub fn new(caps: SocketCaps, metrics: Arc<Metrics>) -> Sockets {
        Sockets {
            open: Mutex::default(),
            emptied: Notify::new(),
            metrics,
            caps,
            turned_away: Semaphore::new(TURNED_AWAY_MAX),
        }
    }

    /// Bytes that wait for all of them. For who looks now and then: it goes through all.
    pub fn held_bytes(&self) -> u64 {
        // Nobody who comes or goes waits for the sum.
        let all: Vec<Arc<Outbox>> = self.lock().outboxes.values().cloned().collect();
        all.iter().map(|outbox| outbox.held_bytes() as u64).sum()
    }

    /// Counts a socket in, until it leaves. While the node drains, it is closed at once.
    pub fn enter(&self, outbox: &Arc<Outbox>, from: IpAddr) -> Result<(), TooMany> {
        let (mut open, network) = (self.lock(), network(from));
        let strangers = &open.strangers;
        if open.outboxes.len() >= self.caps.all
            || strangers.from.len() >= self.caps.before_hello
            || count(&strangers.addresses, &network) >= self.caps.before_hello_per_address
        {
            return Err(TooMany);
        }
        if let Some(most) = self.caps.per_address {
            if count(&open.addresses, &network) >= most {
                return Err(TooMany);
            }
            *open.addresses.entry(network).or_default() += 1;
            open.address_of.insert(outbox.conn, network);
        }
        open.strangers.add(outbox.conn, network);
        open.outboxes.insert(outbox.conn, outbox.clone());
        if let Some(draining) = &mut open.draining {
            let moment = draining.late % LATE_MOMENTS;
            outbox.drain(draining.within_ms.saturating_mul(moment) / LATE_MOMENTS);
            draining.late += 1;
        }
        self.show(&open);
        Ok(())
    }

    /// Counts a socket as a user's, and no longer as another's or a stranger's.
    pub fn authenticate(
        &self,
        conn: ConnId,
        before: Option<&UserId>,
        user: &UserId,
    ) -> Result<(), TooMany> {
        self.admit((conn, before), user, self.caps.per_user)
    }

    /// Counts a stranger as a user's although the user may have as many sockets as it may: it
    /// replaces one of them, which takes some seconds to go. Of those twice the cap is the end.
    pub fn authenticate_replacing(&self, conn: ConnId, user: &UserId) -> Result<(), TooMany> {
        self.admit((conn, None), user, self.caps.per_user.saturating_mul(2))
    }

    fn admit(
        &self,
        (conn, before): (ConnId, Option<&UserId>),
        user: &UserId,
        most: usize,
    ) -> Result<(), TooMany> {
        let mut open = self.lock();
        let all = count(&open.users, user);
        let staying = all - count(&open.parting_of, user);
        if staying >= most || all >= self.caps.per_user.saturating_mul(2) {
            return Err(TooMany);
        }
        *open.users.entry(user.clone()).or_default() += 1;
        open.forget(conn, before);
        self.show(&open);
        Ok(())
    }

    /// A socket begins to say goodbye, which may take it some seconds. It keeps no other of its user
    /// out meanwhile, unless those are as many as the user may have.
    pub fn part(&self, conn: ConnId, user: &UserId) {
        let mut open = self.lock();
        if open.parting.insert(conn) {
            *open.parting_of.entry(user.clone()).or_default() += 1;
        }
    }

    /// A socket is gone.
    pub fn leave(&self, conn: ConnId, user: Option<&UserId>) {
        let mut open = self.lock();
        if open.outboxes.remove(&conn).is_none() {
            return;
        }
        open.forget(conn, user);
        if let (true, Some(user)) = (open.parting.remove(&conn), user) {
            one_less(&mut open.parting_of, user);
        }
        if let Some(address) = open.address_of.remove(&conn) {
            one_less(&mut open.addresses, &address);
        }
        if open.outboxes.len() * 4 < open.outboxes.capacity() {
            open.shrink();
        }
        self.show(&open);
        if open.outboxes.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    fn show(&self, open: &Open) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.sockets.set(gauge(open.outboxes.len()));
        self.metrics
            .compat_connections
            .set(gauge(open.outboxes.len()));
        self.metrics.compat_users.set(gauge(open.users.len()));
    }

    /// Tells every socket to come back elsewhere and closes it. They are to come one after
    /// another, evenly over `within`, so that whoever takes them does not get all at once.
    pub fn drain(&self, within: Duration) {
        let mut open = self.lock();
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let late = 0;
        open.draining = Some(Draining { within_ms, late });
        let count = open.outboxes.len() as u64;
        for (at, outbox) in (0..).zip(open.outboxes.values()) {
            let after_ms = within_ms.saturating_mul(at) / count;
            outbox.drain(after_ms);
        }
    }

    /// Tells so many sockets to come back and closes them, one after another within a second.
    /// Returns how many.
    pub fn shed(&self, count: u64) -> u64 {
        let open = self.lock();
        let staying = open.outboxes.values();
        let staying = staying.filter(|outbox| outbox.ended().is_none());
        let mut told = 0;
        for outbox in staying.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            outbox.drain(SHED_WITHIN_MS * told / count);
            told += 1;
        }
        told
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

    /// Sockets that a user has here now.
    pub fn count_of(&self, user: &UserId) -> usize {
        self.lock()
            .users
            .get(user)
            .map_or(0, |count| *count as usize)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // The maps are whole whatever panicked while they were locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room kept in maps that shrink.
const ROOM_KEPT: usize = 1_024;

impl Open {
    /// One socket less of a user, or of the strangers.
    fn forget(&mut self, conn: ConnId, user: Option<&UserId>) {
        match user {
            None => self.strangers.remove(conn),
            Some(user) => one_less(&mut self.users, user),
        }
    }

    /// Gives back memory after most sockets have gone.
    fn shrink(&mut self) {
        self.outboxes
            .shrink_to(ROOM_KEPT.max(2 * self.outboxes.len()));
        self.users.shrink_to(ROOM_KEPT.max(2 * self.users.len()));
        self.parting
            .shrink_to(ROOM_KEPT.max(2 * self.parting.len()));
        self.parting_of
            .shrink_to(ROOM_KEPT.max(2 * self.parting_of.len()));
        self.addresses
            .shrink_to(ROOM_KEPT.max(2 * self.addresses.len()));
        self.address_of
            .shrink_to(ROOM_KEPT.max(2 * self.address_of.len()));
    }
}

impl Strangers {
    fn add(&mut self, conn: ConnId, from: IpAddr) {
        self.from.insert(conn, from);
        *self.addresses.entry(from).or_default() += 1;
    }

    fn remove(&mut self, conn: ConnId) {
        if let Some(from) = self.from.remove(&conn) {
            one_less(&mut self.addresses, &from);
        }
        if self.from.len() * 4 < self.from.capacity() {
            self.from.shrink_to(ROOM_KEPT.max(2 * self.from.len()));
            self.addresses
                .shrink_to(ROOM_KEPT.max(2 * self.addresses.len()));
        }
    }
}

fn count<K: Eq + Hash>(counts: &HashMap<K, u32>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0) as usize
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
