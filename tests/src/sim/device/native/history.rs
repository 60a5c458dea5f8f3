//! What a native device does when its history is another one than the space's: it was lost, given
//! up, or erased.

use syncline_protocol::ids::Epoch;

use super::super::message::Message;
use super::super::outbox::Outbox;
use super::super::replica::Replica;
use super::super::{Cx, edits};
use super::{Native, client};
use crate::sim::count::Kind;

impl Native {
    /// Whether what it holds may be of another history than this one.
    pub(super) fn stands_elsewhere(&self, epoch: Option<Epoch>) -> bool {
        let known = self.replica.cursor.map(|(own, _)| own).or(self.first_epoch);
        known != epoch || (self.replica.cursor.is_none() && self.resumes_at().is_some())
    }

    fn be_another(&mut self) {
        self.generation += 1;
        self.client = client(&self.client.user, &self.name, self.generation);
        (self.first_epoch, self.is_forgotten) = (None, false);
    }

    /// The hub has lost what it confirmed: the numbers begin again under another name.
    pub(super) fn take_new_id(&mut self, cx: &mut Cx<'_>) {
        cx.aids.counts.add(Kind::NewClientId);
        self.be_another();
        self.outbox.renumber();
        self.before_reset.get_or_insert(self.replica.shown.clone());
        self.replica.begin_snapshot(None);
        self.backfill.clear();
        *cx.leaves = true;
    }

    /// Everything was erased: all it has goes, sent or not.
    pub(super) fn be_erased(&mut self, cx: &mut Cx<'_>) {
        cx.aids.counts.add(Kind::ToldErased);
        self.be_another();
        self.outbox = Outbox::default();
        self.replica = Replica::default();
        self.before_reset = None;
        self.backfill.clear();
        *cx.leaves = true;
    }

    pub(super) fn reset(&mut self, reset: &Message<'_>, cx: &mut Cx<'_>) {
        if self.is_heedful && reset.why == Some("erased") {
            return self.be_erased(cx);
        }
        if self.is_forgotten {
            return self.take_new_id(cx);
        }
        if reset.why == Some("epoch") {
            self.before_reset.get_or_insert(self.replica.shown.clone());
            self.outbox.history_lost();
        }
        self.epoch = reset.epoch.and_then(Epoch::parse).or(self.epoch);
        self.backfill.clear();
        self.replica.begin_snapshot(None);
    }

    /// After another history was taken over: what was shown before and differs is written
    /// again, with the newest stamp the device knows of it, so that it wins only where the
    /// store has lost it.
    pub(super) fn offer_back(&mut self, cx: &mut Cx<'_>) {
        for (key, held) in self.before_reset.take().into_iter().flatten() {
            let now = self.replica.shown.get(&key);
            if now.is_some_and(|now| now.data == held.data) || held.at.is_empty() {
                continue;
            }
            let at = syncline_protocol::stamp::Hlc::parse(&held.at).ok();
            let change = edits::insert(key.table.as_str(), key.id.as_str(), &held.data, at);
            cx.aids.counts.add(Kind::OfferedBack);
            self.outbox.add(format!("[{change}]"));
        }
    }
}
