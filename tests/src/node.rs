//! A hub in this process, on free ports and a directory of its own.

use std::path::Path;
use std::sync::Arc;

use syncline_hub::app::{App, Parts};
use syncline_hub::auth::Algorithm;
use syncline_hub::config::Config;
use tempfile::TempDir;

use crate::issuer::Issuer;

/// A running node and its data.
#[derive(Debug)]
pub struct TestNode {
    /// The node.
    pub app: App,
    dir: Arc<TempDir>,
}

impl TestNode {
    /// A fresh node with the development issuer.
    pub async fn start() -> TestNode {
        TestNode::start_with(Setup::default()).await
    }

    /// A fresh node, set up otherwise.
    pub async fn start_with(setup: Setup) -> TestNode {
        let Setup {
            mut config,
            parts,
            dir,
        } = setup;
        let dir = dir.unwrap_or_else(|| Arc::new(TempDir::new().expect("a directory")));
        config.data_dir = dir.path().to_owned();
        // Its future is large, and those that start a node hold it for as long as they live.
        let app = Box::pin(App::start_with(config, parts)).await;
        let app = app.expect("the node starts");
        TestNode { app, dir }
    }

    /// Stops the node and starts another on its data.
    pub async fn restart(self) -> TestNode {
        let dir = self.dir.clone();
        self.app.shutdown().await;
        TestNode::start_with(Setup {
            dir: Some(dir),
            ..Setup::default()
        })
        .await
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The directory, to start another node on.
    pub fn shared_dir(&self) -> Arc<TempDir> {
        self.dir.clone()
    }

    /// A token for a user, valid for an hour.
    pub fn token(&self, user: &str) -> String {
        self.token_for(user, 3_600)
    }

    /// A token for a user, valid for so many seconds.
    pub fn token_for(&self, user: &str, ttl_s: u64) -> String {
        use syncline_hub::clock::{Clock, SystemClock};
        let issuer = self.app.dev_issuer().expect("a development issuer");
        issuer
            .token(user, ttl_s, SystemClock.now_ms())
            .expect("a token")
    }

    /// An address under the public listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.public_addr())
    }
}

impl Setup {
    /// A node that takes the tokens of this issuer and gives none.
    pub fn of_issuer(issuer: &Issuer) -> Setup {
        let mut setup = Setup::default();
        setup.config.auth.dev = false;
        setup.config.auth.jwks_url = Some(issuer.jwks_url.parse().expect("a URL"));
        setup.config.auth.algorithms = vec![Algorithm::EdDsa, Algorithm::Es256];
        setup
    }
}

/// What a node is started with.
#[derive(Debug)]
pub struct Setup {
    /// Its config; the data directory is replaced.
    pub config: Config,
    /// Its outer parts.
    pub parts: Parts,
    /// Its data directory; a new one by default.
    pub dir: Option<Arc<TempDir>>,
}

impl Default for Setup {
    fn default() -> Self {
        let mut config = Config::default();
        let any = "127.0.0.1:0".parse().expect("an address");
        (config.listen, config.admin_listen) = (any, any);
        config.auth.dev = true;
        Setup {
            config,
            parts: Parts::default(),
            dir: None,
        }
    }
}
