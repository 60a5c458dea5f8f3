//! What is counted of jobs, by kind. Kinds are few: those that this program knows.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Error, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    exponential_buckets,
};
use syncline_compute::recurring::Refusal;
use syncline_compute::runner::{How, Told};
use syncline_storage::jobs::{JobCounts, JobError, JobKind};
use tracing::{debug, error, info, warn};

use crate::telemetry::Metrics;

/// How tries end, by the name they are counted under.
const HOWS: [(How, &str); 5] = [
    (How::Done, "done"),
    (How::Failed, "failed"),
    (How::Dead, "dead"),
    (How::Missed, "missed"),
    (How::GivenBack, "given_back"),
];

/// Metrics of the jobs that a node does. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct JobMetrics {
    ended: IntCounterVec,
    lag: HistogramVec,
    took: HistogramVec,
    leases_lost: IntCounterVec,
    panics: IntCounterVec,
    store_failures: IntCounter,
    refused: IntCounterVec,
    standing: IntGaugeVec,
    doing: IntGauge,
}

impl JobMetrics {
    /// Shows them, at 0, of these kinds. Errors: they are shown already.
    pub(crate) fn shown(metrics: &Metrics, kinds: &[JobKind]) -> Result<JobMetrics, Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            shown(metrics, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        // From a millisecond to about an hour.
        let seconds = |name: &str, help: &str| {
            let buckets = exponential_buckets(0.001, 4.0, 12)?;
            let opts = HistogramOpts::new(name, help).buckets(buckets);
            shown(metrics, HistogramVec::new(opts, &["kind"])?)
        };
        let made = JobMetrics {
            ended: counters(
                "syncline_jobs_ended_total",
                "Tries of jobs that ended, by how: done, failed and tried again, dead (kept for \
                 people), missed (one time of a schedule was given up), given_back (not begun).",
                &["kind", "how"],
            )?,
            lag: seconds(
                "syncline_job_lag_seconds",
                "Seconds from when a job was due to when its first try began.",
            )?,
            took: seconds(
                "syncline_job_seconds",
                "Seconds that one try of a job took.",
            )?,
            leases_lost: counters(
                "syncline_job_leases_lost_total",
                "Jobs of which a node lost the lease while it did them: it was too slow, or its \
                 clock jumped, or they were put anew.",
                &["kind"],
            )?,
            panics: counters(
                "syncline_job_panics_total",
                "Tries of jobs that ended by a fault of the hub.",
                &["kind"],
            )?,
            store_failures: shown(
                metrics,
                IntCounter::new(
                    "syncline_job_store_failures_total",
                    "Calls of the store about jobs that failed; they are made again.",
                )?,
            )?,
            refused: counters(
                "syncline_recurrences_refused_total",
                "Jobs about a record whose rule, zone or dates are none: it repeats no more, until \
                 its user mends it. By the code of what is wrong.",
                &["code"],
            )?,
            standing: shown(
                metrics,
                IntGaugeVec::new(
                    Opts::new(
                        "syncline_jobs",
                        "Jobs in the store by state, of all nodes: scheduled, leased, retry (waits \
                         for another try), dead. Counted up to 10,000 each, every 15 s.",
                    ),
                    &["kind", "state"],
                )?,
            )?,
            doing: shown(
                metrics,
                IntGauge::new(
                    "syncline_jobs_doing",
                    "Whether this node does jobs: 0 while what does them has ended by a fault and is \
                     not started again yet.",
                )?,
            )?,
        };
        for code in ["rule_invalid", "zone_unknown", "too_many_occurrences"] {
            made.refused.with_label_values(&[code]);
        }
        for kind in kinds {
            made.show_kind(kind.as_str());
        }
        Ok(made)
    }

    fn show_kind(&self, kind: &str) {
        for (_, how) in HOWS {
            self.ended.with_label_values(&[kind, how]);
        }
        self.lag.with_label_values(&[kind]);
        self.took.with_label_values(&[kind]);
        self.leases_lost.with_label_values(&[kind]);
        self.panics.with_label_values(&[kind]);
    }

    /// Shows, and logs, whether this node does jobs.
    pub(crate) fn doing(&self, is_doing: bool) {
        let was_doing = self.doing.get() == 1;
        self.doing.set(i64::from(is_doing));
        if was_doing && !is_doing {
            error!("what does jobs on this node has ended by a fault; it is started again");
        }
    }

    /// Counts a record that does not repeat, since what it says is no rule.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        let code = refusal.refused.code();
        self.refused.with_label_values(&[code]).inc();
        // The sentence may hold a user's words.
        debug!(space = %refusal.name.space, code, "a record does not repeat");
    }

    /// Counts, and logs, what a runner did.
    pub(crate) fn note(&self, told: Told) {
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
        match told {
            Told::Claimed { .. } => {}
            Told::Began { kind, lag_ms } => {
                if let Some(lag_ms) = lag_ms {
                    let lag = self.lag.with_label_values(&[kind.as_str()]);
                    lag.observe(seconds(lag_ms));
                }
            }
            Told::Ended {
                name,
                how,
                error,
                ran_ms,
            } => {
                let kind = name.kind.as_str();
                let text = HOWS
                    .iter()
                    .find(|(one, _)| *one == how)
                    .map_or("", |(_, text)| text);
                self.ended.with_label_values(&[kind, text]).inc();
                if let Some(ran_ms) = ran_ms {
                    self.took
                        .with_label_values(&[kind])
                        .observe(seconds(ran_ms));
                }
                let error = error.as_ref().map(code_of);
                match how {
                    How::Missed => {
                        warn!(space = %name.space, kind, error, "a time of a schedule was passed over");
                    }
                    How::Dead => {
                        warn!(space = %name.space, kind, error, "a job was given up");
                    }
                    How::Failed => {
                        info!(space = %name.space, kind, error, "a job failed");
                    }
                    How::Done | How::GivenBack => {}
                }
            }
            Told::LeaseLost { kind } => {
                self.leases_lost.with_label_values(&[kind.as_str()]).inc();
            }
            Told::Panicked { kind, error } => {
                self.panics.with_label_values(&[kind.as_str()]).inc();
                error!(%kind, error = error.as_str(), "a worker panicked");
            }
            Told::StoreFailed { call, error } => {
                self.store_failures.inc();
                warn!(?call, error, "jobs: the store failed");
            }
        }
    }

    /// Shows how many jobs there are.
    pub(crate) fn stand(&self, kinds: &[JobKind], counts: &[JobCounts]) {
        for (kind, count) in kinds.iter().zip(counts) {
            let states = [
                ("scheduled", count.scheduled),
                ("leased", count.leased),
                ("retry", count.retry),
                ("dead", count.dead),
            ];
            for (state, jobs) in states {
                let gauge = self.standing.with_label_values(&[kind.as_str(), state]);
                gauge.set(i64::try_from(jobs).unwrap_or(i64::MAX));
            }
        }
    }
}

/// Its first word, up to a colon. What follows may be a server's or a record's text, and stands with
/// the job in the store.
fn code_of(error: &JobError) -> &str {
    let text = error.as_str();
    text.split_once(':').map_or(text, |(code, _)| code)
}

pub(super) fn shown<M: Collector + Clone + 'static>(
    metrics: &Metrics,
    metric: M,
) -> Result<M, Error> {
    metrics.show(Box::new(metric.clone()))?;
    Ok(metric)
}
