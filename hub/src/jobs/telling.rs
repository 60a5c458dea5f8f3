//! What is counted of telling users: reminders that were planned, notifications that were delivered.

use prometheus::{Error, IntCounter, IntCounterVec, Opts};
use syncline_compute::reminders::Planned;
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

/// Metrics of telling users. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TellingMetrics {
    reminders: IntCounterVec,
    notifications: IntCounter,
    problems: IntCounterVec,
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
        };
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
}
