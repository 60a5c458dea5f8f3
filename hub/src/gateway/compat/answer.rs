//! A reply in the making: where the store must be read, and what is said once it is. Pure:
//! whoever carries the reads out gives what they brought.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::compat::cursor::{Reach, Since, Tell};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::Record;
use syncline_storage::types::{ChangesPage, MarksRead, PageLimit, SpaceView};

use super::reply;
use crate::session::event::{Echo, Synced, Whole};

/// There is no "more" in this protocol: a reply holds all there is.
pub const ALL: PageLimit = PageLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

/// What a reply answers.
#[derive(Debug)]
pub struct Question {
    /// The device's cursor.
    pub since: Since,
    /// What became of its changeset, or who it is if it sent none.
    pub synced: Synced,
    /// The table it asks for; `None` is all.
    pub table: Option<String>,
}

/// A reply that waits for a page of changes.
#[derive(Debug)]
pub struct Answering {
    question: Question,
    from: Seq,
}

/// What follows a page.
#[derive(Debug)]
pub enum Next {
    /// It was read from too late a seq: read again.
    Read(Answering),
    /// The reply.
    Reply(String),
    /// The space has another history than the one the question's answer is of. What a session
    /// said of the other one may not be so here: the device must ask again.
    Elsewhere,
}

impl Answering {
    /// Begins a reply, by a view of the space.
    pub fn new(mut question: Question, view: &SpaceView) -> Answering {
        if question.table.is_none() {
            question.since = question.since.of_all_tables();
        }
        let from = first_needed(question.since, view);
        Answering { question, from }
    }

    /// After which seq all changes must be read.
    pub fn from(&self) -> Seq {
        self.from
    }

    /// Takes all changes after [`Answering::from`]. The page's own view decides what they mean:
    /// if it is of another history, more must be read.
    pub fn page(self, page: ChangesPage) -> Next {
        let Answering { question, from } = self;
        let needed = first_needed(question.since, &page.view);
        if needed < from {
            let from = needed;
            return Next::Read(Answering { question, from });
        }
        let mut place = reply::place(&page.view);
        let tell = question.since.tell(place);
        let Synced {
            epoch,
            writer,
            conflicts,
            mut echoes,
        } = question.synced;
        if epoch != page.view.epoch {
            return Next::Elsewhere;
        }
        renew(&mut echoes, &page);
        let mut changes = reply::changes(page, tell, (writer, question.table.as_deref()));
        if !mutant(Mutant::DropEcho) {
            reply::add_echoes(&mut changes, echoes);
        }
        if mutant(Mutant::ReplyCursorPlusOne) {
            place.head = place.head.next();
        }
        let reach = match &question.table {
            Some(_) => question.since.pull_reach(),
            None => Reach::All,
        };
        let until = place.cursor(reach);
        Next::Reply(reply::text(changes, &conflicts, &until))
    }

    /// Ends it without reading what changed, of which there is too much for one reply: what became
    /// of the changeset is told, so that it does not come again, and the device pulls the rest table
    /// by table. Its cursor, which it will write to all tables, passes nothing that one of them
    /// may lack. A device that had nothing has what it sent now, and must hear if that is deleted
    /// before it pulls.
    pub fn unread(self, view: &SpaceView) -> Next {
        let Question { since, synced, .. } = self.question;
        if synced.epoch != view.epoch {
            return Next::Elsewhere;
        }
        let mut changes = reply::Changes::new();
        reply::add_echoes(&mut changes, synced.echoes);
        let until = match since {
            Since::Empty => Since::Foreign,
            since => since,
        };
        Next::Reply(reply::text(changes, &synced.conflicts, &until.text()))
    }
}

/// Echoes are of the moment of the commit. What moved until the page was read, also by a late
/// copy of the device's own request, is told whole as it is now.
fn renew(echoes: &mut [Echo], page: &ChangesPage) {
    if echoes.is_empty() {
        return;
    }
    let now: HashMap<&RecordKey, &Record> = page.records.iter().map(|(k, r)| (k, r)).collect();
    for echo in echoes {
        if let Some(now) = now.get(&echo.key).filter(|now| now.seq > echo.record.seq) {
            echo.record = Arc::new((*now).clone());
            echo.whole = Whole::Replace;
        }
    }
}

/// Whether a cursor goes on in a view: what changed since it is all that must be read.
pub fn goes_on(since: Since, view: &SpaceView) -> bool {
    matches!(since.tell(reply::place(view)), Tell::After(_))
}

fn first_needed(since: Since, view: &SpaceView) -> Seq {
    match since.tell(reply::place(view)) {
        Tell::After(seq) => seq,
        Tell::Everything | Tell::Anew => Seq(0),
    }
}

/// Who asks without a changeset, by its mark.
pub fn asker(read: MarksRead) -> Synced {
    let mark = read.marks.into_iter().flatten().next();
    Synced {
        epoch: read.view.epoch,
        writer: mark.map(|mark| mark.writer),
        conflicts: Vec::new(),
        echoes: Vec::new(),
    }
}

/// The reply of a device that has everything a node knows of, from the node's view alone. The
/// view may be behind the store: then the reply says nothing and its cursor passes nothing.
pub fn from_memory(since: Since, view: &SpaceView) -> Option<String> {
    let place = reply::place(view);
    let until = || place.cursor(since.pull_reach());
    (since.tell(place) == Tell::After(place.head)).then(|| reply::nothing(&until()))
}
