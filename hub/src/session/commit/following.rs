//! What follows from a commit: the jobs of the app's triggers, put by the commit itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use syncline_compute::triggers::{Changed, Committed, Cut, CutWhy, Fired, Triggers};
use syncline_protocol::ids::{RecordKey, UserId};
use syncline_protocol::record::Record;

use super::Base;
use crate::telemetry::labels::JobCut;

/// Who changes records.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) user: UserId,
    /// How many jobs stand between the change and somebody's own.
    pub(super) depth: u8,
}

/// Who changed the records that triggers look at.
#[derive(Debug)]
pub(super) struct Following {
    triggers: Arc<Triggers>,
    authors: HashMap<RecordKey, Author>,
}

impl Following {
    pub(super) fn new(triggers: Arc<Triggers>) -> Following {
        Following {
            triggers,
            authors: HashMap::new(),
        }
    }

    /// A record was changed. What somebody does is never cut because a job changed the same record in
    /// the same commit.
    pub(super) fn changed(&mut self, key: &RecordKey, by: &Author) {
        if !self.triggers.look_at(&key.table) {
            return;
        }
        let earlier = self.authors.get(key).map(|author| author.depth);
        let depth = earlier.map_or(by.depth, |depth| depth.min(by.depth));
        let user = by.user.clone();
        self.authors.insert(key.clone(), Author { user, depth });
    }

    /// The jobs of a commit that leaves records so.
    pub(super) fn jobs(
        &self,
        (base, dirty): (&Base, &BTreeMap<RecordKey, Arc<Record>>),
        committed: Committed<'_>,
    ) -> Fired {
        if self.authors.is_empty() {
            return Fired::default();
        }
        let changed = dirty.iter().filter_map(|(key, after)| {
            let author = self.authors.get(key)?;
            let before = base.get(key).and_then(Option::as_deref);
            let (who, depth) = (author.user.as_str(), author.depth);
            Some(Changed {
                key,
                before,
                after,
                who,
                depth,
            })
        });
        let changed: Vec<Changed<'_>> = changed.collect();
        self.triggers.jobs_of(&Committed {
            changed: &changed,
            ..committed
        })
    }
}

/// How a job that was not made is counted.
pub(super) fn label(cut: &Cut) -> JobCut {
    match cut.why {
        CutWhy::TooDeep(_) => JobCut::TooDeep,
        CutWhy::ArgsTooLarge(_) => JobCut::ArgsTooLarge,
        CutWhy::TooMany => JobCut::TooMany,
    }
}
