//! This node among the others: the bus that tells them what it commits, what it hears of them
//! ([`hearing`]), and the look at the store that finds what no message told ([`audit`]).
//!
//! A node without its bus serves as ever, and its devices learn a little later what came to other
//! nodes: so the bus has no part in `/ready`.

mod audit;
mod hearing;

use std::sync::Arc;
use std::time::Duration;

use syncline_cluster::bus::{Bus, Told};
use syncline_cluster::event::Heads;
use syncline_cluster::local::LocalBus;
use syncline_cluster::nats::{NatsBus, Report};
use syncline_cluster::repeats::Repeats;
use syncline_protocol::ids::NodeId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, Problem, Problems, StoreUrl};
use crate::session::registry::Sessions;
use crate::telemetry::Metrics;
use crate::telemetry::labels::CatchUpCause;
use crate::telemetry::pulled::show_bus;

/// What a node that goes down may wait for its last words to leave.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way to the other nodes.
pub(crate) struct Cluster {
    node: NodeId,
    pub(crate) bus: Arc<dyn Bus>,
    /// The same, if it is NATS.
    nats: Option<Arc<NatsBus>>,
    /// `None` on a node that is alone on its store: nobody hears it, and nobody else commits.
    pub(crate) repeats: Option<Repeats>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("node", &self.node)
            .field("nats", &self.nats)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Over the bus that is given, else the one that the config names, else none but in this
    /// process. Does not wait for it.
    pub(crate) async fn reach(
        config: &Config,
        given: Option<Arc<dyn Bus>>,
        metrics: &Arc<Metrics>,
    ) -> Result<Cluster, Problems> {
        let nats = match given {
            Some(_) => None,
            None => nats(config, metrics).await?.map(Arc::new),
        };
        if let Some(nats) = nats.clone() {
            show_bus(metrics, move || nats.is_connected()).expect("a new registry");
        }
        let shares_store = matches!(
            config.store_url(),
            StoreUrl::Postgres(_) | StoreUrl::Scylla(_)
        );
        let is_alone = given.is_none() && nats.is_none() && !shares_store;
        let bus = given
            .or_else(|| nats.clone().map(|nats| nats as Arc<dyn Bus>))
            .unwrap_or_else(|| Arc::new(LocalBus::default()));
        Ok(Cluster {
            node: config.node.clone(),
            bus,
            nats,
            repeats: (!is_alone).then(Repeats::default),
        })
    }

    /// Begins to hear, to look at the store, and to say again what was told. It ends with what is
    /// returned.
    pub(crate) fn listen(&self, sessions: &Sessions) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (wanted, looks) = mpsc::channel(1);
        let subscription = self.bus.subscribe(&self.node);
        tasks.spawn(hearing::hear(subscription, sessions.clone(), wanted));
        if let Some(repeats) = &self.repeats {
            let nats = self.nats.clone();
            let is_away = move || nats.as_ref().is_some_and(|nats| !nats.is_connected());
            tasks.spawn(audit::run(sessions.clone(), looks, is_away));
            tasks.spawn(repeats.clone().run(self.node.clone(), self.bus.clone()));
        }
        tasks
    }

    /// Says a last time where the spaces are, since nobody will say it again, and waits until that
    /// has left.
    pub(crate) async fn last_words(&self) {
        let heads = self.repeats.as_ref().map(Repeats::round);
        if let Some(heads) = heads.filter(|heads| !heads.is_empty()) {
            let node = self.node.clone();
            self.bus
                .publish(Told::Heads(Arc::new(Heads { node, heads })));
        }
        // Without NATS they are in vain.
        let _ = timeout(LAST_WORDS, self.bus.flush()).await;
    }
}

/// The bus that the config names.
async fn nats(config: &Config, metrics: &Arc<Metrics>) -> Result<Option<NatsBus>, Problems> {
    let Some(options) = config.nats.options(&config.node)? else {
        return Ok(None);
    };
    let counted = metrics.clone();
    let report = move |report| count(&counted, report);
    let started = NatsBus::start(&options, Arc::new(report)).await;
    let bus = started.map_err(|error| Problem {
        key: "nats.url",
        message: format!("cannot be used: {error}"),
    })?;
    Ok(Some(bus))
}

fn count(metrics: &Metrics, report: Report) {
    match report {
        Report::Published(kind) => metrics.bus_published.inc(kind),
        Report::Dropped(kind) => metrics.bus_dropped.inc(kind),
        Report::Heard(kind) => metrics.bus_heard.inc(kind),
        Report::Reconnected => metrics.bus_reconnects.inc(),
        Report::Refused => metrics.bus_refusals.inc(),
    }
}

/// A look at the store that somebody wants.
type Wanted = mpsc::Sender<CatchUpCause>;
