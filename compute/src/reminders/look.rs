//! What the reminders of a space ask for now, looked at one by one.

use jiff::tz::TimeZone;
use syncline_protocol::ids::{RecordId, RecordKey};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::batch::Item;
use super::config::Checked;
use super::due::{Asks, NoDue};
use super::plan::{FiringKey, Plan, State, plan};
use super::preferences::Channel;
use super::words;
use crate::recurring::FieldText;

/// Bytes of a task's value that is kept while a page of reminders is looked at. What is longer is no
/// time, no zone, and nothing that says that something is done.
const VALUE_BYTES_MAX: usize = 1 << 10;

/// A live reminder that asks for something, and what was done about it.
#[derive(Debug)]
pub(super) struct One {
    pub(super) id: RecordId,
    pub(super) asks: Asks,
    pub(super) state: State,
    /// What it is called; empty if it does not say.
    title: String,
}

/// Of a task, what matters to its reminders.
#[derive(Debug)]
pub(super) struct TaskSeen {
    record: Record,
    title: String,
}

/// A reminder that fires, or was missed.
#[derive(Debug)]
pub(super) struct Firing {
    pub(super) item: Item,
    pub(super) id: RecordId,
    pub(super) task: Option<RecordId>,
    pub(super) title: String,
    pub(super) told_by: Option<&'static [Channel]>,
    /// What is kept of it once it fired.
    pub(super) after: State,
    /// What is kept of it if it is put off; `None` if that is kept already.
    pub(super) put_off: Option<State>,
}

/// By what reminders are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looking<'a> {
    pub(super) config: &'a Checked,
    pub(super) zone: Option<&'a TimeZone>,
    pub(super) now_ms: WallMs,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// What fires.
    pub(super) firings: Vec<Firing>,
    /// What was missed.
    pub(super) missed: Vec<Firing>,
    /// When the first of those that are waited for is due.
    pub(super) next_ms: Option<WallMs>,
    /// How many hold what is no value of a field.
    pub(super) invalid: usize,
}

impl TaskSeen {
    /// What matters of a record.
    pub(super) fn of(mut record: Record, config: &Checked) -> TaskSeen {
        let title = title(&record, &config.task_title);
        let matter = config.fields.of_tasks();
        let matters = |name: &str| matter.iter().any(|field| field.as_str() == name);
        record.fields.retain(|field| {
            field.value.as_str().len() <= VALUE_BYTES_MAX && matters(field.name.as_str())
        });
        TaskSeen { record, title }
    }
}

impl Looked {
    /// Reads a reminder; `None` if it asks for nothing.
    pub(super) fn read(
        &mut self,
        (id, record, state): (RecordId, &Record, State),
        config: &Checked,
    ) -> Option<One> {
        match Asks::of(Some(record), &config.fields) {
            Ok(asks) => Some(One {
                id,
                asks,
                state,
                title: title(record, &config.title),
            }),
            Err(why) => {
                self.refused(why);
                None
            }
        }
    }

    /// Says what is to be done about a reminder, by its task if that is stored.
    pub(super) fn look(&mut self, one: One, task: Option<&TaskSeen>, by: Looking<'_>) {
        let Looking {
            config,
            zone,
            now_ms,
        } = by;
        let record = task.map(|task| &task.record);
        let due = one.asks.due(record, zone, &config.fields);
        let due = due.map_err(|why| self.refused(why)).ok();
        let planned = plan(now_ms, &one.state, due, &config.limits);
        let before = one.state.clone();
        let after = one.state.after(planned);
        let key = || RecordKey {
            table: config.table.clone(),
            id: one.id.clone(),
        };
        let item = match planned {
            Plan::Arm { due_ms } => return self.wait_for(due_ms),
            Plan::Nothing(_) => return,
            Plan::Missed { due_ms } => Item {
                key: FiringKey::of_missed(&key(), due_ms),
                due_ms,
                is_late: true,
            },
            Plan::Fire { due_ms, is_late } => Item {
                key: FiringKey::of(&key(), due_ms),
                due_ms,
                is_late,
            },
        };
        let of_task = || task.map(|task| task.title.clone()).unwrap_or_default();
        let firing = Firing {
            put_off: before.put_off(item.due_ms),
            item,
            id: one.id,
            task: one.asks.task,
            title: Some(one.title)
                .filter(|title| !title.is_empty())
                .unwrap_or_else(of_task),
            told_by: one.asks.told_by,
            after,
        };
        match planned {
            Plan::Missed { .. } => self.missed.push(firing),
            _ => self.firings.push(firing),
        }
    }

    fn wait_for(&mut self, at_ms: WallMs) {
        self.next_ms = Some(self.next_ms.map_or(at_ms, |next_ms| next_ms.min(at_ms)));
    }

    fn refused(&mut self, why: NoDue) {
        self.invalid += usize::from(matches!(why, NoDue::Invalid(_)));
    }
}

impl One {
    /// The task that has to be looked at, if any: none where nothing is to be done, whatever it says.
    pub(super) fn wants(&self, by: Looking<'_>) -> Option<&RecordId> {
        let task = self.asks.task.as_ref()?;
        let alone = self.asks.due_alone();
        let planned = alone.map(|due| plan(by.now_ms, &self.state, Some(due), &by.config.limits));
        (!matches!(planned, Some(Plan::Nothing(_)))).then_some(task)
    }
}

/// What a record is called; empty if it says nothing that is a text.
fn title(record: &Record, field: &FieldText) -> String {
    let value = record.field(field.as_str()).map(|field| &field.value);
    let text = value.and_then(|value| serde_json::from_str::<String>(value.as_str()).ok());
    text.map(|text| words::title(&text)).unwrap_or_default()
}
