//! What is posted.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::Job;

use crate::about::AboutRecord;
use crate::worker::Task;

/// What a job says of itself: `{to = "llm", data = {…}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The endpoint.
    pub(super) to: String,
    /// Passed on as it is.
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
}

/// Whether a job can be told this, for whoever checks a config. `is_known` says whether there is an
/// endpoint of a name. Errors: what is wrong.
pub fn check_args(args: &Value, is_known: impl Fn(&str) -> bool) -> Result<(), String> {
    let to = args.get("to").and_then(Value::as_str);
    let (Value::Object(members), Some(to)) = (args, to) else {
        return Err("args: a webhook's name the endpoint: args = {to = \"…\"}".to_owned());
    };
    let mut names = members.keys();
    if let Some(name) = names.find(|name| !["to", "data"].contains(&name.as_str())) {
        return Err(format!(
            "args: a webhook's are `to` and `data`, not {name:?}"
        ));
    }
    match is_known(to) {
        true => Ok(()),
        false => Err(format!("args: there is no [webhooks.{to}]")),
    }
}

/// The body of a request. What a schedule does not have is left out.
#[derive(Serialize)]
pub(super) struct Event {
    /// The idempotency key: of the job and the time it is for, so the same in each try.
    id: String,
    /// What asked for it, a trigger or a schedule.
    trigger: String,
    app: String,
    space: String,
    #[serde(flatten)]
    change: Option<Change>,
    /// Which try this is, from 1.
    attempt: u32,
    /// When it was begun, RFC 3339.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// The change that a trigger saw.
#[derive(Serialize)]
struct Change {
    table: String,
    record: String,
    when: String,
    who: String,
    /// The commit, by which events of a record are in order, within an epoch.
    seq: u64,
    epoch: String,
}

/// An event that is not a job's own: a job has several of them.
pub(crate) struct Posted<'a> {
    /// The idempotency key, the same in each try.
    pub(crate) id: String,
    /// What it is, in place of a trigger. The config has none with an `@`.
    pub(crate) trigger: &'a str,
    /// Whose it is.
    pub(crate) space: &'a SpaceKey,
    /// Which try this is, from 1.
    pub(crate) attempt: u32,
    /// When it was begun.
    pub(crate) now_ms: WallMs,
    /// What it says.
    pub(crate) data: Box<RawValue>,
}

impl From<Posted<'_>> for Event {
    fn from(posted: Posted<'_>) -> Event {
        Event {
            id: posted.id,
            trigger: posted.trigger.to_owned(),
            app: posted.space.app.to_string(),
            space: posted.space.space.to_string(),
            change: None,
            attempt: posted.attempt,
            at: rfc3339(posted.now_ms),
            data: Some(posted.data),
        }
    }
}

impl Event {
    pub(super) fn of(
        task: &Task,
        record: Option<AboutRecord>,
        data: Option<Box<RawValue>>,
    ) -> Event {
        let origin = &task.job.origin;
        let change = record.map(|record| Change {
            table: record.key.table.to_string(),
            record: record.key.id.to_string(),
            when: record.when,
            who: record.who,
            seq: origin.seq.0,
            epoch: origin.epoch.to_string(),
        });
        Event {
            id: id_of(task),
            trigger: origin.trigger.to_string(),
            app: task.space().app.to_string(),
            space: task.space().space.to_string(),
            change,
            attempt: task.attempt,
            at: rfc3339(task.now_ms),
            data,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether a trigger saw a change; else a schedule asked.
    pub(super) fn is_of_a_change(&self) -> bool {
        self.change.is_some()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }
}

/// A job's name for others, in every try and every store. Of what names a job's changes too: its key, the commit that put it, which the key does not always
/// hold, and when it is due, by which a schedule's firings are told apart and which no retry moves.
/// The job's number is no part: it is another one in a store that was moved.
pub(crate) fn id_of(task: &Task) -> String {
    let Job {
        kind,
        key,
        due_at_ms,
        origin,
        ..
    } = &task.job;
    let (app, space) = (&task.space().app, &task.space().space);
    let (epoch, seq) = (origin.epoch, origin.seq.0);
    // No name holds a line feed.
    let named = format!("{app}\n{space}\n{kind}\n{key}\n{epoch}\n{seq}\n{due_at_ms}");
    let digest = Sha256::digest(named.as_bytes());
    let hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("job_{hex}")
}

fn rfc3339(ms: u64) -> String {
    let at = i64::try_from(ms).ok();
    let at = at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| format!("{at:.3}"))
}
