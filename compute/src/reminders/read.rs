//! Reads what a try looks at, in pages and batches of bounded size.

use std::collections::{HashMap, VecDeque};

use syncline_protocol::delta::write_data;
use syncline_protocol::ids::{RecordId, RecordKey, SpaceKey, TableName};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;
use syncline_storage::Store;
use syncline_storage::types::{PageLimit, SnapshotPage, StoreError};

use super::config::Checked;
use super::history::{History, told_at_ms};
use super::look::TaskSeen;
use super::plan::State;
use super::preferences::{Channel, Preferences};
use crate::notify::{DEVICES, Device, NOTIFICATIONS, OWN, PREFERENCES, REMINDED};

/// Of one read.
const PAGE: PageLimit = PageLimit {
    records: 1_000,
    bytes: 4 << 20,
};

/// Notifications of the history that are read at once: with fewer than these the oldest are known.
const HISTORY_READ_MAX: usize = 4_000;

/// Reads from a space.
#[derive(Clone, Copy)]
pub(super) struct Reader<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) space: &'s SpaceKey,
}

/// How the user wants to be told.
#[derive(Debug, Default)]
pub(super) struct PreferencesRead {
    pub(super) preferences: Preferences,
    /// There are some that cannot be read, and these are not the user's.
    pub(super) are_invalid: bool,
}

impl Reader<'_> {
    /// Live records of a table, after one.
    pub(super) async fn page(
        self,
        table: &TableName,
        after: Option<&RecordId>,
    ) -> Result<SnapshotPage, StoreError> {
        let tables = [table.clone()];
        let after = after.map(|id| RecordKey {
            table: table.clone(),
            id: id.clone(),
        });
        self.store
            .snapshot(self.space, Some(&tables), after.as_ref(), PAGE)
            .await
    }

    pub(super) async fn preferences(self) -> Result<PreferencesRead, StoreError> {
        let key = RecordKey {
            table: TableName::trusted(PREFERENCES),
            id: RecordId::trusted(OWN),
        };
        let keys = std::slice::from_ref(&key);
        let mut read = self.store.records(self.space, keys, PAGE.bytes).await?;
        let record = read.records.pop().flatten().filter(Record::is_live);
        let said = record.and_then(|record| Some(record.field("preferences")?.value.clone()));
        let said = said.filter(|json| json.as_str() != "null");
        let Some(json) = said else {
            return Ok(PreferencesRead::default());
        };
        Ok(match Preferences::read(json.as_str()) {
            Ok(preferences) => PreferencesRead {
                preferences,
                are_invalid: false,
            },
            Err(_) => PreferencesRead {
                preferences: Preferences::default(),
                are_invalid: true,
            },
        })
    }

    /// Tasks by their ids, dead ones included; of ids that are there twice once.
    pub(super) async fn tasks(
        self,
        mut ids: Vec<RecordId>,
        config: &Checked,
    ) -> Result<HashMap<RecordId, TaskSeen>, StoreError> {
        ids.sort_unstable();
        ids.dedup();
        let keys = ids.into_iter().map(|id| RecordKey {
            table: config.tasks.clone(),
            id,
        });
        let keys: Vec<RecordKey> = keys.collect();
        let mut seen = HashMap::new();
        let mut left = &keys[..];
        while !left.is_empty() {
            let read = self.store.records(self.space, left, PAGE.bytes).await?;
            let (of, rest) = left.split_at(read.records.len().clamp(1, left.len()));
            for (key, record) in of.iter().zip(read.records) {
                if let Some(record) = record {
                    seen.insert(key.id.clone(), TaskSeen::of(record, config));
                }
            }
            left = rest;
        }
        Ok(seen)
    }

    /// What the user was told.
    pub(super) async fn history(self) -> Result<History, StoreError> {
        let table = TableName::trusted(NOTIFICATIONS);
        let mut history = History::default();
        while history.ids.len() < HISTORY_READ_MAX {
            let page = self.page(&table, history.ids.last()).await?;
            for (key, record) in page.records {
                let channels = record.field("channels").map(|field| field.value.as_str());
                if channels != Some("[]") {
                    history.told_ms.extend(told_at_ms(&key.id));
                }
                history.ids.push(key.id);
            }
            if !page.more {
                break;
            }
        }
        Ok(history)
    }

    /// The channels by which the user's devices are told.
    pub(super) async fn devices(self) -> Result<Vec<Channel>, StoreError> {
        let page = self.page(&TableName::trusted(DEVICES), None).await?;
        let devices = page.records.iter();
        let devices = devices.filter_map(|(_, record)| Device::of(record));
        let mut channels: Vec<Channel> = devices.map(|device| device.reached.channel()).collect();
        channels.sort_unstable();
        channels.dedup();
        Ok(channels)
    }
}

