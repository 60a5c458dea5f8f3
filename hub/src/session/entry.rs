//! A space's place on this node: how its session is reached, whether it runs or sleeps.
//!
//! Everything told to a session goes through its entry, which counts it. So a session that
//! wants to sleep knows, while nobody can tell it more, whether it has heard all there is:
//! nothing is lost at that moment, and nothing overtakes. What comes while a session starts
//! waits in the entry in its order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ractor::ActorRef;
use syncline_cluster::ephemeral::Spoken;
use syncline_cluster::event::CommitEvent;
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::SpaceView;
use tokio::sync::watch;

use super::actor::Message;
use super::dormant::{Dormant, Left};
use super::event::{ConnId, Event};
use super::few::Few;
pub(super) use super::turns::Slept;
use super::turns::{Turn, Turns};
use crate::gateway::intake::Intake;
use crate::gateway::outbox::Outbox;
use crate::wheel::{Alarm, Sleeper};

/// Commits of other nodes that wait while a session is started.
pub(super) const HEARD_WAITING_MAX: usize = 128;

/// Messages of any kind that wait for a session that runs, past which commits of other nodes do not.
pub(super) const HEARD_RUNNING_MAX: u64 = 4_096;

/// A space on this node.
#[derive(Debug)]
pub struct Entry {
    /// The space.
    pub space: SpaceKey,
    state: Mutex<State>,
}

type State = Turns<Asleep, Way, Message>;

/// A sleeping session and the ways to its sockets.
#[derive(Debug)]
pub(super) struct Asleep {
    pub(super) dormant: Dormant,
    pub(super) outboxes: Few<Arc<Outbox>>,
}

/// How a session that is awake is reached.
#[derive(Debug)]
struct Way {
    intake: Intake,
    shown: Arc<Shown>,
    /// Set once it runs.
    actor: Option<ActorRef<Message>>,
}

impl Way {
    fn new(intake: Intake, shown: Arc<Shown>) -> Way {
        Way {
            intake,
            shown,
            actor: None,
        }
    }
}

/// What others see of a running session without asking it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    view: watch::Sender<Option<SpaceView>>,
    pub(super) alarm: Alarm,
    actor: std::sync::OnceLock<ActorRef<Message>>,
    used: AtomicBool,
    /// Messages the session has heard.
    heard: AtomicU64,
    /// It was told that it missed commits, which are no more told until it hears that.
    overrun: AtomicBool,
}

/// For commits of other nodes that wait.
enum Room {
    Some,
    /// For no commit; the session is to be told so.
    Ends,
    /// It was told.
    None,
}

impl Shown {
    /// Shows the session's view.
    pub(super) fn show(&self, view: SpaceView) {
        self.view.send_if_modified(|shown| {
            let news = *shown != Some(view);
            *shown = Some(view);
            news
        });
    }

    /// The session has heard so many messages. Before it does what the last one says, so that what
    /// is left out until then is in the store when it reads.
    pub(super) fn hears(&self, heard: u64, message: &Message) {
        if matches!(message, Message::Event(Event::Missed)) {
            self.overrun.store(false, Ordering::Release);
        }
        self.heard.store(heard, Ordering::Release);
    }

    /// Whether somebody looked since the last time.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

impl Sleeper for Shown {
    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn ring(self: Arc<Self>) {
        if let Some(actor) = self.actor.get() {
            // One that ended needs no waking.
            let _ = actor.cast(Message::IdleDue);
        }
    }
}

/// What telling an entry something asks of the registry.
#[derive(Debug)]
pub(super) enum Told {
    /// It was told.
    Done,
    /// It was told, and the session must be started, from its sleep if it slept.
    Start(Box<Start>),
    /// The entry is gone; the message comes back.
    Gone(Box<Message>),
}

/// What a session is started with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) asleep: Option<Asleep>,
    pub(super) shown: Arc<Shown>,
}

impl Entry {
    /// The entry of a space that is not open here, and what its session starts with.
    pub(super) fn starting(space: SpaceKey, intake: Intake) -> (Entry, Start) {
        let shown = Arc::new(Shown::default());
        let way = Way::new(intake, shown.clone());
        let entry = Entry {
            space,
            state: Mutex::new(Turns::starting(way)),
        };
        let start = Start {
            asleep: None,
            shown,
        };
        (entry, start)
    }

