//! What a config says of an app's reminders, `[app.NAME.reminders]`. Defaults are the first user's.

use serde::{Deserialize, Serialize};
use syncline_protocol::ids::{FieldName, TableName};
use syncline_protocol::limits::NAME_BYTES_CEILING;

use super::fields::ReminderFields;
use super::plan::PlanLimits;
use super::preferences::{LIMIT_MAX, Limit};
use super::template::Templates;
use super::words::{self, TemplateTexts};
use crate::recurring::FieldText;

/// Seconds after which nothing fires any more, at most: a week.
pub const CUT_OFF_S_MAX: u64 = 7 * 86_400;

/// Milliseconds of which what is due is one notification, at most: an hour.
pub const BATCH_WINDOW_MS_MAX: u64 = 3_600_000;

/// An app's reminders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemindersConfig {
    /// The table of the reminders.
    pub table: String,
    /// The table of what they are about.
    pub tasks: String,
    /// Whether the first user's routes for reminders are served for this app.
    pub rest: bool,
    /// The field of a reminder that says what it is called. Where it says nothing, its task does.
    pub title: FieldText,
    /// The field of a task that says what it is called.
    pub task_title: FieldText,
    /// How the other fields are called.
    #[serde(flatten)]
    pub fields: ReminderFields,
    /// What is told later than this is told as late, in seconds; at most `cut_off_s`.
    pub late_s: u64,
    /// What is later than this is not told any more, in seconds, up to [`CUT_OFF_S_MAX`]; also how
    /// long a notification is of use.
    pub cut_off_s: u64,
    /// A reminder that is set for a time that has passed by more than this is not told, in seconds;
    /// at most `cut_off_s`.
    pub past_s: u64,
    /// What is told at one time and was due within so many milliseconds is one notification, up to
    /// [`BATCH_WINDOW_MS_MAX`].
    pub batch_window_ms: u64,
    /// Notifications that one user is told within an hour, whatever the user prefers; between 1 and
    /// [`LIMIT_MAX`]. What is more waits until there is room.
    pub hourly_max: u32,
    /// The same within a day.
    pub daily_max: u32,
    /// The language of whoever has none that there are words in.
    pub language: String,
    /// Words by kind (`reminder`, `reminders`, `untitled`, `missed`, `over_limit`) and language, in place of those that are
    /// there or beside them.
    pub templates: TemplateTexts,
}

impl Default for RemindersConfig {
    fn default() -> Self {
        let title = || FieldText(FieldName::trusted("title"));
        RemindersConfig {
            table: "reminders".to_owned(),
            tasks: "tasks".to_owned(),
            rest: false,
            title: title(),
            task_title: title(),
            fields: ReminderFields::default(),
            late_s: 60,
            cut_off_s: 12 * 3_600,
            past_s: 60,
            batch_window_ms: 60_000,
            hourly_max: 60,
            daily_max: 300,
            language: "en".to_owned(),
            templates: TemplateTexts::new(),
        }
    }
}

/// A table of which some changes have reminders looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The table.
    pub table: TableName,
    /// The fields that matter: beside an insert and a delete, only a change of these does.
    pub fields: Vec<FieldName>,
}

/// A config as it is worked by.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) table: TableName,
    pub(super) tasks: TableName,
    pub(super) title: FieldText,
    pub(super) task_title: FieldText,
    pub(super) fields: ReminderFields,
    pub(super) limits: PlanLimits,
    pub(super) batch_window_ms: u64,
    /// How often anybody is told at most: within an hour, and within a day.
    pub(super) told_max: [Limit; 2],
    pub(super) templates: Templates,
}

impl RemindersConfig {
    /// For whoever checks a config. Errors: everything that is wrong, a sentence each.
    pub fn check(&self) -> Result<(), Vec<String>> {
        self.checked().map(|_| ())
    }

    /// The words of its notifications, by kind and language. Errors: everything that is wrong.
    pub fn templates(&self) -> Result<Templates, Vec<String>> {
        words::templates(&self.templates, &self.language)
    }

    /// The table of reminders, and the fields by which they are due. Errors: its name is none.
    pub fn fields_that_matter_of_reminders(&self) -> Result<Watched, String> {
        let table = table("table", &self.table)?;
        let fields = named(self.fields.of_reminders());
        Ok(Watched { table, fields })
    }

    /// The same of the table of tasks.
    pub fn fields_that_matter_of_tasks(&self) -> Result<Watched, String> {
        let table = table("tasks", &self.tasks)?;
        let fields = named(self.fields.of_tasks());
        Ok(Watched { table, fields })
    }

    pub(super) fn checked(&self) -> Result<Checked, Vec<String>> {
        let mut wrong = Vec::new();
        let mut named = |what, text| {
            let name = table(what, text);
            name.map_err(|why| wrong.push(why)).ok()
        };
        let tables = (named("table", &self.table), named("tasks", &self.tasks));
        if self.table == self.tasks {
            wrong.push("tasks: the reminders' own table".to_owned());
        }
        wrong.extend(self.fields.check().err().into_iter().flatten());
        if !(1..=CUT_OFF_S_MAX).contains(&self.cut_off_s) {
            wrong.push(format!("cut_off_s: between 1 and {CUT_OFF_S_MAX}"));
        }
        for (what, seconds) in [("late_s", self.late_s), ("past_s", self.past_s)] {
            if seconds > self.cut_off_s {
                wrong.push(format!("{what}: at most cut_off_s"));
            }
        }
        if self.batch_window_ms > BATCH_WINDOW_MS_MAX {
            wrong.push(format!("batch_window_ms: at most {BATCH_WINDOW_MS_MAX}"));
        }
        for (what, most) in [
            ("hourly_max", self.hourly_max),
            ("daily_max", self.daily_max),
        ] {
            if !(1..=LIMIT_MAX).contains(&most) {
                wrong.push(format!("{what}: between 1 and {LIMIT_MAX}"));
            }
        }
        let templates = self.templates();
        let templates = templates.map_err(|whys| wrong.extend(whys)).ok();
        match (tables, templates) {
            ((Some(table), Some(tasks)), Some(templates)) if wrong.is_empty() => Ok(Checked {
                table,
                tasks,
                title: self.title.clone(),
                task_title: self.task_title.clone(),
                fields: self.fields.clone(),
                limits: self.limits(),
                batch_window_ms: self.batch_window_ms,
                told_max: [(self.hourly_max, 60), (self.daily_max, 24 * 60)].map(
                    |(count, minutes)| Limit {
                        count: count as usize,
                        window_ms: minutes * 60_000,
                    },
                ),
                templates,
            }),
            _ => Err(wrong),
        }
    }

    fn limits(&self) -> PlanLimits {
        PlanLimits {
            late_ms: self.late_s * 1_000,
            cut_off_ms: self.cut_off_s * 1_000,
            past_ms: self.past_s * 1_000,
        }
    }
}

/// A table of the app's own.
fn table(what: &str, text: &str) -> Result<TableName, String> {
    let name = TableName::parse_within(text, NAME_BYTES_CEILING);
    let name = name.map_err(|refusal| format!("{what} {text:?}: {}", refusal.message))?;
    match name.is_hubs() {
        true => Err(format!(
            "{what} {text:?}: names that begin with @ are the hub's"
        )),
        false => Ok(name),
    }
}

fn named<const N: usize>(fields: [&FieldText; N]) -> Vec<FieldName> {
    let mut names: Vec<FieldName> = fields.map(|field| field.0.clone()).to_vec();
    names.sort_unstable();
    names.dedup();
    names
}
