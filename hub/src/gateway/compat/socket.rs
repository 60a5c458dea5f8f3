//! The notice socket: after `{"type":"auth"}` it hears which tables change.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::{AppId, SpaceKey, UserId};
use syncline_protocol::object;
use tokio::sync::oneshot;

use crate::auth::KeyNo;
use crate::gateway::entering::Entering;
use crate::gateway::frame::Frame;
use crate::gateway::link::{Ending, Link};
use crate::gateway::outbox::{Outbox, Speech};
use crate::gateway::task::{Protocol, Wait};
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::FrameKind;
use crate::telemetry::labels::AuthFailure;

/// How long a socket may take to say who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);

/// RFC 6455: a policy was violated. What those clients are told for a bad token.
const POLICY: u16 = 1008;

/// The wall clock may be set; it is looked at again at least so often.
const LOOK_AGAIN_MS: u64 = 60_000;

/// How often a session that ends at the very moment is looked for again.
const WATCH_TRIES: usize = 5;

/// A compatibility client's socket.
pub(in crate::gateway) enum Compat {
    /// It has not said who it is, or is about to be another user's.
    Stranger(AppId),
    /// It hears of a space's changes, until its token's time is over or its key is dropped.
    Watching(Arc<Entry>, u64, KeyNo),
}

/// What a wait brings.
pub(in crate::gateway) enum Done {
    /// The token was verified.
    Known(Box<Known>),
    /// The session took the socket.
    Watching(Arc<Entry>, u64, KeyNo),
}

/// Who a token speaks for.
pub(in crate::gateway) struct Known {
    user: UserId,
    space: SpaceKey,
    expires_at_ms: u64,
    key: KeyNo,
}

#[derive(Deserialize)]
struct Said {
    r#type: String,
    token: Option<String>,
}

impl Compat {
    /// Before auth.
    pub(in crate::gateway) fn new(app: AppId) -> Compat {
        Compat::Stranger(app)
    }

    fn app(&self) -> &AppId {
        match self {
            Compat::Stranger(app) => app,
            Compat::Watching(entry, ..) => &entry.space.app,
        }
    }
}

impl Protocol for Compat {
    type Done = Done;

    const SPEECH: Speech = Speech::Compat;

