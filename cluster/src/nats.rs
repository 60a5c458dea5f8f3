//! The bus between processes, on core NATS.
//!
//! One connection publishes, a few hear, each its share of the shards ([`subject`]). What is
//! published waits in a queue with a bound and is dropped where that is full, so a commit never
//! waits for NATS. Connections are tried again for ever. What may have been lost meanwhile is told
//! as [`Heard::Missed`], and everything else is found by seq: nothing here has to arrive.
//!
//! It does not use JetStream, requests or queue groups, so a hub needs to publish and to hear
//! `sync.v1.>`, or what its prefix is in place of `sync`, and nothing else.

mod connection;
#[cfg(test)]
mod fake;
mod headers;
mod listener;
mod options;
mod publisher;
mod subject;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::NodeId;
use tokio::sync::watch;

use self::connection::Connection;
use self::listener::{Losses, NatsSubscription};
pub use self::options::{Login, NatsError, NatsOptions};
use self::publisher::Publisher;
pub use self::subject::Prefix;
use self::subject::Subjects;
use crate::bus::{Bus, Kind, Subscription, Told};

/// What happens to the bus, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// A message was handed to the connection.
    Published(Kind),
    /// A message was not, because the queue is full or the server takes none so large.
    Dropped(Kind),
    /// A message of another node came.
    Heard(Kind),
    /// A connection is there again.
    Reconnected,
    /// The server refused something of a connection that is there.
    Refused,
}

/// Told of every report.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// What all parts of a bus know. Clones share it.
#[derive(Clone)]
struct Process {
    /// This process's number: it does not hear itself.
    own: u64,
    subjects: Subjects,
    report: Reporter,
}

/// The bus of one node.
pub struct NatsBus {
    publisher: Publisher,
    /// Those that hear.
    connections: Vec<Connection>,
    losses: watch::Sender<Losses>,
    process: Process,
}

impl std::fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBus")
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}

impl NatsBus {
    /// Begins to connect, and does not wait for it: a node without NATS serves too. Errors: the
    /// options cannot be used.
    pub async fn start(options: &NatsOptions, report: Reporter) -> Result<NatsBus, NatsError> {
        // Another of the same name, started by mistake, must be heard.
        let own = getrandom::u64().map_err(|error| NatsError::Client(error.to_string()))?;
        let losses = watch::Sender::new(Losses::default());
        let mut connections = Vec::new();
        for _ in 0..options.connections.clamp(1, subject::SHARDS as usize) {
            connections.push(Connection::open(options, &losses, &report).await?);
        }
        let publishing = Connection::open(options, &losses, &report).await?;
        let process = Process {
            own,
            subjects: Subjects::of(&options.prefix),
            report,
        };
        Ok(NatsBus {
            publisher: Publisher::start(publishing, process.clone()),
            connections,
            losses,
            process,
        })
    }

    /// Whether each of its connections is there now.
    pub fn is_connected(&self) -> bool {
        let mut all = self.connections.iter().chain([self.publisher.connection()]);
        all.all(Connection::is_there)
    }
}

#[async_trait]
impl Bus for NatsBus {
    fn publish(&self, told: Told) {
        self.publisher.publish(told);
    }

    async fn flush(&self) {
        self.publisher.flush().await;
    }

    async fn came_back(&self) {
        self.publisher.connection().connected.notified().await;
    }

    /// The bus is of one node: what other processes than this one publish, whatever their name.
    fn subscribe(&self, _: &NodeId) -> Box<dyn Subscription> {
        let losses = self.losses.subscribe();
        let listening = NatsSubscription::start(&self.connections, losses, &self.process);
        Box::new(listening)
    }
}
