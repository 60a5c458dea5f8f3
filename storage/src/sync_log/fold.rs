//! The rows of one record, merged as they arrived.
//!
//! Stamps decide, whatever the order. Where a client claims one time for several rows of a record,
//! as when it inserts and updates in one millisecond, the later row is the greater: it gets the
//! next counter, as the hub would give it by the order of a request.

use std::collections::BTreeMap;

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::error::Code;
use syncline_protocol::ids::{RecordKey, Seq, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_protocol::record::{Record, Size};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};

use super::row::Written;
use crate::transfer::{RecordImage, Since};

/// A record as its rows come in.
#[derive(Clone, Debug)]
pub(super) struct Folding {
    pub(super) key: RecordKey,
    pub(super) record: Record,
    size: Size,
    /// When the last row arrived that was taken.
    arrived_ms: WallMs,
    /// The greatest stamp that stands for an arrival.
    pub(super) clock: Hlc,
}

impl Folding {
    pub(super) fn new(key: RecordKey) -> Folding {
        let record = Record::default();
        Folding {
            key,
            size: record.size(),
            record,
            arrived_ms: 0,
            clock: Hlc::default(),
        }
    }

    /// Merges a row, whole or not at all. Errors: the record would grow past a limit.
    pub(super) fn fold(&mut self, row: &Written, seq: Seq, limits: &Limits) -> Result<(), Code> {
        let mut stamping = Stamping {
            record: &self.record,
            row,
            given: BTreeMap::new(),
        };
        let changes: Vec<StampedChange> = row
            .changes
            .iter()
            .map(|change| stamping.change(change))
            .collect();
        let clock = stamping.given.get(&None).copied();
        let before = (changes.len() > 1).then(|| (self.record.clone(), self.size));
        for change in &changes {
            if let Err(code) = self.merge(change, seq, limits) {
                if let Some((record, size)) = before {
                    (self.record, self.size) = (record, size);
                }
                return Err(code);
            }
        }
        self.clock = self.clock.max(clock.unwrap_or_default());
        self.arrived_ms = self.arrived_ms.max(row.arrived.wall_ms());
        Ok(())
    }

    fn merge(&mut self, change: &StampedChange, seq: Seq, limits: &Limits) -> Result<(), Code> {
        let after = self.record.size_after(self.size, change);
        if after.bytes() > limits.record_bytes_max && after.bytes() > self.size.bytes() {
            return Err(Code::RecordTooLarge);
        }
        if after.fields > limits.fields_max && after.fields > self.size.fields {
            return Err(Code::TooManyFields);
        }
        self.record.merge(change, seq);
        // What a delete covers is gone.
        self.size = match self.record.fields.len() == after.fields {
            true => after,
            false => self.record.size(),
        };
        Ok(())
    }

    /// The record as it is brought in; `None` if no row said anything of it.
    pub(super) fn image(self, now_ms: WallMs) -> Option<RecordImage> {
        if self.record == Record::default() {
            return None;
        }
        Some(RecordImage {
            key: self.key,
            dead: (!self.record.is_live()).then_some(Since::At(now_ms)),
            committed_at_ms: Some(self.arrived_ms),
            record: self.record,
        })
    }
}

/// The stamps of one row.
struct Stamping<'a> {
    record: &'a Record,
    row: &'a Written,
    /// By claim.
    given: BTreeMap<Claim, Hlc>,
}

impl Stamping<'_> {
    fn change(&mut self, change: &ClaimedChange) -> StampedChange {
        let op = match &change.op {
            Op::Insert { at, data } => Op::Insert {
                at: self.stamp(*at),
                data: data.clone(),
            },
            Op::Delete { at } => Op::Delete {
                at: self.stamp(*at),
            },
            Op::Update { fields } => Op::Update {
                fields: fields
                    .iter()
                    .map(|(name, value, at)| (name.clone(), value.clone(), self.stamp(*at)))
                    .collect(),
            },
        };
        Change {
            key: change.key.clone(),
            op,
        }
    }

    fn stamp(&mut self, claim: Claim) -> Stamp {
        let (record, row) = (self.record, self.row);
        let at = *self.given.entry(claim).or_insert_with(|| {
            let asked = claim.unwrap_or(row.arrived);
            match last_of(record, asked.wall_ms(), row.writer) {
                Some(last) => {
                    let counter = asked.counter().max(last.counter().saturating_add(1));
                    Hlc::new(asked.wall_ms(), counter)
                }
                None => asked,
            }
        });
        let writer = self.row.writer;
        Stamp { at, writer }
    }
}

/// The greatest stamp of a record that is of this writer and millisecond.
fn last_of(record: &Record, wall_ms: WallMs, writer: WriterNo) -> Option<Hlc> {
    let fields = record.fields.iter().map(|field| field.stamp);
    let stamps = record
        .inserted
        .into_iter()
        .chain(record.deleted)
        .chain(fields);
    stamps
        .filter(|stamp| stamp.writer == writer && stamp.at.wall_ms() == wall_ms)
        .map(|stamp| stamp.at)
        .max()
}
