//! One connection to NATS: it is there, or it is tried again for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::connection::State;
use async_nats::{Client, Event};
use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use super::listener::Losses;
use super::options::{NatsError, NatsOptions};
use super::{Report, Reporter};

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    /// Rung whenever it is there, also the first time.
    pub(super) connected: Arc<Notify>,
    /// Of all connections of the bus.
    pub(super) losses: watch::Sender<Losses>,
}

impl Connection {
    /// Begins to connect.
    pub(super) async fn open(
        options: &NatsOptions,
        losses: &watch::Sender<Losses>,
        report: &Reporter,
    ) -> Result<Connection, NatsError> {
        let connected = Arc::new(Notify::new());
        let events = Arc::new(Events {
            connected: connected.clone(),
            losses: losses.clone(),
            report: report.clone(),
            was_there: AtomicBool::new(false),
            told: AtomicBool::new(false),
        });
        let connecting = options.connect()?.event_callback(move |event| {
            events.happens(&event);
            std::future::ready(())
        });
        let client = connecting
            .connect(options.servers.clone())
            .await
            .map_err(|error| NatsError::Client(error.to_string()))?;
        Ok(Connection {
            client,
            connected,
            losses: losses.clone(),
        })
    }

    /// Whether it is there now.
    pub(super) fn is_there(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

/// What happens to a connection.
struct Events {
    connected: Arc<Notify>,
    losses: watch::Sender<Losses>,
    report: Reporter,
    was_there: AtomicBool,
    /// What ails it now was logged.
    told: AtomicBool,
}

impl Events {
    fn happens(&self, event: &Event) {
        match event {
            Event::Connected => {
                if self.was_there.swap(true, Ordering::Relaxed) {
                    (self.report)(Report::Reconnected);
                    info!("the bus is there again");
                }
                self.told.store(false, Ordering::Relaxed);
                self.connected.notify_one();
            }
            Event::Disconnected => self.tell_once(|| warn!("the connection to the bus ended")),
            Event::SlowConsumer(_) => self.losses.send_modify(|losses| losses.slow += 1),
            Event::ServerError(refusal) => {
                (self.report)(Report::Refused);
                self.tell_once(|| error!(%refusal, "the bus refuses what this node may need"));
            }
            Event::ClientError(failure) => {
                self.tell_once(
                    || warn!(%failure, "the bus cannot be reached, and is tried for ever"),
                );
            }
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }

    /// Until it is well again, the first trouble alone is logged.
    fn tell_once(&self, tell: impl FnOnce()) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tell();
        }
    }
}
