//! One WebSocket connection without its protocol: reading, writing, keeping alive, ending.
//!
//! It holds no buffer at rest: it waits for readability and borrows its thread's scratch
//! buffer; what is to be written exists only while it is written. All waiting is on
//! readiness, so nothing is lost when another branch of the wait wins.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::limits::FRAME_BYTES_BEFORE_AUTH_MAX;
use syncline_protocol::wire::hub;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::Gateway;
use super::outbox::{End, Outbox};
use super::sockets::OpenSocket;
use super::ws::{
    Incoming, Reader, Violation, WsLimits, push_close, push_ping, push_pong, push_text,
};
use crate::config::GatewayConfig;
use crate::session::event::{ConnId, FrameKind};

/// How long what is queued and the close frame may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Bytes read at once, and about how many are gathered into one write.
const READ_BYTES: usize = 64 << 10;
const WRITE_BYTES: usize = 64 << 10;

/// Frames of one message, before and after the client is known.
const FRAGMENTS_BEFORE_AUTH_MAX: usize = 16;
const FRAGMENTS_MAX: usize = 1_024;

/// RFC 6455's registry: the service restarts.
const SERVICE_RESTART: u16 = 1012;

/// Limits of sockets, from the hub's config.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How long a socket may take to say who it is.
    pub hello_within: Duration,
    /// A socket that was silent so long is pinged; one silent for twice as long is given up.
    pub ping_after: Duration,
    /// A socket that takes nothing of what is written for so long is given up.
    pub stalled_max: Duration,
    /// Bytes of one message.
    pub message_bytes_max: usize,
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
            outbox_bytes_max: bytes(config.outbox_bytes_max),
        }
    }
}

