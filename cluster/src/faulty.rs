//! A bus that loses, repeats and reorders what it is given, from a seed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use syncline_protocol::ids::NodeId;
use syncline_storage::faulty::Prng;

use crate::bus::{Bus, Subscription, Told};

/// How often something goes wrong, in percent of what is published.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// It is lost.
    pub lost: u64,
    /// It is told twice.
    pub repeated: u64,
    /// It is told after what comes next.
    pub reordered: u64,
}

/// A bus around another one.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    state: Mutex<State>,
}

struct State {
    rates: Rates,
    prng: Prng,
    /// Told after what comes next.
    held: Option<Told>,
}

impl std::fmt::Debug for FaultyBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyBus").finish_non_exhaustive()
    }
}

impl FaultyBus {
    /// Around `inner`.
    pub fn new(inner: Arc<dyn Bus>, rates: Rates, seed: u64) -> FaultyBus {
        FaultyBus {
            inner,
            state: Mutex::new(State {
                rates,
                prng: Prng::new(seed),
                held: None,
            }),
        }
    }

    /// From now on nothing goes wrong. What is held back is lost.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.held = None;
        state.rates = Rates {
            lost: 0,
            repeated: 0,
            reordered: 0,
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole whatever panicked while it was locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is really told, in its order.
    fn worsen(&mut self, told: Told) -> Vec<Told> {
        let mut happens = |percent| self.prng.below(100) < percent;
        let lost = happens(self.rates.lost);
        let repeated = happens(self.rates.repeated);
        let reordered = happens(self.rates.reordered);
        let before = self.held.take();
        let mut now = Vec::new();
        match (lost, reordered) {
            (true, _) => {}
            (false, true) => self.held = Some(told),
            (false, false) if repeated => now.extend([told.clone(), told]),
            (false, false) => now.push(told),
        }
        now.extend(before);
        now
    }
}

#[async_trait]
impl Bus for FaultyBus {
    fn publish(&self, told: Told) {
        let really = self.lock().worsen(told);
        really.into_iter().for_each(|told| self.inner.publish(told));
    }

    async fn flush(&self) {
        self.inner.flush().await;
    }

    async fn came_back(&self) {
        self.inner.came_back().await;
    }

    fn subscribe(&self, node: &NodeId) -> Box<dyn Subscription> {
        self.inner.subscribe(node)
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey};

    use super::*;
    use crate::bus::Heard;
    use crate::event::{Heads, SpaceHead};
    use crate::local::LocalBus;

    const ALL: u64 = 1_000;

    fn told(head: u64) -> Told {
        let space = SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted("ada"),
        };
        let (epoch, head) = (Epoch(1), Seq(head));
        Told::Heads(Arc::new(Heads {
            node: NodeId::trusted("n1"),
            heads: vec![SpaceHead { space, epoch, head }],
        }))
    }

    async fn heard_through(rates: Rates) -> Vec<u64> {
        let local = LocalBus::default();
        let mut hearer = local.subscribe(&NodeId::trusted("n2"));
        let bus = FaultyBus::new(Arc::new(local), rates, 7);
        (1..=ALL).for_each(|head| bus.publish(told(head)));
        drop(bus);
        let mut heads = Vec::new();
        while let Some(Heard::Heads(told, _)) = hearer.next().await {
            heads.push(told[0].head.0);
        }
        heads
    }

    #[tokio::test]
    async fn it_loses_repeats_and_reorders() {
        let heard = heard_through(Rates {
            lost: 30,
            repeated: 10,
            reordered: 10,
        })
        .await;
        let different: std::collections::BTreeSet<u64> = heard.iter().copied().collect();
        assert!((600..800).contains(&different.len()), "{different:?}");
        assert!(heard.len() > different.len(), "nothing is repeated");
        assert!(!heard.is_sorted(), "nothing is reordered");
    }

    #[tokio::test]
    async fn without_faults_it_is_the_bus_inside() {
        let heard = heard_through(Rates {
            lost: 0,
            repeated: 0,
            reordered: 0,
        })
        .await;
        assert_eq!(heard, (1..=ALL).collect::<Vec<u64>>());
    }
}
