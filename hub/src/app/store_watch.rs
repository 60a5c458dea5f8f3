//! Looks whether the store does its work, so that a node without it takes no devices.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_storage::Store;
use syncline_storage::group::{GroupCommit, GroupTotals};
use tracing::{error, info};

use super::opened_store::SameFile;
use crate::lifecycle::{Lifecycle, StoreTrouble};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// A question that is not answered by then counts as refused.
const ANSWER: Duration = Duration::from_secs(3);

/// So many bad looks in a row are needed: one may only have met a moment of much load.
const BAD_LOOKS: u32 = 2;

/// After so many looks without any commit the store may take them again: a node that is not ready
/// is given no work that would show it.
const QUIET_LOOKS: u32 = 10;

/// By what it shows, besides by its commits, that the store is there.
pub(super) enum SeenBy {
    /// Nothing else.
    Commits,
    /// The name of its file.
    File(SameFile),
    /// It is elsewhere, and must answer.
    Questions(Arc<dyn Store>),
}

impl SeenBy {
    async fn trouble(&self, answers: &mut Looks) -> Option<StoreTrouble> {
        match self {
            SeenBy::Commits => None,
            SeenBy::File(file) => (!file.is_there()).then_some(StoreTrouble::Moved),
            SeenBy::Questions(store) => {
                answers.note(is_there(&**store).await);
                answers.are_bad().then_some(StoreTrouble::NoAnswer)
            }
        }
    }
}

/// Looks for ever.
pub(super) async fn watch(seen_by: SeenBy, group: GroupCommit, lifecycle: Arc<Lifecycle>) {
    let (mut answers, mut commits) = (Looks::default(), Commits::default());
    loop {
        tokio::time::sleep(EVERY).await;
        let unseen = seen_by.trouble(&mut answers).await;
        commits.look(&group.stats().totals());
        let fails = commits.looks.are_bad();
        let trouble = unseen.or(fails.then_some(StoreTrouble::NoWrites));
        if trouble != lifecycle.store_trouble() {
            match trouble {
                Some(trouble) => error!("{trouble}"),
                None => info!("the store works again"),
            }
            lifecycle.set_store_trouble(trouble);
        }
    }
}

async fn is_there(store: &dyn Store) -> bool {
    let nobodys = SpaceKey {
        app: AppId::trusted("hub"),
        space: SpaceId::trusted("is-it-there"),
    };
    let answer = tokio::time::timeout(ANSWER, store.space(&nobodys)).await;
    matches!(answer, Ok(Ok(_)))
}

/// Bad looks in a row.
#[derive(Debug, Default)]
struct Looks {
    bad: u32,
}

impl Looks {
    fn note(&mut self, is_good: bool) {
        self.bad = if is_good {
            0
        } else {
            self.bad.saturating_add(1)
        };
    }

    fn are_bad(&self) -> bool {
        self.bad >= BAD_LOOKS
    }
}

/// What the committers' counters tell: a full disk answers every question and takes no commit.
#[derive(Debug, Default)]
struct Commits {
    looks: Looks,
    /// Commits that the store answered, and those it failed on, at the last look.
    seen: (u64, u64),
    quiet: u32,
}

impl Commits {
    fn look(&mut self, totals: &GroupTotals) {
        let now = (totals.committed + totals.conflicts, totals.failed);
        let (answered, failed) = (now.0 > self.seen.0, now.1 > self.seen.1);
        self.seen = now;
        self.quiet = if answered || failed {
            0
        } else {
            self.quiet + 1
        };
        if answered || self.quiet >= QUIET_LOOKS {
            self.quiet = 0;
            self.looks.note(true);
        } else if failed {
            self.looks.note(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told after each look, `+` answered, `-` failed, `.` nothing since the last.
    fn told(looks: &str) -> String {
        let (mut commits, mut totals) = (Commits::default(), GroupTotals::default());
        let look = |what| {
            match what {
                '+' => totals.committed += 1,
                '-' => totals.failed += 1,
                _ => {}
            }
            commits.look(&totals);
            if commits.looks.are_bad() { '!' } else { '.' }
        };
        looks.chars().map(look).collect()
    }

    #[test]
    fn commits_that_only_fail_are_told_until_one_is_answered() {
        assert_eq!(told("+--.-.+.-+-"), "..!!!!.....");
    }

    #[test]
    fn failures_beside_answers_are_not_told() {
        let (mut commits, mut totals) = (Commits::default(), GroupTotals::default());
        for _ in 0..5 {
            totals.failed += 3;
            totals.conflicts += 1;
            commits.look(&totals);
            assert!(!commits.looks.are_bad());
        }
    }

    #[test]
    fn after_a_quiet_time_it_may_work_again() {
        assert_eq!(told("--.........-.........."), ".!!!!!!!!!!!!!!!!!!!!.");
        // One more failure is a first one.
        assert_eq!(told("--..........--"), ".!!!!!!!!!!..!");
    }
}
