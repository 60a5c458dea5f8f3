//! A world: nodes, devices, sockets, a store and a bus, of which one step happens at a time,
//! picked by the seed among everything that can happen. So anything may happen between a cause
//! and its effect.

mod acts;
mod bus;
mod cluster;
mod erasing;
mod exchanges;
mod faults;
mod jobs;
mod losing;
mod retention;
mod seeds;
mod steps;
mod storing;
mod telling;
mod ticking;

use std::collections::BTreeMap;

use syncline_hub::session::event::Event;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey, UserId};
use syncline_storage::model::ModelStore;

use self::cluster::Cluster;
use self::jobs::Jobs;
pub use self::seeds::{Ending, drawn, live, live_with};
use self::steps::Step;
use super::bus::Bus;
use super::calls::Calls;
use super::checker::{Checker, Present};
use super::clock::DeviceClock;
use super::count::{Counts, Kind};
use super::device::compat::Compat;
use super::device::native::Native;
use super::device::{Cx, Device};
use super::exchange::Exchange;
use super::network::Socket;
use super::node::Node;
use super::plan::{BEGIN_MS, Mix, Plan, draw_skew_ms};
use super::rng::Rng;
use super::store::Store;
use super::trace::{Aids, Checked, Trace, violated};

/// Steps after the last fault within which a world must come to rest.
const CALM_STEPS_MAX: u64 = 20_000;

/// Edits that one device makes when all are at rest.
const LAST_EDITS: usize = 3;

/// Of a thousand devices, how many have a clock that is about a minute fast, and how fast.
const NEAR_MINUTE: u64 = 250;
const NEAR_MINUTE_MS: (u64, u64) = (57_000, 80_000);

/// Of a thousand devices, how many would have two tabs if they can, and how many would ask beside
/// what they wait for: the first user's do, the others are held to more.
const TWO_TABS: u64 = 300;
const HURRIES: u64 = 700;

/// A step takes up to so long; one in a hundred takes up to two minutes.
const STEP_MS_MAX: u64 = 20;
const LONG_STEP_MS_MAX: u64 = 120_000;

/// A world.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    aids: Aids,
    now_ms: u64,
    user: UserId,
    space: SpaceKey,
    store: Store,
    backup: Option<(ModelStore, Present)>,
    checker: Checker,
    nodes: Vec<Node>,
    devices: Vec<Box<dyn Device>>,
    sockets: BTreeMap<u64, Socket>,
    sockets_made: u64,
    bus: Bus,
    calls: Calls,
    /// What devices of the compatibility protocol asked, under way.
    exchanges: Vec<Exchange>,
    /// Faults happen.
    chaos: bool,
    /// What devices ask by HTTP goes to the node of their socket.
    sticky: bool,
    /// Chance of what worlds were not like when named histories were.
    newer: Option<Rng>,
    /// Chance of what is collected, apart, so that it changes nothing where nothing is.
    retention: Rng,
    /// Chance of erasures, where there are any.
    erasing: Option<Rng>,
    /// Chance of what is done once the store has lost its latest commits, where it will.
    losing: Option<Rng>,
    /// Who does jobs, where there are any.
    jobs: Option<Jobs>,
    /// What befalls a real cluster, where there is one.
    cluster: Option<Cluster>,
}

