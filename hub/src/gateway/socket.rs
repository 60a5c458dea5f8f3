//! One WebSocket: a plain task that reads, writes and keeps time.
//!
//! It holds no buffer at rest: it waits for readability and borrows its thread's scratch
//! buffer; what is to be written exists only while it is written. All waiting is on
//! readiness, so nothing is lost when another branch of the wait wins.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::{ClientKey, Seq};
use syncline_protocol::limits::FRAME_BYTES_BEFORE_AUTH_MAX;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::wire::{ClientMessage, Hello, hub};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::Gateway;
use super::outbox::{End, Outbox};
use super::sockets::OpenSocket;
use super::ws::{
    Incoming, Reader, Violation, WsLimits, push_close, push_ping, push_pong, push_text,
};
use crate::auth::Identity;
use crate::config::GatewayConfig;
use crate::session::actor::Message;
use crate::session::event::{Attach, ConnId, Event, FrameKind, Origin, Push};
use crate::session::registry::Handle;
use crate::telemetry::labels::AuthFailure;

/// A token's end is announced so long before, and the socket closed so long after.
const AUTH_DUE_BEFORE_MS: u64 = 60_000;
const AUTH_GRACE_MS: u64 = 30_000;

/// How long the close frame may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Bytes read at once, and about how many are gathered into one write.
const READ_BYTES: usize = 64 << 10;
const WRITE_BYTES: usize = 64 << 10;

/// How often a session that stops at the very moment is looked for again.
const ATTACH_TRIES: usize = 5;

/// Frames of one message, before and after the hello.
const FRAGMENTS_BEFORE_HELLO_MAX: usize = 16;
const FRAGMENTS_MAX: usize = 1_024;

