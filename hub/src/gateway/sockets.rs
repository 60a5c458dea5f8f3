//! The open sockets of a node: counted, bounded for each user and address, closed when the node
//! drains.

use std::collections::HashMap;
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
    /// Of one user on this node.
    pub per_user: usize,
    /// From one address (IPv6: one /64) on this node; `None` does not count them.
    pub per_address: Option<usize>,
}

#[derive(Debug, Default)]
struct Open {
    outboxes: HashMap<ConnId, Arc<Outbox>>,
    users: HashMap<UserId, u32>,
    /// Kept only if addresses are counted.
    addresses: HashMap<IpAddr, u32>,
    address_of: HashMap<ConnId, IpAddr>,
    /// Sockets before their hello.
    strangers: usize,
    draining: Option<Draining>,
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

    /// Counts a socket in, until it leaves. While the node drains, it is closed at once.
    pub fn enter(&self, outbox: &Arc<Outbox>, from: IpAddr) -> Result<(), TooMany> {
        let mut open = self.lock();
        if open.outboxes.len() >= self.caps.all || open.strangers >= self.caps.before_hello {
            return Err(TooMany);
        }
        if let Some(most) = self.caps.per_address {
            let network = network(from);
            if count(&open.addresses, &network) >= most {
                return Err(TooMany);
            }
            *open.addresses.entry(network).or_default() += 1;
            open.address_of.insert(outbox.conn, network);
        }
        open.strangers += 1;
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
    pub fn authenticate(&self, before: Option<&UserId>, user: &UserId) -> Result<(), TooMany> {
        let mut open = self.lock();
        if count(&open.users, user) >= self.caps.per_user {
            return Err(TooMany);
        }
        *open.users.entry(user.clone()).or_default() += 1;
        open.forget(before);
        self.show(&open);
        Ok(())
    }

    /// A socket is gone.
    pub fn leave(&self, conn: ConnId, user: Option<&UserId>) {
        let mut open = self.lock();
        if open.outboxes.remove(&conn).is_none() {
            return;
        }
        open.forget(user);
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
        // The maps are whole whatever panicked while they were locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room kept in maps that shrink.
const ROOM_KEPT: usize = 1_024;

impl Open {
    /// One socket less of a user, or of the strangers.
    fn forget(&mut self, user: Option<&UserId>) {
        match user {
            None => self.strangers -= 1,
            Some(user) => one_less(&mut self.users, user),
        }
    }

    /// Gives back memory after most sockets have gone.
    fn shrink(&mut self) {
        self.outboxes
            .shrink_to(ROOM_KEPT.max(2 * self.outboxes.len()));
        self.users.shrink_to(ROOM_KEPT.max(2 * self.users.len()));
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
mod tests {
    use syncline_protocol::error::close;
    use syncline_protocol::wire::hub;

    use super::super::outbox::{End, Speech};
    use super::*;

    fn sockets(per_address: Option<usize>) -> Sockets {
        let caps = SocketCaps {
            all: 5,
            before_hello: 3,
            per_user: 2,
            per_address,
        };
        Sockets::new(caps, Arc::new(Metrics::new()))
    }

    fn here() -> IpAddr {
        "127.0.0.1".parse().unwrap()
    }

    fn outbox(conn: u64) -> Arc<Outbox> {
        Arc::new(Outbox::new(ConnId(conn), 1_000))
    }

    #[test]
    fn strangers_and_all_sockets_are_taken_up_to_their_limits() {
        let sockets = sockets(None);
        for conn in 0..3 {
            sockets.enter(&outbox(conn), here()).unwrap();
        }
        assert_eq!(sockets.enter(&outbox(9), here()), Err(TooMany));
        for user in 0..3 {
            let user = UserId::trusted(&user.to_string());
            sockets.authenticate(None, &user).unwrap();
        }
        for conn in 3..5 {
            sockets.enter(&outbox(conn), here()).unwrap();
        }
        assert_eq!(sockets.enter(&outbox(9), here()), Err(TooMany));
        sockets.leave(ConnId(4), None);
        sockets.enter(&outbox(9), here()).unwrap();
    }

    #[test]
    fn a_user_has_sockets_up_to_the_limit_and_not_one_past_it() {
        let sockets = sockets(None);
        let (ada, bob) = (UserId::trusted("ada"), UserId::trusted("bob"));
        for conn in 0..3 {
            sockets.enter(&outbox(conn), here()).unwrap();
        }
        sockets.authenticate(None, &ada).unwrap();
        sockets.authenticate(None, &ada).unwrap();
        assert_eq!(sockets.authenticate(None, &ada), Err(TooMany));
        sockets.authenticate(None, &bob).unwrap();
        assert_eq!(sockets.authenticate(Some(&bob), &ada), Err(TooMany));
        sockets.leave(ConnId(0), Some(&ada));
        sockets.authenticate(Some(&bob), &ada).unwrap();
        assert_eq!((sockets.count(), sockets.user_count()), (2, 1));
    }

    #[test]
    fn an_address_has_sockets_up_to_the_limit_and_an_ipv6_network_is_one() {
        let sockets = sockets(Some(2));
        let address = |text: &str| text.parse().unwrap();
        sockets.enter(&outbox(1), address("2001:db8::1")).unwrap();
        sockets.enter(&outbox(2), address("2001:db8::2")).unwrap();
        let third = sockets.enter(&outbox(3), address("2001:db8::3"));
        assert_eq!(third, Err(TooMany));
        sockets
            .enter(&outbox(4), address("2001:db8:0:1::1"))
            .unwrap();
        sockets.leave(ConnId(1), None);
        sockets.enter(&outbox(3), address("2001:db8::3")).unwrap();
    }

    #[test]
    fn a_socket_that_left_leaves_once() {
        let sockets = sockets(Some(2));
        sockets.enter(&outbox(1), here()).unwrap();
        sockets.leave(ConnId(1), None);
        sockets.leave(ConnId(1), None);
        assert_eq!(sockets.count(), 0);
    }

    #[test]
    fn a_drain_spreads_the_return_evenly() {
        let sockets = sockets(None);
        let open = [1, 2, 3].map(outbox);
        for outbox in &open {
            sockets.enter(outbox, here()).unwrap();
        }
        sockets.drain(Duration::from_secs(3));
        let told = open.map(|outbox| {
            let told = outbox.take(usize::MAX);
            String::from_utf8(told[0].message().to_vec()).unwrap()
        });
        for after_ms in [0, 1_000, 2_000] {
            assert!(told.contains(&hub::reconnect(after_ms)), "{told:?}");
        }
    }

    #[test]
    fn draining_closes_open_and_later_sockets() {
        let sockets = sockets(None);
        let (open, late) = (outbox(1), outbox(2));
        sockets.enter(&open, here()).unwrap();
        sockets.drain(Duration::from_secs(1));
        sockets.enter(&late, here()).unwrap();
        for outbox in [open, late] {
            let told = outbox.take(usize::MAX);
            assert_eq!(told[0].message(), hub::reconnect(0).as_bytes());
            let reason = "this node is going down";
            assert_eq!(outbox.ended(), Some(End::Close(close::DRAINING, reason)));
        }
    }

    #[test]
    fn those_who_come_while_it_drains_do_not_all_come_back_at_once() {
        let sockets = Sockets::new(
            SocketCaps {
                all: 100,
                before_hello: 100,
                ..sockets(None).caps
            },
            Arc::new(Metrics::new()),
        );
        sockets.drain(Duration::from_secs(8));
        let told = (0..32).map(|conn| {
            let late = outbox(conn);
            sockets.enter(&late, here()).unwrap();
            String::from_utf8(late.take(1)[0].message().to_vec()).unwrap()
        });
        let told: std::collections::BTreeSet<String> = told.collect();
        assert_eq!(told.len(), 16);
    }

    #[test]
    fn the_first_users_clients_are_closed_without_a_word_they_do_not_know() {
        let sockets = sockets(None);
        let outboxes =
            [1, 2].map(|conn| Arc::new(Outbox::new(ConnId(conn), 1_000).speaking(Speech::Compat)));
        sockets.enter(&outboxes[0], here()).unwrap();
        sockets.drain(Duration::from_secs(1));
        sockets.enter(&outboxes[1], here()).unwrap();
        for outbox in outboxes {
            assert_eq!(outbox.take(usize::MAX).len(), 0);
            assert!(outbox.ended().is_some());
        }
    }
}
