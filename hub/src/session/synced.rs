//! What became of a changeset: what its device must be told that the store cannot tell.

use std::ops::RangeInclusive;
use std::sync::Arc;

use syncline_protocol::error::Code;
use syncline_protocol::ids::{Epoch, FieldName, RecordKey, Seq, WriterNo};
use syncline_protocol::record::Record;

/// What became of a changeset.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// The history all this is of.
    pub epoch: Epoch,
    /// The client's number; `None` if it never wrote.
    pub writer: Option<WriterNo>,
    /// Changes that were set aside, or hidden because their record is unknown.
    pub conflicts: Vec<SyncConflict>,
    /// Where the device must be told what is there, because another device's write won, or
    /// was beaten.
    pub echoes: Vec<Echo>,
    /// The commits in which it was merged, from the first to the last that it had an effect in;
    /// `None` if there are none, or its client has more in them.
    pub commits: Option<RangeInclusive<Seq>>,
    /// The records it named are too many bytes to be kept for the answer: nothing is told of them,
    /// and the device must look at all it has again.
    pub is_untold: bool,
}

/// A change that did not take effect as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncConflict {
    /// The table as it came.
    pub table: String,
    /// The id as it came.
    pub id: String,
    /// Why.
    pub code: Code,
}

impl Synced {
    /// What became of a changeset whose later part came to `later`. Of another history than the
    /// first part it is worth nothing: the first part's says so.
    pub(super) fn and(self, later: Synced) -> Synced {
        let Synced {
            epoch,
            writer,
            mut conflicts,
            mut echoes,
            commits,
            is_untold,
        } = self;
        let commits = match (commits, later.commits) {
            // What lies between may hold other changes of the same client.
            (Some(first), Some(last)) => {
                (first.end().next() == *last.start()).then(|| *first.start()..=*last.end())
            }
            (one, other) => one.or(other),
        };
        conflicts.extend(later.conflicts);
        echoes.extend(later.echoes);
        Synced {
            epoch,
            writer: later.writer.or(writer),
            conflicts,
            echoes,
            commits,
            is_untold: is_untold || later.is_untold,
        }
    }

    /// Keeps what is to be told of the records it named if they are no more than so many bytes.
    pub(super) fn within(mut self, bytes_max: usize) -> Synced {
        let bytes = self.echoes.iter().map(|echo| echo.record.size_bytes());
        self.is_untold |= bytes.sum::<usize>() > bytes_max;
        if self.is_untold {
            self.echoes = Vec::new();
        }
        self
    }
}

/// What a device that named a record must be told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    /// The record.
    pub key: RecordKey,
    /// Its state after the changeset.
    pub record: Arc<Record>,
    /// These fields.
    pub fields: Vec<FieldName>,
    /// Whether all of it must be told.
    pub whole: Whole,
}

/// Whether a device must be told all of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// The fields are enough.
    No,
    /// It has fields that the record has not: the record replaces what it has.
    Replace,
}
