//! What no section can tell alone: settings that do not go together.

use serde_json::Value;
use syncline_compute::notify::PLACE_WAIT_MS_MAX as NOTIFY_WAIT_MS_MAX;
use syncline_compute::recurring;
use syncline_compute::reminders::CHANGES_MIN;
use syncline_compute::webhook::PLACE_WAIT_MS_MAX;

use super::{Config, Problems};
use crate::jobs::kinds;

/// Notes what would have every job of a kind given up.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    check_webhook_times(config, problems);
    check_apps_of_webhooks(config, problems);
    check_times_of_telling(config, problems);
    check_limits_of_jobs(config, problems);
    check_limits_of_reminders(config, problems);
}

/// What the hub's own records of a user need of the limits, generously.
const OF_REMINDERS: [(&str, u64); 4] = [
    ("limits.changes_per_push_max", CHANGES_MIN as u64),
    ("limits.fields_max", 32),
    ("limits.name_bytes_max", 64),
    ("limits.record_bytes_max", 64 << 10),
];

/// The same of pushes and mail.
fn check_times_of_telling(config: &Config, problems: &mut Problems) {
    let time_ms = config.jobs.time_ms;
    let times = [
        (
            "push",
            // One that is too large is sent once more.
            2 * config.push.timeout_ms,
            config.push.private_key.is_some(),
        ),
        ("mail", config.mail.timeout_ms, config.mail.is_on()),
    ];
    for (key, timeout_ms, is_on) in times {
        if is_on && timeout_ms.saturating_add(NOTIFY_WAIT_MS_MAX) > time_ms {
            let why = format!(
                "timeout_ms: with the {NOTIFY_WAIT_MS_MAX} ms that a notification may wait for its turn \
                 it is longer than jobs.time_ms ({time_ms}) lets a try"
            );
            problems.push(key, why);
        }
    }
}

/// What the hub writes of a user's reminders is checked as anybody's changes are.
fn check_limits_of_reminders(config: &Config, problems: &mut Problems) {
    let limits = &config.limits;
    let values = [
        limits.changes_per_push_max,
        limits.fields_max,
        limits.name_bytes_max,
        limits.record_bytes_max,
    ];
    let reminding = config.app.iter().find(|(_, app)| app.reminders.is_some());
    let Some((app, _)) = reminding else { return };
    for ((key, least), value) in OF_REMINDERS.into_iter().zip(values) {
        if value < least {
            problems.push(
                key,
                format!("is too small for reminders of app {app}: {least} at least"),
            );
        }
    }
}

/// A try that takes longer is ended in the middle of the post, whatever the endpoint may take.
fn check_webhook_times(config: &Config, problems: &mut Problems) {
    let time_ms = config.jobs.time_ms;
    for (name, webhook) in &config.webhooks {
        if webhook.timeout_ms.saturating_add(PLACE_WAIT_MS_MAX) > time_ms {
            let why = format!(
                "webhook {name:?}: timeout_ms: with the {PLACE_WAIT_MS_MAX} ms that an event may wait \
                 for its turn, an answer may take longer than jobs.time_ms ({time_ms}) lets a try"
            );
            problems.push("webhooks", why);
        }
    }
}

/// Whose jobs an endpoint takes. Where a record names the endpoint, whoever writes the record chooses: then
/// each endpoint must say whose it is.
fn check_apps_of_webhooks(config: &Config, problems: &mut Problems) {
    for (app, of_app) in &config.app {
        let triggers = of_app.triggers.iter();
        let triggers = triggers.map(|trigger| (&trigger.id, &trigger.job, &trigger.args));
        let schedules = of_app.schedules.iter();
        let schedules = schedules.map(|schedule| (&schedule.id, &schedule.job, &schedule.args));
        for (id, _, args) in triggers
            .chain(schedules)
            .filter(|(_, job, _)| *job == kinds::WEBHOOK)
        {
            let Some(to) = args.get("to").and_then(Value::as_str) else {
                continue;
            };
            let fixed = to
                .strip_prefix('$')
                .map_or(Some(to), |rest| rest.starts_with('$').then_some(rest));
            let Some(name) = fixed else {
                let open = config.webhooks.iter();
                for (name, _) in open.filter(|(_, webhook)| webhook.apps.is_empty()) {
                    let why = format!(
                        "webhook {name:?}: apps: it must say whose jobs it takes, since records of app \
                         {app} name endpoints for trigger {id}"
                    );
                    problems.push("webhooks", why);
                }
                continue;
            };
            let webhook = config.webhooks.get(name);
            if webhook
                .is_some_and(|webhook| !webhook.apps.is_empty() && !webhook.apps.contains(app))
            {
                let why = format!("webhook {name:?}: apps: {id} of app {app} posts to it");
                problems.push("webhooks", why);
            }
        }
    }
}

/// What these jobs write is pushed as anybody's changes are.
fn check_limits_of_jobs(config: &Config, problems: &mut Problems) {
    let limits = &config.limits;
    for (app, of_app) in &config.app {
        let triggers = of_app.triggers.iter();
        for trigger in triggers.filter(|trigger| trigger.job == kinds::RECURRENCE) {
            let Some(needs) = recurring::needs(trigger) else {
                continue;
            };
            let id = &trigger.id;
            let (changes, name_bytes) = (needs.changes as u64, needs.name_bytes as u64);
            if changes > limits.changes_per_push_max {
                let why =
                    format!("is too small for trigger {id} of app {app}: it writes {changes}");
                problems.push("limits.changes_per_push_max", why);
            }
            if name_bytes > limits.name_bytes_max {
                let why = format!(
                    "is too small for trigger {id} of app {app}: it writes names of {name_bytes}"
                );
                problems.push("limits.name_bytes_max", why);
            }
        }
    }
}