/// What was done about reminders, read beside them in the order of their ids.
pub(super) struct States<'s> {
    reader: Reader<'s>,
    read: VecDeque<(RecordId, State)>,
    after: Option<RecordId>,
    more: bool,
    /// The first time that any of those read says of which somebody was told.
    pub(super) first_ms: Option<WallMs>,
    gone: Gone,
}

/// States whose reminders are not there.
#[derive(Debug)]
pub(super) struct Gone {
    /// All that they say anything of is before this: until then the reminder may come back, and would
    /// fire twice.
    pub(super) before_ms: WallMs,
    pub(super) ids: Vec<RecordId>,
    pub(super) ids_max: usize,
}

impl<'s> States<'s> {
    pub(super) fn of_space(reader: Reader<'s>, gone: Gone) -> States<'s> {
        States {
            reader,
            read: VecDeque::new(),
            after: None,
            more: true,
            first_ms: None,
            gone,
        }
    }

    /// That of a reminder, whose id is greater than those asked for before.
    pub(super) async fn of(&mut self, id: &RecordId) -> Result<State, StoreError> {
        loop {
            while let Some((found, state)) = self.read.pop_front() {
                if found == *id {
                    return Ok(state);
                }
                if found > *id {
                    self.read.push_front((found, state));
                    return Ok(State::default());
                }
                self.gone.take(found, &state);
            }
            if !self.more {
                return Ok(State::default());
            }
            self.read_on().await?;
        }
    }

    /// Those whose reminders are gone, once all reminders were asked for.
    pub(super) async fn gone_of_all(mut self) -> Result<Gone, StoreError> {
        loop {
            while let Some((found, state)) = self.read.pop_front() {
                self.gone.take(found, &state);
            }
            if !self.more || self.gone.is_full() {
                return Ok(self.gone);
            }
            self.read_on().await?;
        }
    }

    /// The same of those up to the last reminder that was asked for.
    pub(super) fn gone(self) -> Gone {
        self.gone
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let table = TableName::trusted(REMINDED);
        let page = self.reader.page(&table, self.after.as_ref()).await?;
        self.more = page.more;
        for (key, record) in page.records {
            self.after = Some(key.id.clone());
            let state = state(&record);
            let first_ms = self.first_ms.into_iter().chain(state.first_ms());
            self.first_ms = first_ms.min();
            self.read.push_back((key.id, state));
        }
        Ok(())
    }
}

impl Gone {
    pub(super) fn is_full(&self) -> bool {
        self.ids.len() >= self.ids_max
    }

    fn take(&mut self, id: RecordId, state: &State) {
        let is_over = state.newest_ms().is_none_or(|ms| ms < self.before_ms);
        if is_over && !self.is_full() {
            self.ids.push(id);
        }
    }
}

/// What is not readable was written by nobody: nothing is known then.
fn state(record: &Record) -> State {
    let mut data = String::with_capacity(record.size_bytes());
    write_data(&mut data, record);
    serde_json::from_str(&data).unwrap_or_default()
}
