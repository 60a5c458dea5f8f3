//! What a trigger says of records that repeat: how their fields are called. Defaults are those of
//! the first user's tasks and events.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use syncline_protocol::ids::{FieldName, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::limits::{JSON_DEPTH_CEILING, NAME_BYTES_CEILING};
use syncline_protocol::object::Object;
use syncline_storage::jobs::JobError;

use crate::triggers::{Per, TriggerConfig};

/// Days of the longest window ahead.
pub const DAYS_MAX: u32 = 366;

/// Days of the longest window behind.
pub const PAST_DAYS_MAX: u32 = 366;

/// Fields that an occurrence may take from its event.
pub const COPIED_MAX: usize = 64;

/// Each occurrence would be an event that has occurrences.
const INTO_OWN: &str = "into: the events' own table";

/// What is to be done, by `do`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum RecurringArgs {
    /// `next`: the next instance of what was done.
    Next(NextArgs),
    /// `occurrences`: those of an event, in a window that rolls.
    Occurrences(OccurrencesArgs),
}

/// Makes the next instance of a record that is done and repeats, as another record: with its
/// fields, but for those named here. What was missed does not come again. A record whose rule has
/// ended, that does not repeat or that is not done any more makes nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextArgs {
    /// The field of its rule. A `COUNT` in it is counted down.
    #[serde(default = "repeat")]
    pub rule: FieldText,
    /// The field of the time that moves on: a day, a time of the zone, or a moment. Where it is
    /// none, the rule starts on the day of the completion.
    #[serde(default = "due")]
    pub start: FieldText,
    /// Fields of times that move with it, by as much.
    #[serde(default)]
    pub shift: Vec<FieldText>,
    /// The field of its zone; where there is none, `zone`.
    #[serde(default = "timezone")]
    pub timezone: FieldText,
    /// A zone of the tz database.
    #[serde(default = "utc")]
    pub zone: String,
    /// The field of a list of times that are left out.
    #[serde(default = "except")]
    pub except: FieldText,
    /// The field that says that it is done, by `done_is`. When it was written is when it was done.
    #[serde(default = "done")]
    pub done: FieldText,
    /// The value of what is done.
    #[serde(default = "yes")]
    pub done_is: Value,
    /// What the next instance has instead of what the record has. By default that it is not done,
    /// where `done_is` is true or false.
    #[serde(default)]
    pub set: Option<BTreeMap<FieldText, Value>>,
    /// What it does not have.
    #[serde(default)]
    pub leave_out: Vec<FieldText>,
    /// What is written to the record that was done; `{"repeat":null}` moves the rule away from it.
    #[serde(default)]
    pub old: BTreeMap<FieldText, Value>,
}

/// Keeps records of an event's occurrences, from `past_days` ago to `days` ahead: those it lacks are
/// inserted, those that are not of the rule (any more) or behind the window are deleted, and what
/// was copied and has changed is updated. One that somebody has edited (`edited` is true) is left
/// alone, also when the event goes. To leave out an occurrence is for the event (`except`): its
/// record alone comes back. The trigger must fire for every change of the event that the worker is
/// to know, deletes among them, and is `per = "record"`: the event's one job keeps the window
/// rolling, and a change puts that one anew. With a job for each change somebody would have to know
/// which is the last, and a change that puts none would end the window.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OccurrencesArgs {
    /// The table of the occurrences, another than the events'.
    #[serde(deserialize_with = "table")]
    pub into: TableName,
    /// Days ahead.
    pub days: u32,
    /// Days behind, 1 by default.
    #[serde(default = "one")]
    pub past_days: u32,
    /// The event's rule.
    #[serde(default = "repeat")]
    pub rule: FieldText,
    /// Its start, also an occurrence's.
    #[serde(default = "starts_at")]
    pub start: FieldText,
    /// Its end, likewise; as long after the start.
    #[serde(default = "ends_at")]
    pub end: FieldText,
    /// Its zone; where there is none, `zone`.
    #[serde(default = "timezone")]
    pub timezone: FieldText,
    /// A zone of the tz database.
    #[serde(default = "utc")]
    pub zone: String,
    /// Its list of times that are left out.
    #[serde(default = "except")]
    pub except: FieldText,
    /// Fields that an occurrence has from its event.
    #[serde(default = "copied")]
    pub copy: Vec<FieldText>,
    /// The field of an occurrence that names its event.
    #[serde(default = "event")]
    pub event: FieldText,
    /// The field of an occurrence that says which it is: the start that the rule gives it.
    #[serde(default = "occurs_at")]
    pub occurs_at: FieldText,
    /// The field of an occurrence that says that somebody has edited it.
    #[serde(default = "edited")]
    pub edited: FieldText,
}

/// A field's name, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldText(pub FieldName);

impl FieldText {
    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Serialize for FieldText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FieldText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FieldText, D::Error> {
        let text = String::deserialize(from)?;
        let name = FieldName::parse_within(&text, NAME_BYTES_CEILING);
        name.map(FieldText)
            .map_err(|refusal| serde::de::Error::custom(refusal.message))
    }
}

