//! Where the rows of a job are in its space's partition.
//!
//! Numbers in a text are of a fixed width, so that texts order as they do; names hold no control
//! characters, so a zero byte ends one.

use syncline_protocol::stamp::WallMs;

use super::super::row::{Place, kind};
use super::Kept;
use crate::jobs::{JobKey, JobKind, JobLane, JobNo};
use crate::types::StoreError;

/// What a job is called in its space.
pub(in crate::cassandra) type Name = (JobKind, JobKey);

/// `n` of the rows that order what can be claimed, of those that order the dead, and of those of what is
/// behind others of its lane.
const LIVING: i64 = 0;
const DEAD: i64 = 1;
const BEHIND: i64 = -1;

pub(super) fn job((of, key): &Name) -> Place {
    Place::new(kind::JOB, 0, (of.as_str(), key.as_str()))
}

pub(super) fn queue(of: &JobKind) -> Place {
    Place::new(kind::QUEUE, 0, (of.as_str(), ""))
}

/// By when it may be claimed, or when it died; then by number.
pub(super) fn order(kept: &Kept) -> Place {
    let job = &kept.stored.job;
    let n = match (kept.is_dead(), kept.is_behind) {
        (true, _) => DEAD,
        (false, true) => BEHIND,
        (false, false) => LIVING,
    };
    let a = format!("{}\0{:016x}{:016x}", job.kind, kept.at_ms, kept.no.0);
    Place::new(kind::ORDER, n, (&a, job.key.as_str()))
}

/// Of one that lives and has a lane.
pub(super) fn lane(kept: &Kept) -> Option<Place> {
    let job = &kept.stored.job;
    let lane = job.lane.as_ref().filter(|_| !kept.is_dead())?;
    let a = format!("{}{:016x}", lane_begins(&job.kind, lane), kept.no.0);
    Some(Place::new(kind::LANE, 0, (&a, job.key.as_str())))
}

fn lane_begins(of: &JobKind, lane: &JobLane) -> String {
    format!("{of}\0{lane}\0")
}

fn all_of(of: &JobKind, n: i64) -> (Place, Place) {
    let begin = Place::new(kind::ORDER, n, (&format!("{of}\0"), ""));
    let end = Place::new(kind::ORDER, n, (&format!("{of}\u{1}"), ""));
    (begin, end)
}

/// All of a kind that can be claimed once they are due.
pub(super) fn living_of(of: &JobKind) -> (Place, Place) {
    all_of(of, LIVING)
}

/// All of a kind that are behind others of their lanes.
pub(super) fn behind_of(of: &JobKind) -> (Place, Place) {
    all_of(of, BEHIND)
}

/// Those of a kind that may be claimed after the first time and up to the second, and those that are
/// behind others.
pub(super) fn waiting_of(of: &JobKind, (after_ms, to_ms): (WallMs, WallMs)) -> [(Place, Place); 2] {
    let at = |n: i64, ms: WallMs| {
        let a = format!("{of}\0{:016x}", ms.saturating_add(1));
        Place::new(kind::ORDER, n, (&a, ""))
    };
    [LIVING, BEHIND].map(|n| (at(n, after_ms), at(n, to_ms)))
}

/// All that live.
pub(in crate::cassandra) fn living() -> (Place, Place) {
    (Place::begin(kind::ORDER), dead().0)
}

/// All that are dead.
pub(in crate::cassandra) fn dead() -> (Place, Place) {
    (
        Place::new(kind::ORDER, DEAD, ("", "")),
        Place::end(kind::ORDER),
    )
}

/// Whose a row of the order is.
pub(in crate::cassandra) fn ordered_name(place: &Place) -> Result<Name, StoreError> {
    Ok(Ordered::of(place)?.name)
}

/// All that live of a lane.
pub(super) fn all_of_lane((of, lane): &(JobKind, JobLane)) -> (Place, Place) {
    let begin = lane_begins(of, lane);
    let end = format!("{of}\0{lane}\u{1}");
    let place = |a: &str| Place::new(kind::LANE, 0, (a, ""));
    (place(&begin), place(&end))
}

/// The number of a job by its row of a lane.
pub(super) fn no_in_lane(place: &Place) -> Result<JobNo, StoreError> {
    let digits = place.a.rsplit_once('\0').map(|(_, digits)| digits);
    let no = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    no.map(JobNo)
        .ok_or_else(|| StoreError::Damaged("a row of a lane".to_owned()))
}

/// What a row of the order says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ordered {
    pub(super) name: Name,
    pub(super) is_dead: bool,
    pub(super) is_behind: bool,
    pub(super) at_ms: WallMs,
    pub(super) no: JobNo,
}

impl Ordered {
    pub(super) fn of(place: &Place) -> Result<Ordered, StoreError> {
        let damaged = || StoreError::Damaged("a row of a job's order".to_owned());
        let (of, rest) = place.a.split_once('\0').ok_or_else(damaged)?;
        let number = |from, to| {
            let digits = rest.get(from..to);
            let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            number.ok_or_else(damaged)
        };
        Ok(Ordered {
            name: (JobKind::trusted(of), JobKey::trusted(&place.b)),
            is_dead: place.n == DEAD,
            is_behind: place.n == BEHIND,
            at_ms: number(0, 16)?,
            no: JobNo(number(16, 32)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept;
    use super::*;

    #[test]
    fn places_order_as_times_and_numbers_do() {
        let places = [(9, 300), (10, 2), (10, 300), (256, 1)].map(|(at_ms, no)| {
            let kept = kept(at_ms, no);
            order(&kept)
        });
        assert!(places.is_sorted(), "{places:?}");
        let (begin, end) = living_of(&JobKind::trusted("k"));
        assert!(places.iter().all(|place| begin < *place && *place < end));
        let (_, end_of_another) = living_of(&JobKind::trusted("j"));
        assert!(places.iter().all(|place| end_of_another < *place));
    }

    #[test]
    fn what_is_ordered_is_read_again() {
        let kept = kept(10, 300);
        let read = Ordered::of(&order(&kept)).unwrap();
        let job = kept.stored.job;
        let name = (job.kind, job.key);
        let expected = Ordered {
            name,
            is_dead: false,
            is_behind: false,
            at_ms: 10,
            no: JobNo(300),
        };
        assert_eq!(read, expected);
    }
}
