//! The room for messages that have begun to arrive: all sockets share it.

use syncline_protocol::error::close;

use super::{Ending, Link};
use crate::gateway::ws::Reader;

/// Bytes of an unfinished message that a socket may hold whatever others hold.
const UNFINISHED_FREE_BYTES: usize = 4 << 10;

/// Those who have not said who they are may fill this part of the room of unfinished messages.
const STRANGERS_PART: usize = 4;

impl Link {
    /// Counts what the reader holds, of which `before` was counted. An end: it holds more than
    /// before, more than a little, and all sockets together more than there is room for.
    pub(in crate::gateway) fn check_unfinished(&self, before: usize) -> Result<(), Ending> {
        let held = self.reader.held_bytes();
        if held == before {
            return Ok(());
        }
        let all = self.count_unfinished(before);
        let room = self.gateway.limits.unfinished_bytes_max;
        let room = match self.user {
            None => room / STRANGERS_PART,
            Some(_) => room,
        };
        if held > before && held > UNFINISHED_FREE_BYTES && all > room {
            let reason = "no room for more unfinished messages";
            return Err(Ending::Close(close::LIMITS, reason));
        }
        Ok(())
    }

    /// Gives what all sockets hold.
    pub(super) fn count_unfinished(&self, before: usize) -> usize {
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        let all = &self.gateway.metrics.unfinished_bytes;
        all.add(signed(self.reader.held_bytes()) - signed(before));
        usize::try_from(all.get()).unwrap_or(0)
    }

    /// Gives back what it counted, and takes no more of the message.
    pub(super) fn forget_unfinished(&mut self) {
        let before = self.reader.held_bytes();
        self.reader = Reader::new();
        self.count_unfinished(before);
    }
}
