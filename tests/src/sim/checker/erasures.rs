//! Nothing of before an erasure takes effect after it, whoever brings it and however late.
//!
//! A native device says by the first epoch it knew under its id what it has not heard of, one of the
//! compatibility protocol by its cursor; one that had to start again, which it may have had to by an
//! erasure, by the times of its changes. A cursor that is not the hub's own says nothing: what comes
//! with that is taken as a new device's.

use std::collections::HashMap;

use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::ids::Epoch;
use syncline_protocol::limits::STAMP_AHEAD_MS_MAX;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_storage::model::ModelStore;

use super::claims::{Claims, claims_of};
use super::{Checker, Moment};
use crate::sim::reference::Reference;
use crate::sim::trace::{Checked, ensure};

const MINUTE_MS: WallMs = 60_000;

/// What was erased.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    /// How many erasures there were before each epoch; of those left out, none.
    before: HashMap<Epoch, u32>,
    count: u32,
    /// The minute of the epoch that the last one gave.
    minute: Option<u64>,
    /// That epoch, and when it was given.
    last: Option<(Epoch, WallMs)>,
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
        now.dead_ms.clear();
        now.jobs.erased();
        self.epoch_changed(before, store);
        let named = |epoch: &&Epoch| **epoch == self.epoch;
        let minutes = self.minutes.iter();
        let mut minutes = minutes.filter(|(_, epoch)| named(epoch));
        self.erasures.minute = minutes.next().map(|(minute, _)| *minute);
        let view = store.space(&self.space);
        self.erasures.last = view.map(|view| (view.epoch, view.epoch_at_ms));
    }

    /// From when on a changeset with this cursor must be made, if its device had to start again: the
    /// erasure, which is known to the minute once another epoch was given.
    pub(super) fn begins_ms(&self, since: Option<Since>) -> Option<WallMs> {
        let (epoch, at_ms) = self.erasures.last?;
        let begins_ms = match epoch == self.epoch {
            true => at_ms,
            false => (at_ms / MINUTE_MS + 1) * MINUTE_MS,
        };
        Some(begins_ms).filter(|_| since.is_some_and(Since::starts_again))
    }

    /// Whether a cursor is of before the last erasure.
    pub fn is_of_before_erasure(&self, since: Option<Since>) -> bool {
        let erased = self.erasures.minute;
        matches!((since, erased), (Some(Since::At { minute, .. }), Some(erased)) if minute < erased)
    }
}

/// Whether all times of a change are of since then, and believed.
pub(super) fn is_made_since(ms: WallMs, change: &SyncChange, taken_at_ms: WallMs) -> bool {
    let Ok(asked) = &change.asked else {
        return false;
    };
    let mut claims = claims_of(&asked.op).into_iter();
    claims.all(|claim| {
        let at = claim.map(Hlc::wall_ms);
        at.is_some_and(|at| ms <= at && at <= taken_at_ms + STAMP_AHEAD_MS_MAX)
    })
}
