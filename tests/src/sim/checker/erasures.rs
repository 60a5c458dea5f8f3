//! Nothing of before an erasure takes effect after it, whoever brings it and however late.
//!
//! A native device says by the first epoch it knew under its id what it has not heard of, one of the
//! compatibility protocol by its cursor. A cursor that is not the hub's own says nothing: what comes
//! with that is taken as a new device's.

use std::collections::HashMap;

use syncline_protocol::compat::cursor::Since;
use syncline_protocol::ids::Epoch;
use syncline_storage::model::ModelStore;

use super::{Checker, Claims, Moment};
use crate::sim::reference::Reference;
use crate::sim::trace::{Checked, ensure};

/// What was erased.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    /// How many erasures there were before each epoch; of those left out, none.
    before: HashMap<Epoch, u32>,
    count: u32,
    /// The minute of the epoch that the last one gave.
    minute: Option<u64>,
}

impl Erasures {
    /// An epoch was given.
    pub(super) fn epoch_given(&mut self, epoch: Epoch) {
        self.before.insert(epoch, self.count);
    }

    /// What a client said that knew an epoch took effect in another, or the same.
    pub(super) fn check_heard(&self, known: Option<Epoch>, now: Epoch) -> Checked {
        let before = |epoch| self.before.get(&epoch).copied().unwrap_or_default();
        let heard = known.is_none_or(|known| before(known) == before(now));
        ensure(heard, "erased", || {
            format!("what was sent in {known:?} took effect in {now}")
        })
    }
}

impl Checker {
    /// Everything was erased.
    pub fn erased(&mut self, before: Epoch, store: &ModelStore) {
        self.erasures.count += 1;
        let now = &mut self.now;
        now.reference = Reference::default();
        now.moment = Moment {
            erased: true,
            ..Moment::default()
        };
        now.claims = Claims::default();
        now.decided.clear();
        now.collected.clear();
        self.epoch_changed(before, store);
        let named = |epoch: &&Epoch| **epoch == self.epoch;
        let minutes = self.minutes.iter();
        let mut minutes = minutes.filter(|(_, epoch)| named(epoch));
        self.erasures.minute = minutes.next().map(|(minute, _)| *minute);
    }

    /// Whether a cursor is of before the last erasure.
    pub fn is_of_before_erasure(&self, since: Option<Since>) -> bool {
        let erased = self.erasures.minute;
        matches!((since, erased), (Some(Since::At { minute, .. }), Some(erased)) if minute < erased)
    }
}
