//! The one place where the parts of a node are put together: built, started, stopped.
//!
//! It decides who gets what and in which order things stop. It holds no logic of its own.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn;
use syncline_compute::runner::NotStarted;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::auth::{DevIssuer, DevKeyError, JwksError, JwksSource, KeySource, Verifier};
use crate::config::{AuthConfig, Config, Problems, Role, TlsConfig};
use crate::gateway::compat;
use crate::http::{Context, Files, Server, ServerLimits, Shares, bind, guarded, routes, serve};
use crate::lifecycle::{Lifecycle, Stage};
use crate::retention::{self, Walk};
use crate::session::registry::NoSessions;
use crate::telemetry::traces::Exporting;
use crate::telemetry::{Metrics, Traces};
use crate::tls::{Tls, TlsError};

mod core;
pub(crate) mod opened_store;
mod store_lock;
mod store_watch;

use self::core::Core;
pub use self::core::Parts;

/// Until the next read of the issuer's keys after one that failed, unless the config says
/// sooner.
const JWKS_RETRY: Duration = Duration::from_secs(5);

/// The last part of the drain time, which is for closing the store; at least so long is given to
/// it. A store that is held by another program is not waited for beyond that: what it has
/// acknowledged is durable, and what it has not, nobody was told.
const CLOSING: Duration = Duration::from_millis(500);

/// The very last part of that, in which the process ends.
const ENDING: Duration = Duration::from_millis(200);

/// A node that runs.
#[derive(Debug)]
pub struct App {
    public_addr: SocketAddr,
    admin_addr: SocketAddr,
    context: Arc<Context>,
    verifier: Arc<Verifier>,
    tls: Option<Arc<Tls>>,
    core: Core,
    drain: Duration,
    /// Sends what was traced.
    exporting: Option<Exporting>,
    /// Listeners and what runs beside them; all end when the node drains.
    tasks: JoinSet<()>,
}

