//! A node: the real session state of the space, with a shell around it that carries out effects
//! as the actor does, except that everything that takes time waits until it is picked.

mod batch;
mod hearing;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use syncline_cluster::bus::Told;
use syncline_cluster::event::SpaceHead;
use syncline_cluster::telling::Telling;
use syncline_hub::gateway::outbox::Outbox;
use syncline_hub::session::cache::Activations;
use syncline_hub::session::dormant::Dormant;
use syncline_hub::session::event::{
    CallId, CallReply, ConnId, Effect, Event, FrameKind, Note, StoreAnswer,
};
use syncline_hub::session::state::{Context, SessionLimits, SessionParts, SessionState};
use syncline_hub::session::turns::Turns;
use syncline_protocol::ids::{NodeId, SpaceKey};
use syncline_protocol::wire::hub::ResetWhy;
use syncline_storage::types::SpaceView;

use self::batch::batch;
use super::cache::ForgetfulCache;
use super::checker::Batch;
use super::clock::skewed;
use super::count::Kind;
use super::plan::Plan;
use super::rng::Rng;
use super::trace::Aids;

/// A node's clock may be off by so much.
pub const SKEW_MS_MAX: u64 = 2_000;

/// About what a record of a device takes in memory.
const RECORD_BYTES: usize = 300;

/// A node of a world.
#[derive(Debug)]
pub struct Node {
    /// What it tells the others, and when.
    pub telling: Telling,
    /// Whose turn it is with what the session is told, in a world with a real cluster; the others
    /// tell it at once.
    pub turns: Turns<Dormant, (), Letter>,
    /// Told to the running session and not heard yet.
    pub mailbox: VecDeque<Letter>,
    /// What the running session has heard.
    heard: u64,
    /// What the session that is being started goes on with.
    waking: Option<Dormant>,
    /// Its name.
    pub name: NodeId,
    skew_ms: i64,
    activations: Activations,
    cache: ForgetfulCache,
    /// The running session, if there is one.
    pub session: Option<Session>,
    /// Sessions begun so far: the number of the running one.
    pub incarnation: u64,
    /// The space as the next session will begin with it.
    pub opened: Option<SpaceView>,
    /// Store work asked for and not yet done.
    pub operations: Vec<Operation>,
    /// Answers of the store on their way.
    pub answers: Vec<Answer>,
    /// Sessions that wait before they try again.
    pub retries: Vec<u64>,
    /// HTTP replies made.
    pub replies: Vec<(CallId, CallReply)>,
    /// What other nodes are told without a commit.
    pub told: Vec<Told>,
}

/// Something a session is told.
#[derive(Debug)]
pub struct Letter {
    /// What.
    pub event: Event,
    /// The outbox of the socket it is of, if it is one that comes.
    pub outbox: Option<Arc<Outbox>>,
}

impl Letter {
    /// The socket that comes with it.
    pub fn comes(&self) -> Option<ConnId> {
        match &self.event {
            Event::Attach(attach) => Some(attach.conn),
            Event::Watch(conn) => Some(*conn),
            _ => None,
        }
    }
}

/// The session on a node.
#[derive(Debug)]
pub struct Session {
    /// The real thing.
    pub state: SessionState,
    outboxes: BTreeMap<ConnId, Arc<Outbox>>,
    /// Sockets whose outboxes were touched.
    pub woken: Vec<ConnId>,
    /// Its view, as others on the node see it, also when it is gone.
    pub shown: Rc<Cell<SpaceView>>,
    /// It takes nothing more.
    pub draining: bool,
    /// It has finished what it took.
    pub drained: bool,
}

/// Store work of a session.
#[derive(Debug)]
pub struct Operation {
    /// The session.
    pub incarnation: u64,
    /// What to do.
    pub effect: Effect,
    /// What is in it, if it is a commit.
    pub batch: Option<Batch>,
    /// When it was asked, among all of the node.
    pub asked: u64,
    /// The process that asked is gone: it tells nobody.
    pub silent: bool,
    /// The step before which it takes no effect.
    pub held_until: u64,
}

/// An answer to a session.
#[derive(Debug)]
pub struct Answer {
    /// The session.
    pub incarnation: u64,
    /// The answer.
    pub answer: StoreAnswer,
    /// When it was asked, among all of the node.
    pub asked: u64,
    /// What is told of it once it is there.
    pub told: Option<Told>,
    /// The step before which it does not arrive.
    pub held_until: u64,
}

