//! The kinds of jobs that this program does, and what may be said of each in the config.

use syncline_compute::jobs::cron::ScheduleConfig;
use syncline_compute::triggers::{ORDERED_KIND, TriggerConfig};
use syncline_compute::{recurring, webhook};
use syncline_storage::jobs::JobKind;

use crate::config::webhooks::WebhookConfigs;

/// Posts an event to an endpoint of the config.
pub const WEBHOOK: &str = ORDERED_KIND;

/// Writes what repeats.
pub const RECURRENCE: &str = "recurrence";

/// Plans a user's reminders.
pub const REMINDER: &str = "reminder";

/// Delivers a notification.
pub const NOTIFY: &str = "notify";

/// All of them.
pub fn all() -> Vec<JobKind> {
    let all = [NOTIFY, RECURRENCE, REMINDER, WEBHOOK];
    all.map(JobKind::trusted).to_vec()
}

/// Whether jobs of a kind write to tables of the hub.
pub(crate) fn writes_hubs(kind: &JobKind) -> bool {
    [REMINDER, NOTIFY].contains(&kind.as_str())
}

/// Checks a trigger's job. Errors: nobody does such jobs, or they cannot be told this.
pub(crate) fn check_trigger(
    trigger: &TriggerConfig,
    webhooks: &WebhookConfigs,
) -> Result<(), String> {
    match trigger.job.as_str() {
        WEBHOOK => webhook::check_args(&trigger.args, |to| match to.strip_prefix('$') {
            // `$$…` is a text that begins with `$`.
            Some(name) if name.starts_with('$') => webhooks.contains_key(name),
            Some(of_record) => is_a_name(of_record),
            None => webhooks.contains_key(to),
        }),
        RECURRENCE => recurring::check_trigger(trigger),
        REMINDER | NOTIFY => Err(of_the_hub(&trigger.job)),
        job => Err(nobody_does(job)),
    }
}

/// The same of a schedule's.
pub(crate) fn check_schedule(
    schedule: &ScheduleConfig,
    webhooks: &WebhookConfigs,
) -> Result<(), String> {
    match schedule.job.as_str() {
        WEBHOOK => webhook::check_args(&schedule.args, |to| webhooks.contains_key(to)),
        REMINDER | NOTIFY => Err(of_the_hub(&schedule.job)),
        RECURRENCE => Err("job: what repeats is a record, and a schedule has none".to_owned()),
        job => Err(nobody_does(job)),
    }
}

/// Whether what stands for something of a record can be an endpoint's name: a whole record is none,
/// and neither is a number.
fn is_a_name(of_record: &str) -> bool {
    !["after", "before", "seq"].contains(&of_record)
}

fn of_the_hub(job: &str) -> String {
    format!("job: {job:?} is the hub's own: see app.NAME.reminders")
}

fn nobody_does(job: &str) -> String {
    format!("job: nobody does {job:?}; there are {RECURRENCE:?} and {WEBHOOK:?}")
}
