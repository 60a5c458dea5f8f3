//! The triggers that keep occurrences, as the config has them now.
//!
//! The job of an event's occurrences is due again for as long as the event repeats, so it may be older
//! than the config: as a schedule's job it is done as its trigger says now. When there is none it is
//! given up and kept for people. A schedule's job ends instead: where the schedule comes back it is put
//! anew, but nobody puts an event's before the event changes.

use std::collections::HashMap;

use syncline_protocol::ids::{AppId, TableName};
use syncline_storage::jobs::TriggerId;

use super::args::{self, OccurrencesArgs, RecurringArgs};
use crate::triggers::TriggerConfig;
use crate::worker::Task;

/// Triggers that keep occurrences.
#[derive(Clone, Debug, Default)]
pub struct Rolling(HashMap<AppId, HashMap<TriggerId, Keeps>>);

/// What a trigger keeps.
#[derive(Clone, Debug)]
struct Keeps {
    /// The occurrences of events of this table.
    events: String,
    /// How, where every event's are kept alike; else an event's job knows.
    args: Option<OccurrencesArgs>,
}

/// How the occurrences of an event are to be kept.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// So.
    As(Box<OccurrencesArgs>),
    /// As its job says.
    AsPut,
    /// There is no such trigger (any more), for all that this node knows.
    NoMore,
}

impl Rolling {
    /// Of the triggers of apps. Those that do something else are passed over.
    pub fn of<'a>(apps: impl IntoIterator<Item = (&'a AppId, &'a [TriggerConfig])>) -> Rolling {
        let of_app = |(app, triggers): (&AppId, &[TriggerConfig])| {
            let kept = triggers.iter().filter_map(|trigger| {
                let RecurringArgs::Occurrences(put) = args::read(&trigger.args).ok()? else {
                    return None;
                };
                let keeps = Keeps {
                    events: trigger.table.clone(),
                    args: trigger.fixed_args().map(|fixed| match args::read(&fixed) {
                        Ok(RecurringArgs::Occurrences(args)) => args,
                        _ => put,
                    }),
                };
                Some((TriggerId::trusted(&trigger.id), keeps))
            });
            (app.clone(), kept.collect())
        };
        Rolling(apps.into_iter().map(of_app).collect())
    }

    /// How a job keeps the occurrences of an event of this table.
    pub(super) fn kept(&self, task: &Task, events: &TableName) -> Kept {
        let triggers = self.0.get(&task.space().app);
        let keeps = triggers.and_then(|triggers| triggers.get(&task.job.origin.trigger));
        match keeps.filter(|keeps| keeps.events == events.as_str()) {
            Some(Keeps { args, .. }) => match args {
                Some(args) => Kept::As(Box::new(args.clone())),
                None => Kept::AsPut,
            },
            None => Kept::NoMore,
        }
    }
}
