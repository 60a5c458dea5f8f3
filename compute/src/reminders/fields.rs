//! How the fields of reminders and their tasks are called. Defaults are the first user's.

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use syncline_protocol::ids::FieldName;
use syncline_protocol::json::Json;
use syncline_protocol::limits::JSON_DEPTH_CEILING;

use crate::recurring::FieldText;

/// What a config says of reminders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReminderFields {
    /// The reminder's time, if it has one of its own: a day, a time of the zone, or a moment.
    pub remind_at: FieldText,
    /// The id of its task.
    pub task: FieldText,
    /// How many minutes before the task is due, if it has no time of its own.
    pub minutes_before: FieldText,
    /// The task's time: a day, a time of the zone, or a moment.
    pub due: FieldText,
    /// The task's time of day (`10:30`), where `due` is a day.
    pub due_time: FieldText,
    /// Whether only the day of the task's time counts, by `true`.
    pub all_day: FieldText,
    /// The field that says that the task is done, by `done_is`.
    pub done: FieldText,
    /// The value of what is done.
    pub done_is: Value,
    /// By what the reminder is told: `push`, `email` or `both`; by anything if it says nothing of it.
    pub told_by: FieldText,
    /// The zone of a time, in the record that has the time, else in the other one. Where there is
    /// none it is the user's, else `zone`.
    pub timezone: FieldText,
    /// A zone of the tz database.
    pub zone: String,
    /// The time of day of what has only a day.
    pub day_at: String,
}

impl Default for ReminderFields {
    fn default() -> Self {
        let named = |name| FieldText(FieldName::trusted(name));
        ReminderFields {
            remind_at: named("remindAt"),
            task: named("taskId"),
            minutes_before: named("minutesBefore"),
            due: named("due"),
            due_time: named("dueTime"),
            all_day: named("isAllDay"),
            done: named("done"),
            done_is: Value::Bool(true),
            told_by: named("type"),
            timezone: named("timezone"),
            zone: "UTC".to_owned(),
            day_at: "09:00".to_owned(),
        }
    }
}

impl ReminderFields {
    /// For whoever checks a config. Errors: everything that is wrong, a sentence each.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        if TimeZone::get(&self.zone).is_err() {
            wrong.push(format!("zone {:?}: not in the tz database", self.zone));
        }
        if self.day_at.parse::<civil::Time>().is_err() {
            wrong.push(format!("day_at {:?}: a time such as 09:00", self.day_at));
        }
        if let Err(why) = done_json(&self.done_is) {
            wrong.push(format!("done_is: {why}"));
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong),
        }
    }

    /// The fields of a reminder from which it follows when it is due.
    pub fn of_reminders(&self) -> [&FieldText; 4] {
        [
            &self.remind_at,
            &self.task,
            &self.minutes_before,
            &self.timezone,
        ]
    }

    /// Those of a task.
    pub fn of_tasks(&self) -> [&FieldText; 5] {
        [
            &self.due,
            &self.due_time,
            &self.all_day,
            &self.done,
            &self.timezone,
        ]
    }

    /// The time of day of what has only a day; midnight if the config says none.
    pub(super) fn day_at(&self) -> civil::Time {
        self.day_at.parse().unwrap_or(civil::Time::midnight())
    }

    /// Whether a value says that a task is done.
    pub(super) fn says_done(&self, value: &Json) -> bool {
        done_json(&self.done_is).is_ok_and(|done| done == *value)
    }
}

fn done_json(value: &Value) -> Result<Json, String> {
    Json::parse(&value.to_string(), JSON_DEPTH_CEILING).map_err(|refusal| refusal.message)
}
