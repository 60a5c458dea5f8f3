//! The numbering of one client's mutations.

use std::sync::Arc;

use syncline_protocol::given::Given;
use syncline_protocol::ids::WriterNo;
use syncline_protocol::verdict::Mark;

use super::event::ConnId;

/// What a session knows of a client. It is exact only until another node serves the client
/// too; the commit tests it again.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    /// Its number in the space; `None` until its first commit.
    pub(super) writer: Option<WriterNo>,
    /// The last number with a verdict.
    pub(super) decided: Option<u64>,
    /// The last number taken: decided, pending or in flight.
    pub(super) taken: u64,
    /// How many are taken and not decided.
    pub(super) undecided: usize,
    /// Its claims to which the hub gave a stamp, if its writes carry no numbers.
    pub(super) given: Option<Arc<Given>>,
    /// Its mark was read for another reason since a refresh asked for it: what the refresh is told
    /// may be older.
    pub(super) learnt: bool,
    /// Its socket here.
    pub(super) conn: Option<ConnId>,
}

impl Client {
    /// Takes what the store remembers. Marks move forward inside an epoch, so the greater
    /// of what is known and what was read is true, however late the read arrives; but for one
    /// that was collected, which the next commit finds out.
    pub(super) fn learn(&mut self, mark: Option<Mark>) {
        if let Some(mark) = mark {
            self.learnt = true;
            self.writer = Some(mark.writer);
            self.decided = self.decided.max(mark.last);
            self.taken = self.taken.max(self.decided.unwrap_or(0));
            self.learn_given(mark.given);
        }
    }

    /// Takes what the store remembers now, also where that is less, or nothing: numbers that are
    /// collected begin again, and a restore that nobody was told of may have left the head where it
    /// is. A commit that stands on what is gone would conflict for ever. Where more was learnt since
    /// the store was asked, that stays; if it is gone too, the next commit finds it out.
    pub(super) fn learn_anew(&mut self, mark: Option<Mark>) {
        if !self.learnt {
            (self.writer, self.given) = (None, None);
            (self.decided, self.taken) = (None, 0);
        }
        self.learn(mark);
    }

    /// Takes the given stamps of a commit, unless later ones are known.
    pub(super) fn learn_given(&mut self, given: Option<Arc<Given>>) {
        if count(given.as_ref()) > self.given_count() {
            self.given = given;
        }
    }

    /// Which memory of given stamps a commit stands on.
    pub(super) fn given_count(&self) -> u64 {
        count(self.given.as_ref())
    }

    /// Nobody needs it here.
    pub(super) fn is_idle(&self) -> bool {
        self.conn.is_none() && self.undecided == 0
    }
}

fn count(given: Option<&Arc<Given>>) -> u64 {
    given.map_or(0, |given| given.count)
}
