//! This node among the others: the bus that tells them what it commits, what it hears of them
//! ([`hearing`]), the look at the store that finds what no message told ([`audit`]), who is
//! [`behind`], which of them are there ([`nodes`]), and what is told and never stored ([`ephemera`]).
//!
//! A node without its bus serves as ever, and its devices learn a little later what came to other
//! nodes: so the bus has no part in `/ready`.

pub mod audit;
pub mod behind;
pub(crate) mod ephemera;
mod hearing;
pub(crate) mod nodes;
mod rebalance;
mod shedding;

use std::sync::Arc;
use std::time::Duration;

use syncline_cluster::bus::Bus;
use syncline_cluster::heartbeat::{Instance, Standing};
use syncline_cluster::local::LocalBus;
use syncline_cluster::nats::{NatsBus, Report};
use syncline_cluster::repeats::Repeats;
use syncline_protocol::ids::NodeId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::ephemera::Ephemera;
use self::hearing::Hearer;
use self::nodes::{Nodes, Own};
use crate::config::{Config, Problem, Problems, Role, StoreUrl};
use crate::http::Context;
use crate::session::registry::Sessions;
use crate::telemetry::Metrics;
use crate::telemetry::labels::CatchUpCause;
use crate::telemetry::pulled::{show_bus, show_nodes};

pub(crate) use self::rebalance::rebalance;

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
    /// Who is there.
    pub(crate) nodes: Nodes,
    /// `None` where there are no repeats.
    pub(crate) ephemera: Option<Ephemera>,
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
        context: &Context,
    ) -> Result<Cluster, Problems> {
        let metrics = &context.metrics;
        let nats = match given {
            Some(_) => None,
            None => nats(config, metrics).await?.map(Arc::new),
        };
        if let Some(nats) = nats.clone() {
            show_bus(metrics, move || nats.is_connected()).expect("a new registry");
        }
        let shares_store = matches!(
            config.store_url(),
            StoreUrl::Postgres(_) | StoreUrl::Cassandra(_)
        );
        let is_alone = given.is_none() && nats.is_none() && !shares_store;
        let bus = given
            .or_else(|| nats.clone().map(|nats| nats as Arc<dyn Bus>))
            .unwrap_or_else(|| Arc::new(LocalBus::default()));
        let own = Own {
            node: config.node.clone(),
            instance: Instance::random(),
            up: match config.roles.contains(&Role::Sync) {
                true => Standing::Serving,
                false => Standing::Working,
            },
            started_at_ms: context.clock.now_ms(),
        };
        let nodes = Nodes::new(own, metrics.clone(), context.lifecycle.clone());
        let counted = nodes.clone();
        show_nodes(metrics, move || counted.counts()).expect("a new registry");
        let ephemera = (!is_alone).then(|| {
            let ways = (bus.clone(), nodes.clone());
            Ephemera::new(config.node.clone(), ways, metrics.clone())
        });
        Ok(Cluster {
            node: config.node.clone(),
            bus,
            nats,
            repeats: (!is_alone).then(Repeats::default),
            nodes,
            ephemera,
        })
    }

    /// Begins to hear, to look at the store, and to say again what was told. It ends with what is
    /// returned.
    pub(crate) fn listen(&self, sessions: &Sessions) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (wanted, looks) = mpsc::channel(1);
        let subscription = self.bus.subscribe(&self.node);
        let hearer = Hearer {
            sessions: sessions.clone(),
            nodes: self.nodes.clone(),
            ephemera: self.ephemera.clone(),
            wanted: wanted.clone(),
            newer_at: None,
        };
        tasks.spawn(hearer.hear(subscription));
        if let Some(ephemera) = &self.ephemera {
            tasks.spawn(ephemera.clone().tell_due());
            tasks.spawn(ephemera.clone().go_round(sessions.clone()));
        }
        tasks.spawn(self.nodes.clone().beat(self.bus.clone()));
        tasks.spawn(self.nodes.clone().forget_silent(sessions.clone(), wanted));
        if let Some(repeats) = &self.repeats {
            let nats = self.nats.clone();
            let is_away = move || nats.as_ref().is_some_and(|nats| !nats.is_connected());
            tasks.spawn(audit::run(sessions.clone(), looks, is_away));
            tasks.spawn(repeats.clone().run(self.node.clone(), self.bus.clone()));
        }
        tasks
    }

    /// Says a last time where the spaces are, since nobody will say it again, then goodbye, and
    /// waits until that has left.
    pub(crate) async fn last_words(&self) {
        let words = async {
            if let Some(repeats) = &self.repeats {
                repeats.say(&self.node, &*self.bus).await;
            }
            self.nodes.say(&*self.bus, Standing::Gone);
            self.bus.flush().await;
        };
        // Without NATS they are in vain.
        let _ = timeout(LAST_WORDS, words).await;
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
