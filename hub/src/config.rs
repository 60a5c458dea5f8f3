//! What an operator may set: defaults, then `hub.toml`, then the environment (`HUB__…`, nested
//! with `__`). Unknown keys are refused, and everything is checked before anything is bound.
//!
//! One file a concern, each with its defaults and its `check`. Reading the sources is in
//! [`source`] (`file` and `variables` are the two, `setting` is what they set); what a value means
//! is documented at its field and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};
use syncline_protocol::ids::{AppId, NodeId};

use crate::jobs::kinds;

mod across;
pub mod app;
pub mod auth;
pub mod cluster;
pub mod compat;
mod file;
pub mod gateway;
pub mod hidden;
pub mod jobs;
pub mod limits;
pub mod log;
pub mod mail;
pub mod metrics;
pub mod nats;
mod node;
pub(crate) mod parse;
pub mod problem;
pub mod push;
pub mod retention;
pub mod role;
pub mod session;
mod setting;
mod shown;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod tls;
mod variables;
pub mod web;
pub mod webhooks;

pub use app::{AppConfig, AppConfigs};
pub use auth::AuthConfig;
pub use cluster::ClusterConfig;
pub use compat::CompatConfig;
pub use gateway::GatewayConfig;
pub use hidden::Hidden;
pub use jobs::JobsConfig;
pub use limits::LimitsConfig;
pub use log::{LogConfig, LogFormat};
pub use mail::MailConfig;
pub use metrics::MetricsConfig;
pub use nats::NatsConfig;
pub use problem::{Problem, Problems};
pub use push::PushConfig;
pub use retention::RetentionConfig;
pub use role::Role;
pub use session::SessionConfig;
pub use source::ConfigError;
pub use store::{StoreConfig, StoreUrl};
pub use telemetry::{TelemetryConfig, TracesConfig};
pub use tls::TlsConfig;
pub use web::WebConfig;
pub use webhooks::{WebhookConfig, WebhookConfigs};

/// Everything a node is told from outside.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients connect. Port 0 takes a free one. Default 127.0.0.1:3010.
    pub listen: SocketAddr,
    /// Where operators connect: `/admin/*`, metrics, health. Default 127.0.0.1:3011.
    pub admin_listen: SocketAddr,
    /// The node's name in `welcome`, logs and the cluster; no two nodes may share it. Default:
    /// the host's name and four random hex digits.
    #[serde(deserialize_with = "node::deserialize", serialize_with = "shown::text")]
    pub node: NodeId,
    /// Where the node keeps files: the SQLite database and the development issuer's key.
    /// Created if missing. Default ./data.
    pub data_dir: PathBuf,
    /// Seconds from SIGTERM until what is still open is cut off. 0 to 3,600, default 10.
    pub drain_s: u64,
    /// What this node is there for: `sync`, taking connections of devices and servers, and
    /// `compute`, doing jobs. Default both. One without `sync` has no public listener.
    #[serde(deserialize_with = "roles", serialize_with = "shown::list")]
    pub roles: Vec<Role>,
    /// The apps served. Empty, the default, serves every valid name.
    #[serde(deserialize_with = "apps", serialize_with = "shown::list")]
    pub apps: Vec<AppId>,
    /// What single apps ask for, `[app.NAME]`. Only in the file.
    #[serde(deserialize_with = "app::by_name", serialize_with = "app::shown")]
    pub app: AppConfigs,
    /// How jobs are done.
    pub jobs: JobsConfig,
    /// Servers that jobs are posted to, `[webhooks.NAME]`.
    pub webhooks: WebhookConfigs,
    /// Messages to browsers that are not open.
    pub push: PushConfig,
    /// Mail.
    pub mail: MailConfig,
    /// The durable store.
    pub store: StoreConfig,
    /// The bus between nodes.
    pub nats: NatsConfig,
    /// How sockets are shared out among nodes.
    pub cluster: ClusterConfig,
    /// Who may come in.
    pub auth: AuthConfig,
    /// What Prometheus may read.
    pub metrics: MetricsConfig,
    /// What is logged.
    pub log: LogConfig,
    /// What is told of single pushes.
    pub telemetry: TelemetryConfig,
    /// The session of a space.
    pub session: SessionConfig,
    /// Sockets and requests.
    pub gateway: GatewayConfig,
    /// TLS of the public listener.
    pub tls: TlsConfig,
    /// Files for browsers.
    pub web: WebConfig,
    /// What a push may hold and a record may become.
    pub limits: LimitsConfig,
    /// How long what is deleted is kept.
    pub retention: RetentionConfig,
    /// The protocol of the first user's clients.
    pub compat: CompatConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 3010)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 3011)),
            node: node::derived(),
            data_dir: PathBuf::from("./data"),
            drain_s: 10,
            roles: Role::ALL.to_vec(),
            apps: Vec::new(),
            app: AppConfigs::new(),
            jobs: JobsConfig::default(),
            webhooks: WebhookConfigs::new(),
            push: PushConfig::default(),
            mail: MailConfig::default(),
            store: StoreConfig::default(),
            nats: NatsConfig::default(),
            cluster: ClusterConfig::default(),
            auth: AuthConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
            telemetry: TelemetryConfig::default(),
            session: SessionConfig::default(),
            gateway: GatewayConfig::default(),
            tls: TlsConfig::default(),
            web: WebConfig::default(),
            limits: LimitsConfig::default(),
            retention: RetentionConfig::default(),
            compat: CompatConfig::default(),
        }
    }
}