    /// Tells the session something, in order with everything else it is told.
    pub(super) fn tell(&self, message: Message, intake: impl FnOnce() -> Intake) -> Told {
        let mut state = self.lock();
        let start = wake(&mut state, intake);
        match state.tell(message) {
            Turn::Waits => {}
            Turn::Give(message) => {
                if let Err(message) = give(&state, message) {
                    *state = State::Gone;
                    return message.map_or(Told::Done, Told::Gone);
                }
            }
            Turn::Gone(message) => return Told::Gone(Box::new(message)),
        }
        start.map_or(Told::Done, |start| Told::Start(Box::new(start)))
    }

    /// Tells the session a commit of another node. Only so many wait, whether it is being started or
    /// is slow; past that it reads the store instead.
    pub(super) fn hear(&self, commit: Arc<CommitEvent>, intake: impl FnOnce() -> Intake) -> Told {
        let event = match self.has_room() {
            Room::Some => Event::Heard(commit),
            Room::Ends => Event::Missed,
            Room::None => return Told::Done,
        };
        self.tell(Message::Event(event), intake)
    }

    /// Whether one more commit may wait.
    fn has_room(&self) -> Room {
        let state = self.lock();
        let State::Awake(awake) = &*state else {
            return Room::Some;
        };
        let shown = &awake.way.shown;
        let is_full = match state.given() {
            Some(given) => {
                let heard = shown.heard.load(Ordering::Acquire);
                given.saturating_sub(heard) >= HEARD_RUNNING_MAX
            }
            None => state.waiting().len() >= HEARD_WAITING_MAX,
        };
        match (is_full, shown.overrun.load(Ordering::Acquire)) {
            (_, true) => Room::None,
            (false, false) => Room::Some,
            (true, false) => {
                shown.overrun.store(true, Ordering::Release);
                Room::Ends
            }
        }
    }

    /// The room for pushes, and what must be started for it. `None` if the entry is gone.
    pub(super) fn intake(
        &self,
        intake: impl FnOnce() -> Intake,
    ) -> Option<(Intake, Option<Box<Start>>)> {
        let mut state = self.lock();
        let start = wake(&mut state, intake);
        match &*state {
            State::Awake(awake) => Some((awake.way.intake.clone(), start.map(Box::new))),
            _ => None,
        }
    }

    /// The actor was started: it gets what waited.
    pub(super) fn started(&self, actor: ActorRef<Message>) {
        let mut state = self.lock();
        for message in state.started() {
            // One that ended already has left its entry.
            let _ = actor.cast(message);
        }
        if let State::Awake(awake) = &mut *state {
            // It is set once, here.
            let shown = &awake.way.shown;
            let _ = shown.actor.set(actor.clone());
            if shown.alarm.set_for().is_none() {
                // It rang before there was anybody to hear it.
                let _ = actor.cast(Message::IdleDue);
            }
            awake.way.actor = Some(actor);
        }
    }

    /// The session sleeps, if it has heard all it was told: `heard` messages. Else it is told
    /// so and must go on.
    pub(super) fn sleep(&self, heard: u64, asleep: impl FnOnce() -> Option<Asleep>) -> Slept {
        self.lock().sleep(heard, asleep)
    }

    /// A socket leaves. What must be told to the session for that, if anything.
    pub(super) fn leave(&self, conn: ConnId) -> Leaving {
        let mut state = self.lock();
        match &mut *state {
            State::Gone => Leaving::Done,
            State::Awake(_) => Leaving::Tell,
            State::Asleep(asleep) => match asleep.dormant.leave(conn) {
                Left::Concerned => Leaving::Tell,
                Left::Asleep => {
                    asleep.outboxes.retain(|outbox| outbox.conn != conn);
                    Leaving::Done
                }
                Left::Empty => {
                    *state = State::Gone;
                    Leaving::Emptied
                }
            },
        }
    }

