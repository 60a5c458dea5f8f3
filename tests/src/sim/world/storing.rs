//! What nodes ask of the store: it takes effect at one step and is answered at a later one.

use syncline_cluster::event::SpaceHead;
use syncline_hub::session::event::{Effect, Event, StoreAnswer};
use syncline_protocol::ids::RecordKey;
use syncline_protocol::record::Record;

use super::World;
use crate::sim::checker::Batch;
use crate::sim::count::Kind;
use crate::sim::node::{Answer, Operation};
use crate::sim::store::{Fate, describe};
use crate::sim::trace::Checked;

impl World {
    pub(super) fn operate(&mut self, node: usize, at: usize) -> Checked {
        let operation = self.nodes[node].operations.swap_remove(at);
        let Operation {
            incarnation,
            effect,
            batch,
            asked,
            silent,
            held_until: _,
        } = operation;
        let fate = match self.is_away(node) {
            true => Fate::Fails,
            false => self.draw_fate(&effect),
        };
        let name = self.nodes[node].name.clone();
        self.aids.trace.say(&"store", || {
            format!("{fate:?}: {name}'s {}", describe(&effect))
        });
        let event = match &effect {
            Effect::Commit(commit) => Some(self.nodes[node].telling.of(commit)),
            _ => None,
        };
        let held = self.held(batch.as_ref());
        let replaced = self.replaced(&effect);
        let before = self.store.view().epoch;
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let done = self.store.carry_out(effect, fate, now_ms);
        if self.store.view().epoch != before {
            self.checker.epoch_changed(before, &self.store.model);
        }
        if let Some(commit) = done.committed {
            let batch = batch.unwrap_or(Batch {
                judged: Vec::new(),
                clock: commit.clock,
                bases: Vec::new(),
            });
            held.iter()
                .for_each(|_| self.aids.counts.add(Kind::BasesCompared));
            self.checker.merged_onto(&commit, &batch, &held)?;
            if self.jobs.is_some() {
                self.checker.jobs_put(&commit, &batch, &replaced)?;
            }
            self.aids.counts.add(if commit.head > commit.expect_head {
                Kind::Commit
            } else {
                Kind::MarkOnly
            });
            self.checker.committed(&commit, &batch, &self.store.model)?;
        }
        let telling = &self.nodes[node].telling;
        let told = match (&done.answer, event) {
            (StoreAnswer::Committed(outcome), Some(event)) => telling.committed(event, outcome),
            (StoreAnswer::NewEpoch(Ok(view)), _) => telling.moved(SpaceHead {
                space: self.space.clone(),
                epoch: view.epoch,
                head: view.head,
            }),
            _ => None,
        };
        let mut told = told.filter(|_| !silent);
        if self.cluster.is_none()
            && let Some(told) = told.take()
        {
            self.publish(node, &told);
        }
        if let StoreAnswer::View(Ok(page)) | StoreAnswer::Changes(_, Ok(page)) = &done.answer
            && page.inside.is_some()
        {
            self.aids.counts.add(Kind::PageInside);
        }
        let held_until = self.hold(Kind::ReplyDelayed);
        self.nodes[node].answers.push(Answer {
            incarnation,
            answer: done.answer,
            asked,
            told,
            held_until,
        });
        Ok(())
    }

    /// What the store holds of what a commit would write, in a world with jobs.
    fn replaced(&self, effect: &Effect) -> Vec<Option<Record>> {
        let (Effect::Commit(commit), Some(_)) = (effect, &self.jobs) else {
            return Vec::new();
        };
        let keys: Vec<RecordKey> = commit.records.iter().map(|(key, _)| key.clone()).collect();
        let read = self.store.model.records(&self.space, &keys, usize::MAX);
        read.map(|read| read.records).unwrap_or_default()
    }

    /// What the store holds of what is merged onto.
    fn held(&self, batch: Option<&Batch>) -> Vec<Option<Record>> {
        let bases = batch.iter().flat_map(|batch| &batch.bases);
        let keys: Vec<RecordKey> = bases.map(|(key, _)| key.clone()).collect();
        let read = self.store.model.records(&self.space, &keys, usize::MAX);
        read.map(|read| read.records).unwrap_or_default()
    }

    fn draw_fate(&mut self, effect: &Effect) -> Fate {
        let rate = self.plan.store_faults;
        if !self.chaos || !self.aids.rng.chance(rate) {
            return Fate::Done;
        }
        let writes = matches!(effect, Effect::Commit(_) | Effect::NewEpoch { .. });
        let (fate, kind) = match writes {
            true if self.aids.rng.chance(600) => (Fate::AnswerLost, Kind::CommitAnswerLost),
            true => (Fate::Fails, Kind::CommitFails),
            false => (Fate::Fails, Kind::ReadFails),
        };
        self.aids.counts.add(kind);
        fate
    }

    pub(super) fn answer(&mut self, node: usize, at: usize) {
        let Answer {
            incarnation,
            answer,
            asked,
            told,
            held_until: _,
        } = self.nodes[node].answers.remove(at);
        if let Some(told) = told {
            self.publish(node, &told);
        }
        let own = &self.nodes[node];
        if own.session.is_none() || own.incarnation != incarnation {
            self.aids.counts.add(Kind::AnswerDropped);
            return;
        }
        if own.answers.iter().any(|other| other.asked < asked) {
            self.aids.counts.add(Kind::AnswersReordered);
        }
        self.tell(node, Event::Store(answer));
    }
}
