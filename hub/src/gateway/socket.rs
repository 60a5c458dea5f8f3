//! A native client's socket: hello, then messages both ways until one side ends it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::{ClientKey, SpaceKey};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::wire::{ClientMessage, Hello, hub};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Gateway;
use super::link::{Ending, Link, Next};
use crate::auth::Identity;
use crate::session::actor::Message;
use crate::session::event::{Attach, Event, Origin, Push};
use crate::session::registry::Handle;
use crate::telemetry::labels::AuthFailure;

/// A token's end is announced so long before, and the socket closed so long after.
const AUTH_DUE_BEFORE_MS: u64 = 60_000;
const AUTH_GRACE_MS: u64 = 30_000;

/// The wall clock may be set; it is looked at again at least so often.
const LOOK_AGAIN_MS: u64 = 60_000;

/// How often a session that stops at the very moment is looked for again.
const ATTACH_TRIES: usize = 5;

/// RFC 6455's registry: the server cannot serve now.
const TRY_AGAIN_LATER: u16 = 1013;

/// What a client told to slow down should wait.
const SLOW_RETRY_MS: u64 = 1_000;

/// Serves a socket until it ends. `early` is what came right behind the upgrade request.
pub async fn serve(stream: TcpStream, early: Bytes, gateway: Arc<Gateway>) {
    let Some(link) = Link::open(stream, &early, &gateway).await else {
        return;
    };
    let mut socket = Socket {
        gateway,
        link,
        attached: None,
    };
    let ending = match socket.run().await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    if let Some(attached) = &socket.attached {
        let client = &attached.client.client;
        tracing::debug!(%client, ?ending, "socket ends");
    }
    socket.tell(Event::Detach(socket.link.conn));
    socket.link.finish(ending).await;
}

struct Socket {
    gateway: Arc<Gateway>,
    link: Link,
    attached: Option<Attached>,
}

/// What is known after the hello.
struct Attached {
    session: Handle,
    client: ClientKey,
    identity: Identity,
    /// The client was told that its token ends soon.
    auth_due_told: bool,
}

enum Never {}

impl Socket {
    async fn run(&mut self) -> Result<Never, Ending> {
        loop {
            let due = match self.attached {
                Some(_) => self.keep_auth()?,
                None => self.keep_hello()?,
            };
            match self.link.next(due).await? {
                Next::Text(text) => self.take_text(text).await?,
                Next::Drained => self.tell(Event::Drained(self.link.conn)),
                Next::Due => {}
            }
        }
    }

    async fn take_text(&mut self, text: String) -> Result<(), Ending> {
        let bytes = text.len();
        let message = ClientMessage::parse(&text, &self.gateway.data);
        drop(text);
        match (message, &self.attached) {
            (Ok(ClientMessage::Ping), _) => self.link.answer(hub::PONG.into()),
            (Ok(ClientMessage::Hello(hello)), None) => return self.hello(*hello).await,
            (Ok(_), None) => {
                let refusal = Refusal::new(Code::OutOfOrder, "the first message is hello");
                return Err(self.refuse(&refusal, close::AUTH, "no hello"));
            }
            (Err(refusal), None) => return Err(self.refuse(&refusal, close::AUTH, "no hello")),
            (Err(refusal), Some(_)) => self.link.answer(hub::error(&refusal)),
            (Ok(message), Some(_)) => return self.take(message, bytes).await,
        }
        Ok(())
    }

    /// Takes a message of an attached socket.
    async fn take(&mut self, message: ClientMessage, bytes: usize) -> Result<(), Ending> {
        let conn = self.link.conn;
        match message {
            ClientMessage::Push(muts) => self.push(muts, bytes).await,
            ClientMessage::Auth { token } => return self.auth(&token).await,
            // The hub keeps no cursors of clients: they bring them along.
            ClientMessage::Ack { .. } => {}
            ClientMessage::Presence(state) => {
                self.tell_others(Event::Presence { conn, state }, bytes)
                    .await;
            }
            ClientMessage::Broadcast { room, data } => {
                self.tell_others(Event::Broadcast { conn, room, data }, bytes)
                    .await;
            }
            ClientMessage::Hello(_) => {
                let refusal = Refusal::new(Code::OutOfOrder, "hello was said");
                self.link.answer(hub::error(&refusal));
            }
            ClientMessage::Ping => {}
        }
        Ok(())
    }

