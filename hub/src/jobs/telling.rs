//! What is counted of telling users: reminders that were planned, notifications that were delivered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    exponential_buckets,
};
use syncline_compute::notify::{Delivered, End, Outcome};
use syncline_compute::reminders::{Channel, Planned};
use syncline_compute::runner::{How, Told};
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use tracing::warn;

use super::kinds;
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

/// What becomes of a notification.
const ENDS: [(End, &str); 3] = [
    (End::Delivered, "delivered"),
    (End::Undelivered, "undelivered"),
    (End::Nobody, "nobody"),
];

/// Spaces of which is kept what is not written yet. A planner that loses its lease never says so, so
/// past this all are forgotten: what they tell is not observed.
const UNWRITTEN_MAX: usize = 20_000;

/// From when on reminders could be told, of those that are not written yet, by the space that is planned.
type Unwritten = Arc<Mutex<HashMap<SpaceKey, Vec<WallMs>>>>;

/// Metrics of telling users. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TellingMetrics {
    reminders: IntCounterVec,
    notifications: IntCounter,
    problems: IntCounterVec,
    deliveries: IntCounterVec,
    ended: IntCounterVec,
    lag: HistogramVec,
    reminder_lag: Histogram,
    unwritten: Unwritten,
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
                 no_channel, quiet, limit (not told, since the user wants it so or is told too much), \
                 invalid (for no time: a field holds what is no value of it; counted at each look).",
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
            ended: counters(
                "syncline_notifications_ended_total",
                "Notifications that are delivered as far as they can be, by what became of them: \
                 delivered (a device has it, at least), undelivered (there were devices, and none \
                 has it), nobody (there was no device to deliver it to).",
                &["how"],
            )?,
            lag: shown(
                metrics,
                HistogramVec::new(
                    seconds(
                        "syncline_notification_lag_seconds",
                        "Seconds from when the first of what a notification is about was due, or \
                         when quiet hours or a limit let it be told, until who delivers had it.",
                    )?,
                    &["channel"],
                )?,
            )?,
            reminder_lag: shown(
                metrics,
                Histogram::with_opts(seconds(
                    "syncline_reminder_lag_seconds",
                    "Seconds from when a reminder was due, or when quiet hours or a limit let it be \
                     told, until its notification was stored and open sockets were told.",
                )?)?,
            )?,
            unwritten: Unwritten::default(),
        };
        for (_, how) in ENDS {
            made.ended.with_label_values(&[how]);
        }
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

    /// Counts what a planner found and is to write.
    pub(crate) fn planned(&self, space: &SpaceKey, planned: &Planned) {
        match planned.could_be_told_ms.is_empty() {
            // What another try told was not written.
            true => self.unwritten().remove(space),
            false => {
                let mut unwritten = self.unwritten();
                if unwritten.len() >= UNWRITTEN_MAX {
                    unwritten.clear();
                }
                unwritten.insert(space.clone(), planned.could_be_told_ms.clone())
            }
        };
        let nobody = self.ended.with_label_values(&["nobody"]);
        nobody.inc_by(planned.nobody as u64);
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

    /// Hears how a job ended: what a planner told is written, or it is not.
    pub(crate) fn job_ended(&self, told: &Told, now_ms: impl Fn() -> WallMs) {
        let Told::Ended { name, how, .. } = told else {
            return;
        };
        if name.kind.as_str() != kinds::REMINDER {
            return;
        }
        let Some(since) = self.unwritten().remove(&name.space) else {
            return;
        };
        let now_ms = now_ms();
        for since_ms in since.into_iter().filter(|_| *how == How::Done) {
            let lag = Duration::from_millis(now_ms.saturating_sub(since_ms));
            self.reminder_lag.observe(lag.as_secs_f64());
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, HashMap<SpaceKey, Vec<WallMs>>> {
        // Nothing panics while it is held.
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what became of a notification.
    pub(crate) fn ended(&self, end: End) {
        let how = ENDS.iter().find(|(one, _)| *one == end);
        let how = how.map_or("", |(_, how)| how);
        self.ended.with_label_values(&[how]).inc();
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
            let lag = Duration::from_millis(delivered.lag_ms);
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

/// A histogram from 10 ms to about three hours.
fn seconds(name: &str, help: &str) -> Result<HistogramOpts, Error> {
    let buckets = exponential_buckets(0.01, 4.0, 11)?;
    Ok(HistogramOpts::new(name, help).buckets(buckets))
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};
    use syncline_storage::jobs::{JobKey, JobKind, JobName};

    use super::*;

    fn ended(space: &SpaceKey, kind: &str, how: How) -> Told {
        Told::Ended {
            name: JobName {
                space: space.clone(),
                kind: JobKind::trusted(kind),
                key: JobKey::trusted("k"),
            },
            how,
            error: None,
            ran_ms: None,
        }
    }

    fn planned(could_be_told_ms: &[WallMs]) -> Planned {
        Planned {
            could_be_told_ms: could_be_told_ms.to_vec(),
            ..Planned::default()
        }
    }

    /// From when it could be told until its commit is known, and not of what was not written.
    #[test]
    fn the_lag_of_reminders_is_that_of_what_was_written() {
        let space = SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted("ada"),
        };
        let metrics = TellingMetrics::shown(&Metrics::default()).unwrap();
        let lag = || {
            let lag = &metrics.reminder_lag;
            (lag.get_sample_count(), lag.get_sample_sum())
        };
        metrics.planned(&space, &planned(&[1_000, 2_000]));
        metrics.job_ended(&ended(&space, kinds::NOTIFY, How::Done), || 3_000);
        assert_eq!(lag(), (0, 0.0));
        metrics.job_ended(&ended(&space, kinds::REMINDER, How::Done), || 3_000);
        assert_eq!(lag(), (2, 3.0));
        metrics.job_ended(&ended(&space, kinds::REMINDER, How::Done), || 9_000);
        metrics.planned(&space, &planned(&[1_000]));
        metrics.job_ended(&ended(&space, kinds::REMINDER, How::Failed), || 9_000);
        metrics.planned(&space, &planned(&[1_000]));
        metrics.planned(&space, &planned(&[]));
        metrics.job_ended(&ended(&space, kinds::REMINDER, How::Done), || 9_000);
        assert_eq!(lag(), (2, 3.0));
    }
}
