//! Which jobs of the model are behind others of their lane.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::mutant::{Mutant, mutant};

use super::Row;
use crate::jobs::{JobKey, JobKind, JobLane, JobNo};

/// The numbers of those of a space that no claim meets: of each lane all that live but the one that
/// is leased, or the first.
pub(super) fn behind(jobs: &BTreeMap<(JobKind, JobKey), Row>) -> BTreeSet<JobNo> {
    if mutant(Mutant::IgnoreLane) {
        return BTreeSet::new();
    }
    let mut lanes: BTreeMap<(&JobKind, &JobLane), Vec<(bool, JobNo)>> = BTreeMap::new();
    for ((kind, _), row) in jobs {
        if let (Some(lane), Some(_)) = (&row.stored.job.lane, row.at_ms()) {
            let waits = !row.is_leased();
            lanes.entry((kind, lane)).or_default().push((waits, row.no));
        }
    }
    let mut behind = BTreeSet::new();
    for mut lane in lanes.into_values() {
        lane.sort_unstable();
        behind.extend(lane.into_iter().skip(1).map(|(_, no)| no));
    }
    behind
}
