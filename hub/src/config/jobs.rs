//! How jobs are done.

use serde::{Deserialize, Serialize};
use syncline_compute::jobs::lease::LeasePolicy;
use syncline_compute::jobs::retry::RetryPolicy;

use super::Problems;

/// Jobs: how many at once, how long, how often.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobsConfig {
    /// Jobs of a kind that this node does at once. 1 to 10,000, default 32.
    pub concurrency: u64,
    /// Notifications that this node delivers at once, in place of `concurrency`: it mostly waits for
    /// servers meanwhile, and holds a message of 4 KiB for each of a user's devices. 1 to 10,000,
    /// default 256.
    pub notify_concurrency: u64,
    /// How long a job is held before somebody else may have it, in milliseconds, if its node is not
    /// heard of. A node asks for more while it works. 5,000 to 3,600,000, default 60,000.
    pub lease_ms: u64,
    /// How long one try may take, in milliseconds. 100 to 3,600,000, default 300,000. A second longer
    /// than any webhook's `timeout_ms`, at least.
    pub time_ms: u64,
    /// Tries of a job before it is given up and kept for people. 1 to 1,000, default 12.
    pub attempts_max: u64,
    /// The wait after the first failure, in milliseconds, twice as long after each further one. 10 to
    /// 3,600,000, default 5,000.
    pub retry_first_ms: u64,
    /// The longest such wait, in milliseconds. 10 to 86,400,000, default 3,600,000.
    pub retry_longest_ms: u64,
    /// Milliseconds until an idle node looks for jobs that nobody told it of. 10 to 60,000, default
    /// 1,000.
    pub poll_ms: u64,
    /// Days that a job which was given up is kept. 1 to 3,650, default 30.
    pub dead_days: u64,
    /// How many jobs may follow from each other before a circle is cut. 1 to 100, default 8.
    pub depth_max: u64,
}

impl Default for JobsConfig {
    fn default() -> Self {
        let (lease, retry) = (LeasePolicy::default(), RetryPolicy::default());
        JobsConfig {
            concurrency: 32,
            notify_concurrency: 256,
            lease_ms: lease.lease_ms,
            time_ms: 300_000,
            attempts_max: retry.attempts_max.into(),
            retry_first_ms: retry.first_ms,
            retry_longest_ms: retry.longest_ms,
            poll_ms: 1_000,
            dead_days: 30,
            depth_max: syncline_compute::triggers::DEPTH_MAX.into(),
        }
    }
}

impl JobsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let (hour_ms, day_ms) = (3_600_000, 86_400_000);
        problems.range("jobs.concurrency", self.concurrency, 1..=10_000);
        problems.range(
            "jobs.notify_concurrency",
            self.notify_concurrency,
            1..=10_000,
        );
        problems.range("jobs.lease_ms", self.lease_ms, 5_000..=hour_ms);
        problems.range("jobs.time_ms", self.time_ms, 100..=hour_ms);
        problems.range("jobs.attempts_max", self.attempts_max, 1..=1_000);
        problems.range("jobs.retry_first_ms", self.retry_first_ms, 10..=hour_ms);
        problems.range("jobs.retry_longest_ms", self.retry_longest_ms, 10..=day_ms);
        problems.range("jobs.poll_ms", self.poll_ms, 10..=60_000);
        problems.range("jobs.dead_days", self.dead_days, 1..=3_650);
        problems.range("jobs.depth_max", self.depth_max, 1..=100);
    }

    /// How long jobs are held.
    pub fn lease(&self) -> LeasePolicy {
        LeasePolicy {
            lease_ms: self.lease_ms,
            margin_ms: self.lease_ms / 6,
        }
    }

    /// How often they are tried.
    pub fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            attempts_max: u32::try_from(self.attempts_max).unwrap_or(u32::MAX),
            first_ms: self.retry_first_ms,
            longest_ms: self.retry_longest_ms,
        }
    }
}
