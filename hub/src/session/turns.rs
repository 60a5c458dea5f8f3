//! Whose turn it is with what a space's session is told: the session that runs, the one that is being
//! started, or nobody while it sleeps. The rules of [`super::entry`], which locks them and has the
//! actor, and of the simulation.
//!
//! What is told is counted, so a session that wants to sleep knows whether it has heard all there is:
//! nothing is lost at that moment, and nothing overtakes.

use syncline_protocol::mutant::{Mutant, mutant};

/// The turns of a space. `A` is what a sleeping session leaves, `W` the way to one that is awake, `M`
/// what it is told.
#[derive(Debug)]
pub enum Turns<A, W, M> {
    /// Nothing runs; sockets may be attached.
    Asleep(A),
    /// It runs, or is being started.
    Awake(Box<Awake<W, M>>),
    /// It is over: whoever still holds it looks again.
    Gone,
}

/// A session that is awake.
#[derive(Debug)]
pub struct Awake<W, M> {
    /// The way to it.
    pub way: W,
    mailbox: Mailbox<M>,
}

#[derive(Debug)]
enum Mailbox<M> {
    /// It is not there yet; what comes waits.
    Starting(Vec<M>),
    /// So many messages were given to it.
    Running(u64),
}

/// What becomes of what is told.
#[derive(Debug)]
pub enum Turn<M> {
    /// It waits until the session was started.
    Waits,
    /// It is counted, and to be given to the session now.
    Give(M),
    /// It comes back: nobody is there.
    Gone(M),
}

/// How an attempt to sleep ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// There is more to hear.
    No,
    /// It sleeps; the one that ran is not needed any more.
    Asleep,
    /// Nobody is attached: it is over.
    Gone,
}

impl<A, W, M> Turns<A, W, M> {
    /// A session is being started.
    pub fn starting(way: W) -> Turns<A, W, M> {
        let mailbox = Mailbox::Starting(Vec::new());
        Turns::Awake(Box::new(Awake { way, mailbox }))
    }

    /// If it sleeps, it is being started from now on, with what is returned.
    pub fn wake(&mut self, way: impl FnOnce() -> W) -> Option<A> {
        if !matches!(self, Turns::Asleep(_)) {
            return None;
        }
        match std::mem::replace(self, Turns::starting(way())) {
            Turns::Asleep(asleep) => Some(asleep),
            Turns::Awake(_) | Turns::Gone => None,
        }
    }

    /// Something is told. One that sleeps must be woken before.
    pub fn tell(&mut self, message: M) -> Turn<M> {
        let Turns::Awake(awake) = self else {
            return Turn::Gone(message);
        };
        match &mut awake.mailbox {
            Mailbox::Starting(waiting) => {
                waiting.push(message);
                Turn::Waits
            }
            Mailbox::Running(told) => {
                *told += 1;
                Turn::Give(message)
            }
        }
    }

    /// What waits until it was started.
    pub fn waiting(&self) -> &[M] {
        match self {
            Turns::Awake(awake) => match &awake.mailbox {
                Mailbox::Starting(waiting) => waiting,
                Mailbox::Running(_) => &[],
            },
            Turns::Asleep(_) | Turns::Gone => &[],
        }
    }

    /// How many messages were given to it, if it runs.
    pub fn given(&self) -> Option<u64> {
        match self {
            Turns::Awake(awake) => match awake.mailbox {
                Mailbox::Running(given) => Some(given),
                Mailbox::Starting(_) => None,
            },
            Turns::Asleep(_) | Turns::Gone => None,
        }
    }

    /// It was started: gives what waited, to be given to it in that order.
    pub fn started(&mut self) -> Vec<M> {
        let Turns::Awake(awake) = self else {
            return Vec::new();
        };
        let Mailbox::Starting(waiting) = &mut awake.mailbox else {
            return Vec::new();
        };
        let waiting = std::mem::take(waiting);
        awake.mailbox = Mailbox::Running(waiting.len() as u64);
        waiting
    }

    /// It sleeps, if it has heard all it was told: `heard` messages. Else it must go on.
    pub fn sleep(&mut self, heard: u64, asleep: impl FnOnce() -> Option<A>) -> Slept {
        let has_heard_all = match self {
            Turns::Awake(awake) => match awake.mailbox {
                Mailbox::Running(told) => told == heard || mutant(Mutant::LostWakeUp),
                Mailbox::Starting(_) => false,
            },
            Turns::Asleep(_) | Turns::Gone => false,
        };
        if !has_heard_all {
            return Slept::No;
        }
        match asleep() {
            Some(asleep) => {
                *self = Turns::Asleep(asleep);
                Slept::Asleep
            }
            None => {
                *self = Turns::Gone;
                Slept::Gone
            }
        }
    }

    /// It ended by itself. What waited for it comes back.
    pub fn end(&mut self) -> Vec<M> {
        match std::mem::replace(self, Turns::Gone) {
            Turns::Awake(awake) => match awake.mailbox {
                Mailbox::Starting(waiting) => waiting,
                Mailbox::Running(_) => Vec::new(),
            },
            Turns::Asleep(_) | Turns::Gone => Vec::new(),
        }
    }
}