impl Node {
    /// A node without session.
    pub fn new(number: usize, plan: &Plan, aids: &mut Aids) -> Node {
        let name = NodeId::trusted(&format!("n{}", number + 1));
        Node {
            telling: Telling::new(name.clone()),
            turns: Turns::Gone,
            mailbox: VecDeque::new(),
            heard: 0,
            waking: None,
            name,
            skew_ms: aids.rng.within(0, 2 * SKEW_MS_MAX) as i64 - SKEW_MS_MAX as i64,
            activations: Activations::default(),
            cache: ForgetfulCache::new(aids.rng.clone(), plan.forgetful),
            session: None,
            incarnation: 0,
            opened: None,
            operations: Vec::new(),
            answers: Vec::new(),
            retries: Vec::new(),
            replies: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The node's clock.
    pub fn now_ms(&self, true_ms: u64) -> u64 {
        skewed(true_ms, self.skew_ms)
    }

    /// Its clock is set.
    pub fn set_clock(&mut self, rng: &mut Rng) {
        self.skew_ms = rng.within(0, 2 * SKEW_MS_MAX) as i64 - SKEW_MS_MAX as i64;
    }

    /// A session begins with the space as it was read.
    pub fn begin(&mut self, space: &SpaceKey, plan: &Plan) {
        let Some(view) = self.opened.take() else {
            return;
        };
        let limits = SessionLimits {
            epoch_change_interval_ms: plan.epoch_change_interval_ms,
            commit_mutations_max: plan.commit_mutations_max,
            // As small as the pages: batches end and changesets are parted by what they touch.
            commit_bytes_max: plan.page.records * RECORD_BYTES,
            live_bytes_max: plan.outbox_bytes_max,
            ..SessionLimits::default()
        };
        let parts = SessionParts {
            limits,
            activations: self.activations.clone(),
            triggers: plan.triggers.clone(),
        };
        self.incarnation += 1;
        self.session = Some(Session {
            state: SessionState::new(space.clone(), self.name.clone(), view, parts),
            outboxes: BTreeMap::new(),
            woken: Vec::new(),
            shown: Rc::new(Cell::new(view)),
            draining: false,
            drained: false,
        });
        self.run();
    }

    /// The session ends. The answers it waits for go nowhere; its store work goes on. What it was
    /// told and did not hear comes back.
    pub fn end_session(&mut self) -> (Vec<Arc<Outbox>>, Vec<Letter>) {
        let mut unheard: Vec<Letter> = self.mailbox.drain(..).collect();
        unheard.extend(self.turns.end());
        self.waking = None;
        let session = self.session.take();
        let outboxes = session.map(|session| session.outboxes.into_values().collect());
        self.retries.clear();
        (outboxes.unwrap_or_default(), unheard)
    }

    /// The whole process ends: also what it remembers is gone.
    pub fn forget_everything(&mut self, plan: &Plan, aids: &Aids) {
        self.activations = Activations::default();
        self.cache = ForgetfulCache::new(aids.rng.clone(), plan.forgetful);
        self.opened = None;
    }

    /// Nothing is forgotten any more.
    pub fn heal(&mut self) {
        self.cache.heal();
    }

    /// Tells the session, and carries out what it wants.
    pub fn step(
        &mut self,
        event: Event,
        outbox: Option<Arc<Outbox>>,
        (true_ms, sleepy, aids): (u64, bool, &mut Aids),
    ) {
        let now_ms = self.now_ms(true_ms);
        let Some(session) = &mut self.session else {
            return;
        };
        match (&event, outbox) {
            (Event::Attach(attach), Some(outbox)) => {
                session.outboxes.insert(attach.conn, outbox);
            }
            (Event::Watch(conn), Some(outbox)) => drop(session.outboxes.insert(*conn, outbox)),
            (Event::Detach(conn), _) => drop(session.outboxes.remove(conn)),
            (Event::Drain, _) => session.draining = true,
            _ => {}
        }
        let (mut events, mut effects) = (vec![event], Vec::new());
        while let Some(event) = events.pop() {
            let Some(session) = &mut self.session else {
                return;
            };
            let mut cx = Context {
                now_ms,
                cache: &self.cache,
                effects: &mut effects,
                follow: None,
            };
            session.state.step(event, &mut cx);
            for effect in effects.drain(..) {
                events.extend(self.carry_out(effect, aids));
            }
        }
        if let Some(session) = &self.session {
            session.shown.set(session.state.view());
        }
        if sleepy {
            self.sleep(aids);
        }
        for _ in 0..self.cache.take_forgotten() {
            aids.counts.add(Kind::Evicted);
        }
    }

    /// A session to which nothing more happens sleeps, and wakes at once: what happens next
    /// happens to the one that woke.
    fn sleep(&mut self, aids: &mut Aids) {
        let own = self.incarnation;
        let asked = self.operations.iter().any(|o| o.incarnation == own)
            || self.answers.iter().any(|answer| answer.incarnation == own)
            || !self.retries.is_empty();
        let Some(session) = &mut self.session else {
            return;
        };
        if asked || session.draining || !session.state.is_quiet() {
            return;
        }
        let space = session.state.space().clone();
        let parts = session.state.parts();
        let dormant = session.state.sleep();
        session.state = SessionState::wake(space, self.name.clone(), dormant, parts);
        aids.counts.add(Kind::Slept);
    }

    fn carry_out(&mut self, effect: Effect, aids: &mut Aids) -> Option<Event> {
        let session = self.session.as_mut()?;
        match effect {
            Effect::Send { conn, frame, kind } => {
                let outbox = session.outboxes.get(&conn)?;
                session.woken.push(conn);
                if let FrameKind::Presence { of } = kind {
                    let frame = outbox.push_presence(frame)?;
                    aids.counts.add(Kind::PresenceMissed);
                    return Some(Event::PresenceMissed { conn, of, frame });
                }
                let refused = outbox.push(frame, kind)?;
                aids.counts.add(Kind::Overflow);
                return Some(Event::Overflowed {
                    conn,
                    from: refused.from,
                });
            }
            Effect::Resume(conn) => session.outboxes.get(&conn)?.resume(),
            Effect::Close { conn, code, reason } => {
                session.woken.push(conn);
                session.outboxes.remove(&conn)?.close(code, reason);
                if code == syncline_protocol::error::close::REPLACED {
                    aids.counts.add(Kind::Replaced);
                }
            }
            Effect::Reply(call, reply) => self.replies.push((call, reply)),
            Effect::Note(note) => count(note, aids),
            Effect::DrainDone => session.drained = true,
            Effect::TellHead { epoch, head } => {
                let space = session.state.space().clone();
                let told = self.telling.moved(SpaceHead { space, epoch, head });
                self.told.extend(told);
                aids.counts.add(Kind::HeadTold);
            }
            // The worlds' nodes show each other nothing that is not stored.
            Effect::Show(..) | Effect::Tell(_) => {}
            // Who does jobs looks by itself.
            Effect::RingForJobs(_) => {}
            Effect::RetryAfter { no, .. } => self.retries.push(no),
            store => self.ask(store, aids),
        }
        None
    }

    fn ask(&mut self, effect: Effect, aids: &mut Aids) {
        let batch = match (&effect, &self.session) {
            (Effect::Commit(_), Some(session)) => Some(batch(&session.state, &self.cache)),
            (Effect::ReadVerdicts(..), _) => {
                aids.counts.add(Kind::Repeat);
                None
            }
            _ => None,
        };
        aids.trace.say(&self.name, || {
            format!("asks to {}", super::store::describe(&effect))
        });
        self.operations.push(Operation {
            incarnation: self.incarnation,
            effect,
            batch,
            asked: aids.trace.step,
            silent: false,
            held_until: 0,
        });
    }
}

fn count(note: Note, aids: &mut Aids) {
    use syncline_hub::telemetry::labels::VerdictStatus;
    let kind = match note {
        Note::Verdict(VerdictStatus::Applied) => Kind::Applied,
        Note::Verdict(VerdictStatus::Superseded) => Kind::Superseded,
        Note::Verdict(VerdictStatus::Rejected | VerdictStatus::Refused) => Kind::Rejected,
        Note::Verdict(VerdictStatus::Known) => Kind::Known,
        Note::Reset(why) => {
            if why == ResetWhy::Gc {
                aids.counts.add(Kind::TooOld);
            }
            Kind::Reset
        }
        Note::EpochLost => Kind::EpochLost,
        Note::Conflict => Kind::Conflict,
        Note::Committed(1) => return,
        Note::Committed(_) => Kind::CommittedLater,
        Note::CatchUp => Kind::CatchUp,
        Note::Gap => Kind::BusGap,
        Note::Resync => Kind::Resync,
        Note::Tie => Kind::Tie,
        Note::LettersLeftOut(_) => Kind::LettersLeftOut,
        Note::JobsPut(jobs) => return aids.counts.add_many(Kind::JobPut, jobs as u64),
        Note::JobCut(_) => Kind::JobTooDeep,
    };
    aids.counts.add(kind);
}
