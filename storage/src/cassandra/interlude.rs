//! Places between two steps of an operation, at which a test has somebody else do something.

/// Between which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// A claim has read which jobs are due, and looks at them.
    OrderAndLook,
    /// An export has looked at a space, and reads what it has not.
    LookAndFollow,
    /// All of a space is read, and the next part of it.
    PartAndPart,
    /// Who was told that a space is held waits for a moment, and looks whether it still is.
    WaitAndLook,
    /// What is to be written is known, and what is beside it is there.
    PlanAndBatch,
    /// The same of a commit.
    PlanAndCommit,
    /// A page of changes looks for more candidates.
    LookAndLook,
    /// A page of changes knows its candidates, and reads them.
    CandidatesAndPage,
    /// A page of a snapshot knows what it will hold, and reads that.
    HintAndRows,
    /// A snapshot goes on to the next table.
    TableAndTable,
    /// A transfer has left its sender, and is not at its receiver.
    DebitAndCredit,
    /// It is at its receiver, and its sender has no line of it.
    CreditAndClose,
    /// An account is nobody's, and its owner still has its number.
    CloseAndForget,
}

/// What tests have done, each once, in order.
#[derive(Default)]
pub(super) struct Interludes {
    #[cfg(test)]
    acts: std::sync::Mutex<std::collections::HashMap<Step, std::collections::VecDeque<acts::Act>>>,
}

impl Interludes {
    /// Does what a test wants here.
    #[cfg(test)]
    pub(super) async fn at(&self, step: Step) {
        let act = self.lock().get_mut(&step).and_then(|acts| acts.pop_front());
        if let Some(act) = act {
            act().await;
        }
    }

    /// Nothing.
    #[cfg(not(test))]
    pub(super) async fn at(&self, _: Step) {}
}

impl std::fmt::Debug for Interludes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interludes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod acts {
    use std::collections::{HashMap, VecDeque};
    use std::pin::Pin;
    use std::sync::{MutexGuard, PoisonError};

    use super::{Interludes, Step};

    pub(super) type Act = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

    impl Interludes {
        pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Step, VecDeque<Act>>> {
            self.acts.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Forgets what was not come to.
        pub(in crate::cassandra) fn clear(&self) {
            self.lock().clear();
        }

        /// The next time that an operation comes there.
        pub(in crate::cassandra) fn once<F>(
            &self,
            step: Step,
            act: impl FnOnce() -> F + Send + 'static,
        ) where
            F: Future<Output = ()> + Send + 'static,
        {
            let act: Act = Box::new(move || Box::pin(act()));
            self.lock().entry(step).or_default().push_back(act);
        }
    }
}