/// A node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Values that cannot be used.
    #[error("{0}")]
    Config(#[from] Problems),
    /// The data directory cannot be made.
    #[error("data_dir {}: {error}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// An address is taken or not this machine's.
    #[error("{key} {address}: {error}")]
    Bind {
        /// The config's key: `listen` or `admin_listen`.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The development issuer has no key.
    #[error("development issuer: {0}")]
    DevKey(#[from] DevKeyError),
    /// The issuer's keys could never be read.
    #[error("auth.jwks_url: {0}")]
    Jwks(#[from] JwksError),
    /// The certificate or its key cannot be used any more.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// Nothing can be sent to the collector of traces.
    #[error("telemetry.traces.endpoint: {0}")]
    Traces(String),
    /// The store cannot be opened.
    #[error("store.url: {0}")]
    Store(String),
    /// Another hub runs on the file. Two would not hear of each other's commits.
    #[error("store.url {}: another hub runs on it; each file is one hub's", path.display())]
    StoreInUse {
        /// The database.
        path: PathBuf,
    },
    /// What would be served is not all that was there.
    #[error(
        "store.url: an import was begun and not finished; run hub import with the same archive \
         again, or begin with an empty store"
    )]
    HalfImported,
    /// The workers of jobs did not start.
    #[error("{0}")]
    Jobs(#[from] NotStarted),
    /// The sessions' supervisor did not start.
    #[error("{0}")]
    Sessions(NoSessions),
}

impl App {
    /// Starts a node. When it returns, both listeners take connections.
    pub async fn start(config: Config) -> Result<App, StartError> {
        App::start_with(config, Parts::default()).await
    }

    /// The same with other outer parts.
    pub async fn start_with(mut config: Config, parts: Parts) -> Result<App, StartError> {
        config.validate()?;
        create_data_dir(&config.data_dir)?;
        let metrics = Arc::new(Metrics::new());
        let dev_issuer = dev_issuer(&config)?.map(Arc::new);
        if let Some(issuer) = &dev_issuer {
            // Nobody has to make a key to try it out.
            config.push.have_key(issuer.push_key());
        }
        let keys = match config.roles.contains(&Role::Sync) {
            true => key_source(&config.auth, dev_issuer.as_deref())?,
            // It lets nobody in.
            false => KeySource::Dev(Default::default()),
        };
        let tls = tls(&config.tls)?;
        let verifier = Arc::new(Verifier::new(&config.auth, keys, metrics.clone()));
        let told = (parts.clock(), metrics.clone());
        let (traces, exporting) = Traces::start(&config.telemetry.traces, &config.node, told)
            .map_err(StartError::Traces)?;
        let context = Arc::new(Context {
            node: config.node.clone(),
            clock: parts.clock(),
            lifecycle: Arc::new(Lifecycle::starting()),
            verifier: verifier.clone(),
            metrics,
            traces,
            dev_issuer,
        });
        let core = Core::start(&config, parts, (&context, verifier.clone())).await?;
        let mut app = App {
            // Until they are bound.
            public_addr: config.listen,
            admin_addr: config.admin_listen,
            context,
            verifier,
            tls,
            core,
            drain: Duration::from_secs(config.drain_s),
            exporting,
            tasks: JoinSet::new(),
        };
        app.listen(&config)?;
        app.collect_what_is_old(&config);
        if config.roles.contains(&Role::Sync) {
            app.keep_keys_fresh(&config.auth);
            app.share_sockets_out(&config);
        }
        // Last: a node that cannot start shall not have begun any.
        if config.roles.contains(&Role::Compute) {
            app.core.do_jobs(&config).await?;
        }
        app.context.lifecycle.advance(Stage::Ready);
        info!(node = %config.node, public = %app.public_addr, admin = %app.admin_addr, "ready");
        Ok(app)
    }

    /// Where clients connect, with the port that was taken; as the config has it where nobody may,
    /// on a node without the role `sync`.
    pub fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// Where operators connect, with the port that was taken.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.context.metrics
    }

    /// What its sockets share.
    #[cfg(test)]
    pub(crate) fn gateway(&self) -> &Arc<crate::gateway::Gateway> {
        &self.core.gateway
    }

    /// Who verifies tokens.
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// TLS of the public listener, if it is on.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The issuer of `--dev`.
    pub fn dev_issuer(&self) -> Option<&Arc<DevIssuer>> {
        self.context.dev_issuer.as_ref()
    }

    /// Stops: takes nothing new, finishes what is there, and cuts off what is not finished within
    /// the drain time. Then the store is closed, unless it does not answer; in that case what works
    /// on it is left behind, to end with the process.
    pub async fn shutdown(mut self) {
        info!(drain_s = self.drain.as_secs(), "draining");
        let ends = Instant::now() + self.drain.max(CLOSING);
        self.context.lifecycle.advance(Stage::Draining);
        let finished = async {
            self.core.drain(self.drain).await;
            while self.tasks.join_next().await.is_some() {}
        };
        if timeout_at(ends - CLOSING, finished).await.is_err() {
            warn!("the drain time is over: what is still open is cut off");
        }
        self.core.cut_off(self.drain);
        // A task of its own, since closing the store may hold up the thread it happens on.
        let closing = tokio::spawn(async move {
            self.tasks.shutdown().await;
            self.core.stop().await;
            if let Some(exporting) = self.exporting {
                exporting.finish().await;
            }
        });
        match timeout_at(ends - ENDING, closing).await {
            Ok(_) => info!("stopped"),
            Err(_) => warn!("the store does not answer: stopped without it"),
        }
    }

    fn listen(&mut self, config: &Config) -> Result<(), StartError> {
        let context = &self.context;
        let bind = |key, address| {
            let named = |error| StartError::Bind {
                key,
                address,
                error,
            };
            let listener = bind(address).map_err(named)?;
            let address = listener.local_addr().map_err(named)?;
            Ok::<_, StartError>((listener, address))
        };
        let room = Shares::new(
            usize::try_from(config.gateway.bodies_bytes_max).unwrap_or(usize::MAX),
            config.gateway.body_share(),
        );
        let limits = (&config.gateway, room);
        let guarded = |router, files| {
            let with = (context.metrics.clone(), context.traces.clone(), files);
            guarded(router, limits.clone(), with)
        };
        let (admin, admin_addr) = bind("admin_listen", config.admin_listen)?;
        let admin_routes = routes::admin(context).merge(self.core.admin_routes(&config.node));
        let mut servers = vec![(admin, None, guarded(admin_routes, None))];
        if config.roles.contains(&Role::Sync) {
            let (public, public_addr) = bind("listen", config.listen)?;
            let files = config.web.dir.as_deref().map(Files::of);
            let plain = routes::public(context, (&config.metrics, files.is_some()));
            // Around the guard, because a browser must be let read its refusals too.
            let sync = guarded(plain.merge(self.core.routes()), files)
                .layer(from_fn(compat::in_sentences))
                .layer(self.core.cors());
            servers.push((public, self.tls.clone(), sync));
            self.public_addr = public_addr;
        }
        self.admin_addr = admin_addr;
        let context = &self.context;
        for (listener, tls, router) in servers {
            self.tasks.spawn(serve(Server {
                listener,
                router,
                tls,
                limits: ServerLimits::from(&config.gateway),
                lifecycle: context.lifecycle.clone(),
                metrics: context.metrics.clone(),
            }));
        }
        Ok(())
    }

    /// Reads the issuer's keys now and then until the node drains.
    fn keep_keys_fresh(&mut self, config: &AuthConfig) {
        if config.jwks_url.is_none() {
            return;
        }
        let (verifier, context) = (self.verifier.clone(), self.context.clone());
        let every = Duration::from_secs(config.jwks_refresh_s);
        let refreshing = async move {
            loop {
                let read = verifier.refresh(context.clock.now_ms()).await;
                let pause = if read { every } else { every.min(JWKS_RETRY) };
                tokio::time::sleep(pause).await;
            }
        };
        let lifecycle = self.context.lifecycle.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = lifecycle.draining() => {}
                () = refreshing => {}
            }
        });
    }

    /// Walks through the spaces until the node drains.
    fn collect_what_is_old(&mut self, config: &Config) {
        let walk = Walk::new(&config.retention, &config.compat);
        let context = self.context.clone();
        let (store, sessions) = (
            self.core.gateway.store.clone(),
            self.core.gateway.sessions.clone(),
        );
        self.tasks.spawn(async move {
            let (clock, metrics) = (context.clock.clone(), context.metrics.clone());
            tokio::select! {
                () = context.lifecycle.draining() => {}
                () = retention::run(walk, store, clock, (sessions, metrics)) => {}
            }
        });
    }

    /// Gives sockets to other nodes until this one drains.
    fn share_sockets_out(&mut self, config: &Config) {
        let sharing = self.core.share_sockets_out(&config.cluster);
        let lifecycle = self.context.lifecycle.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = lifecycle.draining() => {}
                () = sharing => {}
            }
        });
    }
}

