//! How a tab takes a reply: record by record, then the queue, then cursor by cursor, each by itself.
//! A device that has one request at a time does all of it at once; else another reply and the user
//! may write in between.

use std::collections::{BTreeSet, VecDeque};

use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::ids::RecordKey;
use syncline_protocol::limits::Limits;

use super::super::edits::TABLES;
use super::copy::{Body, Told};
use super::tab::{Of, Waiting};
use super::{Compat, Edit};
use crate::sim::checker::crossed::{self, Place};
use crate::sim::count::Kind;
use crate::sim::device::Cx;
use crate::sim::trace::{Checked, ensure, violated};

/// A reply that is being written down.
#[derive(Debug)]
pub(super) struct Taking {
    waiting: Waiting,
    lines: VecDeque<Line>,
    /// The records it tells of.
    told: BTreeSet<RecordKey>,
    /// What it tells nothing of has not changed since here; `None` if it tells everything.
    since: Option<Place>,
    /// It tells the records as they were here.
    at: Option<Place>,
    /// It moves the cursors; else only its changeset is answered.
    is_whole: bool,
    /// It tells a device with data everything.
    is_anew: bool,
}

#[derive(Debug)]
enum Line {
    Record(RecordKey, Told),
    Clear(Vec<u64>),
    Cursor(&'static str, String),
}

impl Taking {
    pub(super) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    fn tables(&self) -> &[&'static str] {
        match &self.waiting.of {
            Of::Push { .. } => &TABLES[..],
            Of::Pull(table) => std::slice::from_ref(table),
        }
    }
}

pub(super) fn place(cursor: &str) -> Option<Place> {
    match Since::parse(cursor) {
        Ok(Since::At { minute, seq, .. }) => Some((minute, seq)),
        _ => None,
    }
}

impl Compat {
    /// A reply came. `head` is where the space is, if the reply tells of nothing but its
    /// changeset and leaves the cursor where it was.
    pub(super) fn begin_taking(
        &mut self,
        waiting: Waiting,
        (text, head): (&str, Option<&str>),
        cx: &mut Cx<'_>,
    ) -> Checked<Taking> {
        let body: Body<'_> = match serde_json::from_str(text) {
            Ok(body) => body,
            Err(error) => return violated("readable", format!("{error}: {text}")),
        };
        let mut taking = Taking {
            waiting,
            lines: VecDeque::new(),
            told: BTreeSet::new(),
            since: None,
            at: place(body.synced_until),
            is_whole: head.is_none(),
            is_anew: false,
        };
        match head {
            None => self.judge_cursor(&mut taking, &body, cx)?,
            Some(head) => self.judge_unmoved(&mut taking, (body.synced_until, head))?,
        }
        if taking.is_anew {
            self.haunt(taking.tables());
        }
        let waiting = &taking.waiting;
        let own_cursor = place(&waiting.since).is_some();
        let is_lost = cx.checker.is_lost(body.synced_until);
        if is_lost || own_cursor && taking.is_whole && self.is_other(&waiting.since, &body) {
            let unsent = self.pending.iter().map(|edit| &edit.key);
            let overwritten = unsent.chain(&waiting.under_way).cloned();
            self.excuses.overwritten.extend(overwritten);
        }
        self.judge_sent(waiting, &body, cx)?;
        for (key, told) in body.told() {
            taking.told.insert(key.clone());
            taking.lines.push_back(Line::Record(key, told));
        }
        if let Of::Push { edits, .. } = &taking.waiting.of {
            let sent = edits.iter().map(|edit| edit.no).collect();
            taking.lines.push_back(Line::Clear(sent));
        }
        for table in taking.tables().to_vec() {
            let until = body.synced_until.to_owned();
            taking.lines.push_back(Line::Cursor(table, until));
        }
        Ok(taking)
    }

    fn is_other(&self, since: &str, body: &Body<'_>) -> bool {
        let minute = |text| place(text).map(|place| place.0);
        minute(since) != minute(body.synced_until) || since > body.synced_until
    }

