//! Which pushes are traced, and by what they are known.

use super::*;
use crate::clock::ManualClock;
use crate::telemetry::labels::TraceIgnored;

const NOW_MS: u64 = 1_795_514_400_000;
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Desk {
    traces: Traces,
    metrics: Arc<Metrics>,
    clock: Arc<ManualClock>,
    made: mpsc::Receiver<Span>,
}

fn desk(sample_per_mille: u64, followed_per_s_max: u64, waiting_max: usize) -> Desk {
    let (spans, made) = mpsc::channel(waiting_max);
    let metrics = Arc::new(Metrics::new());
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let tracer = Tracer {
        spans,
        clock: clock.clone(),
        metrics: metrics.clone(),
        sample_per_mille,
        followed: PerSecond::new(followed_per_s_max),
    };
    Desk {
        traces: Traces(Some(Arc::new(tracer))),
        metrics,
        clock,
        made,
    }
}

fn said(text: &str) -> SaidTrace {
    SaidTrace::from(Some(text))
}

impl Desk {
    fn push(&self, said: SaidTrace) -> Option<Arc<Traced>> {
        self.traces.push(said)
    }

    fn made(&mut self) -> Vec<Span> {
        std::iter::from_fn(|| self.made.try_recv().ok()).collect()
    }
}

#[test]
fn without_a_collector_nothing_is_traced() {
    let off = Traces::default();
    assert!(!off.is_on());
    assert!(off.push(said(SAMPLED)).is_none());
    let parent = TraceParent::parse(SAMPLED);
    assert!(off.push_of(parent).is_none());
    assert!(off.heard(parent.unwrap()).is_none());
    assert!(off.request(said(SAMPLED)).is_none());
}

#[test]
fn what_its_sender_records_goes_on_and_what_it_does_not_stays_out() {
    let desk = desk(1_000, 10, 10);
    let traced = desk.push(said(SAMPLED)).unwrap();
    assert_eq!(traced.context().trace.to_string(), SAMPLED[3..35]);
    assert_ne!(traced.context().span.to_string(), SAMPLED[36..52]);
    let unsampled = SAMPLED.replace("-01", "-00");
    assert!(desk.push(said(&unsampled)).is_none());
}

#[test]
fn so_many_in_a_thousand_begin_here() {
    assert!(desk(0, 10, 10).push(SaidTrace::Nothing).is_none());
    let always = desk(1_000, 10, 10);
    assert!((0..100).all(|_| always.push(SaidTrace::Nothing).is_some()));
    let half = desk(500, 10, 10);
    let begun = (0..2_000).filter(|_| half.push(SaidTrace::Nothing).is_some());
    // Nine standard deviations.
    assert!((800..1_200).contains(&begun.count()));
}

#[test]
fn traces_of_clients_are_so_many_a_second() {
    let desk = desk(0, 2, 10);
    let followed = || {
        (0..5)
            .filter(|_| desk.push(said(SAMPLED)).is_some())
            .count()
    };
    assert_eq!(followed(), 2);
    desk.clock.advance(1_000);
    assert_eq!(followed(), 2);
    let ignored = &desk.metrics.traces_ignored;
    assert_eq!(ignored.get(TraceIgnored::TooMany), 6);
}

#[test]
fn what_cannot_be_read_is_counted_and_is_as_good_as_none() {
    let desk = desk(1_000, 2, 10);
    let begun = desk.push(said("nonsense")).unwrap();
    assert_ne!(begun.context().trace.to_string(), SAMPLED[3..35]);
    let ignored = &desk.metrics.traces_ignored;
    assert_eq!(ignored.get(TraceIgnored::Unreadable), 1);
}

#[test]
fn spans_without_room_are_dropped_and_counted() {
    let mut desk = desk(0, 10, 1);
    for _ in 0..3 {
        drop(desk.push(said(SAMPLED)));
    }
    assert_eq!(desk.made().len(), 1);
    assert_eq!(desk.metrics.spans.get(SpanFate::Dropped), 2);
}

#[test]
fn a_push_ends_with_its_last_holder_and_says_which_commit_it_is_in() {
    let mut desk = desk(0, 10, 10);
    let traced = desk.push(said(SAMPLED)).unwrap();
    traced.admitted();
    let other = traced.clone();
    traced.merged();
    let commit = traced.committing();
    traced.answered(Some(7), commit.context());
    let by = commit.context();
    drop(commit);
    drop(traced);
    let names = |spans: &[Span]| spans.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    let parts = desk.made();
    assert_eq!(names(&parts), ["admit", "merge", "commit"]);
    drop(other);
    let push = desk.made().remove(0);
    assert_eq!(push.parent_span_id, said_span());
    assert!(parts.iter().all(|part| part.parent_span_id == push.span_id));
    assert_eq!(push.links[0].span_id, by.span.0);
    assert!(push.attributes.iter().any(|one| one.key == "syncline.seq"));
    let starts = NOW_MS * 1_000_000;
    assert_eq!(push.start_time_unix_nano, starts);
    for span in &parts {
        assert!(span.start_time_unix_nano >= starts);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= push.end_time_unix_nano);
    }
}

fn said_span() -> Vec<u8> {
    TraceParent::parse(SAMPLED).unwrap().span.0.to_vec()
}

#[test]
fn links_have_a_bound() {
    let mut desk = desk(0, 10, 10);
    let parent = TraceParent::parse(SAMPLED).unwrap();
    let mut span = desk.traces.heard(parent).unwrap();
    (0..40).for_each(|_| span.link(parent));
    drop(span);
    let span = desk.made().remove(0);
    assert_eq!((span.links.len(), span.dropped_links_count), (32, 8));
}
