//! Faults put in on purpose, to prove that the simulation finds such faults.
//!
//! A hook is one line, `if mutant(Mutant::…)`, at the place where the rule it breaks is kept.
//! Hooks exist only with the feature `mutants`, which the tests crate asks for, and never in a
//! build without debug assertions: elsewhere [`mutant`] is a constant `false`.

/// A rule that can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Verdicts are sent when the commit is handed to the store.
    AckBeforeCommit,
    /// A commit leaves out the marks.
    SkipMark,
    /// Of equal stamps the value that arrives later wins.
    TieByArrival,
    /// A superseded mutation is not told what won.
    DropSupersededWinner,
    /// A catch-up begins one commit too late.
    CursorPlusOne,
    /// An update newer than the delete makes a dead record live.
    ReviveByUpdate,
    /// The cursor of a reply to a compatibility client is one commit too far.
    ReplyCursorPlusOne,
    /// A changeset is not told what became of the records it named.
    DropEcho,
    /// A device is told nothing of what it wrote itself.
    TellNoOwn,
    /// A claim that was clamped and comes again is taken for a new one.
    ForgetClamp,
    /// A change without a time that comes again is taken for a new one.
    ForgetTimeless,
    /// A change at the latest time that comes again is taken for a new one.
    ForgetLatest,
    /// A new change of a device may be older than one it made before.
    ForgetOrder,
    /// Notice sockets are told nothing.
    TellNoWatcher,
    /// A session believes what it cached before something was collected.
    TrustSwept,
    /// What a device pushes that was told of an erasure, and has not heard it yet, is taken.
    TakeErased,
    /// A changeset of before an erasure is stored.
    StoreErased,
    /// What another node committed is applied and not noted in the cache, which is merged onto.
    MergeOntoStale,
    /// A session that was behind takes the new head, and believes the marks it knew before.
    StaleMark,
    /// A commit of another node is applied although others before it were not heard.
    ApplyAcrossGap,
    /// The cursor of a device passes a page that was cut.
    CursorPastCut,
    /// What is dead is collected before its time.
    CollectEarly,
    /// A session falls asleep although it was told more than it has heard.
    LostWakeUp,
    /// A cursor of another history is taken for one of this.
    IgnoreEpoch,
    /// A cursor of the first user's devices that is ahead of the store tells nothing.
    TrustAhead,
    /// Nobody looks at the store for what no message told.
    AuditOff,
    /// What is merged again after a failed commit puts no jobs.
    DropJobsOfRetry,
    /// A record that shows what it showed before makes a job.
    JobForNothing,
    /// Jobs are made however deep the change is that they follow from.
    DeepForEver,
    /// A job is ended by whoever had a lease of it once.
    IgnoreLease,
    /// All jobs of a lane can be claimed at once.
    IgnoreLane,
    /// What a job writes does not end its lease, so whoever has the job may write it again.
    WriteUnfenced,
    /// A job that did a part of its work, and is due again for the rest, is taken for done.
    ForgetRest,
    /// A job that is cancelled while somebody has it is left to them.
    CancelUnheld,
    /// A job that is snoozed stays due when it was.
    SnoozeInVain,
    /// A dead job that is replayed has no more tries than before.
    ReplayTired,
}

#[cfg(all(feature = "mutants", debug_assertions))]
mod selected {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static SELECTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Breaks a rule on this thread, or none.
    pub fn select(mutant: Option<Mutant>) {
        SELECTED.set(mutant);
    }

    /// Whether a rule is broken here.
    pub fn mutant(mutant: Mutant) -> bool {
        SELECTED.get() == Some(mutant)
    }
}

#[cfg(all(feature = "mutants", debug_assertions))]
pub use selected::{mutant, select};

/// Whether a rule is broken here: not in this build.
#[cfg(not(all(feature = "mutants", debug_assertions)))]
#[inline(always)]
pub const fn mutant(_: Mutant) -> bool {
    false
}
