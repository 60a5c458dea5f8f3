//! What repeats, as records: the next instance of a task that was done, the occurrences of an event
//! in a window that rolls.
//!
//! Args of a trigger say which of the two ([`NextArgs`], [`OccurrencesArgs`]) and how the fields are
//! called. The worker reads the record as it is now, not as it was when the job was put, so a job
//! that is late or done twice writes what is right then, or nothing; of a record that is gone it makes
//! nothing, and neither of one whose rule is none. Ids of what it writes follow from the record and the occurrence: two jobs of one occurrence
//! make one record.
//!
//! `next` and `occurrences` are pure, `times` reads and writes the times of fields, `rolling` knows
//! the triggers whose jobs outlive what put them, `reminded` finds the reminders that a next
//! instance gets, `refusal` is what is told of a record that is
//! refused, `needs` what limits must allow. Rules are expanded off the async threads, in the places that the node has
//! for it ([`Expansions`]), and all that a job expands within the steps of one expansion.

mod args;
mod needs;
mod next;
mod occurrences;
mod refusal;
mod reminded;
mod rolling;
#[cfg(test)]
pub(crate) mod tests;
mod times;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use syncline_protocol::ids::{RecordId, RecordKey};
use syncline_protocol::record::Record;
use syncline_storage::Store;
use syncline_storage::jobs::JobError;
use syncline_storage::types::{PageLimit, StoreError};

pub use args::{
    COPIED_MAX, DAYS_MAX, FieldText, NextArgs, OccurrencesArgs, PAST_DAYS_MAX, RecurringArgs,
    check_trigger,
};
pub use needs::{Needs, needs};
pub use refusal::{Refusal, ToldRefusal};
pub use reminded::Reminded;
pub use rolling::Rolling;

use self::next::Completed;
use self::occurrences::{Difference, Seen};
use self::reminded::REMINDERS_MAX;
use self::rolling::Kept;
use crate::about::About;
use crate::jobs::schedules::left_to_others;
use crate::recurrence::{Expansions, Refused, Work};
use crate::worker::{Task, Worked, Worker};

/// Changes that one try writes, and no more than a push may hold. What is left is written by the same
/// job, at once.
pub const CHANGES_MAX: usize = 500;

/// Bytes of a next instance's id.
pub const NEXT_ID_BYTES: usize = 32;

/// Bytes of an occurrence's id at most.
pub const OCCURRENCE_ID_BYTES_MAX: usize = 49;

/// Occurrences of an event that are looked at. An event with more is refused, and what is there stays.
pub const EXISTING_MAX: usize = 10_000;

/// How often a window moves on, in milliseconds.
pub const ROLL_MS: u64 = 86_400_000;

/// Of one read of occurrences.
const PAGE: PageLimit = PageLimit {
    records: 1_000,
    bytes: 4 << 20,
};

/// Writes what repeats.
pub struct Recurring {
    store: Arc<dyn Store>,
    rolling: Rolling,
    reminded: Reminded,
    told: Option<ToldRefusal>,
    /// Changes that one try writes.
    changes_max: usize,
    expansions: Expansions,
}

impl std::fmt::Debug for Recurring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recurring")
    }
}

/// Why a try ends without an answer.
enum Stopped {
    /// Something that may pass.
    Failed(String),
    /// It does not pass before somebody mends the config.
    Hopeless(JobError),
    /// It does not pass before somebody mends the record.
    Refused(Refused),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        Stopped::Failed(error.to_string())
    }
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Stopped {
        Stopped::Refused(refused)
    }
}

impl From<JobError> for Stopped {
    fn from(error: JobError) -> Stopped {
        Stopped::Hopeless(error)
    }
}

#[async_trait]
impl Worker for Recurring {
    async fn work(&self, task: &Task) -> Worked {
        match self.worked(task).await {
            Ok(worked) => worked,
            Err(Stopped::Failed(why)) => Worked::Failed {
                error: JobError::new(&why),
                wait_ms: 0,
            },
            Err(Stopped::Hopeless(error)) => Worked::Hopeless(error),
            Err(Stopped::Refused(refused)) => {
                self.tell(task, refused);
                Worked::Done(None)
            }
        }
    }
}

impl Recurring {
    /// Of the records of a store. `rolling` are the triggers of the config, by which occurrences are
    /// kept; `push_changes_max` is how many changes a push may hold, at least what [`needs`] says.
    pub fn new(store: Arc<dyn Store>, rolling: Rolling, push_changes_max: usize) -> Recurring {
        Recurring {
            store,
            rolling,
            reminded: Reminded::default(),
            told: None,
            changes_max: CHANGES_MAX.min(push_changes_max).max(1),
            expansions: Expansions::default(),
        }
    }

    /// The same, which shares the places of expansions with others of the node.
    pub fn expanding(self, expansions: Expansions) -> Recurring {
        Recurring { expansions, ..self }
    }

    /// The same, in whose apps tasks have reminders.
    pub fn reminding(self, reminded: Reminded) -> Recurring {
        Recurring { reminded, ..self }
    }

    /// The same, which tells of records that are refused.
    pub fn telling(self, told: ToldRefusal) -> Recurring {
        let told = Some(told);
        Recurring { told, ..self }
    }

