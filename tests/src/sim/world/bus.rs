//! What nodes tell each other: lost, repeated, overtaken and held up.

use syncline_cluster::bus::{Heard, Told};
use syncline_hub::session::event::Event;

use super::World;
use crate::sim::bus::{Form, heard};
use crate::sim::count::Kind;

impl World {
    /// A node tells the others.
    pub(super) fn publish(&mut self, from: usize, told: &Told) {
        for node in (0..self.nodes.len()).filter(|node| *node != from) {
            if self.cluster.is_some() && self.loses(from, node) {
                self.aids.counts.add(Kind::PartitionLost);
                continue;
            }
            let rate = self.plan.bus_faults;
            let times = match self.chaos && self.aids.rng.chance(rate) {
                false => 1,
                true if self.aids.rng.chance(500) => {
                    self.aids.counts.add(Kind::BusLost);
                    0
                }
                true => {
                    self.aids.counts.add(Kind::BusTwice);
                    2
                }
            };
            for _ in 0..times {
                let (form, held_until) = (self.draw_form(), self.hold(Kind::BusDelayed));
                let Some(heard) = heard(told, &self.space, form) else {
                    continue;
                };
                if !self.bus.send(node, heard, held_until) && self.cluster.is_some() {
                    self.aids.counts.add(Kind::BusSlow);
                }
            }
        }
    }

    /// Whether what one node tells another is lost on its way.
    fn loses(&self, from: usize, to: usize) -> bool {
        let step = self.aids.trace.step;
        let is_down = step < self.standing(to).down;
        let is_away = self.is_busless(from) || self.is_busless(to);
        is_down || is_away || self.bus.is_cut(from, to, step)
    }

    fn draw_form(&mut self) -> Form {
        let (Some(cluster), Some(wide)) = (&mut self.cluster, self.plan.wide) else {
            return Form::Whole;
        };
        if !self.chaos || !cluster.rng.chance(wide.unread) {
            return Form::Whole;
        }
        let (form, kind) = match cluster.rng.chance(500) {
            true => (Form::Damaged, Kind::BusDamaged),
            false => (Form::Large, Kind::BusLarge),
        };
        self.aids.counts.add(kind);
        form
    }

    pub(super) fn hear(&mut self, at: usize) {
        let message = self.bus.messages.remove(at);
        let node = message.to;
        if self.bus.messages[..at].iter().any(|other| other.to == node) {
            self.aids.counts.add(Kind::BusReordered);
        }
        if self.cluster.is_some() {
            return self.take_heard(node, message.heard);
        }
        if let (Heard::Commit(event), true) = (message.heard, self.nodes[node].session.is_some()) {
            self.tell(node, Event::Heard(event));
        }
    }
}
