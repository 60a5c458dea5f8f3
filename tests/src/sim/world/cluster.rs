//! A world with a real cluster: nodes that stand still, go away and come back, are cut off from each
//! other, from the bus and from the store, and set their clocks. What it draws it draws apart, so
//! that named histories stay as they were.

use syncline_cluster::bus::{Heard, MissedWhy};
use syncline_hub::cluster::audit::Moment;
use syncline_hub::retention::Rules;
use syncline_hub::session::event::Event;
use syncline_storage::types::Keys;

use super::World;
use crate::sim::count::Kind;
use crate::sim::node::{Answer, Node};
use crate::sim::plan::{LASTS, Wide};
use crate::sim::rng::Rng;
use crate::sim::store::lost;
use crate::sim::timers::Timers;
use crate::sim::trace::Checked;

/// Steps for which the bus is cut, or a device away, at most.
const LONG_STEPS_MAX: u64 = 200;

/// How many nodes there are.
const NODES: [usize; 5] = [2, 2, 3, 3, 4];

/// What a walk of retention collects at once, at most.
const COLLECTED_MAX: u64 = 6;

/// What a world with a real cluster has besides.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) rng: Rng,
    pub(super) standing: Vec<Standing>,
    pub(super) timers: Vec<Timers>,
    /// What is due by the clock happens.
    pub(super) ticks: bool,
    /// The node at which each device was last.
    pub(super) homes: Vec<Option<usize>>,
    /// The step before which each device stays away.
    pub(super) away: Vec<u64>,
}

/// How a node is: steps until which it is so.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// It does nothing.
    pub(super) paused: u64,
    /// Its process is gone.
    pub(super) down: u64,
    /// It reaches no store.
    pub(super) storeless: u64,
    /// It hears nobody and nobody hears it; 0 if that is over and it knows.
    pub(super) busless: u64,
    pub(super) leaving: Leaving,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Leaving {
    #[default]
    No,
    /// Its session finishes what it took.
    Finishing,
    /// Its sockets were told to come back elsewhere.
    Moving,
}

impl World {
    /// From now on the world has a real cluster.
    pub(super) fn begin_cluster(&mut self, seed: u64) {
        let mut rng = Rng::new((!seed).rotate_left(16));
        self.plan.wide = Some(Wide::draw(&mut rng));
        // Much stands still there, so it takes longer until as much has happened.
        self.plan.slow *= 2;
        self.plan.chaos_steps += self.plan.chaos_steps / 3;
        let count = *rng.pick(&NODES);
        while self.nodes.len() < count {
            let number = self.nodes.len();
            self.nodes
                .push(Node::new(number, &self.plan, &mut self.aids));
        }
        self.cluster = Some(Cluster {
            rng,
            standing: vec![Standing::default(); self.nodes.len()],
            timers: Vec::new(),
            ticks: true,
            homes: vec![None; self.devices.len()],
            away: vec![0; self.devices.len()],
        });
        (0..self.nodes.len()).for_each(|node| self.start_timers(node));
    }

    /// A process begins.
    fn start_timers(&mut self, node: usize) {
        let Some(moment) = self.moment(node) else {
            return;
        };
        let rules = self.rules();
        let name = self.nodes[node].name.clone();
        let (timers, telling) = Timers::start(&name, self.now_ms, (moment, rules));
        self.nodes[node].telling = telling;
        if let Some(cluster) = &mut self.cluster {
            cluster.timers.truncate(self.nodes.len());
            match cluster.timers.get_mut(node) {
                Some(own) => *own = timers,
                None => cluster.timers.push(timers),
            }
        }
    }

    fn rules(&mut self) -> Option<Rules> {
        let kept_ms = self.plan.retention_ms?;
        Some(Rules {
            kept_ms,
            // As the hub does: where devices of the compatibility protocol are, keys stay.
            keys: match self.plan.compat.contains(&true) {
                true => Keys::Keep,
                false => Keys::Remove,
            },
            batch: self.retention.within(1, COLLECTED_MAX) as usize,
            interval_ms: 1,
            pause_ms: 0,
        })
    }