/// Limits of sockets, from the hub's config.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// How long a socket may take to say hello.
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
    fn before_hello(self) -> WsLimits {
        let bytes_max = self.message_bytes_max.min(FRAME_BYTES_BEFORE_AUTH_MAX);
        WsLimits {
            frame_bytes_max: bytes_max,
            message_bytes_max: bytes_max,
            fragments_max: FRAGMENTS_BEFORE_HELLO_MAX,
        }
    }

    fn after_hello(self) -> WsLimits {
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

/// Serves a socket until it ends. `early` is what came right behind the upgrade request.
pub async fn serve(stream: TcpStream, early: Bytes, gateway: Arc<Gateway>) {
    let (conn, limits) = (gateway.next_conn(), gateway.limits);
    let outbox = Arc::new(Outbox::new(limits.outbox_bytes_max));
    let Ok(open) = gateway.sockets.enter(conn, &outbox) else {
        return turn_away(stream).await;
    };
    // Frames are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let now = Instant::now();
    let mut socket = Socket {
        gateway,
        stream,
        conn,
        outbox,
        open,
        reader: Reader::new(limits.before_hello()),
        writing: Vec::new(),
        written: 0,
        attached: None,
        opened_at: now,
        heard_at: now,
        wrote_at: now,
        pinged: false,
    };
    socket.reader.feed(&early);
    let ending = match socket.run().await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    socket.finish(ending).await;
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

struct Socket {
    gateway: Arc<Gateway>,
    stream: TcpStream,
    conn: ConnId,
    outbox: Arc<Outbox>,
    open: OpenSocket,
    reader: Reader,
    /// Frames being written, and how far.
    writing: Vec<u8>,
    written: usize,
    attached: Option<Attached>,
    opened_at: Instant,
    heard_at: Instant,
    /// When the peer last took something of what was to be written.
    wrote_at: Instant,
    pinged: bool,
}

/// A socket that said hello.
struct Attached {
    session: Handle,
    client: ClientKey,
    identity: Identity,
    /// The client was told that its token ends soon.
    auth_due_told: bool,
}

/// How a socket ends.
#[derive(Debug)]
enum Ending {
    /// With a close frame.
    Close(u16, &'static str),
    /// The stream is gone, or not worth a word.
    Gone,
}

enum Never {}

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

impl Socket {
    async fn run(&mut self) -> Result<Never, Ending> {
        self.take_messages().await?;
        loop {
            self.flush()?;
            let wake_at = self.keep_time()?;
            tokio::select! {
                readable = self.stream.readable() => {
                    readable?;
                    self.read()?;
                    self.take_messages().await?;
                }
                writable = self.stream.writable(), if self.is_writing() => writable?,
                () = self.outbox.changed() => {}
                () = sleep_until(wake_at) => {}
            }
        }
    }

    fn read(&mut self) -> Result<(), Ending> {
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let read = self.stream.try_read(scratch)?;
            self.reader.feed(&scratch[..read]);
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

    async fn take_messages(&mut self) -> Result<(), Ending> {
        while let Some(incoming) = self.reader.next_incoming()? {
            match incoming {
                Incoming::Text(text) => self.take_text(text).await?,
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
        Ok(())
    }

    async fn take_text(&mut self, text: String) -> Result<(), Ending> {
        let bytes = text.len();
        let message = ClientMessage::parse(&text);
        drop(text);
        match (message, &self.attached) {
            (Ok(ClientMessage::Ping), _) => self.answer(hub::PONG.into()),
            (Ok(ClientMessage::Hello(hello)), None) => return self.hello(*hello).await,
            (Ok(_), None) => {
                let refusal = Refusal::new(Code::OutOfOrder, "the first message is hello");
                return Err(self.refuse(&refusal, close::AUTH, "no hello"));
            }
            (Err(refusal), None) => return Err(self.refuse(&refusal, close::AUTH, "no hello")),
            (Err(refusal), Some(_)) => self.answer(hub::error(&refusal)),
            (Ok(message), Some(_)) => return self.take(message, bytes).await,
        }
        Ok(())
    }

    /// Takes a message of an attached socket.
    async fn take(&mut self, message: ClientMessage, bytes: usize) -> Result<(), Ending> {
        let conn = self.conn;
        match message {
            ClientMessage::Push(muts) => self.push(muts, bytes).await,
            ClientMessage::Auth { token } => self.auth(&token).await,
            ClientMessage::Ack { seq } => self.tell(Event::Ack {
                conn,
                seq: Seq(seq),
            }),
            ClientMessage::Presence(state) => self.tell(Event::Presence { conn, state }),
            ClientMessage::Broadcast { room, data } => {
                self.tell(Event::Broadcast { conn, room, data })
            }
            ClientMessage::Hello(_) => {
                let refusal = Refusal::new(Code::OutOfOrder, "hello was said");
                self.answer(hub::error(&refusal));
                Ok(())
            }
            ClientMessage::Ping => Ok(()),
        }
    }

    async fn hello(&mut self, hello: Hello) -> Result<(), Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let identity = match self.gateway.access.identify(&hello.token, now_ms).await {
            Ok(identity) => identity,
            Err(refusal) => return Err(self.refuse_auth(&refusal)),
        };
        let space = self
            .gateway
            .access
            .space(&hello.app, hello.space, &identity.user);
        let space =
            space.map_err(|refusal| self.refuse(&refusal, close::FORBIDDEN, "not allowed"))?;
        if self.open.authenticated(&identity.user).is_err() {
            let refusal = Refusal::new(Code::TooManySockets, "too many sockets of this user");
            return Err(self.refuse(&refusal, close::LIMITS, "too many sockets"));
        }
        let client = ClientKey {
            user: identity.user.clone(),
            client: hello.client,
        };
        let attach = Attach {
            conn: self.conn,
            client: client.clone(),
            cursor: hello.cursor,
            tables: hello.tables.map(sorted),
            backfill: Some(hello.backfill)
                .filter(|tables| !tables.is_empty())
                .map(sorted),
            snapshot_next: hello.snapshot_next,
            acked: hello.acked,
            token_expires_in_s: identity.expires_at_ms.saturating_sub(now_ms) / 1_000,
        };
        let session = self.attach(&space, attach).await?;
        self.reader.set_limits(self.gateway.limits.after_hello());
        self.attached = Some(Attached {
            session,
            client,
            identity,
            auth_due_told: false,
        });
        Ok(())
    }

    async fn attach(
        &mut self,
        space: &syncline_protocol::ids::SpaceKey,
        attach: Attach,
    ) -> Result<Handle, Ending> {
        for _ in 0..ATTACH_TRIES {
            let Ok(session) = self.gateway.sessions.get(space).await else {
                break;
            };
            let (taken, was_taken) = oneshot::channel();
            let message = Message::Attach {
                attach: Box::new(attach.clone()),
                outbox: self.outbox.clone(),
                taken,
            };
            if session.actor.cast(message).is_ok() && was_taken.await.is_ok() {
                return Ok(session);
            }
        }
        let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
        Err(self.refuse(&refusal, TRY_AGAIN_LATER, "store unavailable"))
    }

    async fn push(&mut self, muts: Vec<Mutation>, bytes: usize) -> Result<(), Ending> {
        let Some(attached) = &self.attached else {
            return Ok(());
        };
        if attached.identity.expires_at_ms <= self.gateway.clock.now_ms() {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired; send auth");
            self.answer(hub::error(&refusal));
            return Ok(());
        }
        match attached.session.intake.permit(bytes).await {
            Ok(permit) => {
                let origin = Origin::Conn(self.conn);
                self.tell(Event::Push(Push {
                    origin,
                    muts,
                    permit: Some(permit),
                }))
            }
            Err(_) => {
                self.answer(hub::slow("app", SLOW_RETRY_MS));
                Ok(())
            }
        }
    }

    /// Takes a fresh token of the same user.
    async fn auth(&mut self, token: &str) -> Result<(), Ending> {
        let now_ms = self.gateway.clock.now_ms();
        match self.gateway.access.identify(token, now_ms).await {
            Err(refusal) => Err(self.refuse_auth(&refusal)),
            Ok(identity) => {
                let Some(attached) = &mut self.attached else {
                    return Ok(());
                };
                if identity.user != attached.identity.user {
                    let refusal = Refusal::new(Code::Forbidden, "the token is another user's");
                    return Err(self.refuse(&refusal, close::FORBIDDEN, "another user"));
                }
                attached.identity = identity;
                attached.auth_due_told = false;
                Ok(())
            }
        }
    }

    /// Tells the session. One that ended has closed the outbox, which says how to go on.
    fn tell(&self, event: Event) -> Result<(), Ending> {
        if let Some(attached) = &self.attached {
            let _ = attached.session.actor.cast(Message::Event(event));
        }
        Ok(())
    }

    fn answer(&self, text: String) {
        self.outbox.push(Bytes::from(text), FrameKind::Answer);
    }

    fn refuse(&self, refusal: &Refusal, code: u16, reason: &'static str) -> Ending {
        self.answer(hub::error(refusal));
        Ending::Close(code, reason)
    }

    fn refuse_auth(&self, refusal: &Refusal) -> Ending {
        self.refuse(refusal, close::AUTH, "token refused")
    }

    fn is_writing(&self) -> bool {
        self.written < self.writing.len()
    }

    /// Writes what is queued until the stream takes no more.
    fn flush(&mut self) -> Result<(), Ending> {
        let mut frames = Vec::new();
        loop {
            if !self.is_writing() && !self.gather(&mut frames)? {
                return Ok(());
            }
            match self.stream.try_write(&self.writing[self.written..]) {
                Ok(0) => return Err(Ending::Gone),
                Ok(taken) => {
                    self.written += taken;
                    self.wrote_at = Instant::now();
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gathers the next frames to write; false if there are none.
    fn gather(&mut self, frames: &mut Vec<Bytes>) -> Result<bool, Ending> {
        // Nothing is held while nothing happens.
        (self.writing, self.written) = (Vec::new(), 0);
        self.outbox.take(frames, WRITE_BYTES);
        for frame in frames.drain(..) {
            push_text(&mut self.writing, &frame);
        }
        if self.is_writing() {
            self.wrote_at = Instant::now();
            return Ok(true);
        }
        if self.outbox.take_drained() {
            self.tell(Event::Drained(self.conn))?;
        }
        match self.outbox.ended() {
            None => Ok(false),
            Some(End::Close(code, reason)) => Err(Ending::Close(code, reason)),
            Some(End::SessionGone) => Err(Ending::Close(SERVICE_RESTART, "session ended")),
        }
    }

    /// Does what is due and says when to look again.
    fn keep_time(&mut self) -> Result<Instant, Ending> {
        let now = Instant::now();
        let SocketLimits {
            ping_after,
            stalled_max,
            ..
        } = self.gateway.limits;
        if self.is_writing() && now >= self.wrote_at + stalled_max {
            return Err(Ending::Gone);
        }
        if now >= self.heard_at + 2 * ping_after {
            return Err(Ending::Gone);
        }
        if !self.pinged && now >= self.heard_at + ping_after {
            self.pinged = true;
            push_ping(&mut self.writing);
            self.flush()?;
        }
        let mut wake_at = self.heard_at
            + if self.pinged {
                2 * ping_after
            } else {
                ping_after
            };
        if self.is_writing() {
            wake_at = wake_at.min(self.wrote_at + stalled_max);
        }
        let due = match self.attached {
            Some(_) => self.keep_auth(now)?,
            None => self.keep_hello(now)?,
        };
        Ok(wake_at.min(due))
    }

    fn keep_hello(&self, now: Instant) -> Result<Instant, Ending> {
        let due = self.opened_at + self.gateway.limits.hello_within;
        if now < due {
            return Ok(due);
        }
        let refusal = Refusal::new(Code::AuthTimeout, "no hello in time");
        self.gateway
            .metrics
            .auth_failures
            .inc(AuthFailure::AuthTimeout);
        Err(self.refuse(&refusal, close::AUTH, "no hello in time"))
    }

    /// Announces the token's end, and closes some time after it.
    fn keep_auth(&mut self, now: Instant) -> Result<Instant, Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let Some(attached) = &mut self.attached else {
            return Ok(now);
        };
        let ends_ms = attached.identity.expires_at_ms;
        if now_ms >= ends_ms.saturating_add(AUTH_GRACE_MS) {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired");
            return Err(self.refuse(&refusal, close::AUTH, "token expired"));
        }
        let announce_ms = ends_ms.saturating_sub(AUTH_DUE_BEFORE_MS);
        if !attached.auth_due_told && now_ms >= announce_ms {
            attached.auth_due_told = true;
            self.answer(hub::auth_due(ends_ms.saturating_sub(now_ms) / 1_000));
            self.flush()?;
        }
        let told = self
            .attached
            .as_ref()
            .is_some_and(|attached| attached.auth_due_told);
        let next_ms = if told {
            ends_ms.saturating_add(AUTH_GRACE_MS)
        } else {
            announce_ms
        };
        Ok(now + Duration::from_millis(next_ms.saturating_sub(now_ms).min(LOOK_AGAIN_MS)))
    }

    /// Says goodbye, as far as the peer listens, and leaves.
    async fn finish(mut self, ending: Ending) {
        let _ = self.tell(Event::Detach(self.conn));
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
        if let Some(attached) = &self.attached {
            tracing::debug!(client = %attached.client.client, ?ending, "socket closed");
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

/// RFC 6455's registry: the server cannot serve now; the service restarts.
const TRY_AGAIN_LATER: u16 = 1013;
const SERVICE_RESTART: u16 = 1012;

/// What a client told to slow down should wait.
const SLOW_RETRY_MS: u64 = 1_000;

/// The wall clock may be set; it is looked at again at least so often.
const LOOK_AGAIN_MS: u64 = 60_000;

fn sorted<T: Ord>(mut names: Vec<T>) -> Arc<[T]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}
