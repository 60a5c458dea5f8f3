//! What grows too old is collected, at any moment.

use syncline_hub::retention::{Effect, Event, Moment};
use syncline_storage::types::{Collect, Collected, Keys};

use super::World;
use crate::sim::count::Kind;
use crate::sim::node::SKEW_MS_MAX;
use crate::sim::store::down;
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
        // Much of what happens to a node's walk keeps it from collecting.
        let often = if self.cluster.is_some() { 6 } else { 1 };
        let clears = often * CLEARS;
        if self.retention.chance(clears) {
            let device = self.retention.below(self.devices.len());
            self.with_device(device, |device, cx| device.clear_up(cx));
        }
        let rate = if self.cluster.is_some() {
            2 * RATE
        } else {
            RATE
        };
        if !self.retention.chance(rate) {
            return Ok(());
        }
        if self.cluster.is_some() {
            let node = self.retention.below(self.nodes.len());
            return self.walk(node);
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
            bytes: usize::MAX,
        };
        self.collect_now(collect).map(|_| ())
    }

    /// A node of a real cluster walks on, until it has looked at the space.
    fn walk(&mut self, node: usize) -> Checked {
        let random = self.moment(node).map(|moment| moment.random);
        let walking = self.with_timers(node, |timers| timers.retention.take());
        let (Some(random), Some(mut walking)) = (random, walking.flatten()) else {
            return Ok(());
        };
        let moment = Moment {
            now_ms: self.nodes[node].now_ms(self.now_ms),
            random,
        };
        let mut has_looked = !self.runs(node);
        while !has_looked {
            let event = match walking.effect {
                Effect::Pause(_) => Event::Go,
                Effect::List(..) if self.is_away(node) => Event::Listed(Err(down())),
                Effect::List(after, limit) => {
                    Event::Listed(Ok(self.store.model.spaces(after.as_ref(), limit)))
                }
                Effect::Collect(_, collect) => {
                    has_looked = true;
                    Event::Collected(match self.is_away(node) {
                        true => Err(down()),
                        false => Ok(self.collect_now(collect)?),
                    })
                }
                // As if it were open on the node that walks: the world's only space stays.
                Effect::Forget(..) => Event::Forgotten(Ok(false)),
            };
            has_looked |= matches!(event, Event::Listed(Err(_)));
            walking.effect = walking.walk.step(event, moment);
        }
        self.with_timers(node, |timers| timers.retention = Some(walking));
        Ok(())
    }

    fn collect_now(&mut self, collect: Collect) -> Checked<Collected> {
        let keys = collect.keys;
        let before = self.store.model.all(&self.space);
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
        let kept_ms = self.plan.retention_ms.unwrap_or_default();
        let dead_before_ms = (self.now_ms + SKEW_MS_MAX).saturating_sub(kept_ms);
        self.checker
            .collected(&view, (&before, dead_before_ms), &self.store.model)?;
        Ok(collected)
    }
}