    /// What a step of a node's audit is given.
    pub(super) fn moment(&mut self, node: usize) -> Option<Moment> {
        let step = self.aids.trace.step;
        let cluster = self.cluster.as_mut()?;
        Some(Moment {
            is_away: step < cluster.standing[node].busless,
            random: cluster.rng.within(0, 1 << 32),
        })
    }

    /// A node stands and moves.
    pub(super) fn runs(&self, node: usize) -> bool {
        let step = self.aids.trace.step;
        let standing = self.standing(node);
        step >= standing.paused && step >= standing.down
    }

    /// A node takes who comes.
    pub(super) fn takes(&self, node: usize) -> bool {
        let standing = self.standing(node);
        self.aids.trace.step >= standing.down && standing.leaving == Leaving::No
    }

    pub(super) fn is_storeless(&self, node: usize) -> bool {
        self.aids.trace.step < self.standing(node).storeless
    }

    pub(super) fn is_busless(&self, node: usize) -> bool {
        self.aids.trace.step < self.standing(node).busless
    }

    pub(super) fn standing(&self, node: usize) -> Standing {
        let cluster = self.cluster.as_ref();
        cluster.map_or_else(Standing::default, |cluster| cluster.standing[node])
    }

    fn stand(&mut self, node: usize, change: impl FnOnce(&mut Standing)) {
        if let Some(cluster) = &mut self.cluster {
            change(&mut cluster.standing[node]);
        }
    }

    /// Something befalls the cluster, or nothing.
    pub(super) fn break_cluster(&mut self) -> Checked {
        let (Some(wide), Some(cluster)) = (self.plan.wide, &mut self.cluster) else {
            return Ok(());
        };
        let rng = &mut cluster.rng;
        let rates = [
            wide.partitions,
            wide.bus_away,
            wide.store_cuts,
            wide.pauses,
            wide.downs,
            wide.drains,
            wide.clocks,
            wide.drawers,
        ];
        let befalls = rates.map(|rate| rng.chance(rate));
        let node = rng.below(self.nodes.len());
        let other = (node + 1 + rng.below(self.nodes.len() - 1)) % self.nodes.len();
        let until = self.aids.trace.step + rng.within(LASTS.0, LASTS.1);
        let late = self.aids.trace.step + rng.within(LASTS.0, LONG_STEPS_MAX);
        let both = rng.chance(500);
        let device = rng.below(self.devices.len());
        let [
            partition,
            bus_away,
            store_cut,
            pause,
            down,
            drain,
            clock,
            drawer,
        ] = befalls;
        if partition {
            self.cut_bus((node, other), late, both);
        }
        if bus_away && !self.is_busless(node) {
            self.aids.counts.add(Kind::BusAway);
            self.stand(node, |standing| standing.busless = late);
            self.bus.forget(node);
        }
        if store_cut {
            self.cut_store(node, until);
        }
        if pause {
            self.aids.counts.add(Kind::Paused);
            self.stand(node, |standing| standing.paused = until);
        }
        if down && self.runs(node) {
            self.aids.counts.add(Kind::NodeDown);
            self.crash_node(node);
            self.stay_away(node);
        }
        if drain && self.takes(node) {
            self.say(node, "is drained");
            self.stand(node, |standing| standing.leaving = Leaving::Finishing);
            if self.nodes[node].session.is_some() {
                self.tell_awake(node, Event::Drain);
            }
        }
        if drawer {
            self.put_away(device, late);
        }
        if clock {
            self.aids.counts.add(Kind::NodeClock);
            if let Some(cluster) = &mut self.cluster {
                self.nodes[node].set_clock(&mut cluster.rng);
            }
        }
        self.come_back_to_bus();
        Ok(())
    }

    pub(super) fn say(&self, node: usize, what: &str) {
        let name = &self.nodes[node].name;
        self.aids.trace.say(name, || what.to_owned());
    }

    fn cut_bus(&mut self, (from, to): (usize, usize), until: u64, both: bool) {
        self.aids.counts.add(match both {
            true => Kind::BothWays,
            false => Kind::OneWay,
        });
        self.bus.cut(from, to, until);
        if both {
            self.bus.cut(to, from, until);
        }
        self.say(from, "cannot be heard by another node");
    }

    fn put_away(&mut self, device: usize, until: u64) {
        self.aids.counts.add(Kind::Drawer);
        if let Some(id) = self.socket_of(device) {
            self.cut(id);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.away[device] = until;
        }
    }

