//! What happens in a world with a real cluster: sessions take their turn and sleep, what is due by
//! the clock is done, a node that is drained goes. Each effect and its answer are two steps.

use syncline_cluster::bus::{HeadsWhy, Heard, MissedWhy};
use syncline_hub::cluster::{audit, behind};
use syncline_hub::session::event::{Effect, Event, FrameKind};
use syncline_hub::session::turns::{Slept, Turns};
use syncline_hub::telemetry::labels::CatchUpCause;
use syncline_protocol::wire::Cursor;

use super::cluster::Leaving;
use super::steps::Step;
use super::{CALM_STEPS_MAX, World};
use crate::sim::count::Kind;
use crate::sim::network::AUTH_OK;
use crate::sim::timers::{Look, Timers, round_ms};
use crate::sim::trace::{Checked, ensure};

/// Nothing is told any more to a world at rest after so long without faults: heads were said again,
/// and every node has looked at the store. In milliseconds.
const RESTS_AFTER_MS: u64 = 75_000;

/// Of a thousand worlds, in how many the bus is cut at the end of what is written, and for how long:
/// some such cuts are outlasted by the heads that are said again.
const OUTLASTED: u64 = 250;
const OUTLASTS_MS: [u64; 3] = [3_000, 15_000, 15_000];

/// Something that can happen on a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Its session goes on that slept.
    Wake,
    /// Its session takes the next thing it was told.
    Handle,
    /// Its session falls asleep.
    Doze,
    /// Heads are said again.
    Round,
    /// The look's wait is over.
    Rested,
    /// A look that is wanted begins.
    Wish,
    /// A look reads the store, or has.
    Look(usize),
    /// It is drained: its sockets are told to come back elsewhere.
    Leave,
    /// Its process ends.
    Exit,
}

