//! What a commit did, and which jobs follow.

use syncline_protocol::ids::{Epoch, RecordKey, Seq, SpaceKey};
use syncline_protocol::json::Json;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobMove, TriggerId};

use super::config::{Side, When};

/// What a commit does to the records of a space.
#[derive(Clone, Copy, Debug)]
pub struct Committed<'a> {
    /// The space.
    pub space: &'a SpaceKey,
    /// Its epoch.
    pub epoch: Epoch,
    /// The commit.
    pub seq: Seq,
    /// The hub's clock: its jobs are due at once.
    pub now_ms: WallMs,
    /// The records, each once.
    pub changed: &'a [Changed<'a>],
}

/// What a commit does to a record.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// The record.
    pub key: &'a RecordKey,
    /// As it was; `None` if it was never stored.
    pub before: Option<&'a Record>,
    /// As it is.
    pub after: &'a Record,
    /// Who changed it last.
    pub who: &'a str,
    /// How many jobs stand between this change and somebody's own: 0 for a device's, one more than
    /// its own for what a job writes.
    pub depth: u8,
}

impl<'a> Changed<'a> {
    /// A field's value that shows; `None` if it is not there, or the record is dead.
    pub(super) fn value(&self, side: Side, name: &str) -> Option<&'a Json> {
        let field = self.shown(side)?.field(name)?;
        Some(&field.value)
    }

    /// One of its states; `None` if it was not there, or dead.
    pub(super) fn shown(&self, side: Side) -> Option<&'a Record> {
        let record = match side {
            Side::Before => self.before?,
            Side::After => self.after,
        };
        record.is_live().then_some(record)
    }

    /// Whether a field shows another value than before.
    pub(super) fn field_changed(&self, name: &str) -> bool {
        self.value(Side::Before, name) != self.value(Side::After, name)
    }

    /// What happened to it, for whoever sees values only; `None` if nothing did, whatever its stamps
    /// say.
    pub(super) fn what(&self) -> Option<When> {
        let was_live = self.before.is_some_and(Record::is_live);
        match (was_live, self.after.is_live()) {
            (false, true) => Some(When::Insert),
            (true, false) => Some(When::Delete),
            (false, false) => None,
            (true, true) => {
                let fires = self.shows_otherwise() || mutant(Mutant::JobForNothing);
                fires.then_some(When::Update)
            }
        }
    }

    fn shows_otherwise(&self) -> bool {
        let fields = |record: &'a Record| record.fields.iter();
        let value = |field: &'a Field| (&field.name, &field.value);
        let before = self.before.map(fields).into_iter().flatten().map(value);
        // Fields are sorted, so equal ones come in an equal order.
        !before.eq(fields(self.after).map(value))
    }
}

/// The jobs of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// What the commit puts.
    pub moves: Vec<JobMove>,
    /// What it would have put.
    pub cut: Vec<Cut>,
}

/// A job that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// By which trigger.
    pub trigger: TriggerId,
    /// For which record.
    pub record: RecordKey,
    /// Why.
    pub why: CutWhy,
}

/// Why a job was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutWhy {
    /// Jobs trigger each other in a circle.
    #[error("the change is {0} jobs deep")]
    TooDeep(u8),
    /// Its arguments hold too much.
    #[error("its arguments have {0} bytes")]
    ArgsTooLarge(usize),
    /// The commit makes too many.
    #[error("the commit makes too many jobs")]
    TooMany,
}
