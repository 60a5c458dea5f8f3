//! Every metric, in one table.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, IntCounter, IntGauge, Registry, TextEncoder};
use syncline_cluster::bus::Kind;
use syncline_protocol::wire::hub::ResetWhy;
use syncline_storage::types::StoreError;

use super::instrument::{Attempts, Counters, Instrument, PairCounters, Seconds, SecondsBy};
use super::labels::{
    AuthFailure, CatchUpCause, JobCut, MadeAt, Route, SpanFate, StatusClass, TraceIgnored,
    VerdictStatus,
};
use crate::session::event::FrameKind;

macro_rules! metrics {
    ($($field:ident: $kind:ty = $name:literal, $help:literal;)*) => {
        /// The node's metrics. Each field is documented by its help text.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// All of them, at 0, in a registry of their own.
            pub fn new() -> Metrics {
                let registry = Registry::new();
                let process = Box::new(ProcessCollector::for_self());
                registry.register(process).expect("an empty registry");
                $(let $field = <$kind as Instrument>::create(&registry, $name, $help)
                    .expect(concat!($name, " is a good name, used once"));)*
                Metrics { registry, $($field,)* }
            }

            /// The names in the table.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

metrics! {
    sockets: IntGauge = "syncline_sockets", "Open WebSocket connections.";
    sockets_shed: IntCounter = "syncline_sockets_shed_total", "Sockets told to come back elsewhere because this node has more than others.";
    sessions: IntGauge = "syncline_sessions", "Sessions whose actor runs on this node.";
    sessions_asleep: IntGauge = "syncline_sessions_asleep", "Sessions that sleep: sockets are attached and nothing happens.";
    session_sleeps: IntCounter = "syncline_session_sleeps_total", "Times a session fell asleep with sockets attached.";
    commits: IntCounter = "syncline_commits_total", "Commits that the store took.";
    commit_conflicts: IntCounter = "syncline_commit_conflicts_total", "Commits refused because the space had moved, and tried again.";
    commit_attempts: Attempts = "syncline_commit_attempts", "Times the store was asked for a commit that it took: more than one where nodes write to one space at once.";
    commit_seconds: Seconds = "syncline_commit_seconds", "Seconds from handing a commit to the store to its answer.";
    end_to_end_seconds: SecondsBy<MadeAt> = "syncline_end_to_end_seconds", "Seconds from when a commit was durable until a device said that it has applied it, by where the commit was made. Of a few commits a second.";
    bus_lag_seconds: Seconds = "syncline_bus_lag_seconds", "Seconds from when a commit was durable on another node until it was heard of here, by both nodes' clocks. Of a few commits a second.";
    spans: Counters<SpanFate> = "syncline_spans_total", "Spans that were made, by what became of them.";
    traces_ignored: Counters<TraceIgnored> = "syncline_traces_ignored_total", "Traces of clients that do not go on here, by why.";
    verdicts: Counters<VerdictStatus> = "syncline_verdicts_total", "Mutations answered, by what they were answered.";
    deltas: IntCounter = "syncline_deltas_total", "Delta messages handed to sockets, live ones and those of catch-ups.";
    delta_bytes: IntCounter = "syncline_delta_bytes_total", "Bytes of those delta messages.";
    snapshot_messages: IntCounter = "syncline_snapshot_messages_total", "Parts of snapshots, and their ends, handed to sockets.";
    snapshot_bytes: IntCounter = "syncline_snapshot_bytes_total", "Bytes of those snapshot messages.";
    resets: Counters<ResetWhy> = "syncline_resets_total", "Cursors that could not be continued, by why.";
    epoch_changes: IntCounter = "syncline_epoch_changes_total", "Epochs this node gave because the store had lost commits.";
    stamp_ties: IntCounter = "syncline_stamp_ties_total", "Writes of one stamp and different values, decided by the values.";
    dead_letters_left_out: IntCounter = "syncline_dead_letters_left_out_total", "Changes that can never be stored, refused and named to their client and not kept: too many in one request.";
    jobs_put: IntCounter = "syncline_jobs_put_total", "Jobs that commits put, because a trigger fired.";
    jobs_cut: Counters<JobCut> = "syncline_jobs_cut_total", "Jobs that were not made although a trigger fired, by why: the change is lost to what they were for.";
    catch_ups: IntCounter = "syncline_catch_ups_total", "Pages of changes read for devices that were behind, over sockets and HTTP.";
    resyncs: IntCounter = "syncline_resyncs_total", "Slow devices whose queued changes were left to the store.";
    node_catch_ups: Counters<CatchUpCause> = "syncline_node_catch_ups_total", "Times a session read the store for what other nodes committed, by how it learnt that it must.";
    bus_published: Counters<Kind> = "syncline_bus_published_total", "Messages handed to NATS.";
    bus_dropped: Counters<Kind> = "syncline_bus_dropped_total", "Messages for other nodes that were dropped because NATS took none; they find the gap.";
    bus_heard: Counters<Kind> = "syncline_bus_heard_total", "Messages of other nodes that came from NATS.";
    bus_reconnects: IntCounter = "syncline_bus_reconnects_total", "Connections to NATS that ended and are there again.";
    bus_refusals: IntCounter = "syncline_bus_refusals_total", "Times NATS refused something, such as a subject that this node may not use.";
    store_damaged: IntCounter = "syncline_store_damaged_total", "Calls of the store that found stored bytes which cannot be read. It does not pass by itself.";
    erasures: IntCounter = "syncline_erasures_total", "Spaces of which everything was erased.";
    retention_looks: IntCounter = "syncline_retention_looks_total", "Spaces looked through for what is too old, once a batch.";
    retention_records: IntCounter = "syncline_retention_records_total", "Deleted records that were collected.";
    retention_marks: IntCounter = "syncline_retention_marks_total", "Clients whose last numbers and verdicts were collected.";
    retention_seconds: Seconds = "syncline_retention_seconds", "Seconds one look took, with what it collected.";
    session_panics: IntCounter = "syncline_session_panics_total", "Sessions that ended by a fault of the hub.";
    handler_panics: IntCounter = "syncline_handler_panics_total", "HTTP requests that ended by a fault of the hub.";
    auth_failures: Counters<AuthFailure> = "syncline_auth_failures_total", "Requests and sockets refused for who they are: no token, a bad one, a wrong service key, another's space, an origin; by code.";
    http_requests: PairCounters<Route, StatusClass> = "syncline_http_requests_total", "HTTP requests answered, by route and class of status.";
    pushes_paced: IntCounter = "syncline_pushes_paced_total", "Pushes told to come later, and socket messages that waited, because their user pushed more than limits.user_changes_per_s or limits.user_bytes_per_s allow.";
    pulls_held: IntGauge = "syncline_pulls_held", "Pulls of the first user's clients that wait for up to compat.pull_held_ms, because the device asks the same again and again.";
    replies_too_large: IntCounter = "syncline_replies_too_large_total", "Pulls refused because their table is more than one reply may hold: half of gateway.replies_bytes_max. Those devices stay behind until it is raised.";
    replies_given_up: IntCounter = "syncline_replies_given_up_total", "Replies that were taken too slowly while there was no room for others: their connections were closed.";
    unfinished_bytes: IntGauge = "syncline_unfinished_bytes", "Bytes of messages that have begun to arrive on sockets; at most gateway.unfinished_bytes_max, and a little for each socket.";
    pending_bytes: IntGauge = "syncline_pending_bytes", "Bytes of pushes that wait in sessions, or for their session's room, until they are decided; at most session.pending_node_bytes.";
    http_connections: IntGauge = "syncline_http_connections", "Open HTTP connections, upgraded ones not counted.";
    compat_connections: IntGauge = "mana_sync_connections_total", "Open WebSocket connections, under the name the first user's dashboards know.";
    compat_users: IntGauge = "mana_sync_users_connected", "Users with an open WebSocket, under the name the first user's dashboards know.";
}

impl Metrics {
    /// Shows one that is read elsewhere. Errors: its name is taken.
    pub fn show(&self, collector: Box<dyn Collector>) -> Result<(), Error> {
        self.registry.register(collector)
    }

    /// Counts a frame that a socket's outbox took.
    pub fn handed(&self, kind: FrameKind, bytes: usize) {
        let (messages, sum) = match kind {
            FrameKind::Live { .. } | FrameKind::Bulk => (&self.deltas, &self.delta_bytes),
            FrameKind::Part => (&self.snapshot_messages, &self.snapshot_bytes),
            FrameKind::Answer | FrameKind::Ephemeral | FrameKind::Presence { .. } => return,
        };
        messages.inc();
        sum.inc_by(bytes as u64);
    }

    /// Counts and logs a failure of the store that does not pass by itself. Others are told where
    /// they are met.
    pub fn note_damage(&self, error: &StoreError) {
        if let StoreError::Damaged(_) = error {
            self.store_damaged.inc();
            tracing::error!(%error, "the store cannot read what it holds");
        }
    }

    /// The text Prometheus reads (exposition format 0.0.4).
    pub fn render(&self) -> String {
        let families = self.registry.gather();
        // Writing to a string fails only for a family without series, which gather leaves out.
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::labels::Label;

    #[test]
    fn every_name_has_our_prefix_or_the_first_users() {
        for name in Metrics::NAMES {
            assert!(
                name.starts_with("syncline_") || name.starts_with("mana_sync_"),
                "{name}"
            );
        }
    }

    #[test]
    fn metrics_with_one_label_show_from_the_start() {
        let text = Metrics::new().render();
        for status in VerdictStatus::ALL {
            let line = format!(
                "syncline_verdicts_total{{status=\"{}\"}} 0",
                status.as_str()
            );
            assert!(text.contains(&line), "{line}");
        }
        assert!(text.contains("\nmana_sync_connections_total 0\n"));
    }

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.resets.inc(ResetWhy::Gc);
        metrics.sockets.set(3);
        metrics
            .http_requests
            .inc(Route::Push, StatusClass::from(429));
        metrics.commit_seconds.observe(Duration::from_millis(3));
        metrics.sessions.inc();
        let text = metrics.render();
        for line in [
            "syncline_resets_total{why=\"gc\"} 1",
            "syncline_sockets 3",
            "syncline_http_requests_total{class=\"4xx\",route=\"push\"} 1",
            "syncline_commit_seconds_bucket{le=\"0.004\"} 1",
            "syncline_sessions 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn process_metrics_are_there() {
        assert!(
            Metrics::new()
                .render()
                .contains("process_resident_memory_bytes")
        );
    }
}
