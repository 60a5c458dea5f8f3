//! The counters of a request's stamps.
//!
//! Requests name times without counters: of equal times, the later change of a record is the greater.
//! Stamps are compared inside a record only, so each record counts by itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::change::{Claim, Op};
use crate::error::{Code, Refusal};
use crate::ids::RecordKey;
use crate::stamp::Hlc;

/// Changes of one record in one millisecond of one request: as many as a stamp has counters. What
/// follows is kept apart.
const COUNTERS: u32 = u16::MAX as u32 + 1;

/// How many changes came before, of each record in each millisecond: by a hash of both, since two
/// that share a count lose nothing by it.
#[derive(Default)]
pub(super) struct Counters {
    earlier: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Counters {
    /// Counts a change in. Errors: `too_many_changes` for what no counter is left for. It would not be known to be
    /// later than the one before it.
    pub(super) fn count(&mut self, key: &RecordKey, op: &mut Op<Claim>) -> Result<(), Refusal> {
        let mut claims: Vec<&mut Hlc> = match op {
            Op::Insert { at, .. } | Op::Delete { at } => at.iter_mut().collect(),
            Op::Update { fields } => fields
                .iter_mut()
                .filter_map(|(_, _, at)| at.as_mut())
                .collect(),
        };
        let counted = |at: &Hlc| self.hasher.hash_one((key, at.wall_ms()));
        let mut moments: Vec<u64> = claims.iter().map(|at| counted(at)).collect();
        for (at, moment) in claims.iter_mut().zip(&moments) {
            let earlier = self.earlier.get(moment).copied().unwrap_or(0);
            let counter = u16::try_from(earlier).map_err(|_| {
                let message = format!("more than {COUNTERS} changes of {key} in one millisecond");
                Refusal::new(Code::TooManyChanges, message)
            })?;
            **at = Hlc::new(at.wall_ms(), counter);
        }
        moments.sort_unstable();
        moments.dedup();
        for moment in moments {
            *self.earlier.entry(moment).or_default() += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SyncChange;
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn the_later_of_two_changes_of_one_time_is_the_greater() {
        let change = |value: &str, at: &str| {
            format!(
                r#"{{"table":"t","id":"a","op":"update","fields":{{"x":{{"value":{value},"updatedAt":"{at}"}}}}}}"#
            )
        };
        let (one, two) = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z");
        let changes = [
            change("1", one),
            change("2", one),
            change("3", two),
            change("4", one),
        ];
        let counters: Vec<u16> = parse(&changes.join(","))
            .unwrap()
            .changes
            .into_iter()
            .map(|change| match change.asked.unwrap().op {
                Op::Update { fields } => fields[0].2.unwrap().counter(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counters, [0, 1, 0, 2]);
    }

    /// The counter of a delete, or why it was kept apart.
    fn counter(change: &SyncChange) -> Result<u16, Code> {
        match change.asked.as_ref().map(|asked| &asked.op) {
            Ok(Op::Delete { at: Some(at) }) => Ok(at.counter()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn deletes(ids: impl Iterator<Item = String>) -> Vec<SyncChange> {
        let at = "2026-01-01T00:00:00Z";
        let delete =
            |id| format!(r#"{{"table":"t","id":"{id}","op":"delete","deletedAt":"{at}"}}"#);
        parse(&ids.map(delete).collect::<Vec<_>>().join(","))
            .unwrap()
            .changes
    }

    #[test]
    fn a_record_has_as_many_changes_of_one_time_as_there_are_counters() {
        let same = |_| "a".to_owned();
        let changes = deletes((0..=COUNTERS).map(same));
        let [.., last, one_more] = &changes[..] else {
            panic!("{} changes", changes.len());
        };
        assert_eq!(counter(&changes[0]), Ok(0));
        assert_eq!(counter(last), Ok(u16::MAX));
        assert_eq!(counter(one_more), Err(Code::TooManyChanges));
    }

    #[test]
    fn the_changes_of_many_records_need_no_counters() {
        let changes = deletes((0..=COUNTERS).map(|id| id.to_string()));
        assert!(changes.iter().all(|change| counter(change) == Ok(0)));
    }
}