    fn take(&mut self, link: &mut Link, text: &str) -> Result<Option<Wait<Done>>, Ending> {
        // Those clients send nothing else; whatever it is, it is not worth the socket.
        let Ok(said) = object::from_str::<Said>(text) else {
            link.may_be_cheap(text.len());
            return match self {
                Compat::Stranger(_) => Err(refuse(&link.outbox, "invalid message")),
                Compat::Watching(..) => Ok(None),
            };
        };
        match (said.r#type.as_str(), &*self) {
            ("ping", _) => {
                if !link.may_be_cheap(0) {
                    return Err(Ending::Close(close::LIMITS, "too many pings"));
                }
                link.answer(r#"{"type":"pong"}"#);
            }
            ("auth", _) => {
                let token = said.token.unwrap_or_default();
                return Ok(Some(identify(link, self.app().clone(), token)));
            }
            (_, Compat::Stranger(_)) => return Err(refuse(&link.outbox, "auth first")),
            (_, Compat::Watching(..)) => {
                link.may_be_cheap(text.len());
            }
        }
        Ok(None)
    }

    /// Lets the socket in, or moves it to another user.
    fn go_on(&mut self, link: &mut Link, done: Done) -> Result<Option<Wait<Done>>, Ending> {
        match done {
            Done::Known(known) => {
                if let (Compat::Watching(_, expires_at_ms, key), true) =
                    (&mut *self, link.user.as_ref() == Some(&known.user))
                {
                    (*expires_at_ms, *key) = (known.expires_at_ms, known.key);
                } else {
                    self.leave(link);
                    if link.authenticate(&known.user).is_err() {
                        error(&link.outbox, "too many sockets");
                        return Err(Ending::Close(close::LIMITS, "too many sockets"));
                    }
                    return Ok(Some(watch(link, *known)));
                }
            }
            Done::Watching(entry, expires_at_ms, key) => {
                *self = Compat::Watching(entry, expires_at_ms, key);
            }
        }
        link.answer(r#"{"type":"auth-ok"}"#);
        Ok(None)
    }

    fn entry(&self) -> Option<&Arc<Entry>> {
        match self {
            Compat::Stranger(_) => None,
            Compat::Watching(entry, ..) => Some(entry),
        }
    }

    /// Closes a socket that is late, or whose token ended.
    fn look_at_clock(&mut self, link: &mut Link) -> Result<Duration, Ending> {
        let Compat::Watching(_, expires_at_ms, key) = self else {
            return link.time_to_auth(AUTH_WITHIN).ok_or_else(|| {
                let failures = &link.gateway.metrics.auth_failures;
                failures.inc(AuthFailure::AuthTimeout);
                refuse(&link.outbox, "auth timeout")
            });
        };
        let now_ms = link.gateway.clock.now_ms();
        let left_ms = expires_at_ms.saturating_sub(now_ms);
        if left_ms == 0 || !link.gateway.access.verifier.holds(*key) {
            return Err(refuse(&link.outbox, "token expired"));
        }
        Ok(Duration::from_millis(left_ms.min(LOOK_AGAIN_MS)))
    }
}

impl Compat {
    /// Leaves the space of the user it was.
    fn leave(&mut self, link: &Link) {
        if let Compat::Watching(entry, ..) = self {
            link.gateway.sessions.leave(entry, link.conn());
            *self = Compat::Stranger(entry.space.app.clone());
        }
    }
}

/// Verifies a token, when it is the client's turn.
fn identify(link: &mut Link, app: AppId, token: String) -> Wait<Done> {
    let (gateway, outbox) = (link.gateway.clone(), link.outbox.clone());
    let turn = match link.user {
        None => Duration::ZERO,
        Some(_) => link.token_turn(),
    };
    Box::pin(async move {
        tokio::time::sleep(turn).await;
        let now_ms = gateway.clock.now_ms();
        let identity = gateway.access.identify_once(&token, now_ms).await;
        let identity = identity.map_err(|refusal| match refusal.code {
            // Those clients come back by themselves, with the same token.
            Code::IssuerUnavailable => Ending::Close(close::TRY_AGAIN_LATER, "issuer unavailable"),
            _ => refuse(&outbox, "invalid token"),
        })?;
        let space = gateway.access.space(&app, None, &identity.user);
        let space = space.map_err(|refusal| refuse_with(&outbox, &refusal))?;
        Ok(Done::Known(Box::new(Known {
            user: identity.user,
            space,
            expires_at_ms: identity.expires_at_ms,
            key: identity.key,
        })))
    })
}

/// Has the session tell the socket which tables change.
fn watch(link: &Link, known: Known) -> Wait<Done> {
    let (gateway, outbox) = (link.gateway.clone(), link.outbox.clone());
    Box::pin(async move {
        for _ in 0..WATCH_TRIES {
            let (taken, was_taken) = oneshot::channel();
            let message = Message::Watch {
                outbox: outbox.clone(),
                taken,
            };
            let entering = Entering::new(&gateway, &known.space, outbox.conn);
            if entering.tell(message).is_ok() && was_taken.await.is_ok() {
                let entry = entering.entered();
                return Ok(Done::Watching(entry, known.expires_at_ms, known.key));
            }
        }
        Err(Ending::Close(close::TRY_AGAIN_LATER, "store unavailable"))
    })
}

fn error(outbox: &Outbox, why: &str) {
    let said = serde_json::json!({"type": "error", "tables": [why]});
    outbox.put(Frame::text(&said.to_string()), FrameKind::Answer);
}

fn refuse(outbox: &Outbox, why: &'static str) -> Ending {
    error(outbox, why);
    Ending::Close(POLICY, why)
}

fn refuse_with(outbox: &Outbox, refusal: &Refusal) -> Ending {
    error(outbox, &refusal.message);
    Ending::Close(POLICY, refusal.code.as_str())
}
