//! What jobs write. It has no number: the commit that takes it ends the lease of its job, so it takes
//! effect once, and only by whoever has the job. What the hub writes without a job goes the same way.

use std::sync::Arc;

use syncline_protocol::ids::{ClientId, ClientKey, UserId};
use syncline_protocol::mutation::KEYED_CLIENT;

use super::commit::Decided;
use super::event::{CallReply, Effect, JobCall, NotEnded, Waiter};
use super::pending::{Asked, Held, Pending};
use super::state::{Context, SessionState};

/// The user in whose name jobs write. No token can have it: `@` never begins a `sub`.
pub const JOBS_USER: &str = "@jobs";

/// Who writes for all jobs of a space.
pub fn jobs_client() -> ClientKey {
    ClientKey {
        user: UserId::trusted(JOBS_USER),
        client: ClientId::trusted(&format!("{KEYED_CLIENT}jobs")),
    }
}

impl SessionState {
    /// Takes what a job writes, once its client's mark is known.
    pub(super) fn job(&mut self, job: JobCall, cx: &mut Context<'_>) {
        let known = self.clients.get(&jobs_client());
        if known.is_some_and(|client| client.writer.is_some()) {
            return self.take_job(job, cx);
        }
        self.hold_call(job.call, Held::Job(job), cx);
    }

    pub(super) fn take_job(&mut self, job: JobCall, cx: &mut Context<'_>) {
        if self.was_erased_since(job.write.epoch) {
            return cx.effect(Effect::Reply(job.call, CallReply::Erased));
        }
        self.take(Pending {
            client: jobs_client(),
            depth: job.write.depth,
            asked: Asked::Job(job.write),
            since: None,
            taken_at_ms: cx.now_ms,
            waiters: vec![Waiter::Call(job.call)],
            later: Vec::new(),
            earlier: None,
            _permit: job.permit.map(Arc::new),
            trace: None,
        });
    }

    /// The commit would end leases that are lost. What those jobs write is left out, and the rest is
    /// decided again.
    pub(super) fn leases_lost(
        &mut self,
        (decided, lost): (&Decided, &[usize]),
        cx: &mut Context<'_>,
    ) {
        let count = decided.count();
        let ending = decided.ending();
        let lost: Vec<usize> = lost
            .iter()
            .filter_map(|place| ending.get(*place))
            .copied()
            .collect();
        let pending = std::mem::take(&mut self.pending);
        for (place, one) in pending.into_iter().enumerate() {
            if place >= count || !lost.contains(&place) {
                self.pending.push_back(one);
                continue;
            }
            self.decided_one(&one.client);
            reply_job(&one.waiters, &Err(NotEnded::LeaseLost), cx);
        }
    }

    /// One fewer of a client's is undecided.
    pub(super) fn decided_one(&mut self, client: &ClientKey) {
        let client = self.client(client);
        client.undecided = client.undecided.saturating_sub(1);
    }
}

/// Answers whoever wrote for a job.
pub(super) fn reply_job(waiters: &[Waiter], ended: &Result<(), NotEnded>, cx: &mut Context<'_>) {
    for waiter in waiters {
        if let Waiter::Call(call) = waiter {
            cx.effect(Effect::Reply(*call, CallReply::Job(ended.clone())));
        }
    }
}
