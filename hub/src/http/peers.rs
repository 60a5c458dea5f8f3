//! How many connections each address has open, so that one address cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open connections of a listener. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address: usize,
}

/// A connection counted while it lives.
#[derive(Debug)]
pub(super) struct Counted {
    peers: Peers,
    network: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

impl Peers {
    /// None yet; so many from one address.
    pub(super) fn new(per_address: usize) -> Peers {
        Peers {
            open: Arc::default(),
            per_address,
        }
    }

    /// Counts a connection in; `None` if its address has as many as it may.
    pub(super) fn enter(&self, from: IpAddr) -> Option<Counted> {
        let network = network(from);
        let mut open = self.lock();
        let count = open.entry(network).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        let peers = self.clone();
        Some(Counted { peers, network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // The map is whole whatever panicked while it was locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is counted as one address: an IPv6 customer has a whole /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_connections_up_to_its_share_and_others_have_theirs() {
        let peers = Peers::new(2);
        let address = |text: &str| text.parse().unwrap();
        let first = peers.enter(address("2001:db8::1"));
        let second = peers.enter(address("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(peers.enter(address("2001:db8::3")).is_none());
        let other = peers.enter(address("192.0.2.1"));
        assert!(other.is_some());
        drop(first);
        assert!(peers.enter(address("2001:db8::3")).is_some());
        drop((second, other));
        assert!(peers.lock().is_empty());
    }
}
