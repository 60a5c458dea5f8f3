//! A hub's clock that is set while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use syncline_hub::app::Parts;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::WallMs;
use syncline_tests::device::Device;
use syncline_tests::node::{Setup, TestNode};

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// It goes on as the machine's does, so much ahead of it, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now_ms(&self) -> u64 {
        let ahead_ms = self.0.load(Ordering::SeqCst);
        SystemClock.now_ms().saturating_add_signed(ahead_ms)
    }
}

impl Jumping {
    /// Is set forward, or back.
    pub(super) fn jump(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Is set to a time.
    pub(super) fn jump_to(&self, at_ms: WallMs) {
        self.jump(at_ms as i64 - self.now_ms() as i64);
    }

    /// So many milliseconds from what it shows.
    pub(super) fn in_ms(&self, ms: i64) -> WallMs {
        self.now_ms().saturating_add_signed(ms)
    }
}

/// A node by such a clock.
pub(super) async fn start(mut setup: Setup, clock: &Arc<Jumping>) -> TestNode {
    setup.parts = Parts {
        clock: Some(clock.clone()),
        ..setup.parts
    };
    TestNode::start_with(setup).await
}

/// A device whose token outlives all jumps.
pub(super) async fn connect(device: &mut Device, user: &str, node: &TestNode) {
    let token = node.token_for(user, 30 * 86_400);
    device.connect_at(node.app.public_addr(), &token).await;
}
