//! What this node tells, on its way out.
//!
//! It waits in a queue whose bytes are bounded. What does not fit is dropped and counted: the
//! others find the gap by seq.

use std::sync::Arc;

use async_nats::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::connection::Connection;
use super::{Process, Report, headers, wire};
use crate::bus::{Kind, Told};
use crate::event::CommitEvent;

/// Bytes, by estimate, that may wait for the connection.
const QUEUE_BYTES: usize = 16 << 20;

/// A commit that takes more bytes is told by number only, and read from the store by those who
/// want it.
const CONTENT_BYTES_MAX: usize = 64 << 10;

/// What headers take at most.
const HEADERS_BYTES: usize = 256;

/// What is ephemeral takes no more of them than leave this many to commits.
const COMMITS_BYTES: usize = QUEUE_BYTES / 2;

/// What a message takes in the queue beside its content.
const MESSAGE_BYTES: usize = 256;

/// The way out.
pub(super) struct Publisher {
    connection: Connection,
    queue: mpsc::UnboundedSender<Item>,
    room: Arc<Semaphore>,
    process: Process,
}

enum Item {
    /// To be told; its bytes are given back then.
    Tell(Outgoing, OwnedSemaphorePermit),
    /// Answered when all before it has left.
    Flush(oneshot::Sender<()>),
}

enum Outgoing {
    Told(Told),
    /// A commit by its number only.
    Bare(String, Vec<u8>),
}

impl Publisher {
    /// Begins to publish on a connection.
    pub(super) fn start(connection: Connection, process: Process) -> Publisher {
        let (queue, items) = mpsc::unbounded_channel();
        let sending = Sending {
            connection: connection.clone(),
            process: process.clone(),
        };
        // It ends with the queue.
        tokio::spawn(sending.run(items));
        Publisher {
            connection,
            queue,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            process,
        }
    }

    /// The connection it uses.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Queues what is told, or drops it.
    pub(super) fn publish(&self, told: Told) {
        let kind = told.kind();
        let (outgoing, bytes) = self.outgoing(told);
        let bytes = u32::try_from(bytes + MESSAGE_BYTES).unwrap_or(u32::MAX);
        if kind == Kind::Ephemeral && self.room.available_permits() < COMMITS_BYTES {
            return (self.process.report)(Report::Dropped(kind));
        }
        let queued = match self.room.clone().try_acquire_many_owned(bytes) {
            Ok(room) => self.queue.send(Item::Tell(outgoing, room)).is_ok(),
            Err(_) => false,
        };
        if !queued {
            (self.process.report)(Report::Dropped(kind));
        }
    }

    /// Returns when all that was published before has left.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Item::Flush(done)).is_ok() {
            // A dropped end means that nothing leaves any more.
            let _ = flushed.await;
        }
    }

    fn outgoing(&self, told: Told) -> (Outgoing, usize) {
        match &told {
            Told::Heads(heads) => {
                let bytes = MESSAGE_BYTES * heads.heads.len();
                (Outgoing::Told(told), bytes)
            }
            Told::Heartbeat(_) => (Outgoing::Told(told), MESSAGE_BYTES),
            Told::Ephemeral(ephemeral) => {
                let bytes = ephemeral.what.size_bytes();
                (Outgoing::Told(told), bytes)
            }
            Told::Commit(event) => match wire::estimate(event) {
                bytes if bytes > CONTENT_BYTES_MAX => (self.bare(event), 0),
                bytes => (Outgoing::Told(told), bytes),
            },
        }
    }

    /// Without what it holds, so that this does not wait in memory.
    fn bare(&self, event: &CommitEvent) -> Outgoing {
        let bytes = wire::encode_commit(event, self.process.own, 0);
        Outgoing::Bare(self.process.subjects.commit(&event.space), bytes)
    }
}

/// Takes from the queue, encodes, and hands to the connection.
struct Sending {
    connection: Connection,
    process: Process,
}

impl Sending {
    async fn run(self, mut items: mpsc::UnboundedReceiver<Item>) {
        while let Some(item) = items.recv().await {
            match item {
                Item::Tell(outgoing, room) => {
                    self.tell(outgoing).await;
                    drop(room);
                }
                Item::Flush(done) => {
                    // One that cannot be flushed is not worth waiting for.
                    let _ = self.connection.client.flush().await;
                    let _ = done.send(());
                }
            }
        }
    }

    async fn tell(&self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Bare(subject, bytes) => self.send(Kind::Commit, subject, bytes).await,
            Outgoing::Told(Told::Commit(event)) => {
                let room = self.connection.client.max_payload();
                let bytes_max = CONTENT_BYTES_MAX.min(room.saturating_sub(HEADERS_BYTES));
                let bytes = wire::encode_commit(&event, self.process.own, bytes_max);
                let subject = self.process.subjects.commit(&event.space);
                let followed = event.followed.as_ref();
                match followed.filter(|_| self.connection.client.server_info().headers) {
                    Some(followed) => {
                        self.send_with(Kind::Commit, subject, (headers::of(followed), bytes))
                            .await;
                    }
                    None => self.send(Kind::Commit, subject, bytes).await,
                }
            }
            Outgoing::Told(Told::Heads(told)) => {
                for (shard, heads) in wire::by_shard(&told) {
                    let bytes = wire::encode_heads(&heads, self.process.own);
                    let subject = self.process.subjects.heads(shard, &told.node);
                    self.send(Kind::Heads, subject, bytes).await;
                }
            }
            Outgoing::Told(Told::Ephemeral(told)) => {
                let bytes = wire::encode_ephemeral(&told, self.process.own);
                let subject = self.process.subjects.ephemeral(&told.space);
                self.send(Kind::Ephemeral, subject, bytes).await;
            }
            Outgoing::Told(Told::Heartbeat(said)) => {
                let bytes = wire::encode_heartbeat(&said, self.process.own);
                self.send(Kind::Node, self.process.subjects.node(&said.node), bytes)
                    .await;
            }
        }
    }

    /// Waits while the connection is away and what it holds back is full.
    async fn send(&self, kind: Kind, subject: String, bytes: Vec<u8>) {
        let sent = self.connection.client.publish(subject, bytes.into()).await;
        self.report(kind, sent.is_ok());
    }

    async fn send_with(&self, kind: Kind, subject: String, (headers, bytes): (HeaderMap, Vec<u8>)) {
        let client = &self.connection.client;
        let sent = client.publish_with_headers(subject, headers, bytes.into());
        self.report(kind, sent.await.is_ok());
    }

    fn report(&self, kind: Kind, is_sent: bool) {
        (self.process.report)(match is_sent {
            true => Report::Published(kind),
            false => Report::Dropped(kind),
        });
    }
}

#[cfg(test)]
mod tests;
