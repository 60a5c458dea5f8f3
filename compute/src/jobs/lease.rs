//! How long a worker may hold a job, and when it says that it still does.

use syncline_protocol::stamp::WallMs;

/// Leases of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasePolicy {
    /// How long a lease lasts, in milliseconds: as long as a job waits when its worker is gone.
    pub lease_ms: u64,
    /// What a worker leaves at the end of its lease, in milliseconds: clocks differ, and what it
    /// does last takes time.
    pub margin_ms: u64,
}

impl Default for LeasePolicy {
    fn default() -> Self {
        LeasePolicy {
            lease_ms: 60_000,
            margin_ms: 10_000,
        }
    }
}

/// What a worker does about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// Nothing before then.
    Wait(WallMs),
    /// It asks for the lease to last until then.
    Extend(WallMs),
    /// Somebody else may have the job by now: it stops, and writes nothing more.
    Stop,
}

impl LeasePolicy {
    /// What is to be done now about a lease that lasts `until_ms`. It is extended once a third of it
    /// is over, so two extensions may fail.
    pub fn step(&self, until_ms: WallMs, now_ms: WallMs) -> LeaseStep {
        let stop_ms = until_ms.saturating_sub(self.margin_ms);
        let extend_ms = until_ms.saturating_sub(self.lease_ms - self.lease_ms / 3);
        if now_ms >= stop_ms {
            LeaseStep::Stop
        } else if now_ms >= extend_ms {
            LeaseStep::Extend(now_ms.saturating_add(self.lease_ms))
        } else {
            LeaseStep::Wait(extend_ms.min(stop_ms))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LeasePolicy = LeasePolicy {
        lease_ms: 30_000,
        margin_ms: 5_000,
    };

    #[test]
    fn a_lease_is_extended_after_a_third_and_left_before_its_end() {
        let until_ms = 100_000;
        for (now_ms, expected) in [
            (70_000, LeaseStep::Wait(80_000)),
            (79_999, LeaseStep::Wait(80_000)),
            (80_000, LeaseStep::Extend(110_000)),
            (94_999, LeaseStep::Extend(124_999)),
            (95_000, LeaseStep::Stop),
            (200_000, LeaseStep::Stop),
        ] {
            assert_eq!(POLICY.step(until_ms, now_ms), expected, "{now_ms}");
        }
    }

    #[test]
    fn a_clock_that_jumped_back_only_waits() {
        assert_eq!(POLICY.step(100_000, 0), LeaseStep::Wait(80_000));
    }

    #[test]
    fn a_margin_as_long_as_the_lease_stops_at_once() {
        let policy = LeasePolicy {
            margin_ms: 30_000,
            ..POLICY
        };
        assert_eq!(policy.step(30_000, 0), LeaseStep::Stop);
    }
}