    fn judge_cursor(&mut self, taking: &mut Taking, body: &Body<'_>, cx: &mut Cx<'_>) -> Checked {
        let asked = taking.waiting.since.clone();
        let until = body.synced_until;
        for table in taking.tables() {
            // Of several requests each only knows what it asked.
            let before = match self.interleaves() {
                false => self.copy.cursor(table),
                true => &asked,
            };
            cx.checker.cursor_moves(before, until)?;
        }
        let anew = self.is_told_anew(&asked, until, cx);
        let since = Since::parse(&asked).expect("it was read before");
        // What a changeset is answered: the cursor of one pulled table may say nothing of the others.
        let of_all = match body.erased().next() {
            Some(_) => since.of_all_tables(),
            None => since.as_least(),
        };
        let is_push = matches!(taking.waiting.of, Of::Push { .. });
        let tells_all = asked.as_str() > until
            || !matches!(since, Since::At { minute, .. }
            if place(until).is_some_and(|until| until.0 == minute));
        let is_begun_again = is_push && !matches!(of_all, Since::At { .. });
        taking.since = place(&asked).filter(|_| !tells_all && !is_begun_again);
        // A device that has nothing yet has nothing that could stay.
        taking.is_anew = anew || is_begun_again && of_all != Since::Empty;
        if self.interleaves() {
            for table in taking.tables().to_vec() {
                self.move_ahead(table, taking.at);
            }
        }
        Ok(())
    }

    /// What such a device shows is of no moment until it has pulled.
    fn judge_unmoved(&mut self, taking: &mut Taking, (until, head): (&str, &str)) -> Checked {
        let since = Since::parse(&taking.waiting.since).expect("it was read before");
        let kept = match since.as_least() {
            Since::Empty => Since::Stale,
            Since::Foreign => Since::StaleForeign,
            kept => kept,
        };
        // A device of before an erasure starts again.
        let stays = until == kept.text() || until == Since::Stale.text();
        ensure(stays, "forward", || {
            format!("alone, {} becomes {until}", taking.waiting.since)
        })?;
        taking.since = place(&taking.waiting.since);
        taking.at = taking.since;
        for table in TABLES {
            self.move_ahead(table, place(head));
        }
        Ok(())
    }

    fn move_ahead(&mut self, table: &'static str, to: Option<Place>) {
        let interleaves = self.interleaves();
        let ahead = self.ahead.entry(table).or_default();
        *ahead = match interleaves {
            false => to.unwrap_or_default(),
            true => to.unwrap_or_default().max(*ahead),
        };
    }

    /// Whether it shows some of a table that is newer than the table's cursor: a changeset was
    /// answered alone, or a later reply was written down before an earlier one.
    fn is_ahead(&self, table: &str) -> bool {
        let ahead = self.ahead.get(table).copied().unwrap_or_default();
        let own = place(self.copy.cursor(table));
        // One reply may have told of another history, while another goes on.
        let of_one = |own: Place| own.0 == ahead.0 || self.interleaves();
        own.is_some_and(|own| own < ahead && of_one(own))
    }

    /// What it shows of these tables may be of a history that nobody can tell it of.
    fn haunt(&mut self, tables: &[&str]) {
        for (key, row) in &self.copy.rows {
            if tables.contains(&key.table.as_str()) {
                self.excuses.haunted.insert(key.clone(), row.0.clone());
            }
        }
    }

    /// The next line is written; whether there was one.
    pub(super) fn write_line(&mut self, taking: &mut Taking, cx: &mut Cx<'_>) -> bool {
        let Some(line) = taking.lines.pop_front() else {
            return false;
        };
        let no = taking.waiting.no;
        cx.aids
            .trace
            .say(&self.name, || format!("writes of {no}: {line:?}"));
        match line {
            Line::Record(key, told) => {
                self.note_write(taking, &key, &told, cx);
                self.copy.apply(key, told);
            }
            Line::Clear(sent) => self.pending.retain(|edit| !sent.contains(&edit.no)),
            Line::Cursor(table, until) => {
                self.copy.set_cursor(table, until);
                self.note_cursor(taking, table);
            }
        }
        true
    }

    /// A record that is written as it was, after a later reply was begun, may stay so.
    fn note_write(&mut self, taking: &Taking, key: &RecordKey, told: &Told, cx: &mut Cx<'_>) {
        if !self.interleaves() {
            return;
        }
        let Some(from) = self.stands(taking, key.table.as_str()) else {
            return;
        };
        if let Some(write) = told.write(self.copy.rows.get(key)) {
            if from.is_late() {
                cx.aids.counts.add(Kind::WrittenLate);
            }
            self.excuses.crossed.write(key, &write, from);
        }
    }

    /// A table is said to be as it is at a reply's cursor. What the reply did not tell of has not
    /// changed since its request's.
    fn note_cursor(&mut self, taking: &Taking, table: &str) {
        if let (true, Some(from)) = (taking.is_whole, self.stands(taking, table)) {
            let is_of = |key: &RecordKey| key.table.as_str() == table && !taking.told.contains(key);
            self.excuses.crossed.pass(is_of, from);
        }
    }

