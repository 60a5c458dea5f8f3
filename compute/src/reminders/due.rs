//! For when a reminder is, by its record and its task's, or why it is for no time.
//!
//! Two steps, since only the first record names the second: [`Asks::of`] reads the reminder,
//! [`Asks::due`] says when, given the task as it is now.

use jiff::civil;
use jiff::tz::TimeZone;
use syncline_protocol::ids::RecordId;
use syncline_protocol::limits::NAME_BYTES_CEILING;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::fields::ReminderFields;
use super::preferences::Channel;
use super::times::{Time, wall_ms};

/// The most minutes before its task that a reminder may be for: a leap year.
pub const MINUTES_MAX: u32 = 366 * 24 * 60;

/// For when a reminder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at_ms: WallMs,
    /// When somebody last wrote what this follows from, by the clock of whoever did.
    pub set_ms: WallMs,
}

/// Why a reminder is for no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDue {
    /// It was deleted, or never was there.
    #[error("reminder_deleted")]
    Deleted,
    /// It says neither a time nor how long before its task.
    #[error("reminder_without_time")]
    WithoutTime,
    /// Its task is not there (yet).
    #[error("task_unknown")]
    TaskUnknown,
    /// Its task was deleted.
    #[error("task_deleted")]
    TaskDeleted,
    /// Its task is done.
    #[error("task_done")]
    TaskDone,
    /// Its task has no time.
    #[error("task_without_time")]
    TaskWithoutTime,
    /// A field holds what is no value of it.
    #[error("value_invalid: {0}")]
    Invalid(&'static str),
}

/// What a reminder asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    /// The task that it is about: [`Asks::due`] wants it.
    pub task: Option<RecordId>,
    /// By what its user is told, of what the preferences allow; `None`: by all of it.
    pub told_by: Option<&'static [Channel]>,
    when: When,
    /// The reminder's zone, if it has one.
    zone: Option<TimeZone>,
    /// When this was written.
    set_ms: WallMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(Time),
    Before { minutes: u32 },
}

impl Asks {
    /// Reads a reminder. Errors: it asks for nothing.
    pub fn of(reminder: Option<&Record>, fields: &ReminderFields) -> Result<Asks, NoDue> {
        let record = reminder.filter(|record| record.is_live());
        let record = record.ok_or(NoDue::Deleted)?;
        let mut read = Read::of(record);
        let task = match read.text(fields.task.as_str(), "task")? {
            Some(id) => Some(
                RecordId::parse_within(&id, NAME_BYTES_CEILING)
                    .map_err(|_| NoDue::Invalid("task"))?,
            ),
            None => None,
        };
        let when = match read.time(fields.remind_at.as_str(), "remind_at")? {
            Some(time) => When::At(time),
            None => {
                let minutes = read.minutes(fields.minutes_before.as_str())?;
                let minutes = minutes.filter(|_| task.is_some());
                When::Before {
                    minutes: minutes.ok_or(NoDue::WithoutTime)?,
                }
            }
        };
        Ok(Asks {
            task,
            told_by: told_by(record, fields),
            when,
            zone: read.zone(fields.timezone.as_str())?,
            set_ms: read.set_ms,
        })
    }

    /// When it is due if its task does not prevent it, where that follows from the reminder alone.
    pub(super) fn due_alone(&self) -> Option<Due> {
        let When::At(Time::Moment(moment)) = self.when else {
            return None;
        };
        Some(Due {
            at_ms: wall_ms(moment)?,
            set_ms: self.set_ms,
        })
    }

    /// When it is due, by its task as it is in the store, and the user's zone where no record has
    /// one. Errors: never, as things are.
    pub fn due(
        &self,
        task: Option<&Record>,
        user_zone: Option<&TimeZone>,
        fields: &ReminderFields,
    ) -> Result<Due, NoDue> {
        let mut read = match (&self.task, task) {
            (None, _) => None,
            (Some(_), Some(task)) if task.is_live() => Some(Read::of(task)),
            (Some(_), Some(task)) if task.deleted.is_some() => return Err(NoDue::TaskDeleted),
            (Some(_), _) => match self.when {
                // The task may be on its way from a device, and this one is asked for anyhow.
                When::At(_) => None,
                When::Before { .. } => return Err(NoDue::TaskUnknown),
            },
        };
        let mut task_zone = None;
        if let Some(read) = &mut read {
            if read.is_done(fields) {
                return Err(NoDue::TaskDone);
            }
            task_zone = read.zone(fields.timezone.as_str())?;
        }
        let fallback = || TimeZone::get(&fields.zone).unwrap_or(TimeZone::UTC);
        let zone = match self.when {
            When::At(_) => self.zone.as_ref().or(task_zone.as_ref()),
            When::Before { .. } => task_zone.as_ref().or(self.zone.as_ref()),
        };
        let zone = zone.or(user_zone).cloned().unwrap_or_else(fallback);
        let at_ms = match (self.when, &mut read) {
            (When::At(time), _) => time
                .at(&zone, fields.day_at())
                .ok_or(NoDue::Invalid("remind_at"))?,
            (When::Before { minutes }, Some(read)) => {
                let due_ms = read.task_due(fields, &zone)?;
                let before_ms = u64::from(minutes) * 60_000;
                due_ms
                    .checked_sub(before_ms)
                    .ok_or(NoDue::Invalid("minutes_before"))?
            }
            (When::Before { .. }, None) => return Err(NoDue::TaskUnknown),
        };
        let task_set_ms = read.map_or(0, |read| read.set_ms);
        Ok(Due {
            at_ms,
            set_ms: self.set_ms.max(task_set_ms),
        })
    }
}

