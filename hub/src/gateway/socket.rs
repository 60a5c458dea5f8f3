//! A native client's socket: hello, then messages both ways until one side ends it.

mod pushing;

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::{ClientKey, Seq, SpaceKey};
use syncline_protocol::wire::{ClientMessage, Hello, hub};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Gateway;
use super::entering::Entering;
use super::frame::Frame;
use super::link::{Ending, Link};
use super::outbox::{Outbox, Speech};
use super::pace::{Load, TooFast};
use super::sockets::TooMany;
use super::task::{Protocol, Wait};
use crate::auth::{Identity, KeyNo};
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::{Attach, Event, FrameKind};
use crate::telemetry::labels::AuthFailure;

/// A token's end is announced so long before, and the socket closed so long after.
const AUTH_DUE_BEFORE_MS: u64 = 60_000;
const AUTH_GRACE_MS: u64 = 30_000;

/// The wall clock may be set; it is looked at again at least so often.
const LOOK_AGAIN_MS: u64 = 60_000;

/// How often a session that ends at the very moment is looked for again.
const ATTACH_TRIES: usize = 5;

/// What a client told to slow down should wait, where nothing better is known.
const SLOW_RETRY_MS: u64 = 1_000;

/// A native socket.
pub(super) struct Native {
    attached: Option<Attached>,
}

/// What is known after the hello.
struct Attached {
    entry: Arc<Entry>,
    /// The token's end; earlier than it said if its key was dropped.
    expires_at_ms: u64,
    /// The key of the token.
    key: KeyNo,
    /// The client was told that its token ends soon.
    auth_due_told: bool,
    /// The session was told that it has ended.
    end_told: bool,
}

/// What a wait brings.
pub(super) enum Done {
    /// Nothing to know.
    Told,
    /// The session did not take it in time, or its user is too fast: who is slow, and for how many
    /// milliseconds.
    Slow(&'static str, u64),
    /// The hello's token was verified.
    Known(Box<Known>),
    /// Its user has no room for another socket, but the client has one here that it replaces.
    Replacing(Box<Known>),
    /// It has none.
    New(Box<Known>),
    /// The session took the client.
    Attached(Arc<Entry>, TokenEnd),
    /// A fresh token.
    Authenticated(Identity),
}

/// A client that said who it is.
pub(super) struct Known {
    space: SpaceKey,
    attach: Attach,
    end: TokenEnd,
}

/// When a token ends.
#[derive(Clone, Copy)]
pub(super) struct TokenEnd {
    /// At the latest, ms since 1970.
    at_ms: u64,
    /// When this key goes.
    with: KeyNo,
}

impl Native {
    /// Before the hello.
    pub(super) fn new() -> Native {
        Native { attached: None }
    }
}

impl Protocol for Native {
    type Done = Done;

    const SPEECH: Speech = Speech::Native;

    fn take(&mut self, link: &mut Link, text: &str) -> Result<Option<Wait<Done>>, Ending> {
        match (
            ClientMessage::parse(text, &link.gateway.data),
            &self.attached,
        ) {
            (Ok(ClientMessage::Ping), _) => {
                if !link.may_be_cheap(0) {
                    return Err(Ending::Close(close::LIMITS, "too many pings"));
                }
                link.answer(hub::PONG);
            }
            (Ok(ClientMessage::Hello(hello)), None) => {
                return Ok(Some(identify(link, hello)));
            }
            (Ok(_), None) => {
                let refusal = Refusal::new(Code::OutOfOrder, "the first message is hello");
                return Err(refuse(link, &refusal, close::AUTH, "no hello"));
            }
            (Err(refusal), None) => return Err(refuse(link, &refusal, close::AUTH, "no hello")),
            (Err(refusal), Some(_)) => {
                // Past its pace the socket is not read for a while.
                link.may_be_cheap(text.len());
                link.answer(&hub::error(&refusal));
            }
            (Ok(message), Some(attached)) => return Ok(attached.take(link, message, text.len())),
        }
        Ok(None)
    }

