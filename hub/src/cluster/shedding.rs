//! Which node gives sockets away, and how many. Pure: what is seen and the time come in.
//!
//! A node that is well above the mean sheds slowly, down to a little above it, and never to the
//! mean: so the others cannot have to give back what they got. Sockets on their way are nobody's for
//! a moment, and others' are known some seconds late; so the mean counts as it was when it began, if
//! it seems to fall. What was shed may come back to the same node, by a balancer that knows no
//! better; so one that does not get fewer stops and rests.

use std::time::Duration;

use tokio::time::Instant;

/// Sockets above the mean from which shedding may begin, and the mean's part of it in percent:
/// both must be passed.
const BEGIN: (u64, u64) = (100, 120);

/// The same, where it ends.
const END: (u64, u64) = (50, 110);

/// For each socket that is to go so many are told to at most; then it rests.
const TRIES: u64 = 4;

/// How long it rests after that.
const REST: Duration = Duration::from_secs(600);

/// How long it waits after the end, until all have said how many they have now.
const SETTLE: Duration = Duration::from_secs(15);

/// What a node sees.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its own sockets.
    pub(super) own: u64,
    /// Those of each other node.
    pub(super) others: Vec<u64>,
    /// No node drains, and each has been there for a while.
    pub(super) is_settled: bool,
}

impl Seen {
    fn mean(&self) -> u64 {
        let nodes = self.others.len() as u64 + 1;
        self.others.iter().fold(self.own, |sum, more| sum + more) / nodes
    }
}

/// Sockets from which on a node is above the mean by this.
fn above(mean: u64, (sockets, percent): (u64, u64)) -> u64 {
    (mean + sockets).max(mean.saturating_mul(percent) / 100)
}

/// Decides for one node.
#[derive(Debug)]
pub(super) struct Shedding {
    per_step: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It has what it should.
    Level,
    /// It gives away.
    Sheds {
        /// So many more may be told to go.
        left: u64,
        /// And so many stay.
        end: u64,
    },
    /// It has given away, or what it told to go came back: it looks no more until then.
    Rests(Instant),
}

impl Shedding {
    /// Of a node that sheds so many sockets in a step at most; 0 never sheds.
    pub(super) fn new(per_step: u64) -> Shedding {
        Shedding {
            per_step,
            state: State::Level,
        }
    }

