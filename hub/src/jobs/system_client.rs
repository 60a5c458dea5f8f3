//! What jobs write goes the way of any client's changes: through the session of the space, whose commit
//! ends the job's lease too.

use std::sync::Arc;

use async_trait::async_trait;
use syncline_compute::worker::{NotWritten, SystemClient, SystemWrite};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::UserId;
use syncline_protocol::mutation::Mutation;

use super::kinds;
use crate::gateway::Gateway;
use crate::gateway::call::Pusher;
use crate::session::actor::Pushed;
use crate::session::event::{CallReply, JobWrite, NotEnded};
use crate::session::jobs::JOBS_USER;

/// Writes through the sessions of this node.
#[derive(Debug)]
pub struct HubClient(pub Arc<Gateway>);

#[async_trait]
impl SystemClient for HubClient {
    async fn write(&self, write: SystemWrite) -> Result<(), NotWritten> {
        let mutation = Mutation::of_changes(&write.changes.0, &self.0.data);
        // What others make of a job is theirs: a webhook's answer, a rule's records.
        let mutation = match kinds::writes_hubs(&write.ended.lease.name.kind) {
            true => mutation,
            false => mutation.of_others(),
        };
        if let Err(refusal) = &mutation.asked {
            return Err(NotWritten::Refused(refusal.clone()));
        }
        let pusher = Pusher {
            user: UserId::trusted(JOBS_USER),
            space: write.ended.lease.name.space.clone(),
            bytes: write.changes.0.len(),
            trace: None,
        };
        let write = JobWrite {
            epoch: Some(write.epoch),
            depth: write.depth,
            mutation,
            ended: Some(write.ended),
        };
        let reply = self.0.push(&pusher, Pushed::Job(Box::new(write))).await;
        written(reply.map_err(NotWritten::Later)?)
    }
}

/// What a session's reply says of what a job writes.
pub fn written(reply: CallReply) -> Result<(), NotWritten> {
    match reply {
        CallReply::Job(Ok(())) => Ok(()),
        CallReply::Job(Err(NotEnded::Rejected(refusal))) => Err(NotWritten::Refused(refusal)),
        // Its job went with the data it was about.
        CallReply::Job(Err(NotEnded::LeaseLost)) | CallReply::Erased => Err(NotWritten::LeaseLost),
        CallReply::Refused(refusal) => Err(NotWritten::Later(refusal)),
        CallReply::Results { .. } | CallReply::Gap(_) | CallReply::Synced(_) => {
            let message = "the session answered something else";
            Err(NotWritten::Later(Refusal::new(Code::Internal, message)))
        }
    }
}