impl World {
    fn new((seed, mix): (u64, (Mix, bool)), traced: bool) -> World {
        let mut rng = Rng::new(seed);
        let plan = Plan::draw(mix, &mut rng);
        let mut aids = Aids {
            rng,
            counts: Counts::default(),
            trace: Trace {
                on: traced,
                step: 0,
            },
        };
        aids.trace.say(&"plan", || format!("{plan:?}"));
        let user = UserId::trusted("ada");
        let space = SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::personal(&user),
        };
        let store = Store::new(space.clone(), plan.page, BEGIN_MS);
        let mut checker = Checker::new(space.clone(), &store.view());
        let nodes = (0..plan.nodes)
            .map(|number| Node::new(number, &plan, &mut aids))
            .collect();
        let devices = (0..plan.compat.len())
            .map(|number| {
                let clock = DeviceClock::new(draw_skew_ms(&mut aids.rng));
                let cx = &mut Cx {
                    now_ms: BEGIN_MS,
                    aids: &mut aids,
                    checker: &mut checker,
                    sends: &mut Vec::new(),
                    leaves: &mut false,
                };
                if plan.compat[number] {
                    Box::new(Compat::new(number, &user, clock, cx)) as Box<dyn Device>
                } else {
                    Box::new(Native::new(number, &user, clock, cx))
                }
            })
            .collect();
        World {
            plan,
            aids,
            now_ms: BEGIN_MS,
            user,
            space,
            store,
            backup: None,
            checker,
            nodes,
            devices,
            sockets: BTreeMap::new(),
            sockets_made: 0,
            bus: Bus::default(),
            calls: Calls::default(),
            exchanges: Vec::new(),
            chaos: true,
            sticky: false,
            newer: None,
            retention: Rng::new(!seed),
            erasing: None,
            losing: None,
            jobs: None,
            cluster: None,
        }
    }

    /// Some users have the app open in two tabs.
    fn draw_tabs(&mut self, rng: &mut Rng) {
        for device in &mut self.devices {
            if rng.chance(TWO_TABS) && device.open_tab() {
                self.aids.counts.add(Kind::TwoTabs);
            }
            if rng.chance(HURRIES) && device.hurry() {
                self.aids.counts.add(Kind::Hurries);
            }
        }
    }

    /// Some clocks are fast by about as much as is believed: what one node believes another does
    /// not, nor the same one sooner.
    fn draw_near_minutes(&mut self, rng: &mut Rng) {
        for device in &mut self.devices {
            if rng.chance(NEAR_MINUTE) {
                self.aids.counts.add(Kind::NearMinute);
                device.set_clock(rng.within(NEAR_MINUTE_MS.0, NEAR_MINUTE_MS.1) as i64);
            }
        }
    }

    fn live(&mut self) -> Checked {
        while self.aids.trace.step < self.plan.chaos_steps {
            self.time_passes();
            self.chaos_step()?;
        }
        self.calm_down();
        self.lose_what_is_told()?;
        self.come_to_rest()?;
        self.lose_latest()
    }

    fn time_passes(&mut self) {
        self.aids.trace.step += 1;
        self.aids.counts.add(Kind::Step);
        let most = if self.aids.rng.chance(10) {
            LONG_STEP_MS_MAX
        } else {
            STEP_MS_MAX
        };
        self.now_ms += self.aids.rng.within(0, most);
    }

    fn chaos_step(&mut self) -> Checked {
        self.keep_and_restore();
        self.break_cluster()?;
        self.collect_old()?;
        self.erase_all();
        self.end_a_token();
        if self.work_now()? {
            return Ok(());
        }
        let (faults, acts) = (self.plan.faults, self.plan.acts);
        if self.aids.rng.chance(faults) {
            self.fault();
            return Ok(());
        }
        let steps = self.possible_steps();
        if steps.is_empty() || self.aids.rng.chance(acts) {
            self.act();
            return Ok(());
        }
        let step = *self.aids.rng.pick(&steps);
        self.take(step)
    }

    /// The faults end. What they left behind stays: what is lost must be noticed without them.
    fn calm_down(&mut self) {
        self.aids.trace.say(&"world", || "calms down".into());
        self.chaos = false;
        self.nodes.iter_mut().for_each(Node::heal);
        self.heal_cluster();
        self.heal_jobs();
        self.renew_tokens();
        if self.checker.is_split(self.store.view().epoch) {
            self.change_epoch();
        }
    }

    /// Safety is checked at every step; this is about progress: within a bound everything is
    /// told to everybody, and all are equal.
    fn come_to_rest(&mut self) -> Checked {
        let (first, calm_ms) = (self.aids.trace.step, self.now_ms);
        // Worlds with a real cluster look at the store by themselves.
        let mut audits = usize::from(self.cluster.is_some());
        // Of a burst of edits there are as many jobs, and of these each is many steps.
        let jobs = 1 + 3 * u64::from(self.jobs.is_some());
        let most = jobs * CALM_STEPS_MAX;
        while self.aids.trace.step < first + most {
            self.time_passes();
            self.connect_all();
            let steps = self.possible_steps();
            if !steps.is_empty() {
                let step = *self.aids.rng.pick(&steps);
                self.take(step)?;
                continue;
            }
            if self.wait_for_jobs() || self.wait_for_timers(calm_ms) {
                continue;
            }
            if audits == 0 {
                // The audit of live spaces, which finds what the bus lost.
                audits += 1;
                self.tell_all(|| Event::Missed);
                continue;
            }
            if audits == 1 {
                // Devices that pull now and then, told or not: a node that is behind says in
                // good faith that nothing is new.
                audits += 1;
                for device in 0..self.devices.len() {
                    self.with_device(device, |device, _| device.look_again());
                }
                continue;
            }
            self.check_rest()?;
            if audits == 2 {
                // Once more without looking again: whoever is not told does not know. A notice
                // is of its node, which may be ahead of the others, so devices ask that one.
                audits += 1;
                self.sticky = true;
                if let Some(cluster) = &mut self.cluster {
                    cluster.ticks = false;
                }
                self.keep_latest();
                self.somebody_edits();
                continue;
            }
            return Ok(());
        }
        violated("liveness", format!("not at rest after {most} steps"))
    }

    fn somebody_edits(&mut self) {
        let device = self.aids.rng.below(self.devices.len());
        for _ in 0..LAST_EDITS {
            self.with_device(device, |device, cx| device.edit(cx));
        }
    }

    fn check_rest(&mut self) -> Checked {
        self.checker.check_store(&self.store.model)?;
        self.checker.jobs_at_rest(&self.store.model)?;
        self.checker.in_order(&mut self.aids.counts)?;
        for device in &self.devices {
            if let Err(why) = device.is_settled(&self.checker, &mut self.aids.counts) {
                return violated("liveness", format!("nothing happens any more, and {why}"));
            }
        }
        Ok(())
    }

    /// Lets a device do something, and carries what it sends.
    fn with_device<T>(
        &mut self,
        device: usize,
        act: impl FnOnce(&mut dyn Device, &mut Cx<'_>) -> T,
    ) -> T {
        let (mut sends, mut leaves) = (Vec::new(), false);
        let mut cx = Cx {
            now_ms: self.now_ms,
            aids: &mut self.aids,
            checker: &mut self.checker,
            sends: &mut sends,
            leaves: &mut leaves,
        };
        let done = act(self.devices[device].as_mut(), &mut cx);
        if let Some(id) = self.socket_of(device) {
            for text in sends {
                let name = self.devices[device].name();
                self.aids.trace.say(&name, || format!("sends {text}"));
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.up.push_back(text);
                }
            }
            if leaves {
                self.leave(id);
            }
        }
        done
    }

    fn socket_of(&self, device: usize) -> Option<u64> {
        let mut sockets = self.sockets.iter();
        let found = sockets.find(|(_, socket)| socket.device == device && !socket.left);
        found.map(|(id, _)| *id)
    }

    fn leave(&mut self, id: u64) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.leave();
            let device = &mut self.devices[socket.device];
            device.disconnected();
            let name = device.name();
            self.aids.trace.say(&name, || format!("leaves socket {id}"));
        }
    }

    fn take(&mut self, step: Step) -> Checked {
        steps::take(self, step)
    }
}
