//! What a mutation is answered, and what the store remembers of it.

use std::sync::Arc;

use crate::error::Refusal;
use crate::given::Given;
use crate::ids::{FieldName, RecordKey, Seq, WriterNo};
use crate::json::Json;
use crate::limits::VERDICT_WINNERS_BYTES_MAX;
use crate::merge::Lost;
use crate::record::Record;
use crate::stamp::Hlc;

/// SHA-256 of a mutation's changes in canonical JSON.
pub type PayloadHash = [u8; 32];

/// Whether a mutation took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something of it took effect; `winners` name what lost.
    Applied,
    /// Nothing of it took effect: what was there is newer or equal.
    Superseded,
    /// It can never take effect, whole.
    Rejected(Refusal),
}

/// The hub's final word on a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Applied, superseded or rejected.
    pub status: Status,
    /// The commit that decided it, or the head then if nothing took effect.
    pub seq: Seq,
    /// What beat parts of the mutation.
    pub winners: Vec<Winner>,
    /// A stamp was too far ahead and was replaced by the hub's clock.
    pub clamped: bool,
}

/// What beat a change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Winner {
    /// The record.
    pub key: RecordKey,
    /// The fields that stayed.
    pub fields: Vec<WonField>,
    /// The record's delete, if that won.
    pub deleted_at: Option<Hlc>,
    /// The record's insert, if that won over a delete.
    pub inserted_at: Option<Hlc>,
}

/// A field that stayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WonField {
    /// Its name.
    pub name: FieldName,
    /// When it was written.
    pub at: Hlc,
    /// The value; `None` past [`VERDICT_WINNERS_BYTES_MAX`], where it is only named.
    pub value: Option<Json>,
}

impl Verdict {
    /// A rejection decided at `head`.
    pub fn rejected(refusal: Refusal, head: Seq) -> Verdict {
        Verdict {
            status: Status::Rejected(refusal),
            seq: head,
            winners: Vec::new(),
            clamped: false,
        }
    }
}

/// Names what beat a change, from the record after the merge. `bytes_left` is what the verdict
/// may still hold of winning values; start it with [`VERDICT_WINNERS_BYTES_MAX`].
pub fn winner(key: &RecordKey, record: &Record, lost: &Lost, bytes_left: &mut usize) -> Winner {
    let fields = lost
        .fields
        .iter()
        .filter_map(|name| record.field(name.as_str()));
    Winner {
        key: key.clone(),
        fields: fields
            .map(|field| {
                let cost = field.value.as_str().len();
                let fits = cost <= *bytes_left;
                if fits {
                    *bytes_left -= cost;
                }
                WonField {
                    name: field.name.clone(),
                    at: field.stamp.at,
                    value: fits.then(|| field.value.clone()),
                }
            })
            .collect(),
        deleted_at: lost
            .to_delete
            .then(|| record.deleted.map(|stamp| stamp.at))
            .flatten(),
        inserted_at: lost
            .to_insert
            .then(|| record.inserted.map(|stamp| stamp.at))
            .flatten(),
    }
}

/// The budget of winning values a verdict starts with, in bytes.
pub const WINNERS_BUDGET: usize = VERDICT_WINNERS_BYTES_MAX;

/// What the store remembers of a client in a space, apart from the verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The client's writer number in the space.
    pub writer: WriterNo,
    /// The last mutation with a verdict; `None` if none is known (new, erased or cleaned up).
    pub last: Option<u64>,
    /// Claims of the client to which the hub gave a stamp, for clients whose writes carry no
    /// numbers; `None` if there never was one.
    pub given: Option<Arc<Given>>,
}

/// A remembered verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The mutation's number.
    pub m: u64,
    /// What it said.
    pub hash: PayloadHash,
    /// What it was answered.
    pub verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::StampedChange;
    use crate::samples::{at, delete, insert, key, update};

    /// What the last change is told about the others.
    fn told(changes: &[StampedChange], bytes_left: &mut usize) -> Winner {
        let (mut record, mut lost) = (Record::default(), Lost::default());
        for change in changes {
            lost = record.merge(change, Seq(1)).lost;
        }
        winner(&key("k1"), &record, &lost, bytes_left)
    }

    #[test]
    fn a_field_that_lost_is_told_the_value_that_stayed() {
        let changes = [
            insert(at(0, 1), &[("a", "[1,2]"), ("b", "1")]),
            update(at(9, 1), "a", "7"),
        ];
        let late = update(at(5, 2), "a", "8");
        let winner = told(
            &[&changes[..], &[late]].concat(),
            &mut WINNERS_BUDGET.clone(),
        );
        assert_eq!(winner.fields.len(), 1);
        assert_eq!(winner.fields[0].at, at(9, 1).at);
        assert_eq!(winner.fields[0].value, Some(Json::trusted("7")));
        assert_eq!((winner.deleted_at, winner.inserted_at), (None, None));
    }

    #[test]
    fn a_change_that_lost_to_a_delete_is_told_its_time() {
        let changes = [
            insert(at(0, 1), &[]),
            delete(at(9, 1)),
            update(at(5, 2), "a", "8"),
        ];
        let winner = told(&changes, &mut WINNERS_BUDGET.clone());
        assert_eq!(
            (winner.fields.len(), winner.deleted_at),
            (0, Some(at(9, 1).at))
        );
    }

    #[test]
    fn a_delete_that_lost_is_told_the_inserts_time() {
        let winner = told(
            &[insert(at(9, 1), &[]), delete(at(5, 2))],
            &mut WINNERS_BUDGET.clone(),
        );
        assert_eq!(
            (winner.deleted_at, winner.inserted_at),
            (None, Some(at(9, 1).at))
        );
    }

    #[test]
    fn values_are_told_up_to_the_budget_and_named_past_it() {
        let changes = [
            insert(at(9, 1), &[("a", "12"), ("b", "3")]),
            insert(at(5, 1), &[("a", "0"), ("b", "0")]),
        ];
        let values = |mut budget: usize| {
            let fields = told(&changes, &mut budget).fields;
            let told: Vec<_> = fields
                .into_iter()
                .map(|field| field.value.is_some())
                .collect();
            (told, budget)
        };
        assert_eq!(values(3), (vec![true, true], 0));
        assert_eq!(values(2), (vec![true, false], 0));
        assert_eq!(values(1), (vec![false, true], 0));
        assert_eq!(values(0), (vec![false, false], 0));
    }

    #[test]
    fn a_rejection_stands_at_the_head() {
        let refusal = Refusal::new(crate::error::Code::ValueInvalid, "why");
        let verdict = Verdict::rejected(refusal.clone(), Seq(5));
        assert_eq!(
            (verdict.status, verdict.seq),
            (Status::Rejected(refusal), Seq(5))
        );
        assert!(verdict.winners.is_empty() && !verdict.clamped);
    }
}