fn table<'de, D: Deserializer<'de>>(from: D) -> Result<TableName, D::Error> {
    let text = String::deserialize(from)?;
    let name = TableName::parse_within(&text, NAME_BYTES_CEILING);
    name.map_err(|refusal| serde::de::Error::custom(refusal.message))
}

/// Whether this worker can do a trigger's jobs, for whoever checks a config. Errors: what is wrong.
pub fn check_trigger(trigger: &TriggerConfig) -> Result<(), String> {
    let args = |why: String| format!("args: {why}");
    let RecurringArgs::Occurrences(occurrences) = read(&trigger.args).map_err(args)? else {
        return Ok(());
    };
    if trigger.table == occurrences.into.as_str() {
        return Err(args(INTO_OWN.to_owned()));
    }
    match trigger.per {
        Per::Record => Ok(()),
        Per::Commit => {
            Err("per: occurrences are kept by one job of each event: per = \"record\"".to_owned())
        }
    }
}

pub(super) fn read(args: &Value) -> Result<RecurringArgs, String> {
    let Object(read) = Object::deserialize(args).map_err(|error| error.to_string())?;
    match &read {
        RecurringArgs::Next(args) => args.check()?,
        RecurringArgs::Occurrences(args) => args.check()?,
    }
    Ok(read)
}

pub(super) fn invalid(why: &str) -> JobError {
    JobError::new(&format!("args_invalid: the job's arguments: {why}"))
}

impl NextArgs {
    fn check(&self) -> Result<(), String> {
        check_zone(&self.zone)?;
        let set = self.set();
        let values = set.values().chain(self.old.values());
        for value in values.chain([&self.done_is]) {
            json(value)?;
        }
        let is_done = match set.get(&self.done) {
            Some(value) => json(value)? == json(&self.done_is)?,
            None => true,
        };
        match is_done && !self.leave_out.contains(&self.done) {
            true => Err(format!(
                "set: the next instance would be done too; give {:?} another value than {}",
                self.done.as_str(),
                self.done_is
            )),
            false => Ok(()),
        }
    }

    /// What the next instance has instead of what the record has.
    pub(super) fn set(&self) -> BTreeMap<FieldText, Value> {
        if let Some(set) = &self.set {
            return set.clone();
        }
        let mut set = BTreeMap::new();
        if let Value::Bool(done_is) = self.done_is {
            set.insert(self.done.clone(), Value::Bool(!done_is));
        }
        if self.done == done() {
            // The first user's tasks say when.
            set.insert(named("doneAt"), Value::Null);
        }
        set
    }
}

impl OccurrencesArgs {
    fn check(&self) -> Result<(), String> {
        check_zone(&self.zone)?;
        if !(1..=DAYS_MAX).contains(&self.days) {
            return Err(format!("days: between 1 and {DAYS_MAX}"));
        }
        if !(1..=PAST_DAYS_MAX).contains(&self.past_days) {
            return Err(format!("past_days: between 1 and {PAST_DAYS_MAX}"));
        }
        if self.copy.len() > COPIED_MAX {
            return Err(format!("copy: at most {COPIED_MAX}"));
        }
        Ok(())
    }

    pub(super) fn check_table(&self, events: &TableName) -> Result<(), String> {
        match self.into == *events {
            true => Err(INTO_OWN.to_owned()),
            false => Ok(()),
        }
    }
}

/// A value of the config as a record has it.
pub(super) fn json(value: &Value) -> Result<Json, String> {
    Json::parse(&value.to_string(), JSON_DEPTH_CEILING).map_err(|refusal| refusal.message)
}

fn check_zone(name: &str) -> Result<(), String> {
    let zone = jiff::tz::TimeZone::get(name);
    zone.map(|_| ())
        .map_err(|_| format!("zone {name:?}: not in the tz database"))
}

fn named(name: &str) -> FieldText {
    FieldText(FieldName::trusted(name))
}

fn repeat() -> FieldText {
    named("repeat")
}

fn due() -> FieldText {
    named("due")
}

fn timezone() -> FieldText {
    named("timezone")
}

fn except() -> FieldText {
    named("except")
}

fn done() -> FieldText {
    named("done")
}

fn starts_at() -> FieldText {
    named("startsAt")
}

fn ends_at() -> FieldText {
    named("endsAt")
}

fn event() -> FieldText {
    named("event")
}

fn occurs_at() -> FieldText {
    named("occursAt")
}

fn edited() -> FieldText {
    named("edited")
}

fn copied() -> Vec<FieldText> {
    let names = [
        "calendar",
        "title",
        "description",
        "location",
        "isAllDay",
        "timezone",
        "status",
    ];
    names.map(named).to_vec()
}

fn yes() -> Value {
    Value::Bool(true)
}

fn utc() -> String {
    "UTC".to_owned()
}

fn one() -> u32 {
    1
}
