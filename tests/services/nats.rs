//! A private NATS server for a test; `nats.sh` beside this file runs it.
//!
//! The server ends with the test binary, however that ends. A server that does not start fails the
//! test that asked.

use std::io::Write;

use super::script::Service;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    service: Service,
}

impl Server {
    /// One that takes everybody.
    pub(crate) fn start() -> Server {
        Server::start_with("")
    }

    /// One with more in its configuration.
    pub(crate) fn start_with(config: &str) -> Server {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(config.as_bytes()).expect("it is written");
        let path = file.path().to_str().expect("a path in UTF-8");
        let (service, url) = Service::run("nats.sh", &[path], "nats://");
        Server { url, service }
    }

    /// `nats://HOST:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Gives the script a command, and waits until it is done: `crash`, `start`, `pause` or
    /// `resume`.
    pub(crate) fn tell(&self, command: &str) {
        self.service.tell(command);
    }
}