/// What the first user's reminders say of it. Whatever else they may say is nothing: a reminder that
/// is told by too much is better than none.
fn told_by(reminder: &Record, fields: &ReminderFields) -> Option<&'static [Channel]> {
    let said = reminder.field(fields.told_by.as_str())?;
    match said.value.as_str() {
        r#""push""# => Some(&[Channel::Notice, Channel::Push]),
        r#""email""# => Some(&[Channel::Mail]),
        r#""both""# => Some(&[Channel::Notice, Channel::Push, Channel::Mail]),
        _ => None,
    }
}

/// A record while it is read: notes when what was read of it was written.
struct Read<'r> {
    record: &'r Record,
    set_ms: WallMs,
}

impl<'r> Read<'r> {
    fn of(record: &'r Record) -> Read<'r> {
        let set_ms = record.inserted.map_or(0, |stamp| stamp.at.wall_ms());
        Read { record, set_ms }
    }

    /// The value of a field, as JSON; `None` if there is none, or null.
    fn value(&mut self, name: &str) -> Option<&'r str> {
        let field = self.record.field(name)?;
        self.set_ms = self.set_ms.max(field.stamp.at.wall_ms());
        Some(field.value.as_str()).filter(|json| *json != "null")
    }

    /// A text; an empty one is none. Errors: it is another value.
    fn text(&mut self, name: &str, what: &'static str) -> Result<Option<String>, NoDue> {
        let Some(json) = self.value(name) else {
            return Ok(None);
        };
        let text: String = serde_json::from_str(json).map_err(|_| NoDue::Invalid(what))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn time(&mut self, name: &str, what: &'static str) -> Result<Option<Time>, NoDue> {
        let text = self.text(name, what)?;
        text.map(|text| Time::read(&text).ok_or(NoDue::Invalid(what)))
            .transpose()
    }

    fn zone(&mut self, name: &str) -> Result<Option<TimeZone>, NoDue> {
        let text = self.text(name, "timezone")?;
        text.map(|name| TimeZone::get(&name).map_err(|_| NoDue::Invalid("timezone")))
            .transpose()
    }

    /// Whole minutes; devices may write 10 as 10.0.
    fn minutes(&mut self, name: &str) -> Result<Option<u32>, NoDue> {
        let Some(json) = self.value(name) else {
            return Ok(None);
        };
        let invalid = NoDue::Invalid("minutes_before");
        let minutes: f64 = serde_json::from_str(json).map_err(|_| invalid)?;
        let is_whole = minutes.fract() == 0.0 && (0.0..=f64::from(MINUTES_MAX)).contains(&minutes);
        match is_whole {
            true => Ok(Some(minutes as u32)),
            false => Err(invalid),
        }
    }

    fn is_done(&mut self, fields: &ReminderFields) -> bool {
        self.value(fields.done.as_str());
        let done = self.record.field(fields.done.as_str());
        done.is_some_and(|field| fields.says_done(&field.value))
    }

    /// When the task is due.
    fn task_due(&mut self, fields: &ReminderFields, zone: &TimeZone) -> Result<WallMs, NoDue> {
        let time = self.time(fields.due.as_str(), "due")?;
        let mut time = time.ok_or(NoDue::TaskWithoutTime)?;
        if self.value(fields.all_day.as_str()) == Some("true") {
            time = time.whole_day(zone);
        }
        let of_day = self.text(fields.due_time.as_str(), "due_time")?;
        let of_day = of_day.map(|text| text.parse::<civil::Time>());
        let of_day = of_day.transpose().map_err(|_| NoDue::Invalid("due_time"))?;
        let of_day = of_day.unwrap_or_else(|| fields.day_at());
        time.at(zone, of_day).ok_or(NoDue::Invalid("due"))
    }
}
