//! TLS handshakes take turns: a few are worked on at once, and those of one address wait for each
//! other before they wait for others.
//!
//! A step of a handshake may hold a signature, which costs the hub up to some milliseconds of a
//! worker and its peer next to nothing. So handshakes get a share of the workers, and an address
//! that sends thousands delays its own.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::peers::network;

/// The turns of a listener.
#[derive(Debug)]
pub(super) struct Turns {
    /// Those worked on.
    all: Semaphore,
    /// Those worked on or waiting for that, of each address; as many as may be worked on.
    lanes: Mutex<HashMap<IpAddr, Lane>>,
    at_once: usize,
}

/// One address's own turns. It exists while somebody waits in it.
#[derive(Debug)]
struct Lane {
    turns: Arc<Semaphore>,
    waiting: usize,
}

/// Keeps its lane while it lives.
struct InLane<'t> {
    turns: &'t Turns,
    network: IpAddr,
}

impl Drop for InLane<'_> {
    fn drop(&mut self) {
        let mut lanes = self.turns.lanes();
        if let Some(lane) = lanes.get_mut(&self.network) {
            lane.waiting -= 1;
            if lane.waiting == 0 {
                lanes.remove(&self.network);
            }
        }
    }
}

impl Turns {
    /// So many at once.
    pub(super) fn new(at_once: usize) -> Turns {
        Turns {
            all: Semaphore::new(at_once),
            lanes: Mutex::default(),
            at_once,
        }
    }

    /// Runs a future for an address, polling it in turns only.
    pub(super) async fn run<F: Future + Unpin>(&self, from: IpAddr, mut future: F) -> F::Output {
        let network = network(from);
        let (_in_lane, lane) = self.enter(network);
        loop {
            let step = {
                let _own = turn(&lane).await;
                let _turn = turn(&self.all).await;
                poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
            };
            match step {
                Poll::Ready(output) => return output,
                Poll::Pending => woken().await,
            }
        }
    }

    fn enter(&self, network: IpAddr) -> (InLane<'_>, Arc<Semaphore>) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(network).or_insert_with(|| Lane {
            turns: Arc::new(Semaphore::new(self.at_once)),
            waiting: 0,
        });
        lane.waiting += 1;
        let in_lane = InLane {
            turns: self,
            network,
        };
        (in_lane, lane.turns.clone())
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<IpAddr, Lane>> {
        // The map is whole whatever panicked while it was locked.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn turn(turns: &Semaphore) -> SemaphorePermit<'_> {
    turns.acquire().await.expect("turns are never closed")
}

/// Waits until the task is woken by what was polled before.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| match std::mem::replace(&mut waited, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Notes when it is worked on, and is done at once.
    fn noted<'n>(
        name: &'static str,
        notes: &'n RefCell<Vec<&'static str>>,
    ) -> impl Future + Unpin + 'n {
        Box::pin(async move { notes.borrow_mut().push(name) })
    }

    #[test]
    fn an_address_with_many_waits_for_itself_and_lets_others_pass() {
        let (turns, notes) = (Turns::new(1), RefCell::new(Vec::new()));
        let busy = turn(&turns.all).now_or_never().unwrap();
        let (loud, quiet) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut flood: Vec<_> = (0..100)
            .map(|_| Box::pin(turns.run(loud, noted("loud", &notes))))
            .collect();
        for one in &mut flood {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let mut other = Box::pin(turns.run(quiet, noted("quiet", &notes)).fuse());
        assert!(other.as_mut().now_or_never().is_none());
        drop(busy);
        // Whoever is polled first, the turns go by their order.
        let mut left = flood;
        while !left.is_empty() {
            left.retain_mut(|one| one.as_mut().now_or_never().is_none());
            let _ = (&mut other).now_or_never();
        }
        let place = notes.borrow().iter().position(|name| *name == "quiet");
        assert_eq!(place, Some(1));
        assert_eq!(notes.borrow().len(), 101);
    }

    #[test]
    fn a_lane_is_gone_with_the_last_in_it() {
        let turns = Turns::new(1);
        let busy = turn(&turns.all).now_or_never().unwrap();
        let from = address("2001:db8::1");
        let mut one = Box::pin(turns.run(from, Box::pin(async {})));
        let mut two = Box::pin(turns.run(address("2001:db8::2"), Box::pin(async {})));
        assert!(one.as_mut().now_or_never().is_none());
        assert!(two.as_mut().now_or_never().is_none());
        assert_eq!(turns.lanes().len(), 1);
        drop(one);
        assert_eq!(turns.lanes().len(), 1);
        drop(busy);
        assert!(two.now_or_never().is_some());
        assert_eq!(turns.lanes().len(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_its_peer_holds_no_turn() {
        let turns = Turns::new(1);
        let (silent, peer) = oneshot::channel::<()>();
        let mut waits = Box::pin(turns.run(address("192.0.2.1"), peer));
        assert!((&mut waits).now_or_never().is_none());
        turns.run(address("192.0.2.1"), Box::pin(async {})).await;
        silent.send(()).unwrap();
        waits.await.unwrap();
    }
}
