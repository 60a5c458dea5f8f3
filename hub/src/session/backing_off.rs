//! What a session does while the store fails: it tries again, after longer and longer waits, and
//! does not keep those waiting who can come again. And while other nodes commit first: it merges
//! again, when [`super::contention`] says.

use syncline_cluster::ephemeral::Spoken;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;
use syncline_storage::types::StoreError;
use tracing::{debug, warn};

use super::event::{CallReply, Effect, Waiter};
use super::pending::{Asked, Pending};
use super::state::{Context, SessionState, Work};

/// The first wait after a failure, doubled each time, and the longest, in milliseconds.
const BACK_OFF_FIRST_MS: u64 = 5;
const BACK_OFF_MAX_MS: u64 = 2_000;

/// After so many failures in a row, which take about a second, or five where each of them waits for a
/// space that is being erased, calls are answered: it is no moment that passes, and they would learn no more by waiting.
const FAILURES_CALLS_WAIT: u32 = 8;

impl SessionState {
    /// Waits before the next try, longer each time, with jitter from the view so that nodes
    /// that collide part. Then the session looks at the store afresh.
    pub(super) fn back_off(&mut self, cx: &mut Context<'_>) {
        self.failures = self.failures.saturating_add(1);
        let longest = (BACK_OFF_FIRST_MS << self.failures.min(16)).min(BACK_OFF_MAX_MS);
        let ms = longest / 2 + jitter(cx.now_ms, &self.node) % (longest / 2 + 1);
        self.work = Work::BackingOff;
        self.wait(ms, cx);
    }

    /// Another node committed first: what it committed is read and merged onto.
    pub(super) fn give_way(&mut self, cx: &mut Context<'_>) {
        self.stale = true;
        self.others_were_first(cx);
        let jitter = jitter(cx.now_ms, &self.node);
        if let Some(ms) = self.contention.conflicted(cx.now_ms, jitter) {
            self.work = Work::BackingOff;
            self.wait(ms, cx);
        }
    }

    /// Another node committed while something is pending here. Who loses again and again says so.
    pub(super) fn others_were_first(&mut self, cx: &mut Context<'_>) {
        if self.contention.lost() {
            cx.effect(Effect::Tell(Spoken::Late));
        }
    }

    /// [`SessionState::back_off`] because of the store, not of another node. `what` is what it
    /// did not do. Only the first failure in a row is a warning: the node tells that it goes on.
    pub(super) fn store_failed(
        &mut self,
        what: &'static str,
        error: &StoreError,
        cx: &mut Context<'_>,
    ) {
        if self.failures == 0 {
            warn!(space = %self.space, %error, "{what}");
        } else {
            debug!(space = %self.space, %error, failures = self.failures, "{what}");
        }
        self.back_off(cx);
        if self.failures >= FAILURES_CALLS_WAIT {
            self.refuse_waiting_calls(cx);
        }
    }

    /// Is told when so much time is over. Whatever was waited for before is not waited for any more.
    pub(super) fn wait(&mut self, ms: u64, cx: &mut Context<'_>) {
        self.waits += 1;
        cx.effect(Effect::RetryAfter { ms, no: self.waits });
    }

    /// A wait is over.
    pub(super) fn retry(&mut self, no: u64) {
        if no != self.waits {
            return;
        }
        self.contention.due();
        if matches!(self.work, Work::BackingOff) {
            self.work = Work::Idle;
            self.stale = true;
        }
    }

    /// Has calls come again. Their mutations stay, and are decided once: a call that repeats one
    /// waits for the same verdict. Changesets and what jobs write go: they come again whole, so each
    /// would come to wait many times over. Sockets keep waiting. Nothing is in flight here, and
    /// what was may have been written: the marks and the stamps tell, as after a crash.
    fn refuse_waiting_calls(&mut self, cx: &mut Context<'_>) {
        for pending in std::mem::take(&mut self.pending) {
            if let Some(pending) = self.without_calls(pending, cx) {
                self.pending.push_back(pending);
            }
        }
    }

    fn without_calls(&mut self, mut pending: Pending, cx: &mut Context<'_>) -> Option<Pending> {
        let refusal = || Refusal::new(Code::Unavailable, "the store does not take it; repeat it");
        if matches!(pending.asked, Asked::Sync(_) | Asked::Job(_)) {
            self.decided_one(&pending.client);
            for waiter in pending.waiters {
                if let Waiter::Call(call) = waiter {
                    cx.effect(Effect::Reply(call, CallReply::Refused(refusal())));
                }
            }
            return None;
        }
        let waiters = std::mem::take(&mut pending.waiters).into_iter();
        let (calls, sockets): (Vec<_>, Vec<_>) =
            waiters.partition(|waiter| matches!(waiter, Waiter::Call(_)));
        pending.waiters = sockets;
        for call in calls {
            self.refuse(call, refusal(), cx);
        }
        Some(pending)
    }
}

/// A number that differs between nodes and moments (FNV-1a); quality does not matter.
fn jitter(now_ms: WallMs, node: &NodeId) -> u64 {
    let bytes = node.as_str().bytes().chain(now_ms.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
