//! A commit that is more than the store takes at once, or of which more jobs follow than one may put: less
//! of what is pending goes into the next one, down to a single change; what is too large by itself is
//! refused and blocks nothing behind it.

use syncline_protocol::error::{Code, Refusal};

use super::Decided;
use crate::session::pending::{Asked, Pending};
use crate::session::state::{Context, SessionState};

impl SessionState {
    /// Nothing of it was written. The next commit is of half of it.
    pub(super) fn too_large(&mut self, decided: &Decided, why: &str, cx: &mut Context<'_>) {
        if self.take_fewer(decided.count()) {
            return self.plan(cx);
        }
        let Some(pending) = self.pending.front_mut() else {
            return;
        };
        match &mut pending.asked {
            // It is whole or not at all. Its number is used, and its mark says so.
            Asked::Mutation(mutation) => mutation.asked = Err(refusal()),
            Asked::Job(write) => write.mutation.asked = Err(refusal()),
            // No record is larger than a store takes, so this is a store with a limit of its own.
            Asked::Sync(_) => {
                let error = syncline_storage::types::StoreError::Unavailable(why.to_owned());
                return self.store_failed("a change is too large for the store", &error, cx);
            }
        }
        self.plan(cx);
    }

    /// Leaves half of a batch for the next commit; false if it cannot be less.
    pub(super) fn take_fewer(&mut self, count: usize) -> bool {
        self.batch_max = Some((count / 2).max(1));
        if count > 1 {
            return true;
        }
        match self.pending.front_mut() {
            // Such clients know of no mutation that is whole or not at all: the rest follows.
            Some(Pending {
                asked: Asked::Sync(changes),
                later,
                ..
            }) if changes.len() > 1 => {
                let rest = changes.split_off(changes.len() / 2);
                later.splice(0..0, rest);
                true
            }
            _ => false,
        }
    }
}

fn refusal() -> Refusal {
    let message = "it comes to more than the store takes at once; split it";
    Refusal::new(Code::MutationTooLarge, message)
}
