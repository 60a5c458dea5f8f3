//! A tab of the client. All tabs of a device share what it holds, its cursors and its queue; each
//! asks for itself, and knows nothing of what another has asked. Most do not wait either: a push for
//! each edit and a pull of each table that is told of begin whatever is under way.

use std::collections::BTreeSet;

use syncline_protocol::ids::RecordKey;

use super::Edit;
use super::taking::Taking;

/// A tab.
#[derive(Debug, Default)]
pub(super) struct Tab {
    /// Tables to pull.
    pub(super) stale: BTreeSet<&'static str>,
    /// It sends what is pending also without a socket, or nothing if nothing is.
    pub(super) sends_now: bool,
    /// What it asked and waits for.
    pub(super) waiting: Vec<Waiting>,
    /// Replies it is writing down.
    pub(super) takings: Vec<Taking>,
}

/// A request without reply yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) no: u64,
    pub(super) since: String,
    pub(super) of: Of,
    /// Records that copies of earlier requests may still change, from when it was made on.
    pub(super) under_way: BTreeSet<RecordKey>,
}

#[derive(Debug)]
pub(super) enum Of {
    /// What was pending then.
    Push {
        edits: Vec<Edit>,
        body: String,
    },
    Pull(&'static str),
}

impl Tab {
    /// It neither waits nor writes.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way() == 0
    }

    /// How many requests it has made whose replies are not written down.
    pub(super) fn under_way(&self) -> usize {
        self.waiting.len() + self.takings.len()
    }

    /// Takes out a request that it waits for.
    pub(super) fn answered(&mut self, no: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.no == no)?;
        Some(self.waiting.remove(at))
    }

    /// Whether it has sent an edit and does not know yet what became of it.
    pub(super) fn has_sent(&self, edit: &Edit) -> bool {
        let waiting = self.waiting.iter();
        let taking = self.takings.iter().map(Taking::waiting);
        waiting.chain(taking).any(|waiting| match &waiting.of {
            Of::Push { edits, .. } => edits.iter().any(|sent| sent.no == edit.no),
            Of::Pull(_) => false,
        })
    }
}