    fn tell(&self, task: &Task, refused: Refused) {
        if let Some(told) = &self.told {
            let name = task.lease.name.clone();
            told(Refusal { name, refused });
        }
    }

    async fn worked(&self, task: &Task) -> Result<Worked, Stopped> {
        let about = About::of(&task.job.args)?;
        let args = args::read(&about.args::<Value>()?).map_err(|why| args::invalid(&why))?;
        let record = about
            .record
            .ok_or_else(|| args::invalid("there is no record"))?;
        match args {
            RecurringArgs::Next(args) => self.next(task, record.key, args).await,
            RecurringArgs::Occurrences(put) => {
                let args = match self.rolling.kept(task, &record.key.table) {
                    Kept::As(args) => *args,
                    Kept::AsPut => put,
                    Kept::NoMore => {
                        let (trigger, table) = (&task.job.origin.trigger, &record.key.table);
                        return Ok(left_to_others(task, || {
                            format!(
                                "trigger_gone: no trigger {:?} keeps occurrences of the table {:?}",
                                trigger.as_str(),
                                table.as_str()
                            )
                        }));
                    }
                };
                args.check_table(&record.key.table)
                    .map_err(|why| args::invalid(&why))?;
                self.occurrences(task, record.key, args).await
            }
        }
    }

    async fn next(&self, task: &Task, key: RecordKey, args: NextArgs) -> Result<Worked, Stopped> {
        let record = self.record(task, &key).await?;
        let Some(completed) = Completed::of(record, &key, &args) else {
            return Ok(Worked::Done(None));
        };
        let next_key = completed.next_key();
        // The instance itself, and what becomes of the old one.
        let most = REMINDERS_MAX.min(self.changes_max.saturating_sub(2));
        let stored = self.stored(task, &next_key).await?;
        if stored.is_some_and(|next| next.inserted.is_some() || next.deleted.is_some()) {
            // It was made before. Whoever deleted it since meant to.
            return Ok(Worked::Done(None));
        }
        let space = (&*self.store, task.space());
        let reminders = self
            .reminded
            .of_next(space, (&key, &next_key), most)
            .await?;
        let next = self
            .apart(move |work| completed.next(&args, &reminders, work))
            .await??;
        Ok(Worked::Done(next))
    }

    async fn occurrences(
        &self,
        task: &Task,
        key: RecordKey,
        args: OccurrencesArgs,
    ) -> Result<Worked, Stopped> {
        let event = self.record(task, &key).await?;
        let now_ms = task.now_ms;
        let args = Arc::new(args);
        let difference = {
            let args = args.clone();
            let seen = Seen {
                event,
                key,
                now_ms,
                changes_max: self.changes_max,
            };
            self.apart(move |work| Difference::of(&seen, &args, work))
                .await?
        };
        let mut difference = self.compared(task, difference, &args).await?;
        let (goes_on, refused) = (difference.goes_on(), difference.refused());
        let (changes, is_whole) = difference.changes();
        if !is_whole {
            let due_at_ms = task.now_ms.max(task.job.due_at_ms + 1);
            return Ok(Worked::Again { due_at_ms, changes });
        }
        if let Some(refused) = refused {
            self.tell(task, refused);
        }
        Ok(match goes_on {
            true => Worked::Again {
                due_at_ms: task.now_ms.max(task.job.due_at_ms) + ROLL_MS,
                changes,
            },
            false => Worked::Done(changes),
        })
    }

    /// Looks at what there is of an event, page by page, until there is no more or enough to write.
    async fn compared(
        &self,
        task: &Task,
        mut difference: Difference,
        args: &OccurrencesArgs,
    ) -> Result<Difference, Stopped> {
        let tables = [args.into.clone()];
        let mut after = RecordKey {
            table: args.into.clone(),
            id: RecordId::trusted(difference.prefix()),
        };
        let mut seen = 0;
        while !difference.is_full() {
            let page = self
                .store
                .snapshot(task.space(), Some(&tables), Some(&after), PAGE)
                .await?;
            for (key, record) in page.records {
                if !key.id.as_str().starts_with(difference.prefix()) {
                    return Ok(difference);
                }
                seen += 1;
                if seen > EXISTING_MAX {
                    return Err(Refused::TooManyOccurrences.into());
                }
                difference.take(&key.id, &record);
                after = key;
            }
            if !page.more {
                break;
            }
        }
        Ok(difference)
    }

    /// The record, if it is live.
    async fn record(&self, task: &Task, key: &RecordKey) -> Result<Option<Record>, Stopped> {
        Ok(self.stored(task, key).await?.filter(Record::is_live))
    }

    async fn stored(&self, task: &Task, key: &RecordKey) -> Result<Option<Record>, Stopped> {
        let keys = std::slice::from_ref(key);
        let mut read = self.store.records(task.space(), keys, usize::MAX).await?;
        Ok(read.records.pop().flatten())
    }

    /// Runs what may take a core for a while where it holds up nobody, within the steps of one
    /// expansion.
    async fn apart<T: Send + 'static>(
        &self,
        expand: impl FnOnce(&mut Work) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let failed = |why: &dyn std::fmt::Display| Stopped::Failed(format!("the expansion: {why}"));
        let done = self.expansions.run(expand).await;
        done.map_err(|ended| failed(&ended))
    }
}
