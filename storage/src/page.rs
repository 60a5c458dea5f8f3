//! A page of changes as it fills, the same for every engine.

use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::record::Record;

use crate::types::PageLimit;

/// A record as it stands in a row.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Its key and state.
    pub(crate) keyed: (RecordKey, Record),
    /// Bytes stored of it, the key apart: what a page limit counts.
    pub(crate) bytes: usize,
}

/// The page.
pub(crate) struct Page {
    limit: PageLimit,
    pub(crate) records: Vec<(RecordKey, Record)>,
    bytes: usize,
    /// Where the commit that is being read begins in `records`.
    commit_begin: usize,
    /// A row did not fit.
    pub(crate) is_cut: bool,
}

impl Page {
    pub(crate) fn new(limit: PageLimit) -> Page {
        Page {
            limit,
            records: Vec::new(),
            bytes: 0,
            commit_begin: 0,
            is_cut: false,
        }
    }

    /// Takes the next row; `false` if it ends the page. The first row always fits.
    pub(crate) fn take(&mut self, row: Stored) -> bool {
        self.bytes = self.bytes.saturating_add(row.bytes);
        let over = self.records.len() >= self.limit.records || self.bytes > self.limit.bytes;
        if over && !self.records.is_empty() {
            self.end_before(row.keyed.1.seq);
            return false;
        }
        self.begin(row.keyed.1.seq);
        self.records.push(row.keyed);
        true
    }

    /// Bytes of its rows.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the page before a row that does not fit it, which was last changed in commit `seq`.
    pub(crate) fn end_before(&mut self, seq: Seq) {
        self.begin(seq);
        self.is_cut = true;
    }

    fn begin(&mut self, seq: Seq) {
        let last = self.records.last().map(|(_, record)| record.seq);
        if last.is_some_and(|last| last != seq) {
            self.commit_begin = self.records.len();
        }
    }

    /// Ends a page of changes that was cut: after the last whole commit, or inside its only
    /// one. Returns up to where it is complete, and its last record if that is inside a commit.
    pub(crate) fn cut(&mut self) -> Option<(Seq, Option<RecordKey>)> {
        if self.is_cut && self.commit_begin > 0 {
            self.records.truncate(self.commit_begin);
        }
        let (key, record) = self.records.last().filter(|_| self.is_cut)?;
        Some(match self.commit_begin {
            0 => (Seq(record.seq.0 - 1), Some(key.clone())),
            _ => (record.seq, None),
        })
    }
}
