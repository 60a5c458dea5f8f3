//! The planner: looks at a space's reminders, writes what its user is told now, and says when to look
//! again. One job does so for a space; it delivers nothing.
//!
//! A try reads the records as they are now, so a job that is late or done twice does what is right
//! then. Its changes are written by the commit that ends its lease: a firing is in one notification,
//! once. A change of what it has read puts the job anew, which takes its lease away, so what was
//! decided by something older is not written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use syncline_protocol::ids::AppId;
use syncline_protocol::stamp::WallMs;
use syncline_storage::Store;
use syncline_storage::jobs::JobError;
use syncline_storage::types::StoreError;

use super::config::{Checked, RemindersConfig};
use super::history::{self, History};
use super::look::{Looked, Looking, One};
use super::planned::Hears;
use super::read::{Gone, Reader, States};
use super::tell::{CHANGES_MIN, Part, To};
use crate::jobs::schedules::left_to_others;
use crate::notify::{NOTIFICATIONS, REMINDED};
use crate::worker::{Task, Worked, Worker};

/// Changes that one try writes, and no more than a push may hold. What is left is written by the same
/// job, at once.
pub const CHANGES_MAX: usize = 500;

/// Reminders of a space that are looked at. Of one with more those of the first ids are.
pub const REMINDERS_MAX: usize = 20_000;

/// How long it is kept what was done about a reminder that is gone, after nothing of that could fire
/// any more, in milliseconds: two days, since clocks go back.
pub const GONE_KEPT_MS: u64 = 2 * 86_400_000;

/// Plans what users are told of their reminders.
pub struct Reminding {
    store: Arc<dyn Store>,
    apps: HashMap<AppId, Checked>,
    changes_max: usize,
    hears: Hears,
}

impl std::fmt::Debug for Reminding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.apps.keys()).finish()
    }
}

#[async_trait]
impl Worker for Reminding {
    async fn work(&self, task: &Task) -> Worked {
        let Some(config) = self.apps.get(&task.space().app) else {
            let app = &task.space().app;
            return left_to_others(task, || format!("reminders_gone: app {app} has none"));
        };
        match self.planned(task, config).await {
            Ok(worked) => worked,
            Err(error) => Worked::Failed {
                error: JobError::new(&error.to_string()),
                wait_ms: 0,
            },
        }
    }
}

/// What was read of the reminders of a space.
struct Read {
    looked: Looked,
    /// The first time of which the user was told, as far as that is kept.
    first_ms: Option<WallMs>,
    gone: Gone,
    is_cut: bool,
}

impl Reminding {
    /// Of the records of a store. `apps` are those that have reminders; `push_changes_max` is how many
    /// changes a push may hold, at least [`CHANGES_MIN`](super::CHANGES_MIN); `hears` is told of each
    /// try. Errors: everything that is wrong with the configs, a sentence each.
    pub fn of<'a>(
        store: Arc<dyn Store>,
        apps: impl IntoIterator<Item = (&'a AppId, &'a RemindersConfig)>,
        push_changes_max: usize,
        hears: Hears,
    ) -> Result<Reminding, Vec<String>> {
        let mut wrong = Vec::new();
        let mut by_name = BTreeMap::new();
        for (app, config) in apps {
            match config.checked() {
                Ok(checked) => {
                    by_name.insert(app.clone(), checked);
                }
                Err(whys) => wrong.extend(whys.iter().map(|why| format!("{app}: {why}"))),
            }
        }
        match wrong.is_empty() {
            true => Ok(Reminding {
                store,
                apps: by_name.into_iter().collect(),
                changes_max: CHANGES_MAX.min(push_changes_max).max(CHANGES_MIN),
                hears,
            }),
            false => Err(wrong),
        }
    }

    async fn planned(&self, task: &Task, config: &Checked) -> Result<Worked, StoreError> {
        let now_ms = task.now_ms;
        let reader = Reader {
            store: &*self.store,
            space: task.space(),
        };
        let read = reader.preferences().await?;
        let preferences = &read.preferences;
        let looking = Looking {
            config,
            zone: preferences.zone(),
            now_ms,
        };
        let Read {
            looked,
            first_ms,
            gone,
            is_cut,
        } = self.looked(reader, looking).await?;
        let tells = !(looked.firings.is_empty() && looked.missed.is_empty());
        let (history, devices) = match tells {
            true => (reader.history().await?, reader.devices().await?),
            false => (History::default(), Vec::new()),
        };
        let known = first_ms.into_iter().chain(history.first_ms());
        let to = To {
            config,
            preferences,
            devices: &devices,
            // A job that waits for a time knows of what is due then.
            known_ms: known
                .min()
                .map_or(task.job.due_at_ms, |ms| ms.min(task.job.due_at_ms)),
            now_ms,
        };
        let mut part = Part::of(to, self.changes_max, history.told_ms);
        part.tell(looked);
        let may_be_more = gone.is_full();
        part.is_whole &= part.delete(REMINDED, gone.ids) && !may_be_more;
        if part.planned.notifications > 0 && !part.written.is_full() {
            let kept_max = history::kept_max(preferences, config);
            let old = history::old(
                history.ids,
                kept_max.saturating_sub(part.planned.notifications),
                now_ms,
            );
            // What does not fit is left to the next try that tells something.
            part.delete(NOTIFICATIONS, old);
        }
        part.planned.is_cut = is_cut;
        part.planned.preferences_invalid = read.are_invalid;
        (self.hears)(task.space(), &part.planned);
        Ok(worked(part, task))
    }

    /// Looks at the reminders, page by page, each with what was done about it and with its task.
    async fn looked(&self, reader: Reader<'_>, by: Looking<'_>) -> Result<Read, StoreError> {
        let config = by.config;
        let gone = Gone {
            before_ms: by
                .now_ms
                .saturating_sub(config.limits.cut_off_ms + GONE_KEPT_MS),
            ids: Vec::new(),
            ids_max: self.changes_max,
        };
        let mut states = States::of_space(reader, gone);
        let mut looked = Looked::default();
        let mut after = None;
        let mut left = REMINDERS_MAX;
        loop {
            let page = reader.page(&config.table, after.as_ref()).await?;
            let is_cut = page.records.len() > left || (page.records.len() == left && page.more);
            let mut ones: Vec<One> = Vec::new();
            for (key, record) in page.records.into_iter().take(left) {
                left -= 1;
                let state = states.of(&key.id).await?;
                after = Some(key.id.clone());
                ones.extend(looked.read((key.id, &record, state), config));
            }
            let wanted = ones.iter().filter_map(|one| one.wants(by).cloned());
            let tasks = reader.tasks(wanted.collect(), config).await?;
            for one in ones {
                let task = one.asks.task.as_ref().and_then(|id| tasks.get(id));
                looked.look(one, task, by);
            }
            let first_ms = states.first_ms;
            let gone = match (is_cut, page.more) {
                (true, _) => states.gone(),
                (false, true) => continue,
                (false, false) => states.gone_of_all().await?,
            };
            return Ok(Read {
                looked,
                first_ms,
                gone,
                is_cut,
            });
        }
    }
}

/// What becomes of the job.
fn worked(part: Part<'_>, task: &Task) -> Worked {
    let at_once = || task.now_ms.max(task.job.due_at_ms.saturating_add(1));
    let due_at_ms: Option<WallMs> = match part.is_whole {
        true => part.next_ms,
        false => Some(at_once()),
    };
    let changes = part.written.changes();
    match due_at_ms {
        Some(due_at_ms) => Worked::Again { due_at_ms, changes },
        None => Worked::Done(changes),
    }
}
