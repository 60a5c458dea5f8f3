//! The sync part of a node: store, commits, bus, sessions, gateway.

use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, header};
use axum::routing::get;
use syncline_cluster::ChangeLog;
use syncline_cluster::bus::Bus;
use syncline_compute::recurrence::Expansions;
use syncline_protocol::ids::NodeId;
use syncline_protocol::limits::Limits;
use syncline_storage::group::{Committers, GroupCommit, GroupLimits};
use syncline_storage::types::PageLimit;
use syncline_storage::{JobStore, Store};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::warn;

use super::StartError;
use super::opened_store::OpenedStore;
use super::store_lock::StoreLock;
use super::store_watch::{SeenBy, watch};
use crate::auth::Verifier;
use crate::clock::{Clock, SystemClock};
use crate::cluster::{Cluster, rebalance};
use crate::config::{ClusterConfig, Config};
use crate::gateway::access::Access;
use crate::gateway::compat::storm::Storm;
use crate::gateway::intake::Undecided;
use crate::gateway::link::SocketLimits;
use crate::gateway::pace::Paces;
use crate::gateway::sockets::{SocketCaps, Sockets};
use crate::gateway::unfinished::Unfinished;
use crate::gateway::{Gateway, api, compat, notify, upgrade, user_data};
use crate::http::guard::counted;
use crate::http::in_trace::TRACEPARENT;
use crate::http::routes::{cluster, compute, jobs, reminders};
use crate::http::{Context, ReplyRoom};
use crate::jobs::doing::{Doing, DoingParts};
use crate::jobs::{AppTriggers, JobsBell, Replanning};
use crate::memory;
use crate::notify::Notify;
use crate::session::actor::{PAGES_AT_ONCE, Shared};
use crate::session::cache::{Activations, NodeCache};
use crate::session::registry::Sessions;
use crate::session::state::SessionLimits;
use crate::telemetry::Lags;
use crate::telemetry::labels::Route;
use crate::telemetry::pulled::{show_cache, show_cassandra, show_groups, show_log, show_outboxes};
use crate::wheel::Wheel;

/// How long a browser keeps the answer to a preflight: the longest that Chromium does.
const PREFLIGHT_KEPT: Duration = Duration::from_secs(7_200);

/// Records and stored bytes of one read for a device that is behind.
const READER_PAGE: PageLimit = PageLimit {
    records: 500,
    bytes: 256 << 10,
};

/// Users whose data is counted or erased at once.
const USER_DATA_AT_ONCE: usize = 2;

/// The outer parts of a node, replaced in tests.
#[derive(Default)]
pub struct Parts {
    /// The clock; the machine's by default.
    pub clock: Option<Arc<dyn Clock>>,
    /// The store; what the config names by default.
    pub store: Option<Arc<dyn Store>>,
    /// Its jobs, where the store is given; without them none are done.
    pub jobs: Option<Arc<dyn JobStore>>,
    /// The bus; what the config names by default, else of this process alone.
    pub bus: Option<Arc<dyn Bus>>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Parts {
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock))
    }
}

