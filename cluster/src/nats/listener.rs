//! What other nodes tell, on its way in.

use std::sync::Arc;

use async_nats::{Message, Subscriber};
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection::Connection;
use super::{Process, Report, headers, subject, wire};
use crate::bus::{Heard, Kind, MissedWhy, Subscription};

/// Events that wait for the hearer. While they are as many, messages wait in the connections; and
/// where those are full, they are lost.
const EVENTS_MAX: usize = 1_024;

/// How often something may have been lost, for each cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub(super) reconnected: u64,
    pub(super) slow: u64,
}

/// What is heard on all connections.
pub(super) struct NatsSubscription {
    heard: mpsc::Receiver<Heard>,
    losses: watch::Receiver<Losses>,
    /// Of which the hearer was told.
    told: Losses,
    _listeners: JoinSet<()>,
}

impl NatsSubscription {
    /// Begins to listen. Each connection takes its share of the shards.
    pub(super) fn start(
        connections: &[Connection],
        losses: watch::Receiver<Losses>,
        process: &Process,
    ) -> NatsSubscription {
        let (events, heard) = mpsc::channel(EVENTS_MAX);
        let mut listeners = JoinSet::new();
        for (at, connection) in (0..).zip(connections) {
            let shards = (at..subject::SHARDS).step_by(connections.len());
            let listener = Listener {
                connection: connection.clone(),
                shards: shards.collect(),
                events: events.clone(),
                process: process.clone(),
            };
            listeners.spawn(listener.run());
        }
        let told = *losses.borrow();
        NatsSubscription {
            heard,
            told,
            losses,
            _listeners: listeners,
        }
    }

    /// What was lost and not told yet.
    fn missed(&mut self) -> Option<Heard> {
        let Losses { reconnected, slow } = *self.losses.borrow_and_update();
        if self.told.reconnected != reconnected {
            self.told.reconnected = reconnected;
            return Some(Heard::Missed(MissedWhy::Reconnected));
        }
        if self.told.slow != slow {
            self.told.slow = slow;
            return Some(Heard::Missed(MissedWhy::Slow));
        }
        None
    }
}

#[async_trait]
impl Subscription for NatsSubscription {
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(missed) = self.missed() {
                return Some(missed);
            }
            tokio::select! {
                changed = self.losses.changed() => changed.ok()?,
                heard = self.heard.recv() => return heard,
            }
        }
    }
}

/// Listens on one connection.
struct Listener {
    connection: Connection,
    shards: Vec<u64>,
    events: mpsc::Sender<Heard>,
    process: Process,
}

impl Listener {
    async fn run(self) {
        let Some(mut messages) = self.subscribe().await else {
            return;
        };
        loop {
            tokio::select! {
                () = self.connection.connected.notified() => self.is_back().await,
                message = messages.next() => {
                    let Some(message) = message else { return };
                    let Some((kind, heard)) = self.decode(&message) else { continue };
                    (self.process.report)(Report::Heard(kind));
                    if self.events.send(heard).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn decode(&self, message: &Message) -> Option<(Kind, Heard)> {
        let told_in = self.process.subjects.parse(&message.subject)?;
        let (kind, mut heard) = wire::decode(told_in, &message.payload, self.process.own)?;
        if let (Heard::Commit(event), Some(headers)) = (&mut heard, &message.headers)
            && let Some(event) = Arc::get_mut(event)
        {
            event.followed = headers::read(headers);
        }
        Some((kind, heard))
    }

    /// `None` if the client is gone. It subscribes again by itself when it connects again.
    async fn subscribe(&self) -> Option<SelectAll<Subscriber>> {
        let (subjects, mut all) = (&self.process.subjects, Vec::new());
        for shard in &self.shards {
            let subscribed = self.connection.client.subscribe(subjects.all_of(*shard));
            all.push(subscribed.await.ok()?);
        }
        Some(select_all(all))
    }

    /// What was told while it was away is lost. The subscriptions are handed to the server first,
    /// so that what is told while the hearer looks at the store is heard.
    async fn is_back(&self) {
        // If it ends again, it comes back again.
        let _ = self.connection.client.flush().await;
        self.connection
            .losses
            .send_modify(|losses| losses.reconnected += 1);
    }
}
