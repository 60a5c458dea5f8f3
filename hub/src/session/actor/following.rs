//! Commits whose way to the devices is measured, and the spans of those that are traced.
//!
//! The state knows nothing of it: pushes carry what they are traced by, a step is told whether what
//! it tells live devices is followed, and everything else is made here, around the steps.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use syncline_cluster::event::Followed;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::trace::TraceParent;
use syncline_storage::types::{Commit, CommitError};

use super::{Live, Shared};
use crate::session::event::{ConnId, Event, Follow, StoreAnswer};
use crate::telemetry::labels::MadeAt;
use crate::telemetry::lags::Awaited;
use crate::telemetry::traces::span::{OpenSpan, Traced};

/// A traced commit that took longer is logged, with its trace.
pub(super) const SLOW_COMMIT: Duration = Duration::from_millis(500);

/// A commit that the store has, and whose way is measured.
#[derive(Debug)]
pub(super) struct Committing {
    /// The pushes in it that are traced.
    pushes: Vec<Arc<Traced>>,
    /// Part of the first of them.
    span: Option<OpenSpan>,
    seq: u64,
}

impl Committing {
    /// What is told of it beside the commit.
    pub(super) fn follow(&self) -> Follow {
        let trace = self.span.as_ref().map(OpenSpan::context);
        Follow { trace }
    }

    /// The store has answered. If it took it: the span of telling devices, which is part of it.
    fn answered(mut self, outcome: &Result<(), CommitError>) -> Option<OpenSpan> {
        let span = self.span.as_mut()?;
        let seq = outcome.is_ok().then_some(self.seq);
        for push in &self.pushes {
            push.answered(seq, span.context());
        }
        match outcome {
            Ok(()) => return Some(span.child("fan-out", SpanKind::Producer)),
            Err(CommitError::Conflict) => span.fail("conflict"),
            Err(CommitError::LeasesLost(_)) => span.fail("leases lost"),
            Err(CommitError::TooLarge(_)) => span.fail("too large"),
            Err(CommitError::Store(_)) => span.fail("the store failed"),
        }
        None
    }
}

/// A step in which devices are told of a commit that is followed.
pub(super) struct Telling {
    span: Option<OpenSpan>,
    committed_at_ms: WallMs,
    made: MadeAt,
    /// Deltas that were told.
    told: u64,
}

impl Telling {
    /// What the step is told of it.
    pub(super) fn follow(&self) -> Follow {
        let trace = self.span.as_ref().map(OpenSpan::context);
        Follow { trace }
    }
}

impl Live {
    /// A commit goes to the store: whether its way is measured.
    pub(super) fn follow_commit(&mut self, commit: &Commit) {
        let pushes = match self.shared.traces.is_on() {
            true => self.traced_in_flight(),
            false => Vec::new(),
        };
        let span = pushes.first().map(|first| {
            pushes.iter().for_each(|push| push.merged());
            let mut span = first.committing();
            span.word("syncline.app", commit.space.app.as_str());
            span.count("syncline.seq", commit.head.0);
            span.count("syncline.records", commit.records.len() as u64);
            span.count("syncline.clients", commit.marks.len() as u64);
            pushes
                .iter()
                .skip(1)
                .for_each(|other| span.link(other.context()));
            span
        });
        let now_ms = self.shared.clock.now_ms();
        let is_followed =
            span.is_some() || (commit.head > commit.expect_head && self.shared.lags.choose(now_ms));
        self.committing = is_followed.then(|| {
            let seq = commit.head.0;
            Box::new(Committing { pushes, span, seq })
        });
    }

    /// The traced pushes of the commit in flight, each once: the mutations of one stand together.
    fn traced_in_flight(&self) -> Vec<Arc<Traced>> {
        let mut pushes: Vec<Arc<Traced>> = Vec::new();
        for push in self.state.in_flight().filter_map(|entry| entry.trace) {
            if !pushes.iter().any(|known| Arc::ptr_eq(known, push)) {
                pushes.push(push.clone());
            }
        }
        pushes
    }

    /// Whether devices will be told of a commit that is followed, in the step that takes an event.
    pub(super) fn telling(&mut self, event: &Event) -> Option<Box<Telling>> {
        let (span, committed_at_ms, made) = match event {
            Event::Store(StoreAnswer::Committed(outcome)) => {
                let span = self.committing.take()?.answered(outcome);
                if outcome.is_err() {
                    return None;
                }
                (span, self.shared.clock.now_ms(), MadeAt::Here)
            }
            Event::Heard(event) => {
                let Followed {
                    committed_at_ms,
                    trace,
                } = event.followed?;
                let mut span = trace.and_then(|trace| self.shared.traces.heard(trace));
                if let Some(span) = &mut span {
                    span.word("syncline.app", self.space.app.as_str());
                    span.word("syncline.from_node", event.node.as_str());
                    span.count("syncline.seq", event.to.0);
                }
                (span, committed_at_ms, MadeAt::Elsewhere)
            }
            _ => return None,
        };
        Some(Box::new(Telling {
            span,
            committed_at_ms,
            made,
            told: 0,
        }))
    }

    /// A live delta of it is about to go to a socket.
    pub(super) fn tells(&self, telling: &mut Telling, conn: ConnId) {
        telling.told += 1;
        let awaited = Awaited {
            seq: self.state.view().head,
            committed_at_ms: telling.committed_at_ms,
            made: telling.made,
        };
        let Shared { lags, clock, .. } = &*self.shared;
        lags.asks(conn, awaited, clock.now_ms());
    }
}

/// The step is over.
impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(span) = &mut self.span {
            span.count("syncline.deltas", self.told);
        }
    }
}

/// How the way of a commit is measured that is durable now.
pub(super) fn followed(shared: &Shared, follow: Follow) -> Followed {
    Followed {
        committed_at_ms: shared.clock.now_ms(),
        trace: follow.trace,
    }
}

/// The trace of a commit that took long.
pub(super) fn slow_trace(follow: Option<Follow>, took: Duration) -> Option<TraceParent> {
    follow?.trace.filter(|_| took >= SLOW_COMMIT)
}