/// The running sync part.
pub(super) struct Core {
    pub(super) gateway: Arc<Gateway>,
    /// The jobs of its store.
    jobs: Option<Arc<dyn JobStore>>,
    log: ChangeLog,
    bell: JobsBell,
    notify: Notify,
    /// `None` before it began, once it ended, and where nobody does jobs.
    doing: Mutex<Option<Doing>>,
    committers: Committers,
    cluster: Cluster,
    /// What hears the other nodes.
    listening: JoinSet<()>,
    /// The wheel's task.
    turning: JoinHandle<()>,
    /// Looks whether the store does its work.
    watching: JoinHandle<()>,
    /// The protocol of the first user's clients is served.
    speaks_compat: bool,
    /// Dropped last: until then no other hub may open the store.
    _lock: Option<StoreLock>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("gateway", &self.gateway)
            .field("doing", &self.doing)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Opens the store and starts what works on it.
    pub(super) async fn start(
        config: &Config,
        parts: Parts,
        (context, verifier): (&Context, Arc<Verifier>),
    ) -> Result<Core, StartError> {
        let (store, jobs, lock, seen_by) = match parts.store {
            Some(store) => (store, parts.jobs, None, SeenBy::Commits),
            None => {
                let opened = OpenedStore::open(config).await?;
                opened.expect_whole().await?;
                if let Some(store) = opened.counts {
                    let shown = show_cassandra(&context.metrics, &store);
                    shown.expect("a new registry shows each once");
                }
                let jobs: Arc<dyn JobStore> = opened.store.clone();
                let store: Arc<dyn Store> = opened.store;
                let seen_by = match opened.file {
                    Some(file) => SeenBy::File(file),
                    None => SeenBy::Questions(store.clone()),
                };
                (store, Some(jobs), opened.lock, seen_by)
            }
        };
        let cluster = Cluster::reach(config, parts.bus, context).await?;
        let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
        let watching = watch(seen_by, group.clone(), context.lifecycle.clone());
        let log = ChangeLog::new(config.node.clone(), group.clone(), cluster.bus.clone());
        let log = match &cluster.repeats {
            Some(repeats) => log.noting(repeats.clone()),
            None => log,
        };
        let data = Limits::from(&config.limits);
        let bytes_max = count(config.gateway.replies_bytes_max);
        let replies = ReplyRoom::new(bytes_max, context.metrics.replies_given_up.clone());
        let limits = SessionLimits {
            commit_mutations_max: count(config.session.commit_mutations_max),
            commit_changes_max: count(config.session.commit_changes_max),
            commit_bytes_max: count(config.session.commit_bytes_max),
            message_bytes_max: count(config.gateway.message_bytes_max),
            live_bytes_max: count(config.gateway.outbox_bytes_max),
            data,
            echo_bytes_max: replies.reply_bytes_max(),
            ..SessionLimits::default()
        };
        let triggers = AppTriggers::of(&config.app, config.jobs.depth_max);
        let triggers = triggers.expect("the config was checked");
        let bell = JobsBell::default();
        let wheel = Arc::new(wheel(config));
        let epoch_change_interval_ms = limits.epoch_change_interval_ms;
        let lags = Arc::new(Lags::new(context.metrics.clone()));
        let shared = Shared {
            node: config.node.clone(),
            store: store.clone(),
            log: log.clone(),
            cache: NodeCache::new(config.session.cache_bytes),
            activations: Activations::default(),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            traces: context.traces.clone(),
            lags: lags.clone(),
            limits,
            triggers,
            bell: bell.clone(),
            page: READER_PAGE,
            pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
            undecided: Arc::new(Undecided::new(
                count(config.session.pending_node_bytes),
                count(config.session.pending_bytes),
                context.metrics.pending_bytes.clone(),
            )),
            idle: Duration::from_millis(config.session.idle_ms),
            wheel: wheel.clone(),
            ephemera: cluster.ephemera.clone(),
        };
        let metrics = &context.metrics;
        let shown = show_cache(metrics, &shared.cache)
            .and_then(|()| show_groups(metrics, group))
            .and_then(|()| show_log(metrics))
            .and_then(|()| memory::show(metrics));
        shown.expect("a new registry shows each once");
        let sessions = Sessions::start(Arc::new(shared))
            .await
            .map_err(StartError::Sessions)?;
        let listening = cluster.listen(&sessions);
        let pull_held = Duration::from_millis(config.compat.pull_held_ms);
        let limits = SocketLimits::from(&config.gateway);
        let gateway = Gateway {
            access: Access {
                verifier,
                service_key: config.auth.service_key.clone(),
                apps: config.apps.clone(),
                origins: config.auth.allowed_origins(),
            },
            sessions,
            store,
            sockets: Sockets::new(socket_caps(config), context.metrics.clone()),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            traces: context.traces.clone(),
            lags,
            numbers: AtomicU64::new(0),
            epoch_change_interval_ms,
            unfinished: Unfinished::new(&limits, context.metrics.unfinished_bytes.clone()),
            limits,
            wheel: wheel.clone(),
            data,
            storm: Storm::new(pull_held, context.metrics.pulls_held.clone()),
            replies,
            paces: Paces::of_pushes(&config.limits, &wheel),
            telling: Paces::of_telling(&config.limits, &wheel),
            user_data: Semaphore::new(USER_DATA_AT_ONCE),
            expansions: Expansions::default(),
        };
        let gateway = Arc::new(gateway);
        // The metrics are the gateway's: they must not hold it.
        let looked_at = Arc::downgrade(&gateway);
        let held = move || {
            let gateway = looked_at.upgrade();
            gateway.map_or(0, |gateway| gateway.sockets.held_bytes())
        };
        show_outboxes(metrics, held).expect("a new registry shows it once");
        Ok(Core {
            gateway,
            jobs,
            log,
            bell,
            notify: Notify::of(config),
            doing: Mutex::default(),
            committers,
            cluster,
            listening,
            turning: tokio::spawn(async move { wheel.run().await }),
            watching: tokio::spawn(watching),
            speaks_compat: config.compat.enabled,
            _lock: lock,
        })
    }

    /// Begins to do jobs.
    pub(super) async fn do_jobs(&self, config: &Config) -> Result<(), StartError> {
        let Some(jobs) = &self.jobs else {
            return Ok(());
        };
        let parts = DoingParts {
            jobs: jobs.clone(),
            log: self.log.clone(),
            gateway: self.gateway.clone(),
            bell: self.bell.clone(),
            notify: self.notify.clone(),
        };
        let doing = Doing::start(config, parts).await?;
        *self.doing.lock().expect("nobody panics with it") = Some(doing);
        Ok(())
    }