    async fn hello(&mut self, hello: Hello) -> Result<(), Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let identity = self.gateway.access.identify(&hello.token, now_ms).await;
        let identity = identity.map_err(|refusal| self.refuse_auth(&refusal))?;
        let space = self
            .gateway
            .access
            .space(&hello.app, hello.space, &identity.user);
        let space =
            space.map_err(|refusal| self.refuse(&refusal, close::FORBIDDEN, "not allowed"))?;
        if self.link.open.authenticated(&identity.user).is_err() {
            let refusal = Refusal::new(Code::TooManySockets, "too many sockets of this user");
            return Err(self.refuse(&refusal, close::LIMITS, "too many sockets"));
        }
        let client = ClientKey {
            user: identity.user.clone(),
            client: hello.client,
        };
        let attach = Attach {
            conn: self.link.conn,
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
        self.link.authenticated();
        self.attached = Some(Attached {
            session,
            client,
            identity,
            auth_due_told: false,
        });
        Ok(())
    }

    async fn attach(&mut self, space: &SpaceKey, attach: Attach) -> Result<Handle, Ending> {
        for _ in 0..ATTACH_TRIES {
            let Ok(session) = self.gateway.sessions.get(space).await else {
                break;
            };
            let (taken, was_taken) = oneshot::channel();
            let message = Message::Attach {
                attach: Box::new(attach.clone()),
                outbox: self.link.outbox.clone(),
                taken,
            };
            if session.actor.cast(message).is_ok() && was_taken.await.is_ok() {
                return Ok(session);
            }
        }
        let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
        Err(self.refuse(&refusal, TRY_AGAIN_LATER, "store unavailable"))
    }

    async fn push(&mut self, muts: Vec<Mutation>, bytes: usize) {
        let Some(attached) = &self.attached else {
            return;
        };
        if attached.identity.expires_at_ms <= self.gateway.clock.now_ms() {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired; send auth");
            return self.link.answer(hub::error(&refusal));
        }
        match attached.session.intake.permit(bytes).await {
            Ok(permit) => {
                let origin = Origin::Conn(self.link.conn);
                self.tell(Event::Push(Push {
                    origin,
                    muts,
                    permit: Some(permit),
                }));
            }
            Err(_) => self.link.answer(hub::slow("app", SLOW_RETRY_MS)),
        }
    }

    /// Has the session tell something ephemeral on. While it is loaded the socket is not read.
    async fn tell_others(&self, event: Event, bytes: usize) {
        let Some(attached) = &self.attached else {
            return;
        };
        match attached.session.intake.permit(bytes).await {
            // A session that ended has closed the outbox.
            Ok(permit) => drop(
                attached
                    .session
                    .actor
                    .cast(Message::Ephemeral { event, permit }),
            ),
            Err(_) => self.link.answer(hub::slow("app", SLOW_RETRY_MS)),
        }
    }

    /// Takes a fresh token of the same user.
    async fn auth(&mut self, token: &str) -> Result<(), Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let identity = self.gateway.access.identify(token, now_ms).await;
        let identity = identity.map_err(|refusal| self.refuse_auth(&refusal))?;
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

    /// Tells the session. One that ended has closed the outbox, which says how to go on.
    fn tell(&self, event: Event) {
        if let Some(attached) = &self.attached {
            let _ = attached.session.actor.cast(Message::Event(event));
        }
    }

    fn refuse(&self, refusal: &Refusal, code: u16, reason: &'static str) -> Ending {
        self.link.answer(hub::error(refusal));
        Ending::Close(code, reason)
    }

    fn refuse_auth(&self, refusal: &Refusal) -> Ending {
        self.refuse(refusal, close::AUTH, "token refused")
    }

    fn keep_hello(&self) -> Result<Instant, Ending> {
        let due = self.link.auth_due_at(self.gateway.limits.hello_within);
        if Instant::now() < due {
            return Ok(due);
        }
        let refusal = Refusal::new(Code::AuthTimeout, "no hello in time");
        self.gateway
            .metrics
            .auth_failures
            .inc(AuthFailure::AuthTimeout);
        Err(self.refuse(&refusal, close::AUTH, "no hello in time"))
    }

    /// Announces the token's end, closes some time after it, and says when to look again.
    fn keep_auth(&mut self) -> Result<Instant, Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let Some(attached) = &mut self.attached else {
            return Ok(Instant::now());
        };
        let ends_ms = attached.identity.expires_at_ms;
        if now_ms >= ends_ms.saturating_add(AUTH_GRACE_MS) {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired");
            return Err(self.refuse(&refusal, close::AUTH, "token expired"));
        }
        let announce_ms = ends_ms.saturating_sub(AUTH_DUE_BEFORE_MS);
        if !attached.auth_due_told && now_ms >= announce_ms {
            attached.auth_due_told = true;
            self.link
                .answer(hub::auth_due(ends_ms.saturating_sub(now_ms) / 1_000));
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
        let wait_ms = next_ms.saturating_sub(now_ms).min(LOOK_AGAIN_MS);
        Ok(Instant::now() + Duration::from_millis(wait_ms))
    }
}

fn sorted<T: Ord>(mut names: Vec<T>) -> Arc<[T]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}
