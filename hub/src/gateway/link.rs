//! One WebSocket connection without its protocol: its stream and its place among the open ones.
//! Its deadlines are in [`clocks`], its end in [`goodbye`], what it may have in [`limits`].
//!
//! It holds no buffer at rest: what arrives is read into the thread's scratch buffer, and only
//! an unfinished frame is kept; what is to be written exists only while it is written.

mod clocks;
mod goodbye;
mod limits;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use syncline_protocol::error::close;
use syncline_protocol::ids::UserId;
use tokio::io::{AsyncRead, ReadBuf};

pub(super) use self::goodbye::turn_away;
pub use self::limits::SocketLimits;

use super::Gateway;
use super::frame::Frame;
use super::outbox::{End, Outbox, Speech};
use super::sender::Sender;
use super::sockets::TooMany;
use super::stream::Stream;
use super::ws::{Reader, Violation, WsLimits};
use crate::session::event::{ConnId, FrameKind};
use crate::wheel::Tick;

/// Bytes of an unfinished message that a socket may hold whatever others hold.
const UNFINISHED_FREE_BYTES: usize = 4 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) gateway: Arc<Gateway>,
    /// What others hold of it.
    pub(super) outbox: Arc<Outbox>,
    /// Whose it is, once that is known.
    pub(super) user: Option<UserId>,
    pub(super) reader: Reader,
    stream: Stream,
    sender: Sender,
    /// When it was opened; once its client is known, when it last had a token verified.
    opened_at: Tick,
    /// When the peer was last heard, or pinged since; while the hub takes nothing, since when.
    silent_since: Tick,
    /// When the peer last took something of what was to be written.
    took_at: Tick,
    /// When the message that is still arriving began.
    began_at: Tick,
    cheap_at: Tick,
    cheap: u8,
    /// It was pinged since it was last heard.
    pinged: bool,
    /// The hub takes what comes. While it does not, the peer's silence says nothing.
    listens: bool,
    /// The peer has not taken all that was to be written.
    waiting: bool,
}

/// How a connection ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// With a close frame.
    Close(u16, &'static str),
    /// The stream is gone, or not worth a word.
    Gone,
}

impl From<Violation> for Ending {
    fn from(violation: Violation) -> Self {
        Ending::Close(violation.code, violation.reason)
    }
}

impl From<std::io::Error> for Ending {
    fn from(_: std::io::Error) -> Self {
        Ending::Gone
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.forget_unfinished();
        let (conn, user) = (self.outbox.conn, self.user.as_ref());
        self.outbox.abandon();
        self.gateway.sockets.leave(conn, user);
    }
}

impl Link {
    /// A connection just upgraded, with what came right behind the request. There may be no
    /// room for it: then the stream comes back.
    pub(super) fn open(
        gateway: Arc<Gateway>,
        (stream, early): (Stream, &[u8]),
        (from, speech): (IpAddr, Speech),
    ) -> Result<Link, Stream> {
        let outbox_bytes_max = gateway.limits.outbox_bytes_max;
        let outbox = Outbox::new(gateway.next_conn(), outbox_bytes_max);
        let outbox = Arc::new(outbox.speaking(speech));
        if gateway.sockets.enter(&outbox, from).is_err() {
            return Err(stream);
        }
        let now = gateway.wheel.now();
        let mut link = Link {
            gateway,
            outbox,
            user: None,
            reader: Reader::new(),
            stream,
            sender: Sender::default(),
            opened_at: now,
            silent_since: now,
            took_at: now,
            began_at: now,
            cheap_at: now,
            cheap: 0,
            pinged: false,
            listens: true,
            waiting: false,
        };
        link.reader.keep(early);
        link.count_unfinished(0, link.reader.held_bytes());
        Ok(link)
    }

    /// Its number on this node.
    pub(super) fn conn(&self) -> ConnId {
        self.outbox.conn
    }

    /// The client is known: larger messages are taken.
    pub(super) fn authenticate(&mut self, user: &UserId) -> Result<(), TooMany> {
        let sockets = &self.gateway.sockets;
        sockets.authenticate(self.outbox.conn, self.user.as_ref(), user)?;
        self.set_user(user);
        Ok(())
    }