impl World {
    pub(super) fn add_acts(&self, steps: &mut Vec<Step>) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        for (number, node) in self.nodes.iter().enumerate() {
            if !self.runs(number) {
                continue;
            }
            let (timers, standing) = (&cluster.timers[number], self.standing(number));
            let is_due = |at_ms: u64| cluster.ticks && at_ms <= self.now_ms;
            let has_ended = match &node.session {
                None => true,
                Some(session) => session.drained || matches!(node.turns, Turns::Asleep(_)),
            };
            let of_node = self.sockets.values().filter(|socket| socket.node == number);
            let mut open = of_node.filter(|socket| !socket.ended);
            let can = [
                (node.is_waking(), Act::Wake),
                (!node.mailbox.is_empty(), Act::Handle),
                (self.plan.sleepy && node.may_sleep(), Act::Doze),
                (
                    !timers.repeats.is_empty() && is_due(timers.round_at_ms),
                    Act::Round,
                ),
                (timers.look_at_ms.is_some_and(is_due), Act::Rested),
                (
                    timers.wanted.is_some() && timers.audit.takes_wishes(),
                    Act::Wish,
                ),
                (
                    standing.leaving == Leaving::Finishing && has_ended,
                    Act::Leave,
                ),
                (
                    standing.leaving == Leaving::Moving && open.next().is_none(),
                    Act::Exit,
                ),
            ];
            let can = can.iter().filter(|(can, _)| *can);
            let looks = (0..timers.looks.len()).map(Act::Look);
            let acts = can.map(|(_, act)| *act).chain(looks);
            steps.extend(acts.map(|act| Step::Act { node: number, act }));
        }
    }

    pub(super) fn act_on(&mut self, node: usize, act: Act) -> Checked {
        match act {
            Act::Wake => {
                self.nodes[node].wake(&self.space);
                self.drain_late(node);
            }
            Act::Handle => self.handle(node),
            Act::Doze => match self.nodes[node].doze() {
                Slept::No => self.aids.counts.add(Kind::SleepRefused),
                Slept::Asleep | Slept::Gone => {
                    self.say(node, "falls asleep");
                    self.aids.counts.add(Kind::Slept);
                }
            },
            Act::Round => self.say_again(node),
            Act::Rested => {
                self.with_timers(node, |timers| timers.look_at_ms = None);
                self.audit(node, audit::Event::Waited);
            }
            Act::Wish => {
                let wanted = self.with_timers(node, |timers| timers.wanted.take());
                if let Some(cause) = wanted.flatten() {
                    self.audit(node, audit::Event::Wanted(cause));
                }
            }
            Act::Look(at) => self.look(node, at),
            Act::Leave => return self.leave_cluster(node),
            Act::Exit => self.exit(node),
        }
        Ok(())
    }

    pub(super) fn with_timers<T>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Timers) -> T,
    ) -> Option<T> {
        let cluster = self.cluster.as_mut()?;
        Some(act(&mut cluster.timers[node]))
    }

    /// A session that starts while the node is drained is told so.
    pub(super) fn drain_late(&mut self, node: usize) {
        if self.standing(node).leaving != Leaving::No {
            self.hand(node, Event::Drain, None);
        }
    }

    fn handle(&mut self, node: usize) {
        let Some(letter) = self.nodes[node].next_letter() else {
            return;
        };
        if let (Event::Watch(conn), Some(outbox)) = (&letter.event, &letter.outbox) {
            let frame = syncline_hub::gateway::frame::Frame::text(AUTH_OK);
            outbox.push(frame, FrameKind::Answer);
            if let Some(socket) = self.sockets.get_mut(&conn.0) {
                socket.woken = true;
            }
        }
        if let (Event::Attach(attach), Some(known)) = (&letter.event, self.nodes[node].known()) {
            let is_ahead = |cursor: &Cursor| {
                cursor.epoch == known.epoch.to_string() && cursor.seq > known.head.0
            };
            if attach.cursor.as_ref().is_some_and(is_ahead) {
                self.aids.counts.add(Kind::MovedAhead);
            }
        }
        self.hand(node, letter.event, letter.outbox);
    }

    fn say_again(&mut self, node: usize) {
        let (name, now_ms) = (self.nodes[node].name.clone(), self.now_ms);
        let told = self.with_timers(node, |timers| {
            timers.round_at_ms = now_ms + round_ms();
            timers.repeats.told(&name)
        });
        for told in told.into_iter().flatten() {
            self.aids.counts.add(Kind::SaidAgain);
            self.publish(node, &told);
        }
    }

    /// Has a node's audit take an event, and carries out what it wants.
    fn audit(&mut self, node: usize, event: audit::Event<()>) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let (Some(moment), now_ms) = (self.moment(node), self.now_ms) else {
                return;
            };
            let open = if self.nodes[node].is_open() {
                vec![()]
            } else {
                Vec::new()
            };
            self.with_timers(node, |timers| {
                for effect in timers.audit.step(event, moment) {
                    match effect {
                        audit::Effect::Wait(ms) => timers.look_at_ms = Some(now_ms + ms),
                        audit::Effect::List => {
                            timers.look_at_ms = None;
                            timers.looks.clear();
                            events.push(audit::Event::Listed(open.clone()));
                        }
                        audit::Effect::Look(_, cause) => {
                            timers.looks.push(Look { cause, read: None });
                        }
                    }
                }
            });
        }
    }

    fn look(&mut self, node: usize, at: usize) {
        let fails = self.is_storeless(node) || {
            let rate = self.plan.store_faults;
            let cluster = self.cluster.as_mut();
            cluster.is_some_and(|cluster| self.chaos && cluster.rng.chance(rate))
        };
        let view = self.store.view();
        let done = self.with_timers(node, |timers| {
            let look = &mut timers.looks[at];
            match look.read {
                None => {
                    look.read = Some(if fails { Err(()) } else { Ok(view) });
                    None
                }
                Some(read) => {
                    timers.looks.swap_remove(at);
                    Some(read)
                }
            }
        });
        match done.flatten() {
            None => {}
            Some(Err(())) => {
                self.aids.counts.add(Kind::AuditFails);
                self.audit(node, audit::Event::Looked(false));
            }
            Some(Ok(view)) => {
                self.aids.counts.add(Kind::Looked);
                let event = behind::of_view(self.nodes[node].known(), Some(view));
                if let Some(event) = event.filter(|_| self.nodes[node].is_open()) {
                    self.aids.counts.add(Kind::FoundByLook);
                    self.tell(node, event);
                }
                self.audit(node, audit::Event::Looked(true));
            }
        }
    }

    /// The node's sockets are told to come back elsewhere, and where the space is a last time.
    fn leave_cluster(&mut self, node: usize) -> Checked {
        let incarnation = self.nodes[node].incarnation;
        let mut operations = self.nodes[node].operations.iter();
        let commits = operations.any(|operation| {
            let is_commit = matches!(operation.effect, Effect::Commit(_));
            operation.incarnation == incarnation && is_commit && !operation.silent
        });
        let had_session = self.nodes[node].session.is_some();
        ensure(!(commits && had_session), "drain", || {
            format!("{} goes with a commit under way", self.nodes[node].name)
        })?;
        self.aids.counts.add(Kind::NodeDrained);
        self.say(node, "tells its sockets to move");
        let of_node = self
            .sockets
            .values_mut()
            .filter(|socket| socket.node == node);
        for (place, socket) in (0..).zip(of_node.filter(|socket| !socket.ended)) {
            socket.outbox.drain(place * 100);
            socket.woken = true;
        }
        self.end_session(node);
        let sockets = self.sockets.values_mut();
        let of_node = sockets.filter(|socket| socket.node == node);
        of_node.for_each(|socket| socket.turn_away());
        self.say_again(node);
        self.leaving(node, Leaving::Moving);
        Ok(())
    }

    fn exit(&mut self, node: usize) {
        self.say(node, "ends");
        for operation in &mut self.nodes[node].operations {
            operation.silent = true;
        }
        self.nodes[node]
            .answers
            .iter_mut()
            .for_each(|answer| answer.told = None);
        self.abandon_exchanges(node);
        self.lose_tries(node);
        self.nodes[node].forget_everything(&self.plan, &self.aids);
        self.restart(node);
        self.stay_away(node);
    }

    /// A node hears something.
    pub(super) fn take_heard(&mut self, node: usize, heard: Heard) {
        if !self.nodes[node].is_open() && !matches!(heard, Heard::Missed(_)) {
            return;
        }
        match heard {
            Heard::Commit(event) => self.tell(node, Event::Heard(event)),
            Heard::Heads(heads, why) => {
                let found = match why {
                    HeadsWhy::Again => Kind::FoundByHead,
                    HeadsWhy::TooLarge => Kind::FoundLarge,
                };
                let known = self.nodes[node].known();
                for event in heads.iter().filter_map(|at| behind::of_head(known, at)) {
                    self.aids.counts.add(found);
                    self.tell(node, event);
                }
            }
            Heard::Unread(..) => self.tell(node, Event::Missed),
            Heard::Missed(why) => {
                let cause = match why {
                    MissedWhy::Reconnected => CatchUpCause::Reconnect,
                    MissedWhy::Slow => CatchUpCause::Slow,
                    MissedWhy::Newer => CatchUpCause::Newer,
                };
                self.with_timers(node, |timers| {
                    // If one is wanted already, that one is still to come.
                    timers.wanted.get_or_insert(cause);
                });
            }
            Heard::Heartbeat(_) | Heard::Ephemeral(_) => {}
        }
    }

    /// The bus is cut and nobody knows, in some worlds for longer than heads are said again, while
    /// all that was written is sent and nobody writes anything new. So nothing will be told of what
    /// is committed meanwhile.
    pub(super) fn lose_what_is_told(&mut self) -> Checked {
        let Some(cluster) = &mut self.cluster else {
            return Ok(());
        };
        if !cluster.rng.chance(OUTLASTED) {
            return Ok(());
        }
        let lasts_ms = *cluster.rng.pick(&OUTLASTS_MS);
        self.aids.counts.add(Kind::Outlasted);
        self.aids
            .trace
            .say(&"bus", || format!("is cut for {lasts_ms} ms"));
        self.cut_whole_bus();
        let until_ms = self.now_ms + lasts_ms;
        for _ in 0..CALM_STEPS_MAX {
            self.aids.trace.step += 1;
            self.now_ms += 1;
            self.connect_all();
            let steps = self.possible_steps();
            if !steps.is_empty() {
                let step = *self.aids.rng.pick(&steps);
                self.take(step)?;
                continue;
            }
            if self.now_ms >= until_ms {
                break;
            }
            let timers = self.cluster.iter().flat_map(|cluster| &cluster.timers);
            let due = timers.filter_map(Timers::next_ms).min();
            let next_ms = due.map_or(until_ms, |due| due.min(until_ms));
            self.now_ms = self.now_ms.max(next_ms);
        }
        self.bus.heal();
        Ok(())
    }

    /// Nothing can happen now. Lets time pass until something is due; false if nothing will be.
    pub(super) fn wait_for_timers(&mut self, calm_ms: u64) -> bool {
        let Some(cluster) = &self.cluster else {
            return false;
        };
        let rests_ms = calm_ms + RESTS_AFTER_MS;
        let repeating = cluster
            .timers
            .iter()
            .any(|timers| !timers.repeats.is_empty());
        if !cluster.ticks || (self.now_ms >= rests_ms && !repeating) {
            return false;
        }
        let due = cluster.timers.iter().filter_map(Timers::next_ms).min();
        let next_ms = due.map_or(rests_ms, |due| due.min(rests_ms.max(self.now_ms + 1)));
        self.now_ms = self.now_ms.max(next_ms);
        true
    }
}
