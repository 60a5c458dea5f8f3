//! What is counted of telling users: reminders that were planned, notifications that were delivered.

use std::time::Duration;

use prometheus::{
    Error, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, exponential_buckets,
};
use syncline_compute::notify::{Delivered, Outcome};
use syncline_compute::reminders::{Channel, Planned};
use syncline_protocol::ids::SpaceKey;
use tracing::warn;

use super::metrics::shown;
use crate::telemetry::Metrics;

/// What becomes of reminders that are due, by the name it is counted under.
const HOWS: [&str; 7] = [
    "told",
    "late",
    "missed",
    "no_channel",
    "quiet",
    "limit",
    "invalid",
];

/// What is wrong with a space's reminders, by codes that stay.
const PROBLEMS: [&str; 3] = [
    "too_many_reminders",
    "preferences_invalid",
    "reminder_invalid",
];

/// Channels that deliver.
const CHANNELS: [&str; 3] = ["push", "mail", "webhook"];

/// What becomes of a delivery.
const OUTCOMES: [&str; 4] = ["sent", "failed", "gone", "retried"];

/// Metrics of telling users. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TellingMetrics {
    reminders: IntCounterVec,
    notifications: IntCounter,
    problems: IntCounterVec,
    deliveries: IntCounterVec,
    lag: HistogramVec,
}

impl TellingMetrics {
    /// Shows them, at 0. Errors: they are shown already.
    pub(crate) fn shown(metrics: &Metrics) -> Result<TellingMetrics, Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            shown(metrics, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let made = TellingMetrics {
            reminders: counters(
                "syncline_reminders_total",
                "Reminders that were due, by what became of them: told, late (told late), missed, \
                 no_channel, quiet, limit (not told, since the user wants it so), invalid (for no \
                 time: a field holds what is no value of it; counted at each look).",
                &["how"],
            )?,
            notifications: shown(
                metrics,
                IntCounter::new(
                    "syncline_notifications_total",
                    "Notifications that were made.",
                )?,
            )?,
            problems: counters(
                "syncline_reminder_problems_total",
                "Looks at a space's reminders that found something wrong, by its code.",
                &["code"],
            )?,
            deliveries: counters(
                "syncline_notification_deliveries_total",
                "Tries to deliver a notification to a device, by channel and by what became of it: \
                 sent, failed (given up), gone (there is no such device any more), retried.",
                &["channel", "how"],
            )?,
            lag: shown(
                metrics,
                HistogramVec::new(
                    HistogramOpts::new(
                        "syncline_notification_lag_seconds",
                        "Seconds from when the first of what a notification is about was due until \
                         who delivers had it.",
                    )
                    // From 10 ms to about three hours.
                    .buckets(exponential_buckets(0.01, 4.0, 11)?),
                    &["channel"],
                )?,
            )?,
        };
        for channel in CHANNELS {
            made.lag.with_label_values(&[channel]);
            for how in OUTCOMES {
                made.deliveries.with_label_values(&[channel, how]);
            }
        }
        for how in HOWS {
            made.reminders.with_label_values(&[how]);
        }
        for code in PROBLEMS {
            made.problems.with_label_values(&[code]);
        }
        Ok(made)
    }

    /// Counts what a planner found and writes.
    pub(crate) fn planned(&self, space: &SpaceKey, planned: &Planned) {
        let counts = [
            ("told", planned.told - planned.late),
            ("late", planned.late),
            ("missed", planned.missed),
            ("no_channel", planned.without_channel),
            ("quiet", planned.in_quiet),
            ("limit", planned.over_limit),
            ("invalid", planned.invalid),
        ];
        for (how, count) in counts {
            let counter = self.reminders.with_label_values(&[how]);
            counter.inc_by(count as u64);
        }
        self.notifications.inc_by(planned.notifications as u64);
        for code in planned.problems() {
            self.problems.with_label_values(&[code]).inc();
        }
        if planned.is_cut {
            warn!(%space, "too_many_reminders: those of the last ids are not looked at");
        }
    }

    /// Counts, and logs, what became of a delivery.
    pub(crate) fn delivered(&self, delivered: &Delivered) {
        let channel = match delivered.channel {
            Channel::Push => "push",
            Channel::Mail => "mail",
            Channel::Webhook => "webhook",
            // It is synced, and nobody delivers it.
            Channel::Notice => return,
        };
        let how = match delivered.how {
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
            Outcome::Gone => "gone",
            Outcome::Retried => "retried",
        };
        let counter = self.deliveries.with_label_values(&[channel, how]);
        counter.inc();
        if delivered.how == Outcome::Sent {
            let lag = Duration::from_millis(delivered.ms_after_due);
            let histogram = self.lag.with_label_values(&[channel]);
            histogram.observe(lag.as_secs_f64());
        }
        if let (Outcome::Failed, Some(error)) = (delivered.how, &delivered.error) {
            warn!(
                channel,
                error = error.as_str(),
                "a notification was not delivered"
            );
        }
    }
}
