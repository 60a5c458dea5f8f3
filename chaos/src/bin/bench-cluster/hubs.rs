//! Three hubs on servers of their own.

use std::net::SocketAddr;
use std::path::Path;

use syncline_chaos::hub::Hub;

use crate::client::{NOTHING, Who};
use crate::nats::Server as Nats;
use crate::postgres::Server as Postgres;
use crate::pusher::Pusher;

/// What a server with room is given. All that makes commits durable stays on.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=8GB"];

/// How many hubs.
pub(crate) const COUNT: usize = 3;

/// Running hubs. They end before the servers do.
pub(crate) struct Hubs {
    hubs: Vec<Hub>,
    _postgres: Postgres,
    _nats: Nats,
}

impl Hubs {
    /// Starts the servers and the hubs.
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Hubs> {
        let (postgres, nats) = (Postgres::start(&SETTINGS), Nats::start());
        let mut hubs = Vec::new();
        for i in 0..COUNT {
            let name = format!("n{i}");
            let settings = [
                ("NODE", name.as_str()),
                ("STORE__URL", postgres.url()),
                ("NATS__URL", nats.url()),
            ];
            hubs.push(Hub::start_with(program, &settings).await?);
        }
        Ok(Hubs {
            hubs,
            _postgres: postgres,
            _nats: nats,
        })
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
