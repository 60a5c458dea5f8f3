//! The kinds of jobs that this program does, and what may be said of each in the config.

use serde_json::Value;
use syncline_compute::jobs::cron::ScheduleConfig;
use syncline_compute::recurring;
use syncline_compute::triggers::{ORDERED_KIND, TriggerConfig};
use syncline_storage::jobs::JobKind;

use crate::config::webhooks::WebhookConfigs;

/// Posts an event to an endpoint of the config.
pub const WEBHOOK: &str = ORDERED_KIND;

/// Writes what repeats.
pub const RECURRENCE: &str = "recurrence";

/// All of them.
pub fn all() -> Vec<JobKind> {
    [RECURRENCE, WEBHOOK].map(JobKind::trusted).to_vec()
}

/// Checks a trigger's job. Errors: nobody does such jobs, or they cannot be told this.
pub(crate) fn check_trigger(
    trigger: &TriggerConfig,
    webhooks: &WebhookConfigs,
) -> Result<(), String> {
    match trigger.job.as_str() {
        WEBHOOK => check_webhook(&trigger.args, webhooks),
        RECURRENCE => recurring::check_trigger(trigger),
        job => Err(nobody_does(job)),
    }
}

/// The same of a schedule's.
pub(crate) fn check_schedule(
    schedule: &ScheduleConfig,
    webhooks: &WebhookConfigs,
) -> Result<(), String> {
    match schedule.job.as_str() {
        WEBHOOK => check_webhook(&schedule.args, webhooks),
        RECURRENCE => Err("job: what repeats is a record, and a schedule has none".to_owned()),
        job => Err(nobody_does(job)),
    }
}

fn check_webhook(args: &Value, webhooks: &WebhookConfigs) -> Result<(), String> {
    match args.get("to").and_then(Value::as_str) {
        None => Err("args: a webhook's name the endpoint: args = {to = \"…\"}".to_owned()),
        // A record says which.
        Some(to) if to.starts_with('$') && !to.starts_with("$$") => Ok(()),
        Some(to) => match webhooks.contains_key(to) {
            true => Ok(()),
            false => Err(format!("args: there is no [webhooks.{to}]")),
        },
    }
}

fn nobody_does(job: &str) -> String {
    format!("job: nobody does {job:?}; there are {RECURRENCE:?} and {WEBHOOK:?}")
}
