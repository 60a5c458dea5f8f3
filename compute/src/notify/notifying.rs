//! The worker that delivers notifications: one job for each.
//!
//! It looks at the notification and the devices as they are now, sends, and answers with what became of
//! it: nothing is written but by the commit that ends the job's lease. Who was sent it by a try
//! whose commit was lost is sent it again, under the same id.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::{AppId, RecordKey, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;
use syncline_storage::Store;
use syncline_storage::jobs::JobError;
use syncline_storage::types::{PageLimit, StoreError};

use super::channels::{Channels, Sent};
use super::deliver::{Answer, DEVICES_MAX, Ended, Next, Seen, is_delivered};
use super::device::{Device, DeviceId};
use super::notification::{Notification, NotificationId, Receipts};
use super::progress::{Progress, TO};
use super::sending::Sending;
use super::told::{Delivered, End};
use super::{DELIVERIES, DEVICES, NOTIFICATIONS};
use crate::about::About;
use crate::jobs::retry::{Moment, mixed};
use crate::reminders::Templates;
use crate::worker::{Changes, Task, Worked, Worker};
use crate::written::Written;

/// Bytes of devices that are read: more than so many of them have.
const DEVICES_BYTES_MAX: usize = 1 << 20;

/// What it takes to deliver.
pub struct NotifyingParts {
    /// The records.
    pub store: Arc<dyn Store>,
    /// By what is delivered.
    pub channels: Channels,
    /// The words of an app's notifications; an app without any has the notification's own.
    pub templates: BTreeMap<AppId, Templates>,
    /// How many jobs of the kind are done at once: a server that answers well has up to half of that, and
    /// all together that nobody knows have an eighth.
    pub pool: usize,
    /// The hub's clock.
    pub now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    /// Is told what became of each.
    pub told: Arc<dyn Fn(Delivered) + Send + Sync>,
    /// The same of each notification, at its end.
    pub ended: Arc<dyn Fn(End) + Send + Sync>,
}

impl fmt::Debug for NotifyingParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyingParts")
            .field("channels", &self.channels)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Delivers notifications.
pub struct Notifying {
    store: Arc<dyn Store>,
    sending: Sending,
    templates: BTreeMap<AppId, Templates>,
    now: Arc<dyn Fn() -> WallMs + Send + Sync>,
    told: Arc<dyn Fn(Delivered) + Send + Sync>,
    ended: Arc<dyn Fn(End) + Send + Sync>,
}

impl fmt::Debug for Notifying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifying")
    }
}

/// Why a try ends without an answer.
enum Stopped {
    /// Something that may pass.
    Failed(String),
    /// It does not pass by itself.
    Hopeless(JobError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        Stopped::Failed(error.to_string())
    }
}

impl From<JobError> for Stopped {
    fn from(error: JobError) -> Stopped {
        Stopped::Hopeless(error)
    }
}

/// The records of a notification.
struct Keys {
    notification: RecordKey,
    deliveries: RecordKey,
}

#[async_trait]
impl Worker for Notifying {
    async fn work(&self, task: &Task) -> Worked {
        match self.worked(task).await {
            Ok(worked) => worked,
            Err(Stopped::Failed(why)) => Worked::Failed {
                error: JobError::new(&why),
                wait_ms: 0,
            },
            Err(Stopped::Hopeless(error)) => Worked::Hopeless(error),
        }
    }
}

impl Notifying {
    /// Of the records of a store.
    pub fn new(parts: NotifyingParts) -> Notifying {
        Notifying {
            store: parts.store,
            sending: Sending::of(parts.channels, parts.pool, parts.now.clone()),
            templates: parts.templates,
            now: parts.now,
            told: parts.told,
            ended: parts.ended,
        }
    }

