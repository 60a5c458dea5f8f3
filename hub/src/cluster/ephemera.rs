//! Presence and broadcasts between nodes: never stored, gone with the socket and with its node.
//!
//! Every node hears everything; a space that is not open there keeps nothing of it. What is told has
//! bounds: of each socket the last word in a twentieth of a second, of all so many bytes a second.
//! Presence that is lost on the way is told again ([`here`]); a broadcast is not.

mod here;
mod there;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_cluster::bus::{Bus, Kind, Told};
use syncline_cluster::ephemeral::{Ephemeral, RollCall, Spoken};
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::ids::{ClientKey, NodeId, SpaceKey};
use syncline_protocol::json::Json;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::here::Here;
use self::there::There;
use super::nodes::Nodes;
use crate::session::event::ConnId;
use crate::session::registry::Sessions;
use crate::telemetry::Metrics;

/// From one telling of presence to the next; what changes twice in between is told once.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Bytes of presence told at once: 5 MiB a second. What is left waits.
const TELL_BYTES: usize = 256 << 10;

/// From one round of roll calls to the next.
const ROUND: Duration = Duration::from_secs(1);

/// Bytes of broadcasts a second, and at once. Those past it are dropped.
const BROADCAST_BYTES_PER_S: u64 = 2 << 20;

/// Questions who shows what, a second, and at once. Instead of those past it a roll call tells.
const ASKED_PER_S: u64 = 1_000;

/// Words of sessions that are never first, a second, and at once. Those past it are said again.
const LATE_PER_S: u64 = 1_000;

/// Presence and broadcasts of a node and to it. Clones share it.
#[derive(Clone)]
pub struct Ephemera {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    bus: Arc<dyn Bus>,
    nodes: Nodes,
    metrics: Arc<Metrics>,
    here: Mutex<Here>,
    there: Mutex<There>,
    paces: Mutex<(Pace, Pace, Pace)>,
    /// Something is to be told.
    due: Notify,
}

impl std::fmt::Debug for Ephemera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ephemera")
            .field("node", &self.inner.node)
            .finish_non_exhaustive()
    }
}

/// How much may be told a second; a second's worth of it at once.
#[derive(Debug)]
struct Pace {
    per_s: u64,
    left: u64,
    at: Instant,
}

impl Pace {
    fn new(per_s: u64) -> Pace {
        let at = Instant::now();
        Pace {
            per_s,
            left: per_s,
            at,
        }
    }

    /// Whether so much may be told now.
    fn take(&mut self, much: u64, now: Instant) -> bool {
        let ms = now.saturating_duration_since(self.at).as_millis();
        let more = u64::try_from(ms).unwrap_or(u64::MAX);
        let more = more.saturating_mul(self.per_s) / 1_000;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(self.per_s);
            self.at = now;
        }
        let is_in = much <= self.left;
        if is_in {
            self.left -= much;
        }
        is_in
    }
}

impl Ephemera {
    pub(super) fn new(
        node: NodeId,
        (bus, nodes): (Arc<dyn Bus>, Nodes),
        metrics: Arc<Metrics>,
    ) -> Ephemera {
        let paces = (
            Pace::new(BROADCAST_BYTES_PER_S),
            Pace::new(ASKED_PER_S),
            Pace::new(LATE_PER_S),
        );
        Ephemera {
            inner: Arc::new(Inner {
                node,
                bus,
                nodes,
                metrics,
                here: Mutex::default(),
                there: Mutex::default(),
                paces: Mutex::new(paces),
                due: Notify::new(),
            }),
        }
    }

    /// A socket of this node shows something, or nothing any more.
    pub(crate) fn show(&self, space: &SpaceKey, conn: ConnId, shown: (ClientKey, Option<Json>)) {
        if lock(&self.inner.here).show(space, conn.0, shown) {
            self.inner.due.notify_one();
        } else {
            self.inner.metrics.bus_dropped.inc(Kind::Ephemeral);
        }
    }

    /// A socket of this node went, and its session did not say so.
    pub(crate) fn gone(&self, space: &SpaceKey, conn: ConnId) {
        if lock(&self.inner.here).gone(space, conn.0) {
            self.inner.due.notify_one();
        }
    }

