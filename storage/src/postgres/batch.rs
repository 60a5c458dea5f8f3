//! A group of commits as the columns that one statement takes: an array a column.

use std::collections::HashSet;

use syncline_protocol::codec;
use syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX;

use super::space::ordered_clock;
use crate::types::{Commit, MarkMove, used_at_ms};

/// Verdicts kept of a client, and the modulus of their slots.
const VERDICT_SLOTS: u64 = MUTATIONS_IN_FLIGHT_MAX as u64;

/// Where a verdict is kept.
pub(super) fn slot(m: u64) -> i64 {
    (m % VERDICT_SLOTS) as i64
}

/// The columns. `no` is a commit's place in the batch, counted from 1 as SQL counts.
#[derive(Default)]
pub(super) struct Batch<'c> {
    pub(super) spaces: Spaces,
    pub(super) marks: Marks<'c>,
    pub(super) verdicts: Verdicts<'c>,
    pub(super) records: Records<'c>,
}

#[derive(Default)]
pub(super) struct Spaces {
    pub(super) sid: Vec<i64>,
    pub(super) epoch: Vec<i64>,
    pub(super) expected: Vec<i64>,
    pub(super) head: Vec<i64>,
    pub(super) clock: Vec<i64>,
    pub(super) live: Vec<i64>,
    pub(super) writers: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Marks<'c> {
    pub(super) no: Vec<i64>,
    pub(super) sid: Vec<i64>,
    pub(super) user: Vec<&'c str>,
    pub(super) client: Vec<&'c str>,
    pub(super) writer: Vec<i64>,
    pub(super) expected: Vec<Option<i64>>,
    pub(super) last: Vec<Option<i64>>,
    pub(super) used_at: Vec<i64>,
    pub(super) expected_given: Vec<Option<i64>>,
    pub(super) given: Vec<Option<Vec<u8>>>,
    /// 0 where the memory is left as it is.
    pub(super) given_count: Vec<i64>,
}

#[derive(Default)]
pub(super) struct Verdicts<'c> {
    pub(super) no: Vec<i64>,
    pub(super) sid: Vec<i64>,
    pub(super) writer: Vec<i64>,
    pub(super) slot: Vec<i64>,
    pub(super) m: Vec<i64>,
    pub(super) hash: Vec<&'c [u8]>,
    pub(super) verdict: Vec<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Records<'c> {
    pub(super) no: Vec<i64>,
    pub(super) sid: Vec<i64>,
    pub(super) seq: Vec<i64>,
    pub(super) committed_at: Vec<i64>,
    pub(super) dead: Vec<bool>,
    pub(super) table: Vec<&'c str>,
    pub(super) id: Vec<&'c str>,
    pub(super) state: Vec<Vec<u8>>,
    pub(super) data: Vec<String>,
}

impl<'c> Batch<'c> {
    /// Adds a commit to the space with the number `sid`.
    pub(super) fn add(&mut self, sid: i64, commit: &'c Commit) {
        let spaces = &mut self.spaces;
        spaces.sid.push(sid);
        spaces.epoch.push(commit.expect_epoch.0 as i64);
        spaces.expected.push(commit.expect_head.0 as i64);
        spaces.head.push(commit.head.0 as i64);
        spaces.clock.push(ordered_clock(commit.clock));
        spaces.live.push(commit.live as i64);
        spaces.writers.push(i64::from(commit.writers.0));
        let at = Place {
            no: spaces.sid.len() as i64,
            sid,
            now_ms: commit.now_ms as i64,
        };
        for mark in &commit.marks {
            self.marks.add(at, mark);
            self.verdicts.add(at, mark);
        }
        self.records.add(at, commit);
    }
}

/// What every row of a commit holds.
#[derive(Clone, Copy)]
struct Place {
    no: i64,
    sid: i64,
    now_ms: i64,
}

impl<'c> Marks<'c> {
    fn add(&mut self, at: Place, mark: &'c MarkMove) {
        self.no.push(at.no);
        self.sid.push(at.sid);
        self.user.push(mark.client.user.as_str());
        self.client.push(mark.client.client.as_str());
        self.writer.push(i64::from(mark.writer.0));
        self.expected.push(mark.expect_last.map(|last| last as i64));
        self.last.push(mark.last.map(|last| last as i64));
        self.used_at.push(used_at_ms(at.now_ms as u64) as i64);
        self.expected_given
            .push(mark.expect_given.map(|count| count as i64));
        let given = mark.given.as_deref();
        self.given_count
            .push(given.map_or(0, |given| given.count as i64));
        self.given.push(given.map(codec::encode_given));
    }
}

impl<'c> Verdicts<'c> {
    /// The last of each slot: a statement may write a row once only.
    fn add(&mut self, at: Place, mark: &'c MarkMove) {
        let mut taken = HashSet::new();
        for remembered in mark.verdicts.iter().rev() {
            let slot = slot(remembered.m);
            if !taken.insert(slot) {
                continue;
            }
            self.no.push(at.no);
            self.sid.push(at.sid);
            self.writer.push(i64::from(mark.writer.0));
            self.slot.push(slot);
            self.m.push(remembered.m as i64);
            self.hash.push(&remembered.hash);
            self.verdict
                .push(codec::encode_verdict(&remembered.verdict));
        }
    }
}

impl<'c> Records<'c> {
    fn add(&mut self, at: Place, commit: &'c Commit) {
        for (key, record) in &commit.records {
            debug_assert_eq!(record.seq, commit.head, "a record of another commit: {key}");
            self.no.push(at.no);
            self.sid.push(at.sid);
            self.seq.push(record.seq.0 as i64);
            self.committed_at.push(at.now_ms);
            self.dead.push(!record.is_live());
            self.table.push(key.table.as_str());
            self.id.push(key.id.as_str());
            let split = codec::encode_split(record);
            self.state.push(split.state);
            self.data.push(split.values);
        }
    }
}
