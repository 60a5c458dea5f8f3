//! The reminders of a task that repeats: its next instance has its own of each that is for so long before
//! the task. What is for a time of its own is for that time alone.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use syncline_protocol::ids::{AppId, FieldName, RecordId, RecordKey, SpaceKey, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_storage::Store;
use syncline_storage::types::StoreError;

use super::times::json_of;
use super::{NEXT_ID_BYTES, PAGE};
use crate::reminders::{REMINDERS_MAX as LOOKED_AT_MAX, RemindersConfig};

/// Reminders of one task that its next instance gets.
pub(super) const REMINDERS_MAX: usize = 20;

/// The apps that have reminders, and how theirs look.
#[derive(Clone, Debug, Default)]
pub struct Reminded(HashMap<AppId, OfApp>);

#[derive(Clone, Debug)]
struct OfApp {
    reminders: TableName,
    tasks: TableName,
    task: FieldName,
    minutes_before: FieldName,
    remind_at: FieldName,
}

/// A reminder that a next instance gets.
#[derive(Debug)]
pub(super) struct Reminder {
    pub(super) key: RecordKey,
    pub(super) fields: BTreeMap<String, Json>,
}

impl Reminded {
    /// Of a config that was checked.
    pub fn of<'a>(apps: impl IntoIterator<Item = (&'a AppId, &'a RemindersConfig)>) -> Reminded {
        let of_app = |(app, config): (&AppId, &RemindersConfig)| {
            let fields = &config.fields;
            let of_app = OfApp {
                reminders: TableName::trusted(&config.table),
                tasks: TableName::trusted(&config.tasks),
                task: FieldName::trusted(fields.task.as_str()),
                minutes_before: FieldName::trusted(fields.minutes_before.as_str()),
                remind_at: FieldName::trusted(fields.remind_at.as_str()),
            };
            (app.clone(), of_app)
        };
        Reminded(apps.into_iter().map(of_app).collect())
    }

    /// The reminders that the next instance of a task gets, `most` at most. Of a space they are looked for
    /// among as many as a plan looks at: those of the first ids.
    pub(super) async fn of_next(
        &self,
        (store, space): (&dyn Store, &SpaceKey),
        (done, next): (&RecordKey, &RecordKey),
        most: usize,
    ) -> Result<Vec<Reminder>, StoreError> {
        let mut found = Vec::new();
        let of_app = self.0.get(&space.app);
        let Some(of_app) = of_app.filter(|of_app| of_app.tasks == done.table) else {
            return Ok(found);
        };
        let tables = std::slice::from_ref(&of_app.reminders);
        let mut after: Option<RecordKey> = None;
        let mut left = LOOKED_AT_MAX;
        loop {
            let page = store.snapshot(space, Some(tables), after.as_ref(), PAGE);
            let page = page.await?;
            left = left.saturating_sub(page.records.len());
            for (key, record) in &page.records {
                if of_app.is_of(record, &done.id) && found.len() < most {
                    found.push(of_app.for_next(key, record, &next.id));
                }
            }
            match page
                .records
                .last()
                .filter(|_| page.more && left > 0 && found.len() < most)
            {
                Some((last, _)) => after = Some(last.clone()),
                None => return Ok(found),
            }
        }
    }
}

impl OfApp {
    /// Whether a reminder is for so long before a task.
    fn is_of(&self, reminder: &Record, task: &RecordId) -> bool {
        let value = |name: &FieldName| {
            let field = reminder.field(name.as_str())?;
            Some(&field.value).filter(|value| value.as_str() != "null")
        };
        value(&self.task) == Some(&json_of(task.as_str()))
            && value(&self.minutes_before).is_some()
            && value(&self.remind_at).is_none()
    }

    fn for_next(&self, key: &RecordKey, reminder: &Record, next: &RecordId) -> Reminder {
        let fields = reminder.fields.iter();
        let fields = fields.map(|field| (field.name.to_string(), field.value.clone()));
        let mut fields: BTreeMap<String, Json> = fields.collect();
        fields.insert(self.task.to_string(), json_of(next.as_str()));
        Reminder {
            key: RecordKey {
                table: self.reminders.clone(),
                id: next_id(&key.id, next),
            },
            fields,
        }
    }
}

/// What follows from both: whoever makes the instance twice makes one reminder.
fn next_id(reminder: &RecordId, next: &RecordId) -> RecordId {
    // No record's name holds a line feed.
    let digest = Sha256::digest(format!("reminder\n{reminder}\n{next}").as_bytes());
    let hex = digest[..NEXT_ID_BYTES / 2].iter();
    let hex: String = hex.map(|byte| format!("{byte:02x}")).collect();
    RecordId::trusted(&hex)
}