    /// Tells the others something else, unless too much is told already.
    pub(crate) fn tell(&self, space: &SpaceKey, what: Spoken) {
        // Others are not known yet, but to who loses to them.
        if self.inner.nodes.is_alone() && what != Spoken::Late {
            return;
        }
        let now = Instant::now();
        let is_in = {
            let mut paces = lock(&self.inner.paces);
            match &what {
                Spoken::Asked => paces.1.take(1, now),
                Spoken::Late => paces.2.take(1, now),
                other => paces.0.take(other.size_bytes() as u64, now),
            }
        };
        match is_in {
            true => self.publish(space.clone(), what),
            false => self.inner.metrics.bus_dropped.inc(Kind::Ephemeral),
        }
    }

    /// Another node tells something.
    pub(super) fn hear(&self, told: &Ephemeral, sessions: &Sessions) {
        if told.what == Spoken::Asked {
            if lock(&self.inner.here).asked(&told.space) {
                self.inner.due.notify_one();
            }
            return;
        }
        let is_open = sessions.tell_ephemeral(told);
        let keeps = match &told.what {
            Spoken::Presence(_) => true,
            Spoken::RollCall(call) => !call.shown.is_empty(),
            Spoken::Broadcast(_) | Spoken::Asked | Spoken::Late => return,
        };
        let mut there = lock(&self.inner.there);
        match is_open && keeps {
            true => there.note(told.instance, &told.space, Instant::now()),
            false => there.forget(told.instance, &told.space),
        }
    }

    /// A node appeared: it does not know who shows what here.
    pub(super) fn node_appeared(&self) {
        lock(&self.inner.here).sweep_soon();
    }

    /// A node said goodbye: what it showed goes with it.
    pub(super) fn node_gone(&self, instance: Instance, sessions: &Sessions) {
        let gone = lock(&self.inner.there).gone(instance);
        forget(gone, sessions);
    }

    /// Tells what is shown, for ever.
    pub(super) async fn tell_due(self) {
        loop {
            self.inner.due.notified().await;
            loop {
                let due = lock(&self.inner.here).take_due(TELL_BYTES);
                if due.is_empty() {
                    break;
                }
                self.publish_all(due);
                sleep(TELL_EVERY).await;
            }
        }
    }

    /// Says again who shows what, and forgets what nodes showed that are silent; for ever.
    pub(super) async fn go_round(self, sessions: Sessions) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let calls = lock(&self.inner.here).round();
            self.publish_all(calls);
            let nodes = self.inner.nodes.list().into_iter();
            let there: BTreeSet<Instance> = nodes.map(|listed| listed.said.instance).collect();
            let expired = lock(&self.inner.there).expired(&there, Instant::now());
            forget(expired, &sessions);
        }
    }

    fn publish_all(&self, all: Vec<(SpaceKey, Spoken)>) {
        if !self.inner.nodes.is_alone() {
            all.into_iter()
                .for_each(|(space, what)| self.publish(space, what));
        }
    }

    fn publish(&self, space: SpaceKey, what: Spoken) {
        let told = Ephemeral {
            node: self.inner.node.clone(),
            instance: self.inner.nodes.own(),
            space,
            what,
        };
        self.inner.bus.publish(Told::Ephemeral(Arc::new(told)));
    }
}

/// Has sessions forget what a node showed.
fn forget(all: Vec<(Instance, SpaceKey)>, sessions: &Sessions) {
    for (instance, space) in all {
        let nobody = RollCall {
            upto: u64::MAX,
            shown: Vec::new(),
        };
        sessions.forget_elsewhere(&space, instance, nobody);
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole whatever panicked while it was locked.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_told_a_second_than_may_be() {
        let mut pace = Pace::new(1_000);
        let start = pace.at;
        assert!(pace.take(1_000, start));
        assert!(!pace.take(1, start));
        let later = start + Duration::from_millis(10);
        assert!(!pace.take(11, later));
        assert!(pace.take(10, later));
        // What was not used is not saved up for long.
        let much_later = later + Duration::from_secs(60);
        assert!(!pace.take(1_001, much_later));
        assert!(pace.take(1_000, much_later));
    }
}
