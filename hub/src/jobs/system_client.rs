//! What jobs write goes the way of any client's changes: through the session of the space.
//!
//! What one job writes at one time it is due is the one mutation of a client of its own, so the
//! space's marks see to it that it takes effect once. A refusal is not remembered: when somebody has
//! mended what was in the way, the job may be tried again.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_compute::worker::{NotWritten, SystemClient, SystemWrite};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientId, ClientKey, UserId};
use syncline_protocol::mutation::{KEYED_CLIENT, Mutation};
use syncline_protocol::verdict::Status;
use syncline_protocol::wire::client::Numbered;
use syncline_protocol::wire::hub::Answer;

use crate::gateway::Gateway;
use crate::gateway::call::{Pusher, ended};
use crate::session::event::{CallReply, Sender};

/// The user in whose name jobs write. No token can have it: `@` never begins a `sub`.
pub const JOBS_USER: &str = "@jobs";

/// Writes through the sessions of this node.
#[derive(Debug)]
pub struct HubClient(pub Arc<Gateway>);

#[async_trait]
impl SystemClient for HubClient {
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten> {
        let Sender {
            client,
            epoch,
            depth,
        } = sender_of(&write);
        let mutation = Mutation::of_changes(&write.changes.0, &self.0.data);
        if let Err(refusal) = &mutation.asked {
            return Err(NotWritten::Refused(refusal.clone()));
        }
        let pusher = Pusher {
            user: client.user,
            space: write.space,
            depth,
            bytes: write.changes.0.len(),
        };
        let numbered = Numbered {
            client: client.client,
            epoch,
            muts: vec![mutation],
        };
        let reply = self.0.call(&pusher, numbered).await;
        written(reply.map_err(NotWritten::Later)?)
    }
}

/// Who writes what a job does: a client of its own, which knows the history that the job is of.
pub fn sender_of(write: &SystemWrite) -> Sender {
    let client = format!("{KEYED_CLIENT}job/{}", write.name);
    Sender {
        client: ClientKey {
            user: UserId::trusted(JOBS_USER),
            client: ClientId::trusted(&client),
        },
        epoch: Some(write.epoch),
        depth: write.depth,
    }
}

/// What a session's reply says of what a job writes.
pub fn written(reply: CallReply) -> Result<(), NotWritten> {
    match reply {
        CallReply::Results { results, .. } => match results.into_iter().next() {
            Some((_, answer)) => judged(answer),
            None => Err(NotWritten::Later(ended())),
        },
        CallReply::Refused(refusal) => Err(NotWritten::Later(refusal)),
        // It was lost with the data it was about, and is not there any more.
        CallReply::Erased | CallReply::Gap(_) | CallReply::Synced(_) => {
            let message = "the space has another history by now";
            Err(NotWritten::Later(Refusal::new(Code::Unavailable, message)))
        }
    }
}

fn judged(answer: Answer) -> Result<(), NotWritten> {
    match answer {
        Answer::Verdict(verdict) => match verdict.status {
            Status::Applied | Status::Superseded => Ok(()),
            Status::Rejected(refusal) => Err(NotWritten::Refused(refusal)),
        },
        // An earlier try has written already, perhaps something else: what it wrote stands.
        Answer::Known | Answer::Refused(_) => Ok(()),
    }
}
