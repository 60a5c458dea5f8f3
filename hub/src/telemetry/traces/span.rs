//! A span under way, and a push that is traced. Each ends, and is handed on, when it is dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use syncline_protocol::trace::TraceParent;

use super::{Place, Tracer};

/// W3C: recorded. OTLP: it is known that the parent may be of another process, and whether it is.
const SAMPLED: u32 = 1;
const KNOWS_WHETHER_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Links of a span. More are left out and counted in it.
const LINKS_MAX: usize = 32;

/// A span that has begun. What is not recorded has none.
#[derive(Debug)]
pub struct OpenSpan {
    tracer: Arc<Tracer>,
    context: TraceParent,
    times: Times,
    span: Span,
}

/// The wall clock once, for all spans of a trace on this node; what follows is measured from there,
/// so they do not overlap where the clock is set.
#[derive(Clone, Copy, Debug)]
struct Times {
    wall_ns: u64,
    at: Instant,
}

impl Times {
    fn ns(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.at).as_nanos();
        self.wall_ns + u64::try_from(since).unwrap_or(0)
    }
}

impl OpenSpan {
    pub(super) fn new(
        tracer: Arc<Tracer>,
        named: (&'static str, SpanKind),
        place: Place,
    ) -> OpenSpan {
        let at = Instant::now();
        let times = Times {
            wall_ns: tracer.clock.now_ms().saturating_mul(1_000_000),
            at,
        };
        let mut open = OpenSpan::within(tracer, named, place, (times, at));
        let span = &mut open.span;
        if span.kind != SpanKind::Internal as i32 && !span.parent_span_id.is_empty() {
            span.flags |= IS_REMOTE;
        }
        open
    }

    fn within(
        tracer: Arc<Tracer>,
        (name, kind): (&'static str, SpanKind),
        (context, parent): Place,
        (times, since): (Times, Instant),
    ) -> OpenSpan {
        let span = Span {
            trace_id: context.trace.0.to_vec(),
            span_id: context.span.0.to_vec(),
            parent_span_id: parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
            flags: SAMPLED | KNOWS_WHETHER_REMOTE,
            name: name.to_owned(),
            kind: kind as i32,
            start_time_unix_nano: times.ns(since),
            ..Span::default()
        };
        OpenSpan {
            tracer,
            context,
            times,
            span,
        }
    }

    /// Where it is: what it leads to is a child of it.
    pub fn context(&self) -> TraceParent {
        self.context
    }

    /// A part of it that begins now.
    pub fn child(&self, name: &'static str, kind: SpanKind) -> OpenSpan {
        self.child_since(name, kind, Instant::now())
    }

    fn child_since(&self, name: &'static str, kind: SpanKind, since: Instant) -> OpenSpan {
        let place = self.tracer.child_of(self.context);
        OpenSpan::within(
            self.tracer.clone(),
            (name, kind),
            place,
            (self.times, since),
        )
    }

    /// Says something of it: a number that is no name and no content of anybody's.
    pub fn count(&mut self, key: &'static str, count: u64) {
        self.attribute(
            key,
            Value::IntValue(i64::try_from(count).unwrap_or(i64::MAX)),
        );
    }

    /// Says something of it, in a word.
    pub fn word(&mut self, key: &'static str, word: &str) {
        self.attribute(key, Value::StringValue(word.to_owned()));
    }

    fn attribute(&mut self, key: &'static str, value: Value) {
        self.span.attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        });
    }

    /// It has to do with another span, of this trace or another.
    pub fn link(&mut self, to: TraceParent) {
        if self.span.links.len() >= LINKS_MAX {
            self.span.dropped_links_count += 1;
            return;
        }
        self.span.links.push(Link {
            trace_id: to.trace.0.to_vec(),
            span_id: to.span.0.to_vec(),
            flags: SAMPLED,
            ..Link::default()
        });
    }

    /// It did not do what it was to do.
    pub fn fail(&mut self, why: &str) {
        self.span.status = Some(Status {
            message: why.to_owned(),
            code: StatusCode::Error as i32,
        });
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let mut span = std::mem::take(&mut self.span);
        span.end_time_unix_nano = self.times.ns(Instant::now());
        self.tracer.ended(span);
    }
}

/// A push that is traced. Whoever holds its mutations holds it too; when the last of them is decided,
/// or dropped, its span ends.
#[derive(Debug)]
pub struct Traced {
    span: OpenSpan,
    /// Nanoseconds from its begin until a session began to work on it; once it has tried to commit
    /// it, until the store had answered.
    since_ns: AtomicU64,
    committed: OnceLock<Committed>,
}

/// What became of a push.
#[derive(Clone, Copy, Debug)]
struct Committed {
    seq: u64,
    by: TraceParent,
}

impl Traced {
    pub(super) fn new(span: OpenSpan) -> Traced {
        Traced {
            span,
            since_ns: AtomicU64::new(0),
            committed: OnceLock::new(),
        }
    }

    /// Where its span is.
    pub fn context(&self) -> TraceParent {
        self.span.context
    }

    /// There was room for it: what it waited so far is a span of its own.
    pub fn admitted(&self) {
        drop(self.since_then("admit"));
    }

    /// It is handed to the store: from when the session had it, or had failed with it, is a span of its
    /// own.
    pub(crate) fn merged(&self) {
        drop(self.since_then("merge"));
    }

    /// The store takes it, in a commit of this and other pushes.
    pub(crate) fn committing(&self) -> OpenSpan {
        self.span.child("commit", SpanKind::Internal)
    }

    /// The store has answered: it is in the commit of this number, or still in none.
    pub(crate) fn answered(&self, seq: Option<u64>, by: TraceParent) {
        self.mark();
        if let Some(seq) = seq {
            // A push that is decided in several commits is told of the first.
            let _ = self.committed.set(Committed { seq, by });
        }
    }

    fn since_then(&self, name: &'static str) -> OpenSpan {
        let since_ns = self.since_ns.load(Ordering::Relaxed);
        let since = self.span.times.at + std::time::Duration::from_nanos(since_ns);
        self.mark();
        self.span.child_since(name, SpanKind::Internal, since)
    }

    fn mark(&self) {
        let passed = self.span.times.at.elapsed().as_nanos();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.since_ns.store(passed, Ordering::Relaxed);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(Committed { seq, by }) = self.committed.get().copied() {
            self.span.count("syncline.seq", seq);
            self.span.link(by);
        }
    }
}
