//! Sends a notification to devices: to all at once, and by server.
//!
//! Who is at a server holds one of its places, however many devices are reached by it, so a server
//! that hangs holds no more workers than it has places. An endpoint of the config has its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;
use syncline_protocol::stamp::WallMs;

use super::channels::{Channels, Due, Sent, Way};
use super::deliver::{Answer, What};
use super::device::DeviceId;
use crate::outgoing::servers::{Said, Servers, Whose};

/// Sends.
pub(super) struct Sending {
    channels: Channels,
    servers: Servers,
    now: Arc<dyn Fn() -> WallMs + Send + Sync>,
}

impl Sending {
    /// By a pool of so many workers.
    pub(super) fn of(
        channels: Channels,
        pool: usize,
        now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    ) -> Sending {
        Sending {
            channels,
            servers: Servers::of(pool),
            now,
        }
    }

    /// Sends to devices, and says what became of it at each.
    pub(super) async fn send(
        &self,
        sent: Sent<'_>,
        due: Vec<Due<'_>>,
    ) -> BTreeMap<DeviceId, Answer> {
        let mut answers = BTreeMap::new();
        let mut by_server: HashMap<(String, Whose), Vec<(Due<'_>, Way<'_>)>> = HashMap::new();
        let mut elsewhere = Vec::new();
        for one in due {
            match self.channels.way(one.1) {
                Err(what) => {
                    answers.insert(one.0.clone(), self.answer(what));
                }
                Ok(way) => match way.server() {
                    Some(server) => by_server.entry(server).or_default().push((one, way)),
                    None => elsewhere.push(self.to_one(sent, one, way)),
                },
            }
        }
        let by_server = by_server.into_iter();
        let servers = by_server.map(|(server, due)| Box::pin(self.to_server(sent, server, due)));
        let (by_server, elsewhere) =
            futures_util::join!(join_all(servers), Box::pin(join_all(elsewhere)));
        answers.extend(by_server.into_iter().flatten());
        answers.extend(elsewhere);
        answers
    }

    /// Sends to all that are reached by a server, at one place of it.
    async fn to_server(
        &self,
        sent: Sent<'_>,
        (server, whose): (String, Whose),
        due: Vec<(Due<'_>, Way<'_>)>,
    ) -> Vec<(DeviceId, Answer)> {
        let place = match self.servers.take((&server, whose), sent.space).await {
            Ok(place) => place,
            Err(wait_ms) => {
                let busy = |((id, ..), _): &(Due<'_>, _)| {
                    ((*id).clone(), self.answer(What::Busy { wait_ms }))
                };
                return due.iter().map(busy).collect();
            }
        };
        let sending = due.into_iter();
        let sending = sending.map(|(due, way)| self.to_one(sent, due, way));
        let answers = join_all(sending).await;
        let is_later = |(_, answer): &(DeviceId, Answer)| matches!(answer.what, What::Later { .. });
        place.end(match answers.iter().all(is_later) {
            true => Said::Failed,
            false => Said::Answered,
        });
        answers
    }

    async fn to_one(&self, sent: Sent<'_>, due: Due<'_>, way: Way<'_>) -> (DeviceId, Answer) {
        let what = way.send(sent, due, (self.now)()).await;
        (due.0.clone(), self.answer(what))
    }

    fn answer(&self, what: What) -> Answer {
        Answer {
            what,
            at_ms: (self.now)(),
        }
    }
}