    /// Who was away from the bus learns that it missed something, and says again what it said.
    pub(super) fn come_back_to_bus(&mut self) {
        for node in 0..self.nodes.len() {
            let standing = self.standing(node);
            if standing.busless > 0 && self.aids.trace.step >= standing.busless {
                self.aids.counts.add(Kind::BusBack);
                self.stand(node, |standing| standing.busless = 0);
                let heard = Heard::Missed(MissedWhy::Reconnected);
                self.bus.send(node, heard, 0);
                self.with_timers(node, |timers| timers.repeats.again());
            }
        }
    }

    /// A node reaches the store no more. What is asked fails; what was answered may get through.
    fn cut_store(&mut self, node: usize, until: u64) {
        self.aids.counts.add(Kind::StoreCut);
        self.say(node, "is cut off from the store");
        self.stand(node, |standing| standing.storeless = until);
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        let cut = |answer: Answer| match cluster.rng.chance(500) {
            false => answer,
            true => {
                self.aids.counts.add(Kind::StoreAnswerCut);
                Answer {
                    answer: lost(answer.answer),
                    told: None,
                    ..answer
                }
            }
        };
        let answers = std::mem::take(&mut self.nodes[node].answers);
        self.nodes[node].answers = answers.into_iter().map(cut).collect();
    }

    /// Its process begins again with an empty memory.
    pub(super) fn restart(&mut self, node: usize) {
        self.stand(node, |standing| {
            *standing = Standing {
                down: standing.down,
                ..Standing::default()
            };
        });
        self.bus.forget(node);
        self.start_timers(node);
    }

    /// The store does some work late, or answers late.
    pub(super) fn hold(&mut self, kind: Kind) -> u64 {
        let (step, chaos) = (self.aids.trace.step, self.chaos);
        let cluster = self.cluster.as_mut().filter(|_| chaos);
        let (Some(cluster), Some(wide)) = (cluster, self.plan.wide) else {
            return 0;
        };
        if !cluster.rng.chance(wide.delays) {
            return 0;
        }
        self.aids.counts.add(kind);
        step + cluster.rng.within(LASTS.0, LASTS.1)
    }

    /// Whether what a node asks of the store fails since it does not reach it.
    pub(super) fn is_away(&mut self, node: usize) -> bool {
        let is_away = self.is_storeless(node);
        if is_away {
            self.aids.counts.add(Kind::StoreAway);
        }
        is_away
    }

    /// A node goes on with its drain.
    pub(super) fn leaving(&mut self, node: usize, leaving: Leaving) {
        self.stand(node, |standing| standing.leaving = leaving);
    }

    /// Its process is gone for a while, unless the world is calm.
    pub(super) fn stay_away(&mut self, node: usize) {
        let (step, chaos) = (self.aids.trace.step, self.chaos);
        let Some(cluster) = self.cluster.as_mut().filter(|_| chaos) else {
            return;
        };
        cluster.standing[node].down = step + cluster.rng.within(LASTS.0, LASTS.1);
    }

    /// The bus carries nothing between any two nodes.
    pub(super) fn cut_whole_bus(&mut self) {
        for (from, to) in
            (0..self.nodes.len()).flat_map(|from| (0..self.nodes.len()).map(move |to| (from, to)))
        {
            self.bus.cut(from, to, u64::MAX);
        }
    }

    /// All of it ends. What was lost stays lost.
    pub(super) fn heal_cluster(&mut self) {
        if self.cluster.is_none() {
            return;
        }
        self.bus.heal();
        if let Some(cluster) = &mut self.cluster {
            cluster.away.fill(0);
        }
        for node in 0..self.nodes.len() {
            let step = self.aids.trace.step;
            self.stand(node, |standing| {
                (standing.paused, standing.down, standing.storeless) = (0, 0, 0);
                standing.busless = standing.busless.min(step);
            });
            let own = &mut self.nodes[node];
            let operations = own.operations.iter_mut();
            operations.for_each(|operation| operation.held_until = 0);
            let answers = own.answers.iter_mut();
            answers.for_each(|answer| answer.held_until = 0);
        }
        self.come_back_to_bus();
    }
}
