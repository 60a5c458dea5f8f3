//! Everything of the user is erased, at any moment, and the operator gives new epochs.

use syncline_cluster::event::SpaceHead;
use syncline_hub::session::event::Event;
use syncline_storage::types::SpaceView;

use super::World;
use crate::sim::count::Kind;
use crate::sim::rng::Rng;

/// Of a thousand steps, in how many everything is erased, and in how many the epoch is changed.
const ERASURES: u64 = 4;
const EPOCHS: u64 = 3;

impl World {
    /// From now on there are erasures.
    pub(super) fn begin_erasing(&mut self, seed: u64) {
        self.erasing = Some(Rng::new(!seed.rotate_left(32)));
        self.devices
            .iter_mut()
            .for_each(|device| device.heed_erasures());
    }

    /// The operator erases, or gives a new epoch.
    pub(super) fn erase_all(&mut self) {
        let Some(rng) = &mut self.erasing else {
            return;
        };
        if rng.chance(EPOCHS) {
            self.aids.counts.add(Kind::NewEpoch);
            // A restore would give one of the same minute: the operator leaves a minute between.
            self.backup = None;
            return self.change_epoch();
        }
        if !rng.chance(ERASURES) {
            return;
        }
        let node = rng.below(self.nodes.len());
        let before = self.store.view().epoch;
        let erased = self.store.erase(self.now_ms).expect("the space is there");
        self.aids.counts.add(Kind::Erased);
        self.aids
            .trace
            .say(&"operator", || format!("erases {erased:?}"));
        let open = self.checker.jobs_open() as u64;
        self.aids.counts.add_many(Kind::JobErased, open);
        self.checker.erased(before, &self.store.model);
        // What backups hold is the operator's to erase.
        self.backup = None;
        // As the route does: the session of its own node is told to look, and the others where the
        // space is.
        if self.nodes[node].session.is_some() {
            self.tell(node, Event::Missed);
        }
        let SpaceView { epoch, head, .. } = self.store.view();
        let space = self.space.clone();
        let told = self.nodes[node]
            .telling
            .moved(SpaceHead { space, epoch, head });
        if let Some(told) = told {
            self.publish(node, &told);
        }
    }
}
