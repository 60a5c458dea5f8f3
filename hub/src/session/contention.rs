//! Whose turn it is to commit to a space that several nodes write at once.
//!
//! A commit goes to the store on the head that its node knows, so of nodes that try at the same
//! time one gets through and the others have to merge again. The one that got through would be
//! the first again: it has nothing to read. So a node that has just committed lets those it
//! knows of go first, for about as long as their commits take. Who never gets through says so.
//! Correctness does not depend on any of it, only how often the store is asked in vain, and who gets
//! through.

use std::mem;

use syncline_protocol::ids::NodeId;
use syncline_protocol::stamp::WallMs;

/// A node that was not heard for so long does not write at once with others, nor one that was only
/// noticed by a conflict.
const AT_ONCE_MS: u64 = 1_000;

/// How long a turn is at least and at most, and how many commits long it should be: who lost reads
/// what it missed, the marks and the records, and commits.
const TURN_MS: (u64, u64) = (20, 200);
const TURN_COMMITS: u64 = 8;

/// From so many conflicts in a row on it waits up to so long before it tries again, and twice as long
/// after each up to seven times, as others that take turns do not explain them.
const CONFLICTS_EXPLAINED: u32 = 6;
const UNEXPLAINED_MS: u64 = 16;
const UNEXPLAINED_DOUBLED_MAX: u32 = 7;

/// Who has lost so often since it committed last says so, and after as many again.
const LOSSES_SAID: u32 = 4;

/// What a session knows of others that commit to its space. Empty while it is the only one.
#[derive(Debug, Default)]
pub(super) struct Contention(Option<Box<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    others: Vec<Other>,
    /// When a node that was not heard was noticed by a conflict.
    unheard_at_ms: Option<WallMs>,
    /// Conflicts since the last commit.
    conflicts: u32,
    /// How often others committed since then while something was pending.
    losses: u32,
    /// When the store was handed the last commit.
    handed_at_ms: Option<WallMs>,
    own: Option<Own>,
    waiting: Waiting,
}

/// A node that commits, or would.
#[derive(Debug)]
struct Other {
    node: NodeId,
    /// When it committed, or said that it is late.
    heard_at_ms: WallMs,
    /// It committed after this node did.
    since_own: bool,
}

/// The last commit of this node.
#[derive(Clone, Copy, Debug)]
struct Own {
    at_ms: WallMs,
    /// From handing it over to the answer.
    took_ms: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Waiting {
    #[default]
    No,
    /// Until it is told [`Contention::due`].
    Yes,
    /// It has waited; the next commit goes.
    Over,
}

/// Whether a commit may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// After so many milliseconds; [`Contention::due`] is to be told then.
    After(u64),
    /// It waits already.
    Waiting,
}

impl Contention {
    /// Another node committed.
    pub(super) fn heard(&mut self, node: &NodeId, now_ms: WallMs) {
        let seen = self.0.get_or_insert_default();
        seen.unheard_at_ms = None;
        let other = seen.other(node);
        other.heard_at_ms = now_ms;
        other.since_own = true;
    }

    /// Another node says that it gets no turn.
    pub(super) fn heard_late(&mut self, node: &NodeId, now_ms: WallMs) {
        self.0.get_or_insert_default().other(node).heard_at_ms = now_ms;
    }

    /// Others were first. Returns whether they should be told that this node is late.
    pub(super) fn lost(&mut self) -> bool {
        let seen = self.0.get_or_insert_default();
        seen.losses = seen.losses.saturating_add(1);
        seen.losses.is_multiple_of(LOSSES_SAID)
    }

    /// Whether the next commit may go.
    pub(super) fn next(&mut self, now_ms: WallMs) -> Turn {
        let Some(seen) = &mut self.0 else {
            return Turn::Now;
        };
        seen.forget(now_ms);
        if seen.is_over() {
            self.0 = None;
            return Turn::Now;
        }
        seen.next(now_ms)
    }

    /// The wait is over.
    pub(super) fn due(&mut self) {
        if let Some(seen) = &mut self.0
            && seen.waiting == Waiting::Yes
        {
            seen.waiting = Waiting::Over;
        }
    }

    /// A commit is handed to the store.
    pub(super) fn handed(&mut self, now_ms: WallMs) {
        if let Some(seen) = &mut self.0 {
            seen.handed_at_ms = Some(now_ms);
        }
    }

