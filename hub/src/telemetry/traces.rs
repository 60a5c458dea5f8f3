//! Traces: what becomes of single pushes, from the device that made them to those that are told.
//!
//! A trace is begun by a device or here, and goes on by its context, which is data: it passes through
//! the session and over the bus as it is. Spans are made around that, by who does the work
//! ([`span`]), and sent to a collector in OTLP ([`export`]). Without a collector nothing is made:
//! a push costs one look, and no socket or session ever holds a span.

mod export;
pub mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use syncline_protocol::ids::NodeId;
use syncline_protocol::trace::{SaidTrace, SpanId, TraceId, TraceParent};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::export::{Collector, Ending, Exporter};
use self::span::{OpenSpan, Traced};
use super::Metrics;
use super::labels::{SpanFate, TraceIgnored};
use crate::clock::Clock;
use crate::config::TracesConfig;

/// Spans that wait to be sent. One more is dropped.
const WAITING_MAX: usize = 2_048;

/// What a node that ends waits for its last spans to leave.
const LAST_WITHIN: Duration = Duration::from_secs(1);

/// Makes spans, or none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Tracer>>);

/// What makes spans.
#[derive(Debug)]
struct Tracer {
    spans: mpsc::Sender<Span>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// Of pushes without a trace so many in a thousand begin one.
    sample_per_mille: u64,
    /// Traces of clients that go on here.
    followed: PerSecond,
}

/// Sends what was made, until it is told to finish.
#[derive(Debug)]
pub struct Exporting {
    ending: Ending,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Sends what waits, and returns when it has left, or soon.
    pub async fn finish(self) {
        drop(self.ending);
        // A collector that does not answer is not waited for.
        let _ = tokio::time::timeout(LAST_WITHIN, self.task).await;
    }
}

impl Traces {
    /// As the config says; with a collector, what sends to it has begun. Errors: the endpoint is no
    /// URL, or there are no roots for TLS.
    pub fn start(
        config: &TracesConfig,
        node: &NodeId,
        (clock, metrics): (Arc<dyn Clock>, Arc<Metrics>),
    ) -> Result<(Traces, Option<Exporting>), String> {
        let Some(collector) = Collector::of(config)? else {
            return Ok((Traces::default(), None));
        };
        let (spans, waiting) = mpsc::channel(WAITING_MAX);
        let (ending, ends) = export::ending();
        let exporter = Exporter {
            collector,
            resource: export::resource(config, node),
            metrics: metrics.clone(),
            pauses: export::Pauses::default(),
        };
        let task = tokio::spawn(exporter.run(waiting, ends));
        let tracer = Tracer {
            spans,
            clock,
            metrics,
            sample_per_mille: config.sample_per_mille,
            followed: PerSecond::new(config.followed_per_s_max),
        };
        Ok((
            Traces(Some(Arc::new(tracer))),
            Some(Exporting { ending, task }),
        ))
    }

    /// Whether any are made.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A push has come over a socket. `None` if it is not traced.
    pub fn push(&self, said: SaidTrace) -> Option<Arc<Traced>> {
        let tracer = self.0.as_ref()?;
        let place = match tracer.said(said) {
            Some(parent) => tracer.child_of(parent),
            // What its sender does not record is not recorded here.
            None if matches!(said, SaidTrace::Parent(_)) => return None,
            None => tracer.begun()?,
        };
        let span = tracer.open("push", SpanKind::Server, place);
        Some(Arc::new(Traced::new(span)))
    }

    /// A push whose request has a span already.
    pub fn push_of(&self, request: Option<TraceParent>) -> Option<Arc<Traced>> {
        let tracer = self.0.as_ref()?;
        let span = tracer.open("push", SpanKind::Internal, tracer.child_of(request?));
        Some(Arc::new(Traced::new(span)))
    }

    /// An HTTP request that says which trace it is part of. None is begun by one that does not.
    pub fn request(&self, said: SaidTrace) -> Option<OpenSpan> {
        let tracer = self.0.as_ref()?;
        let parent = tracer.said(said)?;
        Some(tracer.open("request", SpanKind::Server, tracer.child_of(parent)))
    }

    /// A commit of another node was heard that is traced there.
    pub fn heard(&self, commit: TraceParent) -> Option<OpenSpan> {
        let tracer = self.0.as_ref()?;
        Some(tracer.open("apply", SpanKind::Consumer, tracer.child_of(commit)))
    }
}

/// Where a span is: its own ids, and the span it is part of.
type Place = (TraceParent, Option<SpanId>);

impl Tracer {
    /// Where the sender's own span is, if it records it and there is room to go on with it.
    fn said(&self, said: SaidTrace) -> Option<TraceParent> {
        let ignored = &self.metrics.traces_ignored;
        match said {
            SaidTrace::Nothing => None,
            SaidTrace::Unreadable => {
                ignored.inc(TraceIgnored::Unreadable);
                None
            }
            SaidTrace::Parent(parent) if !parent.is_sampled => None,
            SaidTrace::Parent(parent) if self.followed.take(self.clock.now_ms()) => Some(parent),
            SaidTrace::Parent(_) => {
                ignored.inc(TraceIgnored::TooMany);
                None
            }
        }
    }

    fn child_of(&self, parent: TraceParent) -> Place {
        let own = TraceParent {
            span: SpanId(random()),
            is_sampled: true,
            ..parent
        };
        (own, Some(parent.span))
    }

    /// A trace that begins here, if it is this one's turn.
    fn begun(&self) -> Option<Place> {
        if self.sample_per_mille == 0 {
            return None;
        }
        let trace: [u8; 16] = random();
        let turn = u16::from_be_bytes([trace[0], trace[1]]);
        if u64::from(turn) * 1_000 >= self.sample_per_mille << 16 {
            return None;
        }
        let own = TraceParent {
            trace: TraceId(trace),
            span: SpanId(random()),
            is_sampled: true,
        };
        Some((own, None))
    }

    fn open(self: &Arc<Self>, name: &'static str, kind: SpanKind, place: Place) -> OpenSpan {
        OpenSpan::new(self.clone(), (name, kind), place)
    }

    /// Takes a span that has ended. It never waits.
    fn ended(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans.inc(SpanFate::Dropped);
        }
    }
}

/// Bytes that nobody else has; never all zeros.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness two spans would have one id; that is no reason to lose a push.
    if getrandom::fill(&mut bytes).is_err() || bytes == [0; N] {
        bytes[N - 1] = 1;
    }
    bytes
}

/// So many in a second, and no more.
#[derive(Debug)]
pub struct PerSecond {
    most: u64,
    /// The second, and how many there were in it (16 bits).
    taken: AtomicU64,
}

impl PerSecond {
    /// At most 65,535.
    pub fn new(most: u64) -> PerSecond {
        PerSecond {
            most: most.min(0xffff),
            taken: AtomicU64::new(0),
        }
    }

    /// Takes one, if there is one left in this second.
    pub fn take(&self, now_ms: u64) -> bool {
        let second = (now_ms / 1_000) << 16;
        let next = |taken: u64| match taken & !0xffff == second {
            true if taken & 0xffff >= self.most => None,
            true => Some(taken + 1),
            false => (self.most > 0).then_some(second + 1),
        };
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.taken.fetch_update(set, get, next).is_ok()
    }
}

#[cfg(test)]
mod tests;