    /// How many sockets are to go now.
    pub(super) fn step(&mut self, seen: &Seen, now: Instant) -> u64 {
        if !seen.is_settled || seen.others.is_empty() {
            self.state = match self.state {
                State::Sheds { .. } => State::Rests(now + SETTLE),
                other => other,
            };
            return 0;
        }
        let (mean, own) = (seen.mean(), seen.own);
        let end = above(mean, END);
        if let State::Rests(until) = self.state
            && now >= until
        {
            self.state = State::Level;
        }
        if matches!(self.state, State::Level) && own > above(mean, BEGIN) {
            let left = TRIES * (own - end);
            self.state = State::Sheds { left, end };
        }
        let State::Sheds { left, end: began } = self.state else {
            return 0;
        };
        let end = end.max(began);
        if own <= end {
            self.state = State::Rests(now + SETTLE);
            return 0;
        }
        let count = self.per_step.min(own - end).min(left);
        self.state = match left - count {
            0 => State::Rests(now + REST),
            left => State::Sheds { left, end },
        };
        count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(own: u64, others: &[u64]) -> Seen {
        Seen {
            own,
            others: others.to_vec(),
            is_settled: true,
        }
    }

    fn once(own: u64, others: &[u64]) -> u64 {
        Shedding::new(5).step(&seen(own, others), Instant::now())
    }

    #[test]
    fn a_node_sheds_that_is_above_the_mean_by_sockets_and_by_percent() {
        // The mean is 200, 150 of 300 and 1,000.
        for (own, other, sheds) in [
            (300, 100, 0),
            (301, 99, 5),
            (1_200, 800, 0),
            (1_201, 799, 5),
        ] {
            assert_eq!(once(own, &[other]), sheds, "{own}");
        }
        assert_eq!(once(1_000, &[]), 0);
        assert_eq!(Shedding::new(0).step(&seen(1_000, &[0]), Instant::now()), 0);
    }

    #[test]
    fn it_goes_on_to_a_little_above_the_mean_and_begins_no_sooner() {
        let (mut shedding, now) = (Shedding::new(50), Instant::now());
        let mut step = |own, other, at| shedding.step(&seen(own, &[other]), at);
        assert_eq!(step(400, 0, now), 50);
        assert_eq!(step(270, 130, now), 20);
        assert_eq!(step(250, 150, now), 0);
        // It waits until the others' sockets are known.
        assert_eq!(step(301, 99, now), 0);
        let later = now + SETTLE;
        assert_eq!(step(299, 101, later), 0);
        assert_eq!(step(301, 99, later), 50);
    }

    #[test]
    fn sockets_on_their_way_are_not_taken_for_lost_ones() {
        let (mut shedding, now) = (Shedding::new(100), Instant::now());
        let mut step = |own| shedding.step(&seen(own, &[0]), now);
        // The other says again and again that it has none.
        assert_eq!(
            (step(400), step(300), step(250), step(249)),
            (100, 50, 0, 0)
        );
    }

    #[test]
    fn it_waits_while_nodes_come_and_go() {
        let (mut shedding, now) = (Shedding::new(5), Instant::now());
        let unsettled = Seen {
            is_settled: false,
            ..seen(1_000, &[0])
        };
        assert_eq!(shedding.step(&unsettled, now), 0);
        assert_eq!(shedding.step(&seen(1_000, &[0]), now), 5);
        assert_eq!(shedding.step(&unsettled, now), 0);
        assert_eq!(shedding.step(&seen(1_000, &[0]), now), 0);
        assert_eq!(shedding.step(&seen(1_000, &[0]), now + SETTLE), 5);
    }

    /// A balancer sends every device back to where it was.
    #[test]
    fn one_to_which_all_come_back_rests() {
        let (mut shedding, now) = (Shedding::new(5), Instant::now());
        let mut told = |at| shedding.step(&seen(1_000, &[0]), at);
        let sum: u64 = (0..1_000).map(|_| told(now)).sum();
        assert_eq!(sum, TRIES * (1_000 - 550));
        assert_eq!(told(now + REST - Duration::from_millis(1)), 0);
        assert_eq!(told(now + REST), 5);
    }

    /// Longer than all tries of a node take.
    const STEPS: usize = 2_000;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Nodes see each other some steps late, and a balancer gives sockets to any node.
        #[test]
        fn nodes_come_to_rest_and_none_sheds_below_the_mean(
            start in prop::collection::vec(0_u64..5_000, 2..6),
            per_step in 20_u64..400,
            late in 0_usize..4,
            seed in any::<u64>(),
        ) {
            let now = Instant::now();
            let count = start.len();
            let mean = start.iter().sum::<u64>() / count as u64;
            let mut nodes: Vec<Shedding> = start.iter().map(|_| Shedding::new(per_step)).collect();
            let mut history = vec![start.clone()];
            let mut random = seed | 1;
            let mut shed_last = 0;
            for at in 0..STEPS {
                let mut sockets = history[history.len() - 1].clone();
                let seen_then = history[history.len().saturating_sub(1 + late)].clone();
                let mut moved = Vec::new();
                for (node, shedding) in nodes.iter_mut().enumerate() {
                    let others = seen_then.iter().enumerate().filter(|(other, _)| *other != node);
                    let others: Vec<u64> = others.map(|(_, sockets)| *sockets).collect();
                    let then = now + Duration::from_secs(at as u64);
                    let count = shedding.step(&seen(sockets[node], &others), then);
                    if count > 0 {
                        shed_last = at;
                    }
                    moved.push(count);
                }
                for (node, count) in moved.iter().enumerate() {
                    prop_assert!(*count <= per_step);
                    sockets[node] -= count;
                    prop_assert!(*count == 0 || sockets[node] >= mean);
                }
                for _ in 0..moved.iter().sum::<u64>() {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    sockets[(random % count as u64) as usize] += 1;
                }
                history.push(sockets);
            }
            prop_assert!(shed_last < STEPS - 100, "{:?}", history[history.len() - 1]);
        }
    }
}
