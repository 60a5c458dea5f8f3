//! What a mutation is answered, and what the store remembers of it.

use crate::error::Refusal;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The client's writer number in the space.
    pub writer: WriterNo,
    /// The last mutation with a verdict; `None` if none is known (new, erased or cleaned up).
    pub last: Option<u64>,
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
