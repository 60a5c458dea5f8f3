//! How long commits are on their way to devices: from when one is durable until a device says that
//! it has applied it.
//!
//! Of some commits a second that is asked: their deltas say so, and the client answers with `ack`.
//! Of each socket one answer is awaited at a time, the oldest, so a slow device is not measured by
//! what it was told last.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_protocol::ids::Seq;
use syncline_protocol::stamp::WallMs;

use super::Metrics;
use super::labels::MadeAt;
use super::traces::PerSecond;
use crate::session::event::ConnId;

/// Commits of this node whose way is measured, in a second. Traced ones are beside them.
const CHOSEN_PER_S: u64 = 10;

/// Sockets whose answers are awaited. One more is not.
const AWAITED_MAX: usize = 4_096;

/// An answer that did not come after so long does not come: the client does not know how, or its
/// history is another one.
const AWAITED_MS: u64 = 60_000;

/// What is awaited, and where it is counted.
#[derive(Debug)]
pub struct Lags {
    metrics: Arc<Metrics>,
    chosen: PerSecond,
    awaited: Mutex<HashMap<ConnId, Awaited>>,
    /// How many are awaited; looked at without the lock.
    count: AtomicUsize,
}

/// An answer that is awaited.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    /// From this seq on it is the one.
    pub seq: Seq,
    /// When that was durable.
    pub committed_at_ms: WallMs,
    /// Where.
    pub made: MadeAt,
}

impl Lags {
    /// Nothing is awaited yet.
    pub fn new(metrics: Arc<Metrics>) -> Lags {
        Lags {
            metrics,
            chosen: PerSecond::new(CHOSEN_PER_S),
            awaited: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Whether the way of a commit of this node is to be measured.
    pub fn choose(&self, now_ms: WallMs) -> bool {
        self.chosen.take(now_ms)
    }

    /// Another node's commit was heard of.
    pub fn heard(&self, committed_at_ms: WallMs, now_ms: WallMs) {
        let lag = Duration::from_millis(now_ms.saturating_sub(committed_at_ms));
        self.metrics.bus_lag_seconds.observe(lag);
    }

    /// A socket is about to be asked.
    pub fn asks(&self, conn: ConnId, awaited: Awaited, now_ms: WallMs) {
        let mut all = self.lock();
        let is_over = |one: &Awaited| now_ms.saturating_sub(one.committed_at_ms) > AWAITED_MS;
        if all.len() >= AWAITED_MAX {
            all.retain(|_, one| !is_over(one));
        }
        let is_awaited = all.get(&conn).is_some_and(|one| !is_over(one));
        if !is_awaited && all.len() < AWAITED_MAX {
            all.insert(conn, awaited);
        }
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// A client has applied everything up to `seq`.
    pub fn acked(&self, conn: ConnId, seq: Seq, now_ms: WallMs) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut all = self.lock();
        let Some(one) = all.get(&conn).filter(|one| seq >= one.seq).copied() else {
            return;
        };
        all.remove(&conn);
        self.count.store(all.len(), Ordering::Relaxed);
        drop(all);
        let lag = now_ms.saturating_sub(one.committed_at_ms);
        if lag <= AWAITED_MS {
            let lag = Duration::from_millis(lag);
            self.metrics.end_to_end_seconds.observe(one.made, lag);
        }
    }

    /// A socket is gone.
    pub fn gone(&self, conn: ConnId) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let mut all = self.lock();
            all.remove(&conn);
            self.count.store(all.len(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnId, Awaited>> {
        // It is whole whatever panicked while it was locked.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: WallMs = 1_795_514_400_000;
    const CONN: ConnId = ConnId(1);

    fn lags() -> Lags {
        Lags::new(Arc::new(Metrics::new()))
    }

    fn awaited(seq: u64, committed_at_ms: WallMs) -> Awaited {
        Awaited {
            seq: Seq(seq),
            committed_at_ms,
            made: MadeAt::Elsewhere,
        }
    }

    fn counted(lags: &Lags) -> u64 {
        lags.metrics.end_to_end_seconds.count(MadeAt::Elsewhere)
    }

    #[test]
    fn an_answer_counts_once_and_only_when_it_is_the_one() {
        let lags = lags();
        lags.acked(CONN, Seq(9), NOW_MS);
        lags.asks(CONN, awaited(5, NOW_MS), NOW_MS);
        lags.acked(CONN, Seq(4), NOW_MS + 1);
        lags.acked(ConnId(2), Seq(5), NOW_MS + 1);
        assert_eq!(counted(&lags), 0);
        lags.acked(CONN, Seq(6), NOW_MS + 3_000);
        lags.acked(CONN, Seq(6), NOW_MS + 3_000);
        assert_eq!(counted(&lags), 1);
        let shown = lags.metrics.render();
        let sum = "syncline_end_to_end_seconds_sum{made=\"elsewhere\"} 3\n";
        assert!(shown.contains(sum), "{shown}");
    }

    #[test]
    fn the_oldest_question_is_the_one_until_it_is_too_old() {
        let lags = lags();
        lags.asks(CONN, awaited(5, NOW_MS), NOW_MS);
        lags.asks(CONN, awaited(6, NOW_MS + 1), NOW_MS + 1);
        assert_eq!(lags.lock()[&CONN].seq, Seq(5));
        let later = NOW_MS + AWAITED_MS + 1;
        lags.asks(CONN, awaited(7, later), later);
        assert_eq!(lags.lock()[&CONN].seq, Seq(7));
    }

    #[test]
    fn so_many_answers_are_awaited_and_none_of_who_is_gone() {
        let lags = lags();
        let all: Vec<ConnId> = (0..=AWAITED_MAX as u64).map(ConnId).collect();
        for conn in &all {
            lags.asks(*conn, awaited(1, NOW_MS), NOW_MS);
        }
        assert_eq!(lags.lock().len(), AWAITED_MAX);
        all.iter().for_each(|conn| lags.gone(*conn));
        assert_eq!(lags.lock().len(), 0);
    }

    #[test]
    fn of_a_second_so_many_commits_are_chosen() {
        let lags = lags();
        let chosen = |now_ms| (0..50).filter(|_| lags.choose(now_ms)).count() as u64;
        assert_eq!(chosen(NOW_MS), CHOSEN_PER_S);
        assert_eq!(chosen(NOW_MS + 999), 0);
        assert_eq!(chosen(NOW_MS + 1_000), CHOSEN_PER_S);
    }
}