impl Config {
    /// Where the data is: what is set, else `hub.db` in the data directory.
    pub fn store_url(&self) -> StoreUrl {
        let in_data_dir = || StoreUrl::Sqlite(self.data_dir.join("hub.db"));
        self.store.url.clone().unwrap_or_else(in_data_dir)
    }

    /// Every setting as it is in force, a line each, `auth.jwks_refresh_s = 300`: TOML with the
    /// keys of `hub.toml`, secrets left out.
    pub fn settings(&self) -> String {
        let mut effective = self.clone();
        effective.store.url = Some(self.store_url());
        shown::lines(&effective)
    }

    /// Checks what no single value can tell by its type. Errors: every problem, not the first.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        problems.range("drain_s", self.drain_s, 0..=3_600);
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            problems.push("admin_listen", "is the same address as listen");
        }
        self.check_roles(&mut problems);
        self.jobs.check(&mut problems);
        webhooks::check(&self.webhooks, &mut problems);
        self.push.check(&mut problems);
        self.mail.check(&mut problems);
        self.telemetry.traces.check(&mut problems);
        self.check_apps(&mut problems);
        self.check_store(&mut problems);
        self.nats.check(&mut problems);
        self.cluster.check(&mut problems);
        if self.roles.contains(&Role::Sync) {
            // Who takes no connections lets nobody in.
            self.auth.check(self.listen, &mut problems);
        }
        self.session.check(&mut problems);
        self.compat.check(&mut problems);
        self.gateway.check(&mut problems);
        self.tls.check(&mut problems);
        self.web.check(&mut problems);
        self.limits.check(&mut problems);
        self.retention.check(&mut problems);
        across::check(self, &mut problems);
        problems.into_result()
    }

    /// The same of what the store alone needs.
    pub fn validate_store(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.check_store(&mut problems);
        problems.into_result()
    }

    fn check_roles(&self, problems: &mut Problems) {
        if self.roles.is_empty() {
            problems.push("roles", "is empty: a node without a role does nothing");
        }
        let alone = !self.roles.contains(&Role::Sync);
        if alone && self.auth.dev {
            problems.push(
                "roles",
                "leaves out sync, and the development issuer needs it",
            );
        }
        if alone && matches!(self.store_url(), StoreUrl::Sqlite(_)) {
            let why = "leaves out sync, and a SQLite file has one hub: nobody else could serve it";
            problems.push("roles", why);
        }
    }

    fn check_apps(&self, problems: &mut Problems) {
        for (app, config) in &self.app {
            if !self.apps.is_empty() && !self.apps.contains(app) {
                problems.push("app", format!("{app}: is not one of the apps in apps"));
            }
            config.check(app, self.jobs.depth_max, problems);
            for trigger in &config.triggers {
                if let Err(why) = kinds::check_trigger(trigger, &self.webhooks) {
                    problems.push("app", format!("{app}: {}: {why}", trigger.id));
                }
            }
            for schedule in &config.schedules {
                if let Err(why) = kinds::check_schedule(schedule, &self.webhooks) {
                    problems.push("app", format!("{app}: {}: {why}", schedule.id));
                }
            }
        }
    }

    fn check_store(&self, problems: &mut Problems) {
        if self.data_dir.as_os_str().is_empty() {
            problems.push("data_dir", "is empty");
        }
        self.store.check(problems);
        self.log.check(problems);
    }
}

fn roles<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Role>, D::Error> {
    parse::list(from, str::parse::<Role>).map(role::each_once)
}

fn apps<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<AppId>, D::Error> {
    parse::list(from, AppId::parse)
}

#[cfg(test)]
mod tests;
