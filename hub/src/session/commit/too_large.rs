//! A commit that is more than the store takes at once: less of what is pending goes into the next one,
//! down to a single change; what is too large by itself is refused and blocks nothing behind it.

use syncline_protocol::error::{Code, Refusal};

use super::Decided;
use crate::session::pending::Asked;
use crate::session::state::{Context, SessionState};

impl SessionState {
    /// Nothing of it was written. The next commit is of half of it.
    pub(super) fn too_large(&mut self, decided: &Decided, why: &str, cx: &mut Context<'_>) {
        let count = decided.count();
        if count > 1 {
            self.batch_max = Some(count / 2);
            return self.plan(cx);
        }
        self.batch_max = Some(1);
        let Some(pending) = self.pending.front_mut() else {
            return;
        };
        match &mut pending.asked {
            // It is whole or not at all. Its number is used, and its mark says so.
            Asked::Mutation(mutation) => mutation.asked = Err(refusal()),
            Asked::Job(write) => write.mutation.asked = Err(refusal()),
            // Such clients know of no such thing: the rest follows.
            Asked::Sync(changes) if changes.len() > 1 => {
                let later = changes.split_off(changes.len() / 2);
                pending.later.splice(0..0, later);
            }
            // No record is larger than a store takes, so this is a store with a limit of its own.
            Asked::Sync(_) => {
                let error = syncline_storage::types::StoreError::Unavailable(why.to_owned());
                return self.store_failed("a change is too large for the store", &error, cx);
            }
        }
        self.plan(cx);
    }
}

fn refusal() -> Refusal {
    let message = "it comes to more than the store takes at once; split it";
    Refusal::new(Code::MutationTooLarge, message)
}
