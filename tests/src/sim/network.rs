//! One socket between a device and a node: frames of it arrive in order or not at all.
//!
//! The device's end and the hub's end learn of a cut at different moments. What the hub's end
//! tells its session waits in a queue of its own, as in an actor's mailbox. The outbox is the
//! gateway's own.

use std::collections::VecDeque;
use std::sync::Arc;

use syncline_hub::gateway::frame::Frame;
use syncline_hub::gateway::outbox::Outbox;
use syncline_hub::session::event::{Attach, ConnId, Event, Origin, Push};
use syncline_protocol::ids::{ClientKey, TableName, UserId};
use syncline_protocol::limits::Limits;
use syncline_protocol::wire::{ClientMessage, Hello, hub};

use super::rng::Rng;

/// Bytes the hub's end writes at once, at most.
const WRITE_BYTES_MAX: usize = 2_000;

/// What a device of the compatibility protocol says on its socket.
pub const AUTH: &str = r#"{"type":"auth","token":"-"}"#;

/// What it is answered once its session tells it what changes.
pub const AUTH_OK: &str = r#"{"type":"auth-ok"}"#;

/// A socket.
#[derive(Debug)]
pub struct Socket {
    /// The node's number for it.
    pub conn: ConnId,
    /// The device at its end.
    pub device: usize,
    /// The node at its other end.
    pub node: usize,
    /// From the device, under way.
    pub up: VecDeque<String>,
    /// From the hub, under way.
    pub down: VecDeque<Down>,
    /// What the hub's end has for its session.
    pub mailbox: VecDeque<Event>,
    /// Frames the hub has not written.
    pub outbox: Arc<Outbox>,
    /// The outbox may have something.
    pub woken: bool,
    /// The session that took its hello.
    pub attached: Option<u64>,
    /// Its session has its hello and has not let it in yet: the hub's end takes nothing from it.
    pub waits: bool,
    /// The token its device showed has ended.
    pub token_ended: bool,
    /// The device has left it.
    pub left: bool,
    /// The hub's end has ended.
    pub ended: bool,
}

/// What a device receives.
#[derive(Debug)]
pub enum Down {
    /// A message.
    Frame(Frame),
    /// The hub closed.
    Closed,
}

impl Socket {
    /// A fresh one.
    pub fn new(conn: ConnId, (device, node): (usize, usize), outbox: Outbox) -> Socket {
        Socket {
            conn,
            device,
            node,
            up: VecDeque::new(),
            down: VecDeque::new(),
            mailbox: VecDeque::new(),
            outbox: Arc::new(outbox),
            woken: false,
            attached: None,
            waits: false,
            token_ended: false,
            left: false,
            ended: false,
        }
    }

    /// The device leaves; what it sent still arrives.
    pub fn leave(&mut self) {
        self.left = true;
        self.down.clear();
    }

    /// The wire breaks: of what the device sent a beginning arrives, of what the hub sent
    /// nothing more.
    pub fn cut(&mut self, rng: &mut Rng) {
        let arrives = rng.below(self.up.len() + 1);
        self.up.truncate(arrives);
        self.leave();
    }

    /// The hub's end ends and tells the session.
    pub fn end(&mut self) {
        self.ended = true;
        self.up.clear();
        self.mailbox.push_back(Event::Detach(self.conn));
    }

    /// Nobody holds it any more.
    pub fn is_over(&self) -> bool {
        self.left && self.ended && self.mailbox.is_empty()
    }

    /// The hub's end reads a message. A push may be turned away.
    pub fn read(&mut self, user: &UserId, slow: bool) {
        let Some(text) = self.up.pop_front() else {
            return;
        };
        let conn = self.conn;
        if text == AUTH {
            return self.mailbox.push_back(Event::Watch(conn));
        }
        let message =
            ClientMessage::parse(&text, &Limits::DEFAULT).expect("devices send what they should");
        let event = match message {
            ClientMessage::Hello(hello) => Event::Attach(Box::new(attach(conn, user, *hello))),
            ClientMessage::Push(..) if slow => {
                let frame = Frame::text(&hub::slow("app", 1_000));
                self.outbox
                    .push(frame, syncline_hub::session::event::FrameKind::Answer);
                self.woken = true;
                return;
            }
            ClientMessage::Push(muts, _) => Event::Push(Push {
                origin: Origin::Conn(conn),
                muts,
                permit: None,
                trace: None,
            }),
            // As the gateway: the hub keeps no cursors of clients.
            ClientMessage::Ack { .. } => return,
            ClientMessage::Presence(state) => Event::Presence { conn, state },
            other => unreachable!("devices do not say {other:?}"),
        };
        self.mailbox.push_back(event);
    }

    /// Its device shows nobody any more who it is, or does again.
    pub fn set_token_ended(&mut self, ended: bool) {
        self.token_ended = ended;
        self.mailbox.push_back(match ended {
            true => Event::TokenEnded(self.conn),
            false => Event::TokenRenewed(self.conn),
        });
    }

    /// It waits for a session to take its hello.
    pub fn begins(&self) -> bool {
        let first = self.mailbox.front();
        matches!(first, Some(Event::Attach(_) | Event::Watch(_)))
    }

    /// What it has for its session may be told now.
    pub fn may_tell(&self) -> bool {
        let first = self.mailbox.front();
        first.is_some_and(|first| !self.waits || matches!(first, Event::Detach(_)))
    }

    /// The session ended before it took the hello: another one is asked.
    pub fn tell_again(&mut self, hello: Event) {
        if !self.ended {
            self.mailbox.push_front(hello);
        }
        (self.attached, self.waits) = (None, false);
    }

    /// It is not let in any more.
    pub fn turn_away(&mut self) {
        if self.begins() {
            self.mailbox.clear();
        }
    }

    /// The hub's end writes what is queued, or ends.
    pub fn write(&mut self, rng: &mut Rng) {
        let frames = self.outbox.take(1 + rng.below(WRITE_BYTES_MAX));
        if frames.is_empty() {
            self.woken = false;
            if self.outbox.take_drained() {
                self.mailbox.push_back(Event::Drained(self.conn));
            }
            if self.outbox.ended().is_some() {
                self.end();
                self.down.push_back(Down::Closed);
            }
        }
        if self.left {
            self.down.clear();
        } else {
            self.down.extend(frames.into_iter().map(Down::Frame));
        }
    }
}

/// As the gateway makes it of a hello.
fn attach(conn: ConnId, user: &UserId, hello: Hello) -> Attach {
    Attach {
        conn,
        client: ClientKey {
            user: user.clone(),
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
        token_expires_in_s: 3_600,
    }
}

fn sorted(mut names: Vec<TableName>) -> Arc<[TableName]> {
    names.sort_unstable();
    names.dedup();
    names.into()
}
