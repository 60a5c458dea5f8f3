//! HTTP of the compatibility protocol: a changeset or a pull on its way to a node, through it as
//! the route does it, and back. Every await of the route is a stage here, so anything can happen
//! between two of them.

use std::cell::Cell;
use std::rc::Rc;

use syncline_hub::gateway::compat::answer::{Answering, Question};
use syncline_hub::session::event::{CallId, CallReply};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::ids::{ClientKey, Epoch};
use syncline_protocol::limits::Limits;
use syncline_storage::types::SpaceView;

use super::count::Kind;
use super::trace::Aids;

/// A request of a device.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The device's number for it.
    pub no: u64,
    /// Who asks.
    pub client: ClientKey,
    /// For what.
    pub wish: Wish,
}

/// What a device asks for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Merge this body's changes and tell what changed.
    Sync(String),
    /// Tell what changed of a table.
    Pull {
        /// The table.
        table: &'static str,
        /// The device's cursor.
        since: String,
    },
}

/// How a request ended for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 2xx with a body.
    Done(String),
    /// The same, where what changed was not read, and a cursor of the space as it was then.
    Unread(String, String),
    /// Another status: come again.
    Failed,
}

/// One copy of a request under way.
#[derive(Debug)]
pub struct Exchange {
    /// The device.
    pub device: usize,
    /// Its request.
    pub ask: Ask,
    /// The node it goes to.
    pub node: usize,
    /// How far it is.
    pub stage: Stage,
}

/// How far a request is.
#[derive(Debug)]
pub enum Stage {
    /// On its way to the node.
    Sent,
    /// The session has the changeset.
    Merging {
        /// What the session calls it.
        call: CallId,
        /// The session.
        incarnation: u64,
    },
    /// A pull that asks too often waits for a change, or for its time to be over.
    Held {
        /// The view of the session it waits for.
        shown: Rc<Cell<SpaceView>>,
    },
    /// The asker's mark must be read.
    Marks,
    /// The store has lost commits, by the asker's cursor: this epoch must change.
    Lost(Epoch),
    /// The space must be looked at, to know where reading begins.
    View(Question),
    /// Changes must be read.
    Changes(Answering),
    /// On its way back.
    Back(Reply),
}

impl Exchange {
    /// The device's cursor, and the table it asks for.
    pub fn since(&self) -> (Since, Option<&'static str>) {
        match &self.ask.wish {
            Wish::Pull { table, since } => {
                let since = Since::parse(since).expect("devices send what can be read");
                (since, Some(table))
            }
            Wish::Sync(body) => {
                let request =
                    syncline_protocol::compat::request::SyncRequest::parse(body, &Limits::DEFAULT)
                        .expect("devices send what can be read");
                let since = Since::parse(&request.since).expect("devices send what can be read");
                (since, None)
            }
        }
    }

    /// It waits for a session of this node.
    pub fn wants_session(&self, node: usize) -> bool {
        self.node == node && matches!(self.stage, Stage::Sent)
    }

    /// It is between its device and a node.
    pub fn is_on_its_way(&self) -> bool {
        matches!(self.stage, Stage::Back(_))
    }

    /// It waits for this reply of a session.
    pub fn waits_for(&self, call: CallId) -> bool {
        matches!(&self.stage, Stage::Merging { call: own, .. } if *own == call)
    }

    /// The session replied.
    pub fn merged(&mut self, reply: CallReply, aids: &mut Aids) {
        self.stage = match reply {
            CallReply::Synced(synced) => {
                aids.trace
                    .say(&"route", || format!("has {synced:?} for {:?}", self.ask));
                let (since, _) = self.since();
                Stage::View(Question {
                    since,
                    synced,
                    table: None,
                })
            }
            _ => Stage::Back(Reply::Failed),
        };
    }

    /// The session that had it is gone.
    pub fn unmerged(&mut self, aids: &mut Aids) {
        aids.counts.add(Kind::MergeCrash);
        self.stage = Stage::Back(Reply::Failed);
    }
}