    fn stands(&self, taking: &Taking, table: &str) -> Option<crossed::Told> {
        let newest = *self.ahead.get(table)?;
        let at = taking.at.unwrap_or_default();
        // What is not whole tells of its changeset only.
        let since = if taking.is_whole {
            taking.since
        } else {
            Some(newest)
        };
        Some(crossed::Told { since, at, newest })
    }

    /// All of a reply is written down.
    pub(super) fn end_taking(&mut self, taking: &Taking, cx: &mut Cx<'_>) -> Checked {
        self.excuses.unsent = self.unsent();
        if !taking.is_whole {
            self.tabs
                .iter_mut()
                .for_each(|tab| tab.stale.extend(TABLES));
            return Ok(());
        }
        for table in taking.tables() {
            if self.is_ahead(table) {
                continue;
            }
            cx.aids.counts.add(Kind::Copied);
            let differing = cx.checker.copied(
                (&self.name, table, self.copy.cursor(table)),
                (&self.copy.shown(), &self.excuses),
                &mut cx.aids.counts,
            )?;
            if let Some(differing) = differing {
                let under_way = &taking.waiting.under_way;
                self.excuses.keep(table, &differing, under_way);
            }
        }
        Ok(())
    }

    /// What was sent is answered.
    fn judge_sent(&mut self, waiting: &Waiting, body: &Body<'_>, cx: &mut Cx<'_>) -> Checked {
        let Of::Push { edits, body: sent } = &waiting.of else {
            cx.aids.counts.add(Kind::PullDone);
            return Ok(());
        };
        let since = Since::parse(&waiting.since).ok();
        let erased = |change: &(&str, &str)| body.erased().any(|named| named == *change);
        if body.erased().next().is_some() {
            cx.aids.counts.add(Kind::ErasedLate);
            let is_of_before = cx.checker.is_of_before_erasure(since);
            let starts_again = since.is_some_and(Since::starts_again);
            ensure(
                starts_again || is_of_before && body.conflicts.len() == edits.len(),
                "erased",
                || format!("{waiting:?} was answered so"),
            )?;
            for edit in edits.iter().filter(|edit| erased(&edit.names())) {
                let row = self.copy.rows.get(&edit.key);
                let fields = row.map(|row| row.0.clone()).unwrap_or_default();
                self.excuses.haunted.insert(edit.key.clone(), fields);
            }
            if is_of_before {
                return Ok(());
            }
        }
        check_set_aside(edits, body, cx)?;
        let request = SyncRequest::parse(sent, &Limits::DEFAULT).expect("it was read before");
        let mut changes = request.changes;
        changes.retain(|change| !erased(&(&*change.table, &*change.id)));
        let told = (&self.client, body.synced_until);
        cx.checker.acknowledged(told, &changes)?;
        cx.aids.counts.add(Kind::SyncDone);
        Ok(())
    }

    /// Whether the hub took its cursor for one of no known age.
    fn is_told_anew(&self, since: &str, until: &str, cx: &mut Cx<'_>) -> bool {
        if Since::parse(since) == Ok(Since::Empty) {
            cx.aids.counts.add(Kind::ToldEverything);
            return !self.copy.is_empty();
        }
        // Also of one history: a store that lost commits has a head before the cursor.
        let minute = |text| place(text).map(|place| place.0);
        let anew = minute(since) != minute(until) || since > until;
        if anew {
            cx.aids.counts.add(Kind::ToldAnew);
        }
        anew
    }
}

fn check_set_aside(sent: &[Edit], body: &Body<'_>, cx: &mut Cx<'_>) -> Checked {
    for conflict in &body.conflicts {
        cx.aids.counts.add(match conflict.code {
            "record_unknown" => Kind::UpdateUnknown,
            "erased" => continue,
            _ => Kind::SetAside,
        });
    }
    // What is too large is that only if it wins: the checker of commits knows.
    let must = |edit: &&Edit| edit.poison.is_some_and(|code| code != "record_too_large");
    for edit in sent.iter().filter(must) {
        let (table, id) = edit.names();
        let named = body.conflicts.iter().any(|conflict| {
            let code = Some(conflict.code);
            (conflict.table, conflict.id) == (table, id)
                && (code == edit.poison || code == Some("erased"))
        });
        ensure(named, "set_aside", || format!("{edit:?} is not named"))?;
    }
    let poison = sent.iter().filter(|edit| edit.poison.is_some()).count();
    let aside = body.conflicts.iter();
    let aside = aside.filter(|conflict| !["record_unknown", "erased"].contains(&conflict.code));
    ensure(aside.count() <= poison, "set_aside", || {
        format!("more is set aside than {poison}")
    })
}
