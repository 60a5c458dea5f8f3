//! A reply in the making: where the store must be read, and what is said once it is. Pure:
//! whoever carries the reads out gives what they brought.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::compat::cursor::{Reach, Since, Tell};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::Record;
use syncline_storage::types::{ChangesPage, MarksRead, PageLimit, SpaceView};

use super::reply::{self, Reply};
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
    Reply(Reply),
    /// More than a reply may hold is asked for, by a device that sent nothing.
    TooLarge,
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

    /// Whether nothing must be read: it is answered [unread](Answering::unread).
    pub fn needs_no_page(&self) -> bool {
        self.question.synced.is_untold
    }

    /// After which seq all changes must be read.
    pub fn from(&self) -> Seq {
        self.from
    }

    /// Takes all changes after [`Answering::from`]. The page's own view decides what they mean:
    /// if it is of another history, more must be read. A reply of more than `bytes_max` is not
    /// made: of a changeset less is told then.
    pub fn page(self, page: ChangesPage, bytes_max: usize) -> Next {
        let Answering { mut question, from } = self;
        let needed = first_needed(question.since, &page.view);
        if needed < from {
            let from = needed;
            return Next::Read(Answering { question, from });
        }
        let view = page.view;
        if question.synced.epoch != view.epoch {
            return Next::Elsewhere;
        }
        if question.synced.is_untold {
            return Answering { question, from }.unread(&view, bytes_max);
        }
        let mut place = reply::place(&view);
        let tell = question.since.tell(place);
        renew(&mut question.synced.echoes, &page);
        let asker = (question.synced.writer, question.table.as_deref());
        let mut changes = reply::changes(page, tell, asker);
        if !mutant(Mutant::DropEcho) {
            reply::add_echoes(&mut changes, question.synced.echoes.clone());
        }
        if mutant(Mutant::ReplyCursorPlusOne) {
            place.head = place.head.next();
        }
        let reach = match &question.table {
            Some(_) => question.since.pull_reach(),
            None => Reach::All,
        };
        let conflicts = std::mem::take(&mut question.synced.conflicts);
        let reply = Reply::new(changes, conflicts, place.cursor(reach));
        if reply.bytes() <= bytes_max {
            return Next::Reply(reply);
        }
        question.synced.conflicts = reply.into_conflicts();
        Answering { question, from }.unread(&view, bytes_max)
    }

    /// Ends it without what changed, of which there is too much for one reply: what became
    /// of the changeset is told, so that it does not come again, and the device pulls the rest table
    /// by table. Its cursor, which it will write to all tables, passes nothing that one of them
    /// may lack. If what the device must be told of the records it named is itself more than
    /// `bytes_max`, only what was set aside is told, and the device is told all of its tables anew
    /// when it pulls them.
    pub fn unread(self, view: &SpaceView, bytes_max: usize) -> Next {
        let Question {
            since,
            synced,
            table,
        } = self.question;
        if synced.epoch != view.epoch {
            return Next::Elsewhere;
        }
        if table.is_some() {
            return Next::TooLarge;
        }
        let until = match since {
            // Of a table that was pulled before it may show what is gone by now: a pull of an empty
            // device is not told that.
            Since::Empty => Since::Stale,
            other => other,
        };
        let mut changes = reply::Changes::new();
        reply::add_echoes(&mut changes, synced.echoes);
        let mut reply = Reply::new(changes, synced.conflicts, until.text());
        if synced.is_untold || reply.bytes() > bytes_max {
            let conflicts = reply.into_conflicts();
            reply = Reply::new(reply::Changes::new(), conflicts, Since::Stale.text());
        }
        Next::Reply(reply)
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
        Tell::Everything | Tell::Anew | Tell::Afresh => Seq(0),
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
        is_untold: false,
    }
}

/// The reply of a device that has everything a node knows of, from the node's view alone. The
/// view may be behind the store: then the reply says nothing and its cursor passes nothing.
pub fn from_memory(since: Since, view: &SpaceView) -> Option<String> {
    let place = reply::place(view);
    let until = || place.cursor(since.pull_reach());
    let has_all = since.tell(place) == Tell::After(place.head);
    has_all.then(|| Reply::nothing(until()).into_text())
}

/// The reply of a device that pulls from a space that is not there: its cursor stays.
pub fn from_nothing(since: Since) -> String {
    Reply::nothing(since.text()).into_text()
}