    /// The store took it. Returns how many times it was asked.
    pub(super) fn committed(&mut self, now_ms: WallMs) -> u32 {
        let Some(seen) = &mut self.0 else {
            return 1;
        };
        seen.own = Some(Own {
            at_ms: now_ms,
            took_ms: now_ms.saturating_sub(seen.handed_at_ms.unwrap_or(now_ms)),
        });
        for other in &mut seen.others {
            other.since_own = false;
        }
        seen.losses = 0;
        mem::take(&mut seen.conflicts) + 1
    }

    /// Another node was first: this one tries again, at once if that is all there is to it, else
    /// after the milliseconds that are returned.
    pub(super) fn conflicted(&mut self, now_ms: WallMs, jitter: u64) -> Option<u64> {
        let seen = self.0.get_or_insert_default();
        if !seen.others.iter().any(|other| other.since_own) {
            seen.unheard_at_ms = Some(now_ms);
        }
        seen.conflicts = seen.conflicts.saturating_add(1);
        seen.own = None;
        let more = seen.conflicts.checked_sub(CONFLICTS_EXPLAINED)?;
        let longest = UNEXPLAINED_MS << more.min(UNEXPLAINED_DOUBLED_MAX);
        Some(1 + jitter % longest)
    }
}

impl Seen {
    /// What is known of a node, which has not committed yet if it was not known.
    fn other(&mut self, node: &NodeId) -> &mut Other {
        let known = self.others.iter().position(|other| other.node == *node);
        let at = known.unwrap_or_else(|| {
            self.others.push(Other {
                node: node.clone(),
                heard_at_ms: 0,
                since_own: false,
            });
            self.others.len() - 1
        });
        &mut self.others[at]
    }

    /// Others that were not heard lately.
    fn forget(&mut self, now_ms: WallMs) {
        let is_recent = |at_ms: WallMs| now_ms.abs_diff(at_ms) <= AT_ONCE_MS;
        self.others.retain(|other| is_recent(other.heard_at_ms));
        self.unheard_at_ms = self.unheard_at_ms.filter(|at_ms| is_recent(*at_ms));
    }

    /// There is nobody else any more.
    fn is_over(&self) -> bool {
        self.others.is_empty() && self.unheard_at_ms.is_none() && self.conflicts == 0
    }

    fn next(&mut self, now_ms: WallMs) -> Turn {
        let left_ms = self.left_ms(now_ms);
        match mem::take(&mut self.waiting) {
            Waiting::Yes if left_ms > 0 => {
                self.waiting = Waiting::Yes;
                Turn::Waiting
            }
            Waiting::No if left_ms > 0 => {
                self.waiting = Waiting::Yes;
                Turn::After(left_ms)
            }
            Waiting::Over => {
                // Who did not come has nothing to write.
                self.others.retain(|other| other.since_own);
                Turn::Now
            }
            _ => Turn::Now,
        }
    }

