//! The task of one socket: a future small enough that a hundred thousand of them are nothing.
//!
//! It is polled when the stream, the outbox or the wheel has something for it. What seldom
//! happens and takes time, such as a hello, runs as a boxed future of its own; meanwhile
//! nothing more is read, and what is queued is still written.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::frame::Frame;
use super::link::{Ending, Link};
use super::outbox::Speech;
use super::ws::{Incoming, push_pong};
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::Event;
use syncline_protocol::error::close;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Messages taken and bytes read of one socket before others have their turn.
const TURN_MESSAGES: usize = 64;
const TURN_BYTES: usize = 256 << 10;

/// What a socket waits for before it takes anything more from its peer.
pub(super) type Wait<T> = Pin<Box<dyn Future<Output = Result<T, Ending>> + Send>>;

/// What is said over a socket.
pub(super) trait Protocol: Sized + Send + Unpin + 'static {
    /// What a wait brings.
    type Done;

    /// What it is.
    const SPEECH: Speech;

    /// Takes a message. What must be waited for before the next one is taken comes back.
    fn take(&mut self, link: &mut Link, text: &str) -> Result<Option<Wait<Self::Done>>, Ending>;

    /// Goes on after a wait, maybe with another one.
    fn go_on(
        &mut self,
        link: &mut Link,
        done: Self::Done,
    ) -> Result<Option<Wait<Self::Done>>, Ending>;

    /// The space it is in, once the session has taken it.
    fn entry(&self) -> Option<&Arc<Entry>>;

    /// Looks at the protocol's own deadlines; says when to look again, at the latest. Not asked
    /// while the hub itself is what is waited for.
    fn look_at_clock(&mut self, link: &mut Link) -> Result<Duration, Ending>;
}

/// A socket's task.
pub(super) struct Task<P: Protocol>(State<P>);

enum State<P: Protocol> {
    /// It is open.
    Open(Open<P>),
    /// It says goodbye.
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It is over.
    Over,
}

/// An open socket.
struct Open<P: Protocol> {
    link: Link,
    protocol: P,
    wait: Option<Wait<P::Done>>,
}

/// What a socket may still take in this turn, so that one with much to say delays the others by
/// little.
struct Turn {
    messages: usize,
    bytes: usize,
}

impl Turn {
    fn new() -> Turn {
        Turn {
            messages: TURN_MESSAGES,
            bytes: TURN_BYTES,
        }
    }

    fn is_over(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

impl<P: Protocol> Task<P> {
    /// A socket that was just opened.
    pub(super) fn new(mut link: Link, mut protocol: P) -> Task<P> {
        let looked = protocol.look_at_clock(&mut link);
        Task(match looked.and_then(|wait| link.keep_alive(wait)) {
            Ok(()) => State::Open(Open {
                link,
                protocol,
                wait: None,
            }),
            Err(ending) => State::Closing(Box::pin(link.finish(ending))),
        })
    }
}

/// Also one that panicked leaves its session.
impl<P: Protocol> Drop for Task<P> {
    fn drop(&mut self) {
        if let State::Open(open) = &self.0 {
            open.leave();
        }
    }
}

impl<P: Protocol> Future for Task<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut self.get_mut().0;
        loop {
            match state {
                State::Open(open) => {
                    let Err(ending) = open.poll(cx) else {
                        return Poll::Pending;
                    };
                    let State::Open(open) = std::mem::replace(state, State::Over) else {
                        return Poll::Ready(());
                    };
                    open.leave();
                    open.link.part();
                    *state = State::Closing(Box::pin(open.link.finish(ending)));
                }
                State::Closing(closing) => match closing.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => *state = State::Over,
                },
                State::Over => return Poll::Ready(()),
            }
        }
    }
}