    /// The session ended by itself.
    pub(super) fn end(&self) -> Vec<Message> {
        self.lock().end()
    }

    /// The actor, if it runs.
    pub(super) fn actor(&self) -> Option<ActorRef<Message>> {
        match &*self.lock() {
            State::Awake(awake) => awake.way.actor.clone(),
            State::Asleep(_) | State::Gone => None,
        }
    }

    /// Whether the session sleeps, and what it knows.
    pub(super) fn asleep_at(&self) -> Option<SpaceView> {
        match &*self.lock() {
            State::Asleep(asleep) => Some(asleep.dormant.view),
            _ => None,
        }
    }

    /// Whether its session should be told something ephemeral of another node. One that sleeps is
    /// not woken for what it knows.
    pub(crate) fn is_concerned(&self, instance: Instance, what: &Spoken) -> bool {
        match &*self.lock() {
            State::Asleep(asleep) => asleep.dormant.is_concerned(instance, what),
            State::Awake(_) => true,
            State::Gone => false,
        }
    }

    /// What its session knows now; `None` while it has not read the store.
    pub(crate) fn known(&self) -> Option<SpaceView> {
        match &*self.lock() {
            State::Asleep(asleep) => Some(asleep.dormant.view),
            State::Awake(awake) => *awake.way.shown.view.borrow(),
            State::Gone => None,
        }
    }

    /// Whether the entry was taken out of the registry.
    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.lock(), State::Gone)
    }

    /// The space as the session knows it, asleep or awake; waits until a starting session has
    /// read it. `None` if it could not.
    pub async fn view(&self) -> Option<SpaceView> {
        let mut shown = match &*self.lock() {
            State::Asleep(asleep) => return Some(asleep.dormant.view),
            State::Gone => return None,
            State::Awake(awake) => {
                let view = *awake.way.shown.view.borrow();
                if view.is_some() {
                    return view;
                }
                awake.way.shown.view.subscribe()
            }
        };
        let view = shown.wait_for(Option::is_some).await.ok()?;
        *view
    }

    /// Waits until a running session's view is another than the one that was seen.
    pub(super) async fn changed(&self, seen: SpaceView) {
        let mut shown = match &*self.lock() {
            State::Awake(awake) => awake.way.shown.view.subscribe(),
            _ => return,
        };
        // The session gone means the same: look again.
        let is_another = |view: &Option<SpaceView>| view.is_some_and(|view| view != seen);
        let _ = shown.wait_for(is_another).await;
    }

    /// Keeps a running session without a socket from stopping for another while. One that has some
    /// answers from its sleep.
    pub fn touch(&self) {
        if let State::Awake(awake) = &*self.lock() {
            let used = &awake.way.shown.used;
            used.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole whatever panicked while it was locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a leaving socket asks of the registry.
#[derive(Debug)]
pub(super) enum Leaving {
    /// Nothing.
    Done,
    /// The session must be told that the socket is gone.
    Tell,
    /// The entry was emptied and must be taken out.
    Emptied,
}

/// Gives a message to the actor. If that ended, the message comes back.
fn give(state: &State, message: Message) -> Result<(), Option<Box<Message>>> {
    let actor = match state {
        State::Awake(awake) => awake.way.actor.as_ref(),
        State::Asleep(_) | State::Gone => None,
    };
    let Some(actor) = actor else {
        return Err(Some(Box::new(message)));
    };
    match actor.cast(message) {
        Ok(()) => Ok(()),
        Err(ractor::MessagingErr::SendErr(message)) => Err(Some(Box::new(message))),
        // Only a message of another type fails otherwise.
        Err(_) => Err(None),
    }
}

/// Turns a sleeping session's entry into one that starts.
fn wake(state: &mut State, intake: impl FnOnce() -> Intake) -> Option<Start> {
    if !matches!(state, State::Asleep(_)) {
        return None;
    }
    let shown = Arc::new(Shown::default());
    let asleep = state.wake(|| Way::new(intake(), shown.clone()))?;
    shown.show(asleep.dormant.view);
    Some(Start {
        asleep: Some(asleep),
        shown,
    })
}