    /// For how long others go first.
    fn left_ms(&self, now_ms: WallMs) -> u64 {
        let Some(own) = self.own else { return 0 };
        let all_went = self.others.iter().all(|other| other.since_own);
        if all_went && self.unheard_at_ms.is_none() {
            return 0;
        }
        let others = self.others.len().max(1) as u64;
        let turn_ms = (TURN_COMMITS * own.took_ms * others).clamp(TURN_MS.0, TURN_MS.1);
        turn_ms.saturating_sub(now_ms.saturating_sub(own.at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        NodeId::parse(name).unwrap()
    }

    /// One that has just committed while `others` write too.
    fn after_a_commit(others: &[&str]) -> Contention {
        let mut turns = Contention::default();
        for other in others {
            turns.heard(&node(other), 1_000);
        }
        turns.handed(1_000);
        assert_eq!(turns.committed(1_005), 1);
        turns
    }

    #[test]
    fn the_only_one_never_waits_and_keeps_nothing() {
        let mut turns = Contention::default();
        for now_ms in [0, 1, 2] {
            assert_eq!(turns.next(now_ms), Turn::Now);
            turns.handed(now_ms);
            assert_eq!(turns.committed(now_ms), 1);
        }
        assert!(turns.0.is_none());
    }

    #[test]
    fn who_has_committed_waits_for_all_others() {
        let mut turns = after_a_commit(&["b", "c"]);
        assert_eq!(turns.next(1_005), Turn::After(80));
        assert_eq!(turns.next(1_006), Turn::Waiting);
        turns.heard(&node("b"), 1_007);
        assert_eq!(turns.next(1_007), Turn::Waiting);
        turns.heard(&node("c"), 1_008);
        assert_eq!(turns.next(1_008), Turn::Now);
    }

    #[test]
    fn who_does_not_come_is_waited_for_once() {
        let mut turns = after_a_commit(&["b"]);
        assert_eq!(turns.next(1_005), Turn::After(40));
        turns.due();
        // Also if the clock was set back meanwhile.
        assert_eq!(turns.next(500), Turn::Now);
        turns.committed(501);
        assert_eq!(turns.next(501), Turn::Now);
        assert!(turns.0.is_none());
    }

    #[test]
    fn a_wait_is_no_longer_than_a_turn() {
        let mut turns = Contention::default();
        turns.heard(&node("b"), 59_000);
        turns.handed(0);
        turns.committed(60_000);
        assert_eq!(turns.next(60_000), Turn::After(TURN_MS.1));
    }

    #[test]
    fn a_commit_that_was_handed_over_before_anybody_was_heard_makes_no_long_turn() {
        let mut turns = Contention::default();
        turns.handed(1_000);
        turns.heard(&node("b"), 1_001);
        turns.committed(1_002);
        assert_eq!(turns.next(1_002), Turn::After(TURN_MS.0));
    }

    #[test]
    fn others_that_fell_silent_are_forgotten() {
        let mut turns = after_a_commit(&["b"]);
        assert_eq!(turns.next(1_000 + AT_ONCE_MS + 1), Turn::Now);
        assert!(turns.0.is_none());
    }

    #[test]
    fn who_lost_goes_on_at_once_and_then_lets_the_other_go_though_it_was_not_heard() {
        let mut turns = Contention::default();
        assert_eq!(turns.conflicted(1_000, 0), None);
        for now_ms in [1_001, 1_030] {
            assert_eq!(turns.next(now_ms), Turn::Now);
            turns.handed(now_ms);
            turns.committed(now_ms + 1);
            assert_eq!(turns.next(now_ms + 1), Turn::After(20));
            turns.due();
        }
        assert_eq!(turns.next(1_001 + AT_ONCE_MS), Turn::Now);
        assert!(turns.0.is_none());
    }

    #[test]
    fn a_conflict_with_one_that_was_heard_is_no_other_node() {
        let mut turns = after_a_commit(&["b"]);
        turns.heard(&node("b"), 1_006);
        assert_eq!(turns.conflicted(1_006, 0), None);
        assert_eq!(turns.committed(1_008), 2);
        turns.heard(&node("b"), 1_009);
        assert_eq!(turns.next(1_009), Turn::Now);
    }

    #[test]
    fn who_never_gets_a_turn_says_so_and_the_other_waits() {
        let mut late = Contention::default();
        let said: Vec<u32> = (1..=20).filter(|_| late.lost()).collect();
        assert_eq!(said, [4, 8, 12, 16, 20]);
        late.committed(1_000);
        assert!(!late.lost());

        let mut first = Contention::default();
        first.committed(1_000);
        first.heard_late(&node("b"), 1_001);
        assert_eq!(first.next(1_001), Turn::Now);
        first.handed(1_001);
        first.committed(1_002);
        assert_eq!(first.next(1_002), Turn::After(20));
        first.heard(&node("c"), 1_003);
        assert_eq!(first.next(1_003), Turn::Waiting);
        first.heard(&node("b"), 1_005);
        assert_eq!(first.next(1_005), Turn::Now);
    }

    #[test]
    fn conflicts_that_others_do_not_explain_are_waited_out() {
        let mut turns = Contention::default();
        for _ in 1..CONFLICTS_EXPLAINED {
            assert_eq!(turns.conflicted(0, 5), None);
        }
        assert_eq!(turns.conflicted(0, 5), Some(6));
        for doubled in [1, 2, 3, 4, 5, 6, 7, 7] {
            let longest = UNEXPLAINED_MS << doubled;
            assert_eq!(turns.conflicted(0, longest - 1), Some(longest));
        }
        assert_eq!(turns.committed(0), CONFLICTS_EXPLAINED + 9);
    }
}
