//! The session itself was behind the store: it reads what it missed, tells its live devices,
//! and numbers the pending mutations again by the marks as they are now.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncline_cluster::event::CommitEvent;
use syncline_protocol::delta;
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, Seq, TableName};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::wire::hub::ResetWhy;
use syncline_storage::types::{After, ChangesPage, MarksRead, SpaceView, StoreError};

use super::conn::{Conn, Phase};
use super::event::{CallReply, ConnId, Effect, MarksFor, Note, Repeat, Waiter};
use super::fanout::{Audience, Last, ShownEntry};
use super::pending::{Asked, Pending};
use super::reader::entry;
use super::state::{Context, SessionState, Work};

/// A place inside the commit after the session's head. Live sockets were sent to read for
/// themselves, and none becomes live, until the session is past it.
#[derive(Debug)]
pub(super) struct Inside {
    /// The last record read of it.
    key: RecordKey,
    /// The tables in which it shows so far: told when the head moves.
    tables: BTreeSet<TableName>,
}

impl SessionState {
    /// Starts catching up.
    pub(super) fn refresh(&mut self, cx: &mut Context<'_>) {
        self.stale = false;
        self.work = Work::Refreshing;
        let after = self.after();
        cx.effect(Effect::ReadView { after });
    }

    /// From where the session itself reads on.
    fn after(&self) -> After {
        match &self.inside {
            Some(inside) => After {
                seq: self.view.head.next(),
                key: Some(inside.key.clone()),
            },
            None => self.view.head.into(),
        }
    }