    /// The sync routes.
    pub(super) fn routes(&self) -> Router {
        let sync = Router::new()
            .route("/v1/ws", counted(Route::Ws, get(upgrade::native)))
            .merge(api::routes())
            .merge(user_data::routes());
        let sync = match self.speaks_compat {
            true => sync.merge(compat::routes()),
            false => sync,
        };
        sync.with_state(self.gateway.clone())
            .merge(compute::routes(self.gateway.clone()))
            .merge(notify::routes(self.gateway.clone(), self.notify.clone()))
    }

    /// The routes of the admin listener that ask for what is in here.
    pub(super) fn admin_routes(&self, node: &NodeId) -> Router {
        let nodes = self.cluster.nodes.clone();
        let routes = cluster::routes(self.gateway.clone(), nodes, node.as_str());
        let (gateway, notify) = (self.gateway.clone(), self.notify.clone());
        let routes = routes.merge(notify::admin_routes(gateway, notify));
        match &self.jobs {
            Some(jobs) => {
                let replanning = Replanning {
                    store: self.gateway.store.clone(),
                    log: self.log.clone(),
                    clock: self.gateway.clock.clone(),
                    bell: self.bell.clone(),
                };
                let (gateway, notify) = (self.gateway.clone(), self.notify.clone());
                routes
                    .merge(jobs::routes(gateway.clone(), jobs.clone()))
                    .merge(reminders::routes(gateway, notify, replanning))
            }
            None => routes,
        }
    }

    /// Web pages of the listed origins may call.
    pub(super) fn cors(&self) -> CorsLayer {
        let origins = &self.gateway.access.origins;
        let origins = origins.iter().filter_map(|origin| origin.parse().ok());
        let client_id = HeaderName::from_static("x-client-id");
        let traceparent = HeaderName::from_static(TRACEPARENT);
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_credentials(true)
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
            ])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                client_id,
                traceparent,
            ])
            // Each pull has a URL of its own, and a browser would ask before each.
            .max_age(PREFLIGHT_KEPT)
    }

    /// Gives sockets to other nodes while this one has many more.
    pub(super) fn share_sockets_out(
        &self,
        config: &ClusterConfig,
    ) -> impl Future<Output = ()> + use<> {
        rebalance(
            config.clone(),
            self.cluster.nodes.clone(),
            self.gateway.clone(),
        )
    }

    /// Finishes what was taken, then closes the sockets, which are to come back over the time
    /// of a drain. A session that the store holds up keeps them no longer than a quarter of it.
    /// Returns when the last one is closed and all is finished.
    pub(super) async fn drain(&self, within: Duration) {
        let doing = self.doing.lock().expect("nobody panics with it").take();
        if let Some(doing) = doing {
            // What jobs write goes through the sessions, so they end first. What takes longer is left
            // as by a crash, and begun again elsewhere when its lease ends.
            if timeout(within / 2, doing.drain()).await.is_err() {
                warn!(
                    "jobs that had begun are left to others: they take longer than half of drain_s"
                );
            }
        }
        let mut finishing = pin!(self.gateway.sessions.drain());
        let is_finished = timeout(within / 4, &mut finishing).await.is_ok();
        self.gateway.sockets.drain(within);
        let rest = async {
            if !is_finished {
                finishing.await;
            }
            self.cluster.last_words().await;
        };
        tokio::join!(rest, self.gateway.sockets.empty());
    }

    /// Closes the sockets that are still open, whatever is not finished. They too come back over
    /// the time of a drain.
    pub(super) fn cut_off(&self, within: Duration) {
        self.gateway.sockets.drain(within);
    }

    /// Stops sessions and committers; the store closes with the last of its users.
    pub(super) async fn stop(self) {
        drop(self.listening);
        self.turning.abort();
        self.watching.abort();
        self.gateway.sessions.stop().await;
        self.committers.shut_down().await;
    }
}

fn count(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn socket_caps(config: &Config) -> SocketCaps {
    let all = count(config.gateway.sockets_max);
    SocketCaps {
        all,
        before_hello: count(config.gateway.strangers_max()),
        before_hello_per_address: count(config.gateway.strangers_per_address_max()),
        per_user: count(config.gateway.sockets_per_user_max),
        per_address: Some(count(config.gateway.sockets_per_address_max)).filter(|most| *most > 0),
    }
}

/// One wheel a worker, fine enough for the shortest deadline.
fn wheel(config: &Config) -> Wheel {
    let shortest = [
        config.session.idle_ms,
        config.gateway.hello_timeout_ms,
        config.gateway.ping_ms,
        config.gateway.stalled_ms,
    ];
    let shortest = shortest.into_iter().min().unwrap_or_default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    Wheel::new(workers, Duration::from_millis(shortest))
}