impl<P: Protocol> Open<P> {
    /// Does what can be done now. An error is the socket's end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        self.link.outbox.wakes(cx.waker());
        let due = self.link.outbox.take_due();
        let did_all = self.get_on(cx)?;
        // Afterwards: what has come in time is not too late because the hub was.
        if due && did_all {
            self.look_at_clock()?;
            self.send(cx)?;
        } else if due {
            self.link.look_soon();
        }
        Ok(())
    }

    /// Writes what is queued, as far as the peer takes it.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        if self.link.send(cx)? {
            self.drained();
        }
        Ok(())
    }

    /// False if it left something to its next turn.
    fn get_on(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let mut turn = Turn::new();
        loop {
            self.link.check_end()?;
            self.send(cx)?;
            if turn.is_over() {
                cx.waker().wake_by_ref();
                return Ok(false);
            }
            let more = match &mut self.wait {
                Some(wait) => match wait.as_mut().poll(cx) {
                    Poll::Pending => false,
                    Poll::Ready(done) => {
                        self.wait = self.protocol.go_on(&mut self.link, done?)?;
                        self.look_at_clock()?;
                        true
                    }
                },
                None if self.link.may_take() => {
                    self.link.listen();
                    self.take_some(&mut turn, cx)?
                }
                None => {
                    // It goes on when the peer has read, or the alarm rings.
                    self.link.stop_listening();
                    self.look_at_clock()?;
                    return Ok(true);
                }
            };
            if !more {
                return Ok(true);
            }
            if self.wait.is_some() {
                self.link.stop_listening();
            }
        }
    }

    /// Takes what came before, be it with the request, while it waited or in an earlier turn,
    /// then what arrives now; false if there is nothing.
    fn take_some(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if self.link.reader.has_kept() {
            return self.take_all(&mut [], turn).map(|()| true);
        }
        self.read(turn, cx)
    }

    /// Everything is written: a session that waits for it is told. Before the session has taken
    /// the socket nobody can be told, and it is asked again.
    fn drained(&self) {
        if let Some(entry) = self.protocol.entry()
            && self.link.outbox.take_drained()
        {
            let drained = Event::Drained(self.link.conn());
            // A session that ended has closed the outbox, which says how to go on.
            let sessions = &self.link.gateway.sessions;
            drop(sessions.tell(entry, Message::Event(drained)));
        }
    }

    fn leave(&self) {
        if let Some(entry) = self.protocol.entry() {
            let sessions = &self.link.gateway.sessions;
            sessions.leave(entry, self.link.conn());
        }
    }

    fn look_at_clock(&mut self) -> Result<(), Ending> {
        let wait = match self.wait {
            Some(_) => self.link.check_wait()?,
            None => self.protocol.look_at_clock(&mut self.link)?,
        };
        self.link.keep_alive(wait)
    }

    /// Takes what has arrived; false if nothing has.
    fn read(&mut self, turn: &mut Turn, cx: &mut Context<'_>) -> Result<bool, Ending> {
        SCRATCH.with_borrow_mut(|scratch| match self.link.read(scratch, cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(arrived) => {
                let arrived = arrived?;
                turn.bytes = turn.bytes.saturating_sub(arrived.len());
                // A token may have ended since; the alarm looks only now and then.
                if self.link.user.is_some() {
                    self.protocol.look_at_clock(&mut self.link)?;
                }
                self.take_all(arrived, turn).map(|()| true)
            }
        })
    }

    /// Takes messages from `input` until it is used up, one must be waited for, or the turn is
    /// over. The rest is kept, if there is room.
    fn take_all(&mut self, input: &mut [u8], turn: &mut Turn) -> Result<(), Ending> {
        let mut counted = Counted::of(self);
        let taken = counted.open.take_messages(input, turn);
        let room = counted.count();
        taken.and(room)
    }

    fn take_messages(&mut self, mut input: &mut [u8], turn: &mut Turn) -> Result<(), Ending> {
        while self.wait.is_none() && turn.messages > 0 && self.link.may_take() {
            let limits = self.link.ws_limits();
            let Some(incoming) = self.link.reader.next(&limits, &mut input)? else {
                return Ok(());
            };
            turn.messages -= 1;
            self.link.taken();
            match incoming {
                Incoming::Text(text) => self.wait = self.protocol.take(&mut self.link, &text)?,
                Incoming::Binary(_) => {
                    return Err(Ending::Close(close::UNSUPPORTED, "messages are text"));
                }
                Incoming::Ping(payload) => {
                    self.check_pace()?;
                    let pong = Frame::encode(|bytes| push_pong(bytes, &payload));
                    self.link.put_ephemeral(pong);
                }
                Incoming::Pong => self.check_pace()?,
                Incoming::Close(code) => return Err(Ending::Close(code.unwrap_or(1000), "")),
            }
        }
        self.link.reader.keep(input);
        Ok(())
    }

    fn check_pace(&mut self) -> Result<(), Ending> {
        if self.link.may_be_cheap(0) {
            return Ok(());
        }
        Err(Ending::Close(close::LIMITS, "too many pings"))
    }
}

/// Frames are being taken of an open socket; afterwards the bytes that its reader holds then are
/// what is counted of it, also if taking them panicked.
struct Counted<'o, P: Protocol> {
    open: &'o mut Open<P>,
    bytes: usize,
}

impl<'o, P: Protocol> Counted<'o, P> {
    fn of(open: &'o mut Open<P>) -> Self {
        let bytes = open.link.reader.held_bytes();
        Counted { open, bytes }
    }

    /// An end: there is no room for what is held.
    fn count(&mut self) -> Result<(), Ending> {
        let before = std::mem::replace(&mut self.bytes, self.open.link.reader.held_bytes());
        self.open.link.check_unfinished(before)
    }
}

impl<P: Protocol> Drop for Counted<'_, P> {
    fn drop(&mut self) {
        // Who panicked has an end already.
        drop(self.count());
    }
}

#[cfg(test)]
mod tests {
    use super::super::compat::socket::Compat;
    use super::super::outbox::Outbox;
    use super::super::socket::Native;
    use super::*;

    /// With what the runtime puts around it, a task of this size fills two cache-line pairs.
    const TASK_BYTES_MAX: usize = 152;

    #[test]
    fn an_idle_socket_is_small() {
        let sizes = [
            ("native task", size_of::<Task<Native>>(), TASK_BYTES_MAX),
            (
                "compatibility task",
                size_of::<Task<Compat>>(),
                TASK_BYTES_MAX,
            ),
            ("outbox", size_of::<Outbox>(), 112),
            ("entry", size_of::<Entry>(), 240),
        ];
        for (what, bytes, most) in sizes {
            println!("{what}: {bytes} bytes");
            assert!(bytes <= most, "{what} has {bytes} bytes, more than {most}");
        }
    }
}
