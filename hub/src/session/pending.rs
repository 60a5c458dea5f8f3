//! What waits in a session: mutations and changesets until they are decided, calls until they are
//! answered.

use std::sync::Arc;

use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::given::Claimed;
use syncline_protocol::ids::{ClientKey, Epoch};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::wire::hub::Answer;

use super::event::{HeldPush, JobCall, JobWrite, Sync, Waiter};
use super::synced::Synced;
use crate::gateway::intake::Permit;
use crate::telemetry::traces::span::Traced;

/// An entry of the commit in flight.
#[derive(Clone, Copy, Debug)]
pub struct InFlight<'a> {
    /// Whose.
    pub client: &'a ClientKey,
    /// The time its stamps are judged by.
    pub taken_at_ms: WallMs,
    /// What it asks for.
    pub asked: &'a Asked,
    /// Of a changeset: what its client had heard of when it sent it.
    pub since: Option<Since>,
    /// It is all that was sent at once, and no part of that.
    pub is_whole: bool,
    /// Parts of it were merged before.
    pub is_rest: bool,
    /// More parts follow.
    pub goes_on: bool,
    /// If it is traced.
    pub trace: Option<&'a Arc<Traced>>,
}

/// What a pending entry asks for.
#[derive(Debug)]
pub enum Asked {
    /// A numbered mutation.
    Mutation(Mutation),
    /// A changeset without numbers.
    Sync(Vec<SyncChange>),
    /// What a job writes.
    Job(Box<JobWrite>),
}

impl Asked {
    /// How many changes it holds.
    pub(super) fn change_count(&self) -> usize {
        match self {
            Asked::Mutation(mutation) => mutation.change_count(),
            Asked::Sync(changes) => changes.len(),
            Asked::Job(write) => write.mutation.change_count(),
        }
    }
}

/// A mutation without verdict, or a changeset that is not merged yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) client: ClientKey,
    pub(super) asked: Asked,
    /// Of a changeset: what its client had heard of when it sent it.
    pub(super) since: Option<Since>,
    /// When it was taken: the time its stamps are judged by, kept through retries.
    pub(super) taken_at_ms: WallMs,
    /// How many jobs stand between it and somebody's own change: 0 of what is no job's.
    pub(super) depth: u8,
    pub(super) waiters: Vec<Waiter>,
    /// Of a changeset that is merged in parts: what is still to be merged after this one.
    pub(super) later: Vec<SyncChange>,
    /// And what became of those before.
    pub(super) earlier: Option<Box<Earlier>>,
    /// Given back when the last mutation of its push is decided.
    pub(super) _permit: Option<Arc<Permit>>,
    /// Of a push that is traced.
    pub(super) trace: Option<Arc<Traced>>,
}

/// What became of the parts of a changeset that are merged already.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) synced: Synced,
    /// Given stamps they brought again, if none of them brought a new claim.
    pub(super) unkept: Vec<(Claimed, Hlc)>,
    /// Given stamps of theirs are remembered.
    pub(super) is_carried: bool,
}

impl Pending {
    /// It is all that was sent at once, and no part of that.
    pub(super) fn is_whole(&self) -> bool {
        self.later.is_empty() && self.earlier.is_none()
    }

    /// What became of the parts before, if that was in this history.
    pub(super) fn earlier_in(&self, epoch: Epoch) -> Option<&Earlier> {
        let earlier = self.earlier.as_deref();
        earlier.filter(|earlier| earlier.synced.epoch == epoch)
    }

    /// What remains of a changeset of which a part is merged.
    pub(super) fn rest(self, earlier: Earlier) -> Pending {
        Pending {
            asked: Asked::Sync(self.later),
            later: Vec::new(),
            earlier: Some(Box::new(earlier)),
            ..self
        }
    }
}

/// An HTTP push under way.
#[derive(Debug)]
pub(super) struct Call {
    /// Answers still missing.
    pub(super) missing: usize,
    pub(super) results: Vec<(u64, Answer)>,
    /// Not yet taken: the client's mark is being read.
    pub(super) held: Option<Held>,
    /// Given back when it is answered: a call that waits for what others pushed takes room too.
    pub(super) _permit: Option<Arc<Permit>>,
}

/// What waits for its client's mark.
#[derive(Debug)]
pub(super) enum Held {
    Push(HeldPush),
    Sync(Sync),
    Job(JobCall),
}
