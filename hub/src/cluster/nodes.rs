//! The nodes that are there, this one among them, and what it says of itself to the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_cluster::bus::{Bus, Told};
use syncline_cluster::directory::{Directory, Listed, News, SILENT_MAX};
use syncline_cluster::heartbeat::{Heartbeat, Instance, Standing};
use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Wanted;
use crate::lifecycle::{Lifecycle, Stage};
use crate::session::registry::Sessions;
use crate::telemetry::Metrics;
use crate::telemetry::labels::CatchUpCause;

/// The shortest time from one heartbeat to the next, and how much longer it may be.
const EVERY_MS: (u64, u64) = (2_000, 1_000);

/// The longest wait before a node that appeared is told who is there, and the shortest time
/// between two heartbeats.
const ANSWER_MS: u64 = 200;

/// From one look for silent nodes to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A node that says nothing any more is gone from what operators and devices are told by then.
const GONE_WITHIN: Duration = Duration::from_secs(15);

const _: () = assert!(SILENT_MAX.as_millis() + LOOK_EVERY.as_millis() <= GONE_WITHIN.as_millis());

/// The nodes of the cluster. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    own: Own,
    metrics: Arc<Metrics>,
    lifecycle: Arc<Lifecycle>,
    /// Heartbeats said, or made for a list.
    no: AtomicU64,
    rate: Mutex<Rate>,
    directory: Mutex<Directory>,
    /// A node appeared that may not know of this one.
    appeared: Notify,
}

/// What never changes of this node.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) node: NodeId,
    pub(crate) instance: Instance,
    /// What it is while it is up.
    pub(crate) up: Standing,
    pub(crate) started_at_ms: WallMs,
}

/// How fast commits come.
#[derive(Debug)]
struct Rate {
    since: Instant,
    commits: u64,
    per_s: u64,
}

impl Rate {
    /// The rate since the last time it was asked that is a second ago or more.
    fn at(&mut self, now: Instant, commits: u64) -> u64 {
        let ms = now.saturating_duration_since(self.since).as_millis();
        if let Some(ms) = u64::try_from(ms).ok().filter(|ms| *ms >= 1_000) {
            self.per_s = commits.saturating_sub(self.commits) * 1_000 / ms;
            (self.since, self.commits) = (now, commits);
        }
        self.per_s
    }
}

impl Nodes {
    pub(crate) fn new(own: Own, metrics: Arc<Metrics>, lifecycle: Arc<Lifecycle>) -> Nodes {
        let rate = Rate {
            since: Instant::now(),
            commits: 0,
            per_s: 0,
        };
        Nodes {
            inner: Arc::new(Inner {
                own,
                metrics,
                lifecycle,
                no: AtomicU64::new(0),
                rate: Mutex::new(rate),
                directory: Mutex::default(),
                appeared: Notify::new(),
            }),
        }
    }

    /// This process.
    pub(crate) fn own(&self) -> Instance {
        self.inner.own.instance
    }

