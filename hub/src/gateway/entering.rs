//! A socket between asking for its space and being let in. If it ends meanwhile, the session is
//! told.

use std::sync::Arc;

use syncline_protocol::ids::SpaceKey;

use super::Gateway;
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::ConnId;

/// Leaves the space when it is dropped, unless the socket entered.
pub(super) struct Entering {
    gateway: Arc<Gateway>,
    entry: Arc<Entry>,
    conn: ConnId,
    entered: bool,
}

impl Entering {
    /// A socket that wants into a space.
    pub(super) fn new(gateway: &Arc<Gateway>, space: &SpaceKey, conn: ConnId) -> Entering {
        Entering {
            gateway: gateway.clone(),
            entry: gateway.sessions.get(space),
            conn,
            entered: false,
        }
    }

    /// Tells the session. The message comes back from one that ended.
    pub(super) fn tell(&self, message: Message) -> Result<(), Box<Message>> {
        self.gateway.sessions.tell(&self.entry, message)
    }

    /// The session took it: from now on the socket itself leaves.
    pub(super) fn entered(mut self) -> Arc<Entry> {
        self.entered = true;
        self.entry.clone()
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if !self.entered {
            self.gateway.sessions.leave(&self.entry, self.conn);
        }
    }
}
