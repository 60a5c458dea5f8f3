//! A space's place on this node: how its session is reached, whether it runs or sleeps.
//!
//! Everything told to a session goes through its entry, which counts it. So a session that
//! wants to sleep knows, while nobody can tell it more, whether it has heard all there is:
//! nothing is lost at that moment, and nothing overtakes. What comes while a session starts
//! waits in the entry in its order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ractor::ActorRef;
use syncline_protocol::ids::{Epoch, Seq, SpaceKey};
use syncline_storage::types::SpaceView;
use tokio::sync::watch;

use super::actor::Message;
use super::dormant::{Dormant, Left};
use super::event::{ConnId, Event};
use super::few::Few;
use crate::gateway::intake::Intake;
use crate::gateway::outbox::Outbox;
use crate::wheel::{Alarm, Sleeper};

/// A space on this node.
#[derive(Debug)]
pub struct Entry {
    /// The space.
    pub space: SpaceKey,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing runs; sockets may be attached.
    Asleep(Asleep),
    /// The actor runs, or is being started.
    Awake(Box<Awake>),
    /// Taken out of the registry: whoever still holds it looks again.
    Gone,
}

/// A sleeping session and the ways to its sockets.
#[derive(Debug)]
pub(super) struct Asleep {
    pub(super) dormant: Dormant,
    pub(super) outboxes: Few<Arc<Outbox>>,
}

/// How a running session is reached.
#[derive(Debug)]
struct Awake {
    intake: Intake,
    shown: Arc<Shown>,
    mailbox: Mailbox,
}

#[derive(Debug)]
enum Mailbox {
    /// The actor is not there yet; what comes waits.
    Starting(Vec<Message>),
    /// So many messages were given to it.
    Running(ActorRef<Message>, u64),
}

