//! The kinds of jobs that this program does, and what may be said of each in the config.

use serde_json::Value;
use syncline_compute::recurring;
use syncline_compute::triggers::ORDERED_KIND;
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

/// Checks a trigger's or schedule's job. Errors: nobody does such jobs, or they cannot be told this.
pub(crate) fn check(job: &str, args: &Value, webhooks: &WebhookConfigs) -> Result<(), String> {
    match job {
        WEBHOOK => match args.get("to").and_then(Value::as_str) {
            None => Err("args: a webhook's name the endpoint: args = {to = \"…\"}".to_owned()),
            // A record says which.
            Some(to) if to.starts_with('$') && !to.starts_with("$$") => Ok(()),
            Some(to) => match webhooks.contains_key(to) {
                true => Ok(()),
                false => Err(format!("args: there is no [webhooks.{to}]")),
            },
        },
        RECURRENCE => recurring::check_args(args).map_err(|why| format!("args: {why}")),
        _ => Err(format!(
            "job: nobody does {job:?}; there are {RECURRENCE:?} and {WEBHOOK:?}"
        )),
    }
}
