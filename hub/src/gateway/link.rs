//! One WebSocket connection without its protocol: its stream, its place among the open ones,
//! its deadlines, its end.
//!
//! It holds no buffer at rest: what arrives is read into the thread's scratch buffer, and only
//! an unfinished frame is kept; what is to be written exists only while it is written.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::UserId;
use syncline_protocol::wire::hub;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Gateway;
use super::frame::Frame;
use super::outbox::{End, Outbox, Speech};
use super::sender::Sender;
use super::sockets::TooMany;
use super::stream::Stream;
use super::ws::{Reader, Violation, WsLimits, push_close, push_ping, push_text};
use crate::config::GatewayConfig;
use crate::session::event::{ConnId, FrameKind};
use crate::wheel::Tick;

/// How long what is queued and the close frame may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long a socket for which there is no room may take to hear that.
const TURN_AWAY_WITHIN: Duration = Duration::from_secs(1);

/// Frames of one message, before and after the client is known.
const FRAGMENTS_BEFORE_AUTH_MAX: usize = 16;
const FRAGMENTS_MAX: usize = 1_024;

/// Pings, pongs and other messages that cost the sender nothing, in about a second.
const CHEAP_MAX: u8 = 200;

/// Of those, one counts again for so many of its bytes.
const CHEAP_BYTES: usize = 4 << 10;

/// What a client that is known may do with tokens once in so long: have one verified.
const TOKEN_EVERY: Duration = Duration::from_secs(2);

/// How long the hub may take over something that it must do before it takes more of the peer. Its
/// store gives up sooner.
const HUB_WAIT_MAX: Duration = Duration::from_secs(60);

/// Bytes of an unfinished message that a socket may hold whatever others hold.
const UNFINISHED_FREE_BYTES: usize = 4 << 10;

/// Limits of sockets, from the hub's config.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How long a socket may take to say who it is.
    pub hello_within: Duration,
    /// A socket that was silent so long is pinged, and given up if it is silent as long again.
    pub ping_after: Duration,
    /// A socket that takes nothing of what is written for so long is given up, and so is one
    /// that takes longer to finish a message.
    pub stalled_max: Duration,
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Bytes of one message before the socket has said who it is.
    pub stranger_bytes_max: usize,
    /// Bytes of the unfinished messages of all sockets.
    pub unfinished_bytes_max: usize,
    /// Bytes queued before the socket is read to from the store instead.
    pub outbox_bytes_max: usize,
}

impl From<&GatewayConfig> for SocketLimits {
    fn from(config: &GatewayConfig) -> Self {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        SocketLimits {
            hello_within: Duration::from_millis(config.hello_timeout_ms),
            ping_after: Duration::from_millis(config.ping_ms),
            stalled_max: Duration::from_millis(config.stalled_ms),
            message_bytes_max: bytes(config.message_bytes_max),
            stranger_bytes_max: bytes(config.stranger_bytes_max),
            unfinished_bytes_max: bytes(config.unfinished_bytes_max),
            outbox_bytes_max: bytes(config.outbox_bytes_max),
        }
    }
}

impl SocketLimits {
    fn before_auth(self) -> WsLimits {
        let bytes_max = self.message_bytes_max.min(self.stranger_bytes_max);
        WsLimits {
            frame_bytes_max: bytes_max,
            message_bytes_max: bytes_max,
            fragments_max: FRAGMENTS_BEFORE_AUTH_MAX,
        }
    }

    fn after_auth(self) -> WsLimits {
        WsLimits {
            frame_bytes_max: self.message_bytes_max,
            message_bytes_max: self.message_bytes_max,
            fragments_max: FRAGMENTS_MAX,
        }
    }