    async fn worked(&self, task: &Task) -> Result<Worked, Stopped> {
        let keys = Keys::of(task)?;
        let asked = [keys.notification.clone(), keys.deliveries.clone()];
        let read = self.store.records(task.space(), &asked, usize::MAX).await?;
        let mut records = read.records.into_iter();
        let notification = records.next().flatten();
        let before = records.next().flatten().filter(Record::is_live);
        let notification = notification.as_ref().and_then(Notification::of);
        let is_open = |one: &Notification| one.receipts.is_none() && is_delivered(&one.channels);
        let Some(notification) = notification.filter(is_open) else {
            // It was deleted, or there is nothing to deliver.
            return Ok(Worked::Done(keys.forgotten(before.is_some())));
        };
        let seen = Seen {
            notification,
            devices: self.devices(task).await?,
            before: before.as_ref().map(Progress::of).unwrap_or_default(),
        };
        let answers = self.sent(task, &keys, &seen).await;
        let now_ms = (self.now)();
        let seed = mixed(task.no().0 ^ now_ms);
        let ended = seen.ended(&answers, Moment { now_ms, seed });
        for delivered in &ended.told {
            (self.told)(delivered.clone());
        }
        if let Next::Done(receipts) = &ended.next {
            (self.ended)(match receipts {
                Receipts { nobody: true, .. } => End::Nobody,
                receipts if receipts.sent() > 0 => End::Delivered,
                _ => End::Undelivered,
            });
        }
        Ok(keys.worked(&ended, before.is_some()))
    }

    async fn sent(&self, task: &Task, keys: &Keys, seen: &Seen) -> BTreeMap<DeviceId, Answer> {
        let id = NotificationId::of_record(keys.notification.id.clone());
        let sent = Sent {
            space: task.space(),
            id: &id,
            notification: &seen.notification,
            templates: self.templates.get(&task.space().app),
        };
        let due = seen.due((self.now)());
        Box::pin(self.sending.send(sent, due)).await
    }

    /// The first devices of the user. What is none is passed over.
    async fn devices(&self, task: &Task) -> Result<BTreeMap<DeviceId, Device>, Stopped> {
        let tables = [TableName::trusted(DEVICES)];
        let limit = PageLimit {
            records: DEVICES_MAX,
            bytes: DEVICES_BYTES_MAX,
        };
        let page = self
            .store
            .snapshot(task.space(), Some(&tables), None, limit)
            .await?;
        let devices = page.records.into_iter();
        let devices = devices
            .filter_map(|(key, record)| Some((DeviceId::of_record(key.id), Device::of(&record)?)));
        Ok(devices.collect())
    }
}

impl Keys {
    fn of(task: &Task) -> Result<Keys, JobError> {
        let about = About::of(&task.job.args)?;
        let record = about.record.map(|record| record.key);
        let of_notification = |key: &RecordKey| key.table.as_str() == NOTIFICATIONS;
        let Some(notification) = record.filter(of_notification) else {
            return Err(JobError::new("args_invalid: there is no notification"));
        };
        let deliveries = RecordKey {
            table: TableName::trusted(DELIVERIES),
            id: notification.id.clone(),
        };
        Ok(Keys {
            notification,
            deliveries,
        })
    }

    /// What was kept of a delivery is kept no more.
    fn forgotten(&self, is_kept: bool) -> Option<Changes> {
        let mut written = Written::at_most(usize::MAX);
        if is_kept {
            written.delete((&self.deliveries.table, &self.deliveries.id));
        }
        written.changes()
    }

    /// What becomes of the job, and what it writes.
    fn worked(&self, ended: &Ended, is_kept: bool) -> Worked {
        match &ended.next {
            Next::Busy(wait_ms) => Worked::Busy { wait_ms: *wait_ms },
            Next::Again(due_at_ms) => Worked::Again {
                due_at_ms: *due_at_ms,
                changes: self.changes(ended, None, is_kept),
            },
            Next::Done(receipts) => Worked::Done(self.changes(ended, Some(receipts), is_kept)),
        }
    }

    fn changes(
        &self,
        ended: &Ended,
        receipts: Option<&Receipts>,
        is_kept: bool,
    ) -> Option<Changes> {
        let mut written = Written::at_most(usize::MAX);
        let devices = TableName::trusted(DEVICES);
        for id in &ended.gone {
            written.delete((&devices, id.as_record()));
        }
        let deliveries = (&self.deliveries.table, &self.deliveries.id);
        let to = ended.progress.to_json();
        match (receipts, is_kept) {
            (None, true) => written.update(deliveries, [(TO, &to)]),
            (None, false) => written.insert(deliveries, [(TO, &to)], None),
            (Some(_), true) => written.delete(deliveries),
            (Some(_), false) => {}
        }
        if let Some(receipts) = receipts {
            let receipts = serde_json::to_string(receipts).expect("numbers are JSON");
            let receipts = Json::trusted(&receipts);
            let notification = (&self.notification.table, &self.notification.id);
            written.update(notification, [("receipts", &receipts)]);
        }
        written.changes()
    }
}
