//! The store loses its latest commits and nobody is told, not even of a new epoch: devices of the
//! compatibility protocol that have heard of them give it away.

use syncline_cluster::event::SpaceHead;
use syncline_hub::gateway::compat::answer::shows_loss;
use syncline_hub::session::event::Event;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::ids::Epoch;
use syncline_storage::types::SpaceView;

use super::{CALM_STEPS_MAX, World};
use crate::sim::count::Kind;
use crate::sim::device::Device;
use crate::sim::rng::Rng;
use crate::sim::trace::{Checked, ensure, violated};

/// Of a thousand worlds, in how many the store does so, once all have come to rest.
const LOSES: u64 = 400;

/// Edits that a device makes before it comes back, at most.
const EDITS_MAX: u64 = 3;

/// Clocks of nodes are at most so far apart.
const SKEW_MS: u64 = 4 * 3_600_000;

impl World {
    /// Whether the store will lose its latest commits. Drawn apart.
    pub(super) fn draw_loss(&mut self, seed: u64) {
        let mut rng = Rng::new(!seed.rotate_left(16));
        self.losing = rng.chance(LOSES).then_some(rng);
    }

    /// What is committed from now on may be lost.
    pub(super) fn keep_latest(&mut self) {
        let kept = (self.store.model.clone(), self.checker.present());
        self.backup = self.losing.is_some().then_some(kept);
    }

    /// All are at rest, and the store loses what was committed since it was kept. It must be noticed
    /// before its numbers are given again, and all must come to rest once more.
    pub(super) fn lose_latest(&mut self) -> Checked {
        let Some((model, present)) = self.backup.take() else {
            return Ok(());
        };
        let view = model.space(&self.space).expect("the space is there");
        let (epoch, kept) = (self.store.view().epoch, view.place());
        let is_heard = self.devices.iter().any(|device| device.is_ahead_of(&kept));
        if view.epoch != epoch || !is_heard {
            return Ok(());
        }
        let lost = format!("{epoch} loses what is after {}", kept.head);
        self.aids.counts.add(Kind::LatestLost);
        self.aids.trace.say(&"store", || lost.clone());
        (0..self.nodes.len()).for_each(|node| self.crash_node(node));
        self.store.restore(model);
        self.checker.restored(present);
        self.checker.split(epoch);
        self.now_ms += self.plan.epoch_change_interval_ms + SKEW_MS;
        // Once as many commits were made again nobody could tell.
        self.pause_jobs(true);
        self.edit_ahead(|device| device.is_wholly_ahead_of(&kept));
        self.run_to_rest()?;
        let is_noticed = self.store.view().epoch != epoch;
        ensure(is_noticed, "noticed", || format!("{lost}, unnoticed"))?;
        self.pause_jobs(false);
        // As time does it: sessions look at the store, then devices pull.
        self.tell_all(|| Event::Missed);
        self.run_to_rest()?;
        for device in 0..self.devices.len() {
            self.with_device(device, |device, _| device.look_again());
        }
        self.run_to_rest()?;
        self.check_rest()
    }

    /// One of the devices whose every cursor is ahead has something to send when it comes back.
    fn edit_ahead(&mut self, is_ahead: impl Fn(&dyn Device) -> bool) {
        let all = self.devices.iter().enumerate();
        let ahead = all.filter(|(_, device)| is_ahead(&***device));
        let ahead: Vec<usize> = ahead.map(|(number, _)| number).collect();
        let Some(rng) = self.losing.as_mut().filter(|_| !ahead.is_empty()) else {
            return;
        };
        let (device, edits) = (*rng.pick(&ahead), rng.within(0, EDITS_MAX));
        for _ in 0..edits {
            self.with_device(device, |device, cx| device.edit(cx));
        }
    }

    fn run_to_rest(&mut self) -> Checked {
        for _ in 0..CALM_STEPS_MAX {
            self.time_passes();
            self.connect_all();
            let steps = self.possible_steps();
            if steps.is_empty() && self.wait_for_jobs() {
                continue;
            }
            if steps.is_empty() {
                return Ok(());
            }
            let step = *self.aids.rng.pick(&steps);
            self.take(step)?;
        }
        violated(
            "liveness",
            format!("not at rest {CALM_STEPS_MAX} steps after a loss"),
        )
    }

    /// Whether a pull gives away, as the route judges, that the store has lost commits.
    pub(super) fn has_lost(&self, since: Since, view: &SpaceView, node: usize) -> bool {
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        shows_loss(since, view) && view.may_lose_epoch(now_ms, self.plan.epoch_change_interval_ms)
    }

    /// As the route does it: the session of its own node is told to look, and the others where the
    /// space is.
    pub(super) fn change_lost_epoch(&mut self, node: usize, expected: Epoch) {
        let now_ms = self.nodes[node].now_ms(self.now_ms);
        let before = self.store.view().epoch;
        let changed = self.store.new_epoch(expected, now_ms);
        let SpaceView { epoch, head, .. } = changed.expect("the space is there");
        if epoch != before {
            self.aids.counts.add(Kind::LossPulled);
            self.checker.epoch_changed(before, &self.store.model);
        }
        if self.nodes[node].session.is_some() {
            self.tell(node, Event::Missed);
        }
        let space = self.space.clone();
        let told = self.nodes[node]
            .telling
            .moved(SpaceHead { space, epoch, head });
        if let Some(told) = told {
            self.publish(node, &told);
        }
    }
}