    /// How long a socket may sleep before its deadlines are looked at again.
    fn look_every(self) -> Duration {
        self.ping_after.min(self.stalled_max)
    }
}

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

    fn set_user(&mut self, user: &UserId) {
        let held = self.reader.held_bytes();
        self.count_unfinished(held, 0);
        if self.user.replace(user.clone()).is_none() {
            self.opened_at = Tick::default();
        }
        self.count_unfinished(0, held);
    }

    /// How long a client that is known must wait until another of its tokens is verified, which
    /// costs the hub a signature and the client nothing. The time is then taken.
    pub(super) fn token_turn(&mut self) -> Duration {
        let wheel = &self.gateway.wheel;
        // The wheel's very first tick is how `opened_at` says that there was no token yet.
        let now = wheel.now().max(Tick(1));
        let turn = match self.opened_at {
            tick if tick == Tick::default() => now,
            last => now.max(wheel.after(last, TOKEN_EVERY)),
        };
        self.opened_at = turn;
        wheel.until(turn).unwrap_or_default()
    }

    /// What the peer may send now.
    pub(super) fn ws_limits(&self) -> WsLimits {
        let limits = self.gateway.limits;
        match self.user {
            None => limits.before_auth(),
            Some(_) => limits.after_auth(),
        }
    }

    /// How long the client may still take to be known; `None` if the time is over.
    pub(super) fn time_to_auth(&self, within: Duration) -> Option<Duration> {
        let wheel = &self.gateway.wheel;
        wheel.until(wheel.after(self.opened_at, within))
    }

    /// Queues an answer; from the socket's own task.
    pub(super) fn answer(&self, text: &str) {
        self.outbox.put(Frame::text(text), FrameKind::Answer);
    }

    /// Queues a frame that may be dropped if too many wait.
    pub(super) fn put_ephemeral(&self, frame: Frame) {
        self.outbox.put(frame, FrameKind::Ephemeral);
    }

    /// Counts something of so many bytes that costs the peer nothing to send; false if it sends
    /// too much of that. Then nothing more is read of it until the second is over.
    pub(super) fn may_be_cheap(&mut self, bytes: usize) -> bool {
        let now = self.gateway.wheel.now();
        if now >= self.second_ends() {
            (self.cheap_at, self.cheap) = (now, 0);
        }
        let count = u8::try_from(1 + bytes / CHEAP_BYTES).unwrap_or(u8::MAX);
        self.cheap = self.cheap.saturating_add(count);
        self.cheap <= CHEAP_MAX
    }

    fn second_ends(&self) -> Tick {
        let wheel = &self.gateway.wheel;
        wheel.after(self.cheap_at, Duration::from_secs(1))
    }

    /// It said too much that was cheap, and the second is not over.
    fn is_paused(&self) -> bool {
        self.cheap > CHEAP_MAX && self.gateway.wheel.now() < self.second_ends()
    }

    /// Whether something more may be taken of the peer: it keeps its pace and reads its answers.
    pub(super) fn may_take(&self) -> bool {
        !self.is_paused() && !self.outbox.is_choked()
    }

    /// The hub takes what comes: from now on the peer's silence counts.
    pub(super) fn listen(&mut self) {
        if !self.listens {
            let now = self.gateway.wheel.now();
            (self.listens, self.pinged) = (true, false);
            (self.silent_since, self.began_at) = (now, now);
        }
    }

    /// The hub takes nothing for now.
    pub(super) fn stop_listening(&mut self) {
        if self.listens {
            (self.listens, self.silent_since) = (false, self.gateway.wheel.now());
        }
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

    /// It was heard, or took some of what waited for it.
    fn is_alive(&mut self) {
        if self.listens {
            (self.silent_since, self.pinged) = (self.gateway.wheel.now(), false);
        }
    }

    /// Something was taken whole. What remains began now, unless it was a control frame inside
    /// a message: that message began before.
    pub(super) fn taken(&mut self) {
        if !self.reader.is_in_message() {
            self.began_at = self.gateway.wheel.now();
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

    /// How long the hub has not got on with what it took; when that is too long, an end.
    pub(super) fn check_wait(&self) -> Result<Duration, Ending> {
        let wheel = &self.gateway.wheel;
        let left = wheel.until(wheel.after(self.silent_since, HUB_WAIT_MAX));
        left.ok_or(Ending::Close(
            close::TRY_AGAIN_LATER,
            "the hub does not get on",
        ))
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

    /// Pings a silent peer, gives up a dead or stalled one, and sets the alarm for the next
    /// look: at the latest after `wait`.
    pub(super) fn keep_alive(&mut self, wait: Duration) -> Result<(), Ending> {
        let (gateway, limits) = (self.gateway.clone(), self.gateway.limits);
        let wheel = &gateway.wheel;
        let over = |since, within| wheel.now() >= wheel.after(since, within);
        if self.waiting && over(self.took_at, limits.stalled_max) {
            return Err(Ending::Close(close::SLOW, "nothing is read"));
        }
        // What is kept whole waits for the hub, not for the peer.
        let unfinished = !self.reader.is_at_rest() && !self.reader.has_kept();
        let mut next = wheel.after(wheel.now(), wait.min(limits.look_every()));
        if self.listens {
            if unfinished && over(self.began_at, limits.stalled_max) {
                return Err(Ending::Close(close::SLOW, "a message takes too long"));
            }
            if over(self.silent_since, limits.ping_after) {
                if self.pinged {
                    return Err(Ending::Gone);
                }
                // After a stop of the whole process, too, it has the time of a ping to answer.
                self.put_ephemeral(Frame::encode(push_ping));
                (self.silent_since, self.pinged) = (wheel.now(), true);
            }
            next = next.min(wheel.after(self.silent_since, limits.ping_after));
            if unfinished {
                next = next.min(wheel.after(self.began_at, limits.stalled_max));
            }
        } else if self.is_paused() {
            next = next.min(self.second_ends());
        }
        if self.waiting {
            next = next.min(wheel.after(self.took_at, limits.stalled_max));
        }
        wheel.wake_by(self.outbox.clone(), next);
        Ok(())
    }

    /// Has its deadlines looked at at the next tick.
    pub(super) fn look_soon(&self) {
        let wheel = &self.gateway.wheel;
        wheel.wake_by(self.outbox.clone(), Tick(wheel.now().0 + 1));
    }

    /// Says goodbye, as far as the peer listens, and leaves.
    pub(super) async fn finish(mut self, ending: Ending) {
        let Ending::Close(code, reason) = ending else {
            return;
        };
        self.forget_unfinished();
        let mut last = Vec::new();
        self.sender.give_up(&mut last);
        for frame in self.outbox.take(usize::MAX) {
            last.extend_from_slice(frame.bytes());
        }
        push_close(&mut last, code, reason);
        // A peer that does not listen any more misses only the goodbye.
        let _ = timeout(CLOSE_WITHIN, self.stream.write_all(&last)).await;
        let _ = timeout(CLOSE_WITHIN, self.stream.shutdown()).await;
        let _ = timeout(CLOSE_WITHIN, read_to_end(&mut self.stream)).await;
    }
}

/// Closes a socket for which there is no room. Those being closed are bounded as well: one too
/// many is cut off without a word.
pub(super) async fn turn_away(gateway: &Gateway, mut stream: Stream) {
    let Ok(_place) = gateway.sockets.turned_away.try_acquire() else {
        return;
    };
    let mut last = Vec::new();
    let refusal = Refusal::new(
        Code::TooManySockets,
        "this node has no room for more sockets",
    );
    push_text(&mut last, hub::error(&refusal).as_bytes());
    push_close(&mut last, close::LIMITS, "too many sockets");
    let goodbye = async {
        stream.write_all(&last).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream).await;
        Ok::<_, std::io::Error>(())
    };
    // A peer that does not listen misses only the goodbye.
    let _ = timeout(TURN_AWAY_WITHIN, goodbye).await;
}

/// Passes over what comes until the peer closes: bytes that nobody reads would make the kernel
/// drop those that were to be its last.
async fn read_to_end(stream: &mut Stream) {
    let mut passed_over = [0; 1_024];
    while !matches!(stream.read(&mut passed_over).await, Ok(0) | Err(_)) {}
}