impl SocketLimits {
    fn before_auth(self) -> WsLimits {
        let bytes_max = self.message_bytes_max.min(FRAME_BYTES_BEFORE_AUTH_MAX);
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
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A connection.
pub(super) struct Link {
    /// Its number on this node.
    pub(super) conn: ConnId,
    /// What is to be written.
    pub(super) outbox: Arc<Outbox>,
    /// Its place among the open ones.
    pub(super) open: OpenSocket,
    limits: SocketLimits,
    stream: TcpStream,
    /// What the peer may send now.
    takes: WsLimits,
    reader: Reader,
    /// Frames being written, and how far.
    writing: Vec<u8>,
    written: usize,
    opened_at: Instant,
    heard_at: Instant,
    /// When the peer last took something of what was to be written.
    wrote_at: Instant,
    pinged: bool,
}

/// What happens next on a connection.
pub(super) enum Next {
    /// A whole text message arrived.
    Text(String),
    /// All bulk frames, or what a full outbox held, are written.
    Drained,
    /// The time the caller gave has come.
    Due,
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

impl Link {
    /// A connection just upgraded; `early` is what came right behind the request. `None` if
    /// there is no room for it, which it is told.
    pub(super) async fn open(stream: TcpStream, early: &Bytes, gateway: &Gateway) -> Option<Link> {
        let (conn, limits) = (gateway.next_conn(), gateway.limits);
        let outbox = Arc::new(Outbox::new(limits.outbox_bytes_max));
        let Ok(open) = gateway.sockets.enter(conn, &outbox) else {
            turn_away(stream).await;
            return None;
        };
        // Frames are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let now = Instant::now();
        let mut reader = Reader::new();
        reader.keep(early);
        Some(Link {
            conn,
            outbox,
            open,
            limits,
            stream,
            takes: limits.before_auth(),
            reader,
            writing: Vec::new(),
            written: 0,
            opened_at: now,
            heard_at: now,
            wrote_at: now,
            pinged: false,
        })
    }

    /// The client is known: larger messages are taken.
    pub(super) fn authenticated(&mut self) {
        self.takes = self.limits.after_auth();
    }

    /// When the client must be known.
    pub(super) fn auth_due_at(&self, within: Duration) -> Instant {
        self.opened_at + within
    }

    /// Writes what is queued and waits for what happens next, at most until `due`.
    pub(super) async fn next(&mut self, due: Instant) -> Result<Next, Ending> {
        loop {
            if let Some(text) = self.take_message()? {
                return Ok(Next::Text(text));
            }
            self.check_end()?;
            if self.flush()? {
                return Ok(Next::Drained);
            }
            let wake_at = self.keep_alive()?.min(due);
            if Instant::now() >= due {
                return Ok(Next::Due);
            }
            tokio::select! {
                readable = self.stream.readable() => {
                    readable?;
                    self.read()?;
                }
                writable = self.stream.writable(), if self.is_writing() => writable?,
                () = self.outbox.changed() => {}
                () = sleep_until(wake_at) => {}
            }
        }
    }

    /// Queues an answer.
    pub(super) fn answer(&self, text: String) {
        self.outbox.push(Bytes::from(text), FrameKind::Answer);
    }

    fn read(&mut self) -> Result<(), Ending> {
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let read = self.stream.try_read(scratch)?;
            self.reader.keep(&scratch[..read]);
            Ok::<usize, std::io::Error>(read)
        });
        match read {
            Ok(0) => Err(Ending::Gone),
            Ok(_) => {
                self.heard_at = Instant::now();
                self.pinged = false;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn take_message(&mut self) -> Result<Option<String>, Ending> {
        while let Some(incoming) = self.reader.next(&self.takes, &mut &mut [][..])? {
            match incoming {
                Incoming::Text(text) => return Ok(Some(text.into_owned())),
                Incoming::Binary(_) => return Err(Ending::Close(1003, "messages are text")),
                // A peer that pings faster than it reads gets fewer pongs (RFC 6455, 5.5.3).
                Incoming::Ping(payload) if self.writing.len() < WRITE_BYTES => {
                    push_pong(&mut self.writing, &payload);
                }
                Incoming::Ping(_) | Incoming::Pong => {}
                Incoming::Close(code) => {
                    return Err(Ending::Close(code.unwrap_or(1000), ""));
                }
            }
        }
        Ok(None)
    }

    fn is_writing(&self) -> bool {
        self.written < self.writing.len()
    }

    /// Writes what is queued until the stream takes no more. True if that was all and somebody
    /// wants to know.
    fn flush(&mut self) -> Result<bool, Ending> {
        let mut frames = Vec::new();
        loop {
            if !self.is_writing() && !self.gather(&mut frames) {
                return Ok(self.outbox.take_drained());
            }
            match self.stream.try_write(&self.writing[self.written..]) {
                Ok(0) => return Err(Ending::Gone),
                Ok(taken) => {
                    self.written += taken;
                    self.wrote_at = Instant::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gathers the next frames to write; false if there are none.
    fn gather(&mut self, frames: &mut Vec<Bytes>) -> bool {
        // Nothing is held while nothing happens.
        (self.writing, self.written) = (Vec::new(), 0);
        self.outbox.take(frames, WRITE_BYTES);
        for frame in frames.drain(..) {
            push_text(&mut self.writing, &frame);
        }
        if self.is_writing() {
            self.wrote_at = Instant::now();
            return true;
        }
        false
    }

    /// Whether the other side of the outbox has ended it.
    fn check_end(&self) -> Result<(), Ending> {
        match self.outbox.ended() {
            None => Ok(()),
            Some(End::Close(code, reason)) => Err(Ending::Close(code, reason)),
            Some(End::SessionGone) => Err(Ending::Close(SERVICE_RESTART, "session ended")),
        }
    }

    /// Pings a silent peer, gives up a dead one, and says when to look again.
    fn keep_alive(&mut self) -> Result<Instant, Ending> {
        let now = Instant::now();
        let SocketLimits {
            ping_after,
            stalled_max,
            ..
        } = self.limits;
        if self.is_writing() && now >= self.wrote_at + stalled_max {
            return Err(Ending::Close(close::SLOW, "nothing is read"));
        }
        if now >= self.heard_at + 2 * ping_after {
            return Err(Ending::Gone);
        }
        if !self.pinged && now >= self.heard_at + ping_after {
            self.pinged = true;
            push_ping(&mut self.writing);
            self.wrote_at = now;
        }
        let silent = if self.pinged {
            2 * ping_after
        } else {
            ping_after
        };
        let wake_at = self.heard_at + silent;
        if self.is_writing() {
            return Ok(wake_at.min(self.wrote_at + stalled_max));
        }
        Ok(wake_at)
    }

    /// Says goodbye, as far as the peer listens, and leaves.
    pub(super) async fn finish(mut self, ending: Ending) {
        if let Ending::Close(code, reason) = ending {
            let mut last = self.writing.split_off(self.written);
            let mut frames = Vec::new();
            self.outbox.take(&mut frames, usize::MAX);
            frames.iter().for_each(|frame| push_text(&mut last, frame));
            push_close(&mut last, code, reason);
            // A peer that does not listen any more misses only the goodbye.
            let _ = timeout(CLOSE_WITHIN, self.stream.write_all(&last)).await;
            let _ = timeout(CLOSE_WITHIN, self.stream.shutdown()).await;
            let _ = timeout(CLOSE_WITHIN, self.wait_for_peer()).await;
        }
    }

    /// Reads until the peer closes, so that its last bytes do not make the kernel drop ours.
    async fn wait_for_peer(&self) {
        while self.stream.readable().await.is_ok() {
            let read = SCRATCH.with_borrow_mut(|scratch| self.stream.try_read(scratch));
            match read {
                Ok(0) => return,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

/// Closes a socket for which there is no room.
async fn turn_away(mut stream: TcpStream) {
    let mut last = Vec::new();
    let refusal = Refusal::new(
        Code::TooManySockets,
        "this node has no room for more sockets",
    );
    push_text(&mut last, hub::error(&refusal).as_bytes());
    push_close(&mut last, close::LIMITS, "too many sockets");
    // A peer that does not listen misses only the goodbye.
    let _ = timeout(CLOSE_WITHIN, stream.write_all(&last)).await;
}
