//! A private Cassandra for the tests of one binary; `cassandra.sh` beside this file runs it.
//!
//! Included by path where it is needed. The server ends with the test binary, however that ends.
//! A server that does not start fails the test that asked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::script::Service;

/// A running node.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    service: Service,
    /// How many keyspaces were named.
    keyspaces: AtomicUsize,
}

impl Server {
    /// The one of this binary. Reads that step over more than 2,000 deletions fail on it, as they
    /// do over 100,000 on one with its defaults.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            Server::start(&[
                "tombstone_warn_threshold=1000",
                "tombstone_failure_threshold=2000",
            ])
        })
    }

    /// One of its own, for a test that breaks it, with settings such as `commitlog_sync=batch`.
    pub(crate) fn start(settings: &[&str]) -> Server {
        let (service, url) = Service::run("cassandra.sh", settings, "cassandra://");
        Server {
            url,
            service,
            keyspaces: AtomicUsize::new(0),
        }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("cassandra://").expect("a scheme")
    }

    /// The URL of a keyspace that nobody has, and that who opens it makes.
    pub(crate) fn new_keyspace(&self) -> String {
        let n = self.keyspaces.fetch_add(1, Ordering::Relaxed);
        format!("{}/test{n}?replication=1", self.url)
    }

    /// Gives the script a command, and waits until it is done: `crash`, `start`, `pause` or
    /// `resume`.
    pub(crate) fn tell(&self, command: &str) {
        self.service.tell(command);
    }
}