    /// Those that are there now, with this one.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let now = Instant::now();
        self.hear(&self.said(self.standing()));
        self.directory().list(now)
    }

    /// Whether no other is there.
    pub(crate) fn is_alone(&self) -> bool {
        let now = Instant::now();
        let own = self.own();
        let directory = self.directory();
        directory.instances(now).all(|instance| instance == own)
    }

    /// How many are there, and how many of them have another's name.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let listed = self.list();
        let sharing = listed.iter().filter(|listed| listed.shares_name);
        (listed.len(), sharing.count())
    }

    /// Takes in what a node says of itself.
    pub(crate) fn hear(&self, said: &Heartbeat) -> News {
        let news = self.directory().hear(said.clone(), Instant::now());
        let (node, instance) = (&said.node, said.instance);
        match news {
            News::Appeared if instance == self.own() => {}
            News::Appeared => {
                info!(%node, %instance, "a node appeared");
                self.inner.appeared.notify_one();
            }
            News::Gone => info!(%node, %instance, "a node said goodbye"),
            News::SharesName => {
                warn!(%node, %instance, "two nodes have this name; set another for one of them");
            }
            News::Full => warn!(%node, %instance, "there are more nodes than are remembered"),
            News::Nothing => {}
        }
        news
    }

    /// Says how this node is, now and then, when it begins to drain, and soon when another appears.
    pub(super) async fn beat(self, bus: Arc<dyn Bus>) {
        loop {
            let standing = self.standing();
            self.say(&*bus, standing);
            sleep(Duration::from_millis(ANSWER_MS)).await;
            let drains = async {
                match standing {
                    Standing::Serving | Standing::Working => self.inner.lifecycle.draining().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep(spread(EVERY_MS.0 - ANSWER_MS, EVERY_MS.1)) => {}
                () = drains => {}
                // All hear of it at once, and do not answer at once.
                () = self.inner.appeared.notified() => sleep(spread(0, ANSWER_MS)).await,
            }
        }
    }

    /// Forgets those that are silent, for ever. What they committed last they may have told nobody,
    /// so a look at the store is wanted then.
    pub(super) async fn forget_silent(self, sessions: Sessions, wanted: Wanted) {
        loop {
            sleep(LOOK_EVERY).await;
            let mut is_one_silent = false;
            let silent = self.directory().forget_silent(Instant::now());
            for said in silent.iter().filter(|said| said.instance != self.own()) {
                let (node, instance) = (&said.node, said.instance);
                warn!(%node, %instance, "a node is not heard any more");
                is_one_silent = true;
            }
            if is_one_silent {
                sessions.missed();
                // If one is wanted already, that one is still to come.
                let _ = wanted.try_send(CatchUpCause::Silent);
            }
        }
    }

    /// Tells the others how this node is.
    pub(super) fn say(&self, bus: &dyn Bus, standing: Standing) {
        let said = self.said(standing);
        self.hear(&said);
        bus.publish(Told::Heartbeat(Arc::new(said)));
    }

    fn standing(&self) -> Standing {
        match self.inner.lifecycle.stage() {
            Stage::Starting | Stage::Ready => self.inner.own.up,
            Stage::Draining => Standing::Draining,
        }
    }

    fn said(&self, standing: Standing) -> Heartbeat {
        let Own {
            node,
            instance,
            started_at_ms,
            ..
        } = self.inner.own.clone();
        let metrics = &self.inner.metrics;
        let gauge = |value: i64| u64::try_from(value).unwrap_or(0);
        let commits_per_s = {
            // It is whole whatever panicked while it was locked.
            let rate = self.inner.rate.lock();
            let mut rate = rate.unwrap_or_else(PoisonError::into_inner);
            rate.at(Instant::now(), metrics.commits.get())
        };
        Heartbeat {
            node,
            instance,
            no: self.inner.no.fetch_add(1, Ordering::Relaxed) + 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at_ms,
            standing,
            sockets: gauge(metrics.sockets.get()),
            sessions: gauge(metrics.sessions.get() + metrics.sessions_asleep.get()),
            commits_per_s,
        }
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        // The map is whole whatever panicked while it was locked.
        let directory = self.inner.directory.lock();
        directory.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without randomness all wait alike.
fn spread(shortest_ms: u64, more_ms: u64) -> Duration {
    let random = getrandom::u64().unwrap_or(0);
    Duration::from_millis(shortest_ms + random % (more_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_a_second_are_those_since_a_second_ago_or_more() {
        let start = Instant::now();
        let mut rate = Rate {
            since: start,
            commits: 0,
            per_s: 0,
        };
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(rate.at(after(999), 100), 0);
        assert_eq!(rate.at(after(2_000), 100), 50);
        assert_eq!(rate.at(after(2_500), 900), 50);
        assert_eq!(rate.at(after(3_000), 900), 800);
    }

    #[tokio::test]
    async fn a_node_lists_itself_though_it_says_nothing() {
        let own = Own {
            node: NodeId::trusted("n1"),
            instance: Instance(7),
            up: Standing::Serving,
            started_at_ms: 5,
        };
        let lifecycle = Arc::new(Lifecycle::starting());
        let nodes = Nodes::new(own, Arc::new(Metrics::new()), lifecycle.clone());
        lifecycle.advance(Stage::Draining);
        let listed = nodes.list();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].said.standing, Standing::Draining);
        assert_eq!(nodes.counts(), (1, 0));
    }
}
