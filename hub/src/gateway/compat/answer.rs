//! A reply in the making: where the store must be read, and what is said once it is. Pure:
//! whoever carries the reads out gives what they brought.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::compat::cursor::{Place, Reach, Since, Tell};
use syncline_protocol::error::Code;
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::record::Record;
use syncline_storage::types::{ChangesPage, MarksRead, PageLimit, SpaceView};

use super::reply::{self, Reply};
use crate::session::synced::{Echo, Synced, Whole};

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
    /// The cursor it asked with.
    asked: Since,
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
        let asked = question.since;
        if question.table.is_none() {
            question.since = of_changeset(&question);
        }
        question.since = since_erasure(question.since, view);
        let from = first_needed(question.since, view);
        Answering {
            question,
            from,
            asked,
        }
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
        let asked = self.asked;
        let mut question = self.question;
        question.since = since_erasure(question.since, &page.view);
        let needed = first_needed(question.since, &page.view);
        let again = |question, from| Answering {
            question,
            from,
            asked,
        };
        if needed < self.from {
            return Next::Read(again(question, needed));
        }
        let view = page.view;
        if question.synced.epoch != view.epoch {
            return Next::Elsewhere;
        }
        if question.synced.is_untold {
            return again(question, needed).unread(&view, bytes_max);
        }
        let mut place = view.place();
        let tell = question.since.tell(place);
        renew(&mut question.synced.echoes, &page);
        let synced = &mut question.synced;
        let asker = (synced.writer, synced.commits.take());
        let asker = (asker, question.table.as_deref());
        let mut changes = reply::changes(page, tell, asker);
        if !mutant(Mutant::DropEcho) {
            reply::add_echoes(&mut changes, question.synced.echoes.clone());
        }
        if mutant(Mutant::ReplyCursorPlusOne) {
            place.head = place.head.next();
        }
        let reach = match &question.table {
            Some(_) => pull_reach(asked, question.since, &place),
            None => Reach::All,
        };
        let conflicts = std::mem::take(&mut question.synced.conflicts);
        let reply = Reply::new(changes, conflicts, place.cursor(reach));
        if reply.bytes() <= bytes_max {
            return Next::Reply(reply);
        }
        question.synced.conflicts = reply.into_conflicts();
        again(question, needed).unread(&view, bytes_max)
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
            // Its own cursor would hide, behind each table it pulls, those it has not pulled.
            Since::Foreign => Since::StaleForeign,
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

/// What the cursor of a changeset says of all tables. Where something of it was not stored, as it
/// may be of before an erasure, nothing but all that is there takes it from the device.
fn of_changeset(question: &Question) -> Since {
    let mut conflicts = question.synced.conflicts.iter();
    match conflicts.any(|conflict| conflict.code == Code::Erased) {
        true => question.since.of_all_tables(),
        false => question.since.as_least(),
    }
}

/// Echoes are of the moment of the changeset. What moved until the page was read, by a late copy of
/// the device's own request or by a later changeset in the same commit, is told whole as it is now.
fn renew(echoes: &mut [Echo], page: &ChangesPage) {
    if echoes.is_empty() {
        return;
    }
    let now: HashMap<&RecordKey, &Record> = page.records.iter().map(|(k, r)| (k, r)).collect();
    for echo in echoes {
        let moved = |now: &&&Record| now.seq >= echo.record.seq && ***now != *echo.record;
        if let Some(now) = now.get(&echo.key).filter(moved) {
            echo.record = Arc::new((*now).clone());
            echo.whole = Whole::Replace;
        }
    }
}

/// Whether a cursor goes on in a view: what changed since it is all that must be read.
pub fn goes_on(since: Since, view: &SpaceView) -> bool {
    matches!(since.tell(view.place()), Tell::After(_))
}

/// Whether the store has lost commits that a device with this cursor has heard of, by a view that was
/// read since it asked.
pub fn shows_loss(since: Since, view: &SpaceView) -> bool {
    since.is_ahead_of(&view.place()) && !mutant(Mutant::TrustAhead)
}

/// A device of before an erasure starts again: what is there replaces what it shows. Until it
/// is answered a changeset its cursors go on to say that it had to, since it may still hold changes
/// that it made before.
fn since_erasure(since: Since, view: &SpaceView) -> Since {
    let erased_at_ms = view.erased.minute_ms();
    match erased_at_ms.is_some_and(|at_ms| since.is_before(at_ms)) {
        true => Since::Stale,
        false => since,
    }
}

/// Of which tables the cursor of a pull speaks. Beside data of another server, tables that the device
/// has not pulled hold cursors above any of the hub's: what is pulled must say so, also when the
/// device starts again. Of an empty table nobody knows what is beside it. And beside the cursor of a
/// history that the store has lost are others of that.
fn pull_reach(asked: Since, told: Since, place: &Place) -> Reach {
    match (asked.pull_reach(), told) {
        (Reach::OneOfForeign, _) | (Reach::OneOfEmpty, Since::Stale) => Reach::OneOfForeign,
        _ if told.is_past(place) => Reach::OneOfForeign,
        _ => told.pull_reach(),
    }
}

fn first_needed(since: Since, view: &SpaceView) -> Seq {
    match since.tell(view.place()) {
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
        commits: None,
        is_untold: false,
    }
}

/// The reply of a device that has everything a node knows of, from the node's view alone. The
/// view may be behind the store: then the reply says nothing and its cursor passes nothing.
pub fn from_memory(since: Since, view: &SpaceView) -> Option<String> {
    let place = view.place();
    let until = || place.cursor(since.pull_reach());
    let has_all = since.tell(place) == Tell::After(place.head);
    has_all.then(|| Reply::nothing(until()).into_text())
}

/// The reply of a device that pulls from a space that is not there: its cursor stays.
pub fn from_nothing(since: Since) -> String {
    Reply::nothing(since.text()).into_text()
}
