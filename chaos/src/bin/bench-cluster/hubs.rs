//! Hubs on servers of their own: three, or one where the store has no more.

use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;
use syncline_chaos::hub::Hub;

use crate::cassandra::Server as Cassandra;
use crate::client::{NOTHING, Who};
use crate::nats::Server as Nats;
use crate::postgres::Server as Postgres;
use crate::pusher::Pusher;

/// What a server with room is given. All that makes commits durable stays on.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=8GB"];

/// How many hubs.
pub(crate) const COUNT: usize = 3;

/// Where they keep what they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    Postgres,
    Cassandra,
    /// A file each, which is one hub's.
    Sqlite,
}

/// A server that ends with the bench.
enum Server {
    Postgres(Postgres),
    Cassandra { url: String, _server: Cassandra },
}

impl Server {
    fn url(&self) -> &str {
        match self {
            Server::Postgres(server) => server.url(),
            Server::Cassandra { url, .. } => url,
        }
    }
}

impl Database {
    /// How many hubs serve one.
    pub(crate) fn hubs(self) -> usize {
        match self {
            Database::Postgres | Database::Cassandra => COUNT,
            Database::Sqlite => 1,
        }
    }

    fn start(self) -> Option<Server> {
        match self {
            Database::Postgres => Some(Server::Postgres(Postgres::start(&SETTINGS))),
            Database::Cassandra => {
                let server = Cassandra::start(&[]);
                Some(Server::Cassandra {
                    url: server.new_keyspace(),
                    _server: server,
                })
            }
            Database::Sqlite => None,
        }
    }
}

/// Running hubs. They end before the servers do.
pub(crate) struct Hubs {
    hubs: Vec<Hub>,
    _server: Option<Server>,
    _nats: Nats,
}

impl Hubs {
    /// Starts the servers and the hubs.
    pub(crate) async fn start(program: &Path, database: Database) -> anyhow::Result<Hubs> {
        let (server, nats) = (database.start(), Nats::start());
        let mut hubs = Vec::new();
        for i in 0..database.hubs() {
            let name = format!("n{i}");
            let mut settings = vec![("NODE", name.as_str()), ("NATS__URL", nats.url())];
            if let Some(server) = &server {
                settings.push(("STORE__URL", server.url()));
            }
            hubs.push(Hub::start_with(program, &settings).await?);
        }
        Ok(Hubs {
            hubs,
            _server: server,
            _nats: nats,
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.hubs.len()
    }

    /// Where one listens.
    pub(crate) fn address(&self, hub: usize) -> anyhow::Result<SocketAddr> {
        Ok(self.hubs[hub].address.parse()?)
    }

    /// A token that one takes.
    pub(crate) async fn token(&self, hub: usize, user: &str) -> anyhow::Result<String> {
        self.hubs[hub].token(user).await
    }

    /// A device of a user on one, that pushes.
    pub(crate) async fn pusher(
        &self,
        hub: usize,
        user: &str,
        device: usize,
    ) -> anyhow::Result<Pusher> {
        let (token, client) = (self.token(hub, user).await?, client(device));
        let who = Who {
            token: &token,
            client: &client,
            cursor: NOTHING,
        };
        Pusher::open(self.address(hub)?, &who).await
    }

    /// The sum of a metric without labels, or of one series of it, over all.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for hub in &self.hubs {
            sum += hub.metric(name).await?;
        }
        Ok(sum)
    }
}

/// The id of a user's device.
pub(crate) fn client(device: usize) -> String {
    format!("0b0f5c1e-5b1f-4a51-9b1f-{device:012x}")
}