    fn go_on(&mut self, link: &mut Link, done: Done) -> Result<Option<Wait<Done>>, Ending> {
        match done {
            Done::Told => {}
            Done::Slow(scope, retry_ms) => link.answer(&hub::slow(scope, retry_ms)),
            Done::Known(known) => {
                return Ok(Some(match link.authenticate(&known.attach.client.user) {
                    Ok(()) => attach(link, *known),
                    Err(TooMany) => look_for_older(link, known),
                }));
            }
            Done::Replacing(known) => {
                let user = &known.attach.client.user;
                let counted = link.authenticate_replacing(user);
                counted.map_err(|TooMany| no_room(&link.outbox))?;
                return Ok(Some(attach(link, *known)));
            }
            // What was left of its own connection may have gone meanwhile.
            Done::New(known) => {
                let counted = link.authenticate(&known.attach.client.user);
                counted.map_err(|TooMany| no_room(&link.outbox))?;
                return Ok(Some(attach(link, *known)));
            }
            Done::Attached(entry, end) => {
                self.attached = Some(Attached {
                    entry,
                    expires_at_ms: end.at_ms,
                    key: end.with,
                    auth_due_told: false,
                    end_told: false,
                });
            }
            Done::Authenticated(identity) => {
                if link.user.as_ref() != Some(&identity.user) {
                    let refusal = Refusal::new(Code::Forbidden, "the token is another user's");
                    return Err(refuse(link, &refusal, close::FORBIDDEN, "another user"));
                }
                if let Some(attached) = &mut self.attached {
                    attached.expires_at_ms = identity.expires_at_ms;
                    attached.key = identity.key;
                    attached.auth_due_told = false;
                    if std::mem::take(&mut attached.end_told) {
                        attached.tell(link, Event::TokenRenewed(link.conn()));
                    }
                }
            }
        }
        Ok(None)
    }

    fn entry(&self) -> Option<&Arc<Entry>> {
        self.attached.as_ref().map(|attached| &attached.entry)
    }

    /// Announces the token's end, has nothing more shown from then on, and closes some time
    /// after it. A token whose key the issuer dropped ends when that is seen.
    fn look_at_clock(&mut self, link: &mut Link) -> Result<Duration, Ending> {
        let Some(attached) = &mut self.attached else {
            return hello_due(link);
        };
        let now_ms = link.gateway.clock.now_ms();
        if !link.gateway.access.verifier.holds(attached.key) {
            attached.expires_at_ms = attached.expires_at_ms.min(now_ms);
        }
        let ends_ms = attached.expires_at_ms;
        if now_ms >= ends_ms.saturating_add(AUTH_GRACE_MS) {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired");
            return Err(refuse(link, &refusal, close::AUTH, "token expired"));
        }
        let announce_ms = ends_ms.saturating_sub(AUTH_DUE_BEFORE_MS);
        if !attached.auth_due_told && now_ms >= announce_ms {
            attached.auth_due_told = true;
            link.answer(&hub::auth_due(ends_ms.saturating_sub(now_ms) / 1_000));
        }
        if !attached.end_told && now_ms >= ends_ms {
            attached.end_told = true;
            attached.tell(link, Event::TokenEnded(link.conn()));
        }
        let next_ms = match (attached.auth_due_told, attached.end_told) {
            (false, _) => announce_ms,
            (true, false) => ends_ms,
            (true, true) => ends_ms.saturating_add(AUTH_GRACE_MS),
        };
        let wait_ms = next_ms.saturating_sub(now_ms).min(LOOK_AGAIN_MS);
        Ok(Duration::from_millis(wait_ms))
    }
}

fn hello_due(link: &Link) -> Result<Duration, Ending> {
    if let Some(left) = link.time_to_auth(link.gateway.limits.hello_within) {
        return Ok(left);
    }
    let refusal = Refusal::new(Code::AuthTimeout, "no hello in time");
    let failures = &link.gateway.metrics.auth_failures;
    failures.inc(AuthFailure::AuthTimeout);
    Err(refuse(link, &refusal, close::AUTH, "no hello in time"))
}

impl Attached {
    /// Takes a message of an attached client.
    fn take(&self, link: &mut Link, message: ClientMessage, bytes: usize) -> Option<Wait<Done>> {
        let conn = link.conn();
        match message {
            ClientMessage::Push(muts, trace) => return self.push(link, (muts, trace), bytes),
            ClientMessage::Auth { token } => return Some(authenticate(link, token)),
            ClientMessage::Presence(state) => {
                return self.tell_others(link, Event::Presence { conn, state }, bytes);
            }
            ClientMessage::Broadcast { room, data } => {
                return self.tell_others(link, Event::Broadcast { conn, room, data }, bytes);
            }
            ClientMessage::Hello(_) => {
                link.may_be_cheap(bytes);
                let refusal = Refusal::new(Code::OutOfOrder, "hello was said");
                link.answer(&hub::error(&refusal));
            }
            // The hub keeps no cursors of clients: they bring them along. It may have asked.
            ClientMessage::Ack { seq } => {
                link.may_be_cheap(bytes);
                let Gateway { lags, clock, .. } = &*link.gateway;
                lags.acked(conn, Seq(seq), clock.now_ms());
            }
            ClientMessage::Ping => {
                link.may_be_cheap(bytes);
            }
        }
        None
    }