    /// The same of a client whose older socket here is about to go.
    pub(super) fn authenticate_replacing(&mut self, user: &UserId) -> Result<(), TooMany> {
        let sockets = &self.gateway.sockets;
        sockets.authenticate_replacing(self.outbox.conn, user)?;
        self.set_user(user);
        Ok(())
    }

    /// It begins to say goodbye.
    pub(super) fn part(&self) {
        if let Some(user) = &self.user {
            self.gateway.sockets.part(self.outbox.conn, user);
        }
    }

    fn set_user(&mut self, user: &UserId) {
        let held = self.reader.held_bytes();
        self.count_unfinished(held, 0);
        if self.user.replace(user.clone()).is_none() {
            self.opened_at = Tick::default();
        }
        self.count_unfinished(0, held);
    }

    /// What the peer may send now.
    pub(super) fn ws_limits(&self) -> WsLimits {
        let limits = self.gateway.limits;
        match self.user {
            None => limits.before_auth(),
            Some(_) => limits.after_auth(),
        }
    }

    /// Queues an answer; from the socket's own task.
    pub(super) fn answer(&self, text: &str) {
        self.outbox.put(Frame::text(text), FrameKind::Answer);
    }

    /// Queues a frame that may be dropped if too many wait.
    pub(super) fn put_ephemeral(&self, frame: Frame) {
        self.outbox.put(frame, FrameKind::Ephemeral);
    }

    /// Whether something more may be taken of the peer: it keeps its pace and reads its answers.
    pub(super) fn may_take(&self) -> bool {
        !self.is_paused() && !self.outbox.is_choked()
    }

    /// Writes what is queued until the stream takes no more. True if that was all.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let sent = self.sender.send(&self.outbox, &mut self.stream, cx)?;
        if sent.some || !self.waiting {
            self.took_at = self.gateway.wheel.now();
        }
        if sent.some && self.waiting {
            self.is_alive();
        }
        self.waiting = !sent.all;
        Ok(sent.all)
    }

    /// Reads what has arrived into `scratch`.
    pub(super) fn read<'s>(
        &mut self,
        scratch: &'s mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<&'s mut [u8], Ending>> {
        let mut buffer = ReadBuf::new(scratch);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let length = buffer.filled().len();
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) if length == 0 => Poll::Ready(Err(Ending::Gone)),
            Poll::Ready(Ok(())) => {
                let now = self.gateway.wheel.now();
                self.is_alive();
                if self.reader.is_at_rest() {
                    self.began_at = now;
                }
                Poll::Ready(Ok(&mut scratch[..length]))
            }
        }
    }

    /// Counts what the reader holds, of which `before` was counted. An end: it holds more than
    /// before, more than a little, and more than there is room for.
    pub(super) fn check_unfinished(&self, before: usize) -> Result<(), Ending> {
        let held = self.reader.held_bytes();
        if held == before {
            return Ok(());
        }
        let fits = self.count_unfinished(before, held);
        if held > before && held > UNFINISHED_FREE_BYTES && !fits {
            let reason = "no room for more unfinished messages";
            return Err(Ending::Close(close::LIMITS, reason));
        }
        Ok(())
    }

    fn count_unfinished(&self, before: usize, now: usize) -> bool {
        before == now
            || self
                .gateway
                .unfinished
                .count(self.user.as_ref(), before, now)
    }

    /// Gives back what it counted, and takes no more of the message.
    fn forget_unfinished(&mut self) {
        let before = self.reader.held_bytes();
        self.reader = Reader::new();
        self.count_unfinished(before, 0);
    }

    /// Whether the other side of the outbox has ended it.
    pub(super) fn check_end(&self) -> Result<(), Ending> {
        match self.outbox.ended() {
            None => Ok(()),
            Some(End::Close(code, reason)) => Err(Ending::Close(code, reason)),
            Some(End::SessionGone) => Err(Ending::Close(close::SERVICE_RESTART, "session ended")),
            Some(End::Over) => Err(Ending::Gone),
        }
    }
}