    pub(super) fn view_read(
        &mut self,
        page: Result<ChangesPage, StoreError>,
        cx: &mut Context<'_>,
    ) {
        if !matches!(self.work, Work::Refreshing) {
            return;
        }
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                return self.store_failed("session could not catch up", &error, cx);
            }
        };
        if page.view.epoch != self.view.epoch {
            self.adopt(page.view, cx);
            return self.read_pending_marks(cx);
        }
        if page.view.head < self.after().seq {
            // The store lost commits that this session saw durable.
            self.work = Work::ChangingEpoch;
            return cx.effect(Effect::NewEpoch {
                expected: self.view.epoch,
            });
        }
        if page.view.gc_seq > self.view.head {
            self.renew(page.view, cx);
            return self.read_pending_marks(cx);
        }
        if page.view.swept > self.view.head && !mutant(Mutant::TrustSwept) {
            // Some of what is cached may be collected, and no page tells which.
            self.activation = self.activations.next();
        }
        let complete = page.is_complete();
        self.apply_page(page, cx);
        if complete {
            self.read_pending_marks(cx);
        } else {
            let after = self.after();
            cx.effect(Effect::ReadView { after });
        }
    }

    /// Applies a page to view, cache and devices. The cache may run ahead of the view inside a
    /// commit: nothing is merged before the session is through with it.
    fn apply_page(&mut self, page: ChangesPage, cx: &mut Context<'_>) {
        let (from, complete) = (self.view.head, page.is_complete());
        self.view = SpaceView {
            head: page.to,
            ..page.view
        };
        let mut told = Vec::with_capacity(page.records.len());
        let mut tables = self
            .inside
            .take()
            .map(|inside| inside.tables)
            .unwrap_or_default();
        for (key, record) in page.records {
            told.push((key, Arc::new(record)));
        }
        self.remember(&told, cx);
        let entries: Vec<ShownEntry<'_>> = told
            .iter()
            .filter_map(|(key, record)| {
                let shown = delta::paged(record, from)?;
                let entry = entry((key, record), (shown, from), &page.writers);
                Some(ShownEntry::new(entry))
            })
            .collect();
        tables.extend(entries.iter().map(|entry| entry.table().clone()));
        if let Some(key) = page.inside {
            // Who pulled now would be told that there is nothing new.
            self.inside = Some(Inside { key, tables });
            let live = |(_, conn): &(&ConnId, &Conn)| matches!(conn.phase, Phase::Live);
            let live = self.conns.iter().filter(live).map(|(id, _)| *id).collect();
            return self.leave_live(live, cx);
        }
        if self.view.head > from {
            self.tell_watchers(tables.iter(), cx);
            // A page that was cut is no state of the space: what moved on is in a later one.
            let last = if complete { Last::Complete } else { Last::More };
            self.tell_live(from, &entries, Audience::Everybody(last), cx);
        }
    }

    /// Goes on at the store's head: of what led there some is collected, so live devices cannot be
    /// told. Those that read for themselves find out by their cursors.
    fn renew(&mut self, view: SpaceView, cx: &mut Context<'_>) {
        self.view = view;
        self.inside = None;
        self.activation = self.activations.next();
        let live = |(_, conn): &(&ConnId, &Conn)| matches!(conn.phase, Phase::Live);
        let live: Vec<ConnId> = self.conns.iter().filter(live).map(|(id, _)| *id).collect();
        for conn in live {
            self.reset_conn(conn, ResetWhy::Gc, cx);
        }
    }

    /// Takes over another history: nothing known of the old one counts.
    fn adopt(&mut self, view: SpaceView, cx: &mut Context<'_>) {
        let why = view.reset_from(Some(self.view.epoch));
        self.view = view;
        self.inside = None;
        self.activation = self.activations.next();
        for client in self.clients.values_mut() {
            (client.writer, client.decided, client.taken) = (None, None, 0);
            client.given = None;
        }
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.reset_conn(conn, why, cx);
        }
        if why == ResetWhy::Erased {
            self.drop_pending(cx);
        }
    }

    /// Everything was erased: what devices had sent before goes with it. They are told that
    /// nothing of them is known. A changeset stays: its client would send it again.
    fn drop_pending(&mut self, cx: &mut Context<'_>) {
        for client in self.clients.values_mut() {
            (client.decided, client.undecided) = (None, 0);
        }
        for mutation in std::mem::take(&mut self.pending) {
            if matches!(mutation.asked, Asked::Sync(_)) {
                self.client(&mutation.client).undecided += 1;
                self.pending.push_back(mutation);
                continue;
            }
            let is_job = matches!(mutation.asked, Asked::Job(_));
            for waiter in mutation.waiters {
                match waiter {
                    Waiter::Call(call) if is_job => {
                        cx.effect(Effect::Reply(call, CallReply::Erased));
                    }
                    waiter => self.refuse_gap(&mutation.client, waiter, cx),
                }
            }
        }
    }

    pub(super) fn epoch_changed(
        &mut self,
        view: Result<SpaceView, StoreError>,
        cx: &mut Context<'_>,
    ) {
        if !matches!(self.work, Work::ChangingEpoch) {
            return;
        }
        match view {
            Ok(view) => {
                tracing::error!(space = %self.space, "a client has seen commits that the store has not, as after a restore: epoch changed");
                cx.note(Note::EpochLost);
                self.adopt(view, cx);
                self.read_pending_marks(cx);
            }
            Err(error) => {
                self.store_failed("epoch could not be changed", &error, cx);
            }
        }
    }

    /// Reads the marks of attached clients and of those with pending mutations.
    fn read_pending_marks(&mut self, cx: &mut Context<'_>) {
        let pending = self.pending.iter().map(|pending| &pending.client);
        let attached = self.conns.values().map(|conn| &conn.client);
        let clients: BTreeSet<&ClientKey> = pending.chain(attached).collect();
        // Of the others the mark is read when they come. A client without numbers must have it
        // so: nothing else would tell that another node gave a claim of it a stamp.
        for (key, client) in &mut self.clients {
            if client.decided.is_none() && !clients.contains(key) {
                client.writer = None;
            }
        }
        if clients.is_empty() {
            return self.refreshed(cx);
        }
        let clients: Vec<ClientKey> = clients.into_iter().cloned().collect();
        for key in &clients {
            self.client(key).learnt = false;
        }
        self.work = Work::Refreshing;
        cx.effect(Effect::ReadMarks(
            MarksFor::Refresh(clients.clone()),
            clients,
        ));
    }

    pub(super) fn refresh_marks_read(
        &mut self,
        clients: &[ClientKey],
        read: Result<MarksRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        if !matches!(self.work, Work::Refreshing) {
            return;
        }
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                return self.store_failed("marks could not be read", &error, cx);
            }
        };
        let marks = read
            .marks
            .into_iter()
            .filter(|_| !mutant(Mutant::StaleMark));
        for (key, mark) in clients.iter().zip(marks) {
            let client = self.client(key);
            client.learn_anew(mark);
        }
        self.renumber(cx);
        self.stale |= self.is_behind(&read.view);
        self.refreshed(cx);
    }

    fn refreshed(&mut self, cx: &mut Context<'_>) {
        self.work = Work::Idle;
        if std::mem::take(&mut self.untold) {
            let SpaceView { epoch, head, .. } = self.view;
            cx.effect(Effect::TellHead { epoch, head });
        }
        if self.stale {
            return;
        }
        if self.is_behind_changesets() && self.may_change_epoch(cx.now_ms) {
            return self.change_epoch(cx);
        }
        self.admit_waiting(cx);
        self.resume_readers(cx);
    }

    /// Sorts what is pending by the marks: what was decided elsewhere, or by a commit whose
    /// answer was lost, is answered from the store; what no longer follows its mark is a gap.
    fn renumber(&mut self, cx: &mut Context<'_>) {
        let pending = std::mem::take(&mut self.pending);
        for client in self.clients.values_mut() {
            client.taken = client.decided.unwrap_or(0);
            client.undecided = 0;
        }
        let mut repeats = Vec::new();
        for mutation in pending {
            let client = self.client(&mutation.client);
            let Asked::Mutation(Mutation { m, .. }) = mutation.asked else {
                // It is merged again: what a changeset did already it cannot do twice, and what a job
                // did has ended its lease.
                client.undecided += 1;
                self.pending.push_back(mutation);
                continue;
            };
            if client.decided.is_some_and(|decided| m <= decided) {
                repeats.extend(repeat(mutation));
            } else if m == client.taken + 1 {
                client.taken = m;
                client.undecided += 1;
                self.pending.push_back(mutation);
            } else {
                for waiter in mutation.waiters {
                    self.refuse_gap(&mutation.client, waiter, cx);
                }
            }
        }
        self.read_repeats(repeats, cx);
    }

    /// Another node says where the space is: if that is further, or elsewhere, the store is read.
    pub(super) fn head_heard(&mut self, epoch: Epoch, head: Seq) {
        self.stale |= epoch != self.view.epoch || head > self.view.head;
    }

    /// Another node committed: applied if it continues the view, else the store is read.
    pub(super) fn heard(&mut self, event: &CommitEvent, cx: &mut Context<'_>) {
        let is_news = event.epoch != self.view.epoch
            || event.to > self.view.head
            || event.from == self.view.head;
        if is_news {
            self.contention.heard(&event.node, cx.now_ms);
            if !self.pending.is_empty() {
                self.others_were_first(cx);
            }
        }
        let follows = match mutant(Mutant::ApplyAcrossGap) {
            false => event.from == self.view.head,
            true => event.from >= self.view.head,
        };
        let continues = event.epoch == self.view.epoch && follows;
        // What is in flight stands on this head and will conflict; the refresh then applies it.
        if !continues || !matches!(self.work, Work::Idle) {
            let was_stale = self.stale;
            self.head_heard(event.epoch, event.to);
            if !continues && self.stale && !was_stale {
                cx.note(Note::Gap);
            }
            return;
        }
        for mark in &event.marks {
            let client = self.client(&mark.client);
            let unread = client.writer.is_none() && mark.last.is_none();
            if unread && mark.given.is_none() {
                // The event does not say what was given before: its mark is still to be read.
                continue;
            }
            client.writer = Some(mark.writer);
            client.decided = client.decided.max(mark.last);
            client.taken = client.taken.max(mark.last.unwrap_or(0));
            client.learn_given(mark.given.clone());
        }
        if !mutant(Mutant::MergeOntoStale) {
            self.remember(&event.records, cx);
        }
        let from = self.view.head;
        let (head, clock) = (event.to, event.clock);
        self.view = SpaceView {
            head,
            clock,
            live: event.live,
            writers: event.writers,
            ..self.view
        };
        if head > from {
            let authors: Vec<ClientKey> = event.marks.iter().map(|m| m.client.clone()).collect();
            self.fan_out(from, &event.records, &authors, cx);
        }
        self.trim_clients();
    }
}

fn repeat(pending: Pending) -> Option<Repeat> {
    let Asked::Mutation(mutation) = pending.asked else {
        return None;
    };
    Some(Repeat {
        m: mutation.m,
        hash: mutation.hash,
        client: pending.client,
        waiters: pending.waiters,
        permit: pending._permit,
    })
}
