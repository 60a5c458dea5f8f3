//! What grows too old is collected, at any moment.

use syncline_storage::types::{Collect, Collected, Keys};

use super::World;
use crate::sim::count::Kind;
use crate::sim::trace::Checked;

/// Of a thousand steps, in how many something is collected.
const RATE: u64 = 200;

/// In how many somebody clears up besides.
const CLEARS: u64 = 50;

/// Records, and clients, collected at once.
const LIMIT_MAX: u64 = 6;

impl World {
    /// The retention of some node comes by.
    pub(super) fn collect_old(&mut self) -> Checked {
        let Some(kept_ms) = self.plan.retention_ms else {
            return Ok(());
        };
        if self.retention.chance(CLEARS) {
            let device = self.retention.below(self.devices.len());
            self.with_device(device, |device, cx| device.clear_up(cx));
        }
        if !self.retention.chance(RATE) {
            return Ok(());
        }
        // As the hub does: where devices of the compatibility protocol are, keys stay.
        let keys = match self.plan.compat.contains(&true) {
            true => Keys::Keep,
            false => Keys::Remove,
        };
        let collect = Collect {
            dead_before_ms: self.now_ms - kept_ms,
            marks_before_ms: self.now_ms - 2 * kept_ms,
            keys,
            limit: self.retention.within(1, LIMIT_MAX) as usize,
        };
        let collected = self.store.model.collect(&self.space, collect);
        let collected = collected.expect("the space is there");
        self.aids
            .trace
            .say(&"retention", || format!("collects {collected:?}"));
        let Collected {
            view,
            tombstones,
            marks,
            ..
        } = collected;
        let kind = match keys {
            Keys::Keep => Kind::KeyKept,
            Keys::Remove => Kind::Collected,
        };
        (0..tombstones).for_each(|_| self.aids.counts.add(kind));
        (0..marks).for_each(|_| self.aids.counts.add(Kind::MarkForgotten));
        self.checker.collected(&view, &self.store.model)
    }
}