    /// Tells the session what takes no room there. One that ended has closed the outbox.
    fn tell(&self, link: &Link, event: Event) {
        let sessions = &link.gateway.sessions;
        drop(sessions.tell(&self.entry, Message::Event(event)));
    }

    /// Whether the token's time is over; then the client is told to send another.
    fn is_expired(&self, link: &Link) -> bool {
        let expired = self.expires_at_ms <= link.gateway.clock.now_ms();
        if expired {
            let refusal = Refusal::new(Code::TokenExpired, "the token expired; send auth");
            link.answer(&hub::error(&refusal));
        }
        expired
    }

    /// Has the session tell something ephemeral on.
    fn tell_others(&self, link: &mut Link, event: Event, bytes: usize) -> Option<Wait<Done>> {
        if self.is_expired(link) {
            link.may_be_cheap(bytes);
            return None;
        }
        if !link.may_be_cheap(0) {
            link.answer(&hub::slow("user", SLOW_RETRY_MS));
            return None;
        }
        if let Err(too_fast) = told(link, bytes) {
            link.answer(&hub::slow("user", too_fast.wait_ms()));
            return None;
        }
        self.tell_with_permit(link, bytes, |permit| Message::Ephemeral { event, permit })
    }
}

/// Lets something ephemeral in: it costs what it is told.
fn told(link: &Link, bytes: usize) -> Result<(), TooFast> {
    let Some(user) = &link.user else {
        return Ok(());
    };
    let changes = link.gateway.sockets.count_of(user);
    let load = Load { changes, bytes };
    link.gateway.telling.take(user, load, Instant::now())
}

/// Verifies a hello's token and has the session take the client.
fn identify(link: &Link, hello: Box<Hello>) -> Wait<Done> {
    let (gateway, outbox) = (link.gateway.clone(), link.outbox.clone());
    Box::pin(async move {
        let now_ms = gateway.clock.now_ms();
        let identity = gateway.access.identify_once(&hello.token, now_ms).await;
        let identity = identity.map_err(|refusal| match refusal.code {
            // The token may be good: a new one would help nobody.
            Code::IssuerUnavailable => refuse_at(
                &outbox,
                &refusal,
                close::TRY_AGAIN_LATER,
                "issuer unavailable",
            ),
            _ => refuse_at(&outbox, &refusal, close::AUTH, "token refused"),
        })?;
        let space = gateway
            .access
            .space(&hello.app, hello.space, &identity.user);
        let space = space
            .map_err(|refusal| refuse_at(&outbox, &refusal, close::FORBIDDEN, "not allowed"))?;
        let attach = Attach {
            conn: outbox.conn,
            client: ClientKey {
                user: identity.user,
                client: hello.client,
            },
            cursor: hello.cursor,
            tables: hello.tables.map(sorted),
            backfill: Some(hello.backfill)
                .filter(|tables| !tables.is_empty())
                .map(sorted),
            snapshot_next: hello.snapshot_next,
            acked: hello.acked,
            epoch: hello.epoch,
            token_expires_in_s: identity.expires_at_ms.saturating_sub(now_ms) / 1_000,
        };
        Ok(Done::Known(Box::new(Known {
            space,
            attach,
            end: TokenEnd {
                at_ms: identity.expires_at_ms,
                with: identity.key,
            },
        })))
    })
}

/// Asks the session whether the client has an older socket here. An attach replaces that, so it
/// needs no room: a device is not kept out by what is left of its own connection.
fn look_for_older(link: &Link, known: Box<Known>) -> Wait<Done> {
    let gateway = link.gateway.clone();
    Box::pin(async move {
        // Where the space is not open, nobody has a socket in it.
        let entry = gateway.sessions.find(&known.space);
        let (answer, answered) = oneshot::channel();
        let client = known.attach.client.clone();
        let is_told = entry.is_some_and(|entry| {
            let message = Message::HasSocket { client, answer };
            gateway.sessions.tell(&entry, message).is_ok()
        });
        Ok(match is_told && answered.await == Ok(true) {
            true => Done::Replacing(known),
            false => Done::New(known),
        })
    })
}

/// Has the session take a client. Its socket takes nothing more from it before.
fn attach(link: &Link, known: Known) -> Wait<Done> {
    let (gateway, outbox) = (link.gateway.clone(), link.outbox.clone());
    Box::pin(async move {
        let Known { space, attach, end } = known;
        for _ in 0..ATTACH_TRIES {
            let (taken, was_taken) = oneshot::channel();
            let message = Message::Attach {
                attach: Box::new(attach.clone()),
                outbox: outbox.clone(),
                taken,
            };
            let entering = Entering::new(&gateway, &space, outbox.conn);
            if entering.tell(message).is_ok() && was_taken.await.is_ok() {
                return Ok(Done::Attached(entering.entered(), end));
            }
        }
        let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
        Err(refuse_at(
            &outbox,
            &refusal,
            close::TRY_AGAIN_LATER,
            "store unavailable",
        ))
    })
}

/// Verifies a fresh token, when it is the client's turn. Nothing more is read of it before.
fn authenticate(link: &mut Link, token: String) -> Wait<Done> {
    let (gateway, outbox) = (link.gateway.clone(), link.outbox.clone());
    let turn = link.token_turn();
    Box::pin(async move {
        tokio::time::sleep(turn).await;
        let now_ms = gateway.clock.now_ms();
        let identity = gateway.access.identify_once(&token, now_ms).await;
        match identity {
            Ok(identity) => Ok(Done::Authenticated(identity)),
            // The token it has still counts for what it says.
            Err(refusal) if refusal.code == Code::IssuerUnavailable => {
                outbox.put(Frame::text(&hub::error(&refusal)), FrameKind::Answer);
                Ok(Done::Told)
            }
            Err(refusal) => Err(refuse_at(&outbox, &refusal, close::AUTH, "token refused")),
        }
    })
}

fn refuse(link: &Link, refusal: &Refusal, code: u16, reason: &'static str) -> Ending {
    refuse_at(&link.outbox, refusal, code, reason)
}

fn no_room(outbox: &Outbox) -> Ending {
    let refusal = Refusal::new(Code::TooManySockets, "too many sockets of this user");
    refuse_at(outbox, &refusal, close::LIMITS, "too many sockets")
}

/// Says why, and ends the socket.
fn refuse_at(outbox: &Outbox, refusal: &Refusal, code: u16, reason: &'static str) -> Ending {
    let frame = Frame::text(&hub::error(refusal));
    outbox.put(frame, FrameKind::Answer);
    Ending::Close(code, reason)
}

fn sorted<T: Ord>(mut names: Vec<T>) -> Arc<[T]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}
