//! What goes wrong.

use super::{Due, NODES, TROUBLE_MS, World};

const HOUR_MS: i64 = 3_600_000;

/// Something that happens to the world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// A job is put; no trouble at all.
    Put(u64),
    /// One is cancelled.
    Cancel,
    /// One is replaced.
    Replace,
    /// A process is killed.
    Kill,
    /// A node's clock jumps.
    Jump,
    /// The store goes away for longer than a lease.
    Away,
}

impl World {
    pub(super) fn plan_troubles(&mut self) {
        use Trouble::{Away, Cancel, Jump, Kill, Replace};
        let troubles = [(Cancel, 4), (Replace, 5), (Kill, 5), (Jump, 5), (Away, 3)];
        for (trouble, at_most) in troubles {
            for _ in 0..self.random.below(at_most) {
                let at_ms = self.random.below(TROUBLE_MS);
                self.after(at_ms, Due::Trouble(trouble));
            }
        }
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        if !self.is_troubled {
            return;
        }
        let node = self.random.below(NODES as u64) as usize;
        match trouble {
            Trouble::Put(n) => self.put(n),
            Trouble::Cancel => self.cancel(),
            Trouble::Replace => self.replace(),
            Trouble::Kill => self.kill(node),
            Trouble::Jump => {
                let jumps = [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS];
                let jump_ms = jumps[self.random.below(4) as usize];
                self.trace(|| format!("n{node} jumps by {jump_ms}"));
                self.nodes[node].ahead_ms += jump_ms;
            }
            Trouble::Away => {
                self.trace(|| "the store is away".to_owned());
                self.away_until_ms = self.at_ms + 5_000 + self.random.below(20_000);
            }
        }
    }

    /// All is well from now on. The clocks are right, and so late that nothing which some clock said
    /// lies ahead.
    pub(super) fn end_troubles(&mut self) {
        self.is_troubled = false;
        self.away_until_ms = 0;
        for node in &mut self.nodes {
            node.ahead_ms = 5 * 24 * HOUR_MS;
        }
    }
}
