//! The notice socket: after `{"type":"auth"}` it hears which tables change.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use syncline_protocol::error::{Refusal, close};
use syncline_protocol::ids::{AppId, SpaceKey};
use syncline_protocol::object;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::auth::Identity;
use crate::gateway::Gateway;
use crate::gateway::link::{Ending, Link, Next};
use crate::session::actor::Message;
use crate::session::event::Event;
use crate::session::registry::Handle;
use crate::telemetry::labels::AuthFailure;

/// How long a socket may take to say who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);

/// RFC 6455: a policy was violated. What those clients are told for a bad token.
const POLICY: u16 = 1008;

/// The wall clock may be set; it is looked at again at least so often.
const LOOK_AGAIN_MS: u64 = 60_000;

/// How often a session that stops at the very moment is looked for again.
const WATCH_TRIES: usize = 5;

/// RFC 6455's registry: the server cannot serve now.
const TRY_AGAIN_LATER: u16 = 1013;

/// Serves a socket until it ends.
pub async fn serve(stream: TcpStream, early: Bytes, (gateway, app): (Arc<Gateway>, AppId)) {
    let Some(link) = Link::open(stream, &early, &gateway).await else {
        return;
    };
    let mut socket = Socket {
        gateway,
        app,
        link,
        watching: None,
    };
    let ending = match socket.run().await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    socket.leave();
    socket.link.finish(ending).await;
}

struct Socket {
    gateway: Arc<Gateway>,
    app: AppId,
    link: Link,
    watching: Option<Watching>,
}

/// What is known after auth.
struct Watching {
    session: Handle,
    identity: Identity,
}

enum Never {}

#[derive(Deserialize)]
struct Said {
    r#type: String,
    token: Option<String>,
}

impl Socket {
    async fn run(&mut self) -> Result<Never, Ending> {
        loop {
            let due = self.keep_auth()?;
            if let Next::Text(text) = self.link.next(due).await? {
                self.take(&text).await?;
            }
        }
    }

    async fn take(&mut self, text: &str) -> Result<(), Ending> {
        // Those clients send nothing else; whatever it is, it is not worth the socket.
        let Ok(said) = object::from_str::<Said>(text) else {
            return match self.watching {
                None => Err(self.refuse("invalid message")),
                Some(_) => Ok(()),
            };
        };
        match (said.r#type.as_str(), &self.watching) {
            ("ping", _) => self.link.answer(r#"{"type":"pong"}"#.into()),
            ("auth", _) => return self.auth(said.token.as_deref().unwrap_or_default()).await,
            (_, None) => return Err(self.refuse("auth first")),
            (_, Some(_)) => {}
        }
        Ok(())
    }

    /// Lets the socket in, or moves it to another user.
    async fn auth(&mut self, token: &str) -> Result<(), Ending> {
        let now_ms = self.gateway.clock.now_ms();
        let identity = self.gateway.access.identify(token, now_ms).await;
        let identity = identity.map_err(|_| self.refuse("invalid token"))?;
        let space = self.gateway.access.space(&self.app, None, &identity.user);
        let space = space.map_err(|refusal| self.refuse_with(&refusal))?;
        let same = self
            .watching
            .as_ref()
            .is_some_and(|w| w.identity.user == identity.user);
        if same {
            if let Some(watching) = &mut self.watching {
                watching.identity = identity;
            }
        } else {
            self.leave();
            if self.link.open.authenticated(&identity.user).is_err() {
                self.error("too many sockets");
                return Err(Ending::Close(close::LIMITS, "too many sockets"));
            }
            let session = self.watch(&space).await?;
            self.link.authenticated();
            self.watching = Some(Watching { session, identity });
        }
        self.link.answer(r#"{"type":"auth-ok"}"#.into());
        Ok(())
    }

    async fn watch(&mut self, space: &SpaceKey) -> Result<Handle, Ending> {
        for _ in 0..WATCH_TRIES {
            let Ok(session) = self.gateway.sessions.get(space).await else {
                break;
            };
            let (taken, was_taken) = oneshot::channel();
            let (conn, outbox) = (self.link.conn, self.link.outbox.clone());
            let message = Message::Watch {
                conn,
                outbox,
                taken,
            };
            if session.actor.cast(message).is_ok() && was_taken.await.is_ok() {
                return Ok(session);
            }
        }
        Err(Ending::Close(TRY_AGAIN_LATER, "store unavailable"))
    }

    /// Tells the session that the socket does not listen any more.
    fn leave(&mut self) {
        if let Some(watching) = self.watching.take() {
            // A session that ended knows nothing of it anyway.
            let detach = Event::Detach(self.link.conn);
            let _ = watching.session.actor.cast(Message::Event(detach));
        }
    }

    fn error(&self, why: &str) {
        let said = serde_json::json!({"type": "error", "tables": [why]});
        self.link.answer(said.to_string());
    }

    fn refuse(&self, why: &'static str) -> Ending {
        self.error(why);
        Ending::Close(POLICY, why)
    }

    fn refuse_with(&self, refusal: &Refusal) -> Ending {
        self.error(&refusal.message);
        Ending::Close(POLICY, refusal.code.as_str())
    }

    /// Closes a socket that is late, or whose token ended; says when to look again.
    fn keep_auth(&mut self) -> Result<Instant, Ending> {
        let Some(watching) = &self.watching else {
            let due = self.link.auth_due_at(AUTH_WITHIN);
            if Instant::now() >= due {
                self.gateway
                    .metrics
                    .auth_failures
                    .inc(AuthFailure::AuthTimeout);
                return Err(self.refuse("auth timeout"));
            }
            return Ok(due);
        };
        let left_ms = watching
            .identity
            .expires_at_ms
            .saturating_sub(self.gateway.clock.now_ms());
        if left_ms == 0 {
            return Err(self.refuse("token expired"));
        }
        Ok(Instant::now() + Duration::from_millis(left_ms.min(LOOK_AGAIN_MS)))
    }
}