/// What others see of a running session without asking it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    view: watch::Sender<Option<SpaceView>>,
    pub(super) alarm: Alarm,
    actor: std::sync::OnceLock<ActorRef<Message>>,
    used: std::sync::atomic::AtomicBool,
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

    /// Whether somebody looked since the last time.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, std::sync::atomic::Ordering::Relaxed)
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
        let awake = Awake {
            intake,
            shown: shown.clone(),
            mailbox: Mailbox::Starting(Vec::new()),
        };
        let entry = Entry {
            space,
            state: Mutex::new(State::Awake(Box::new(awake))),
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
        let State::Awake(awake) = &mut *state else {
            return Told::Gone(Box::new(message));
        };
        match &mut awake.mailbox {
            Mailbox::Starting(waiting) => waiting.push(message),
            Mailbox::Running(actor, told) => match actor.cast(message) {
                Ok(()) => *told += 1,
                Err(ractor::MessagingErr::SendErr(message)) => {
                    *state = State::Gone;
                    return Told::Gone(Box::new(message));
                }
                Err(_) => {
                    // Only a message of another type fails otherwise.
                    *state = State::Gone;
                    return Told::Done;
                }
            },
        }
        start.map_or(Told::Done, |start| Told::Start(Box::new(start)))
    }

    /// The room for pushes, and what must be started for it. `None` if the entry is gone.
    pub(super) fn intake(
        &self,
        intake: impl FnOnce() -> Intake,
    ) -> Option<(Intake, Option<Box<Start>>)> {
        let mut state = self.lock();
        let start = wake(&mut state, intake);
        match &*state {
            State::Awake(awake) => Some((awake.intake.clone(), start.map(Box::new))),
            _ => None,
        }
    }

    /// The actor was started: it gets what waited.
    pub(super) fn started(&self, actor: ActorRef<Message>) {
        let mut state = self.lock();
        let State::Awake(awake) = &mut *state else {
            return;
        };
        // It is set once, here.
        let _ = awake.shown.actor.set(actor.clone());
        if let Mailbox::Starting(waiting) = &mut awake.mailbox {
            let waiting = std::mem::take(waiting);
            let told = waiting.len() as u64;
            for message in waiting {
                // One that ended already has left its entry.
                let _ = actor.cast(message);
            }
            awake.mailbox = Mailbox::Running(actor, told);
        }
    }

    /// The session sleeps, if it has heard all it was told: `heard` messages. Else it is told
    /// so and must go on.
    pub(super) fn sleep(&self, heard: u64, asleep: impl FnOnce() -> Option<Asleep>) -> Slept {
        let mut state = self.lock();
        match &*state {
            State::Awake(awake) => match awake.mailbox {
                Mailbox::Running(_, told) if told == heard => {}
                _ => return Slept::No,
            },
            _ => return Slept::No,
        }
        match asleep() {
            Some(asleep) => {
                *state = State::Asleep(asleep);
                Slept::Asleep
            }
            None => {
                *state = State::Gone;
                Slept::Gone
            }
        }
    }

    /// A socket leaves. What must be told to the session for that, if anything.
    pub(super) fn leave(&self, conn: ConnId) -> Leaving {
        let mut state = self.lock();
        match &mut *state {
            State::Gone => Leaving::Done,
            State::Awake(_) => Leaving::Tell(Event::Detach(conn)),
            State::Asleep(asleep) => match asleep.dormant.leave(conn) {
                Left::Concerned => Leaving::Tell(Event::Detach(conn)),
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
        let ended = std::mem::replace(&mut *self.lock(), State::Gone);
        match ended {
            State::Awake(awake) => match awake.mailbox {
                Mailbox::Starting(waiting) => waiting,
                Mailbox::Running(..) => Vec::new(),
            },
            State::Asleep(_) | State::Gone => Vec::new(),
        }
    }

    /// The actor, if it runs.
    pub(super) fn actor(&self) -> Option<ActorRef<Message>> {
        match &*self.lock() {
            State::Awake(awake) => match &awake.mailbox {
                Mailbox::Running(actor, _) => Some(actor.clone()),
                Mailbox::Starting(_) => None,
            },
            _ => None,
        }
    }

    /// Whether the session sleeps, and what it knows.
    pub(super) fn asleep_at(&self) -> Option<SpaceView> {
        match &*self.lock() {
            State::Asleep(asleep) => Some(asleep.dormant.view),
            _ => None,
        }
    }

    /// Whether its session does not have what brought the space there. One that starts may have
    /// read the store before.
    pub(crate) fn is_behind(&self, epoch: Epoch, head: Seq) -> bool {
        let is_behind = |known: SpaceView| known.epoch != epoch || known.head < head;
        self.known().is_none_or(is_behind) && !self.is_gone()
    }

    /// Whether its session believes the space to be there.
    pub(crate) fn is_at(&self, epoch: Epoch, head: Seq) -> bool {
        let is_at = |known: SpaceView| (known.epoch, known.head) == (epoch, head);
        self.known().is_some_and(is_at)
    }

    /// What its session knows now.
    fn known(&self) -> Option<SpaceView> {
        match &*self.lock() {
            State::Asleep(asleep) => Some(asleep.dormant.view),
            State::Awake(awake) => *awake.shown.view.borrow(),
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
                let view = *awake.shown.view.borrow();
                if view.is_some() {
                    return view;
                }
                awake.shown.view.subscribe()
            }
        };
        let view = shown.wait_for(Option::is_some).await.ok()?;
        *view
    }

    /// Waits until a running session's view changes, or so long.
    pub(super) async fn changed(&self, at_most: Duration) {
        let mut shown = match &*self.lock() {
            State::Awake(awake) => awake.shown.view.subscribe(),
            _ => return,
        };
        // The time over and the session gone mean the same: look again.
        let _ = tokio::time::timeout(at_most, shown.changed()).await;
    }

    /// Keeps a running session from stopping for another while.
    pub fn touch(&self) {
        if let State::Awake(awake) = &*self.lock() {
            let used = &awake.shown.used;
            used.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole whatever panicked while it was locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt to sleep ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slept {
    /// There is more to hear.
    No,
    /// It sleeps; the actor is not needed any more.
    Asleep,
    /// Nobody is attached; the entry is gone too.
    Gone,
}

/// What a leaving socket asks of the registry.
#[derive(Debug)]
pub(super) enum Leaving {
    /// Nothing.
    Done,
    /// The session must be told.
    Tell(Event),
    /// The entry was emptied and must be taken out.
    Emptied,
}

/// Turns a sleeping session's entry into one that starts.
fn wake(state: &mut State, intake: impl FnOnce() -> Intake) -> Option<Start> {
    if !matches!(state, State::Asleep(_)) {
        return None;
    }
    let shown = Arc::new(Shown::default());
    let awake = Awake {
        intake: intake(),
        shown: shown.clone(),
        mailbox: Mailbox::Starting(Vec::new()),
    };
    let State::Asleep(asleep) = std::mem::replace(state, State::Awake(Box::new(awake))) else {
        return None;
    };
    shown.show(asleep.dormant.view);
    Some(Start {
        asleep: Some(asleep),
        shown,
    })
}