fn create_data_dir(path: &Path) -> Result<(), StartError> {
    std::fs::create_dir_all(path).map_err(|error| StartError::DataDir {
        path: path.to_owned(),
        error,
    })
}

fn tls(config: &TlsConfig) -> Result<Option<Arc<Tls>>, TlsError> {
    let load = |(cert, key)| Tls::load(cert, key).map(Arc::new);
    config.files().map(load).transpose()
}

fn dev_issuer(config: &Config) -> Result<Option<DevIssuer>, DevKeyError> {
    let open = || DevIssuer::open(&config.data_dir, &config.auth);
    config.auth.dev.then(open).transpose()
}

/// The config's check made sure that there is one.
fn key_source(config: &AuthConfig, dev: Option<&DevIssuer>) -> Result<KeySource, JwksError> {
    let timeout = Duration::from_millis(config.jwks_timeout_ms);
    let jwks = |url| JwksSource::new(url, timeout);
    let jwks = config.jwks_url.clone().map(jwks).transpose()?;
    Ok(match (dev.map(DevIssuer::keys), jwks) {
        (Some(dev), Some(jwks)) => KeySource::Both(dev, jwks),
        (None, Some(jwks)) => KeySource::Jwks(jwks),
        (dev, None) => KeySource::Dev(dev.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests;
