//! Devices that are behind: snapshots and catch-ups, read from the store page by page, the
//! next page only when the last one is written.

use syncline_protocol::delta::{self, Entry, Shown};
use syncline_protocol::ids::{ClientId, RecordKey, Seq, WriterNo};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::mutation::shown_writer;
use syncline_protocol::record::Record;
use syncline_protocol::wire::SnapshotPlace;
use syncline_protocol::wire::hub::{self, ResetWhy};
use syncline_storage::types::{ChangesPage, SnapshotPage, StoreError};

use super::conn::{Conn, Phase, Snapshot, Step};
use super::event::{ConnId, Effect, FrameKind, Note, ReadId};
use super::fanout::{Last, delta_frames};
use super::state::{Context, SessionState};
use crate::gateway::frame::Frame;

impl SessionState {
    /// Brings a socket up to date from its cursor: live if it is, else by reading.
    pub(super) fn follow(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if state.token_ended {
            state.phase = Phase::Lagging;
            return;
        }
        match state.seen.cmp(&self.view.head) {
            std::cmp::Ordering::Equal if !state.partial && self.inside.is_none() => {
                state.phase = Phase::Live;
            }
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => {
                cx.note(Note::CatchUp);
                self.read_changes(conn, cx);
            }
            std::cmp::Ordering::Greater => {
                state.phase = Phase::CatchUp(Step::WaitingForView);
                self.stale = true;
            }
        }
    }

    fn read_changes(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let read = self.next_read(conn);
        if let Some(state) = self.conns.get_mut(&conn) {
            state.phase = Phase::CatchUp(Step::Reading(read));
            let mut after = state.after();
            if mutant(Mutant::CursorPlusOne) {
                after.seq = after.seq.next();
            }
            cx.effect(Effect::ReadChanges { read, after });
        }
    }

    /// Asks for the next part of a socket's snapshot.
    pub(super) fn read_snapshot(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let read = self.next_read(conn);
        let phase = self.conns.get_mut(&conn).map(|state| &mut state.phase);
        if let Some(Phase::Snapshot(snapshot, step)) = phase {
            *step = Step::Reading(read);
            let (tables, after) = (snapshot.tables.clone(), snapshot.after.clone());
            cx.effect(Effect::ReadSnapshot {
                read,
                tables,
                after,
            });
        }
    }

    fn next_read(&mut self, conn: ConnId) -> ReadId {
        self.reads += 1;
        let no = self.reads;
        ReadId { conn, no }
    }

    pub(super) fn changes_read(
        &mut self,
        read: ReadId,
        page: Result<ChangesPage, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let conn = read.conn;
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if !matches!(state.phase, Phase::CatchUp(Step::Reading(asked)) if asked == read) {
            return;
        }
        if state.token_ended {
            state.phase = Phase::Lagging;
            return;
        }
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.reader_failed(conn, &error, cx),
        };
        // Another history, or one that lost what the socket has: the session looks first. It does
        // so too if it is so far behind that a snapshot of its own head would be collected.
        let behind = page.view.gc_seq > self.view.head;
        let lost = page.view.head < state.after().seq;
        if page.view.epoch != self.view.epoch || lost || behind {
            state.phase = Phase::CatchUp(Step::WaitingForView);
            self.stale = true;
            return;
        }
        if state.seen < page.view.gc_seq {
            return self.reset_conn(conn, ResetWhy::Gc, cx);
        }
        let to = match mutant(Mutant::CursorPastCut) {
            false => page.to,
            true => page.view.head,
        };
        let complete = page.is_complete();
        let texts = page_texts(state, &page);
        let last = if complete { Last::Complete } else { Last::More };
        let frames = delta_frames(
            (state.sent, to),
            texts.iter().map(String::as_str),
            (last, None),
        );
        state.sent = to;
        state.seen = to;
        state.inside = page
            .inside
            .filter(|_| !mutant(Mutant::CursorPastCut))
            .map(Box::new);
        state.partial = !complete;
        state.phase = Phase::CatchUp(Step::Writing);
        send_all(conn, (frames, FrameKind::Bulk), cx);
    }

    pub(super) fn snapshot_read(
        &mut self,
        read: ReadId,
        page: Result<SnapshotPage, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let conn = read.conn;
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        let Phase::Snapshot(snapshot, step) = &mut state.phase else {
            return;
        };
        if *step != Step::Reading(read) {
            return;
        }
        if state.token_ended {
            *step = Step::Writing;
            return;
        }
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.reader_failed(conn, &error, cx),
        };
        let behind = page.view.gc_seq > self.view.head;
        if page.view.epoch != self.view.epoch || page.view.head < snapshot.at || behind {
            *step = Step::WaitingForView;
            self.stale = true;
            return;
        }
        if page.view.gc_seq > snapshot.at {
            return self.reset_conn(conn, ResetWhy::Gc, cx);
        }
        let of = snapshot.tables.is_none().then_some(page.view.live);
        let mut frames = Vec::with_capacity(2);
        if let Some(changes) = add_part(snapshot, &page) {
            frames.push(Frame::text(&hub::snapshot(
                &place(&page, snapshot),
                of,
                &changes,
            )));
        }
        if page.more && frames.is_empty() {
            // A page of what devices are not shown: nothing is written that would ask for the next.
            return self.read_snapshot(conn, cx);
        }
        *step = Step::Writing;
        if page.more {
            return send_all(conn, (frames, FrameKind::Part), cx);
        }
        let (at, done, sum) = (snapshot.at, snapshot.done, snapshot.sum);
        frames.push(Frame::text(&hub::snapshot_end(at, done, sum)));
        state.sent = snapshot.resume_from;
        state.seen = snapshot.resume_from;
        state.partial = true;
        state.phase = Phase::CatchUp(Step::Writing);
        send_all(conn, (frames, FrameKind::Part), cx);
    }

    /// Everything queued is written, or a fresh token was shown: read on.
    pub(super) fn drained(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        self.tell_missed(conn, cx);
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if state.token_ended {
            return;
        }
        match &mut state.phase {
            Phase::Lagging => {
                cx.effect(Effect::Resume(conn));
                self.follow(conn, cx);
            }
            Phase::CatchUp(Step::Writing) => self.follow(conn, cx),
            Phase::Snapshot(_, Step::Writing) => self.read_snapshot(conn, cx),
            _ => {}
        }
    }

    /// A fresh token: the socket catches up from its cursor, as a slow one does.
    pub(super) fn token_renewed(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.token_ended = false;
            self.drained(conn, cx);
        }
    }

    /// Live sockets go on by reading, each at its own pace.
    pub(super) fn leave_live(&mut self, conns: Vec<ConnId>, cx: &mut Context<'_>) {
        for conn in conns {
            if let Some(state) = self.conns.get_mut(&conn) {
                state.partial = true;
            }
            self.follow(conn, cx);
        }
    }

    /// A live frame found the outbox full: from here the store tells it.
    pub(super) fn overflowed(&mut self, conn: ConnId, from: Seq, cx: &mut Context<'_>) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if matches!(state.phase, Phase::Live) {
            state.phase = Phase::Lagging;
            (state.sent, state.seen) = (from, from);
            cx.note(Note::Resync);
        }
    }

    /// The session has caught up: sockets that were ahead of it go on.
    pub(super) fn resume_readers(&mut self, cx: &mut Context<'_>) {
        let waiting: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.waits_for_view())
            .map(|(id, _)| *id)
            .collect();
        for conn in waiting {
            self.read_on(conn, cx);
        }
    }

    fn read_on(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        match self.conns.get(&conn).map(|state| &state.phase) {
            Some(Phase::Snapshot(..)) => self.read_snapshot(conn, cx),
            _ => self.follow(conn, cx),
        }
    }

    /// A read failed: it is tried again after the session has looked at the store itself.
    fn reader_failed(&mut self, conn: ConnId, error: &StoreError, cx: &mut Context<'_>) {
        if let Some(state) = self.conns.get_mut(&conn) {
            match &mut state.phase {
                Phase::CatchUp(step) | Phase::Snapshot(_, step) => *step = Step::WaitingForView,
                Phase::Live | Phase::Lagging => {}
            }
        }
        self.stale = true;
        if matches!(self.work, super::state::Work::Idle) {
            self.store_failed("a device could not be read to", error, cx);
        }
    }
}

impl Conn {
    fn waits_for_view(&self) -> bool {
        matches!(
            self.phase,
            Phase::CatchUp(Step::WaitingForView) | Phase::Snapshot(_, Step::WaitingForView)
        )
    }
}

/// The changes of a page that a socket wants, as text.
fn page_texts(conn: &Conn, page: &ChangesPage) -> Vec<String> {
    page.records
        .iter()
        .filter(|(key, _)| conn.wants(&key.table))
        .filter_map(|(key, record)| {
            let shown = delta::paged(record, conn.seen)?;
            Some(entry_text((key, record), shown, conn.seen, &page.writers))
        })
        .collect()
}

/// One record of a page as text.
pub(crate) fn entry_text(
    (key, record): (&RecordKey, &Record),
    shown: Shown,
    after: Seq,
    writers: &[(WriterNo, ClientId)],
) -> String {
    let entry = entry((key, record), (shown, after), writers);
    let mut text = String::with_capacity(entry.size_bytes());
    entry.write(&mut text);
    text
}

/// One record of a page as an entry.
pub(super) fn entry<'a>(
    (key, record): (&'a RecordKey, &'a Record),
    (shown, after): (Shown, Seq),
    writers: &'a [(WriterNo, ClientId)],
) -> Entry<'a> {
    let by = writers
        .iter()
        .find(|(no, _)| *no == record.by)
        .map(|(_, client)| shown_writer(client));
    Entry {
        key,
        record,
        shown,
        after,
        by,
    }
}

/// Counts a page's records into the snapshot and returns their text; `None` if there are none that
/// devices are shown.
fn add_part(snapshot: &mut Snapshot, page: &SnapshotPage) -> Option<String> {
    let mut changes = String::new();
    for (key, record) in page
        .records
        .iter()
        .filter(|(key, _)| !key.table.is_private())
    {
        snapshot.done += 1;
        let mut data = String::with_capacity(record.size_bytes());
        delta::write_data(&mut data, record);
        snapshot.sum.add(key, &data);
        if !changes.is_empty() {
            changes.push(',');
        }
        changes.push_str(&entry_text(
            (key, record),
            Shown::Insert,
            Seq(0),
            &page.writers,
        ));
    }
    snapshot.after = Some(page.records.last()?.0.clone());
    (!changes.is_empty()).then_some(changes)
}

fn place(page: &SnapshotPage, snapshot: &Snapshot) -> SnapshotPlace {
    SnapshotPlace {
        epoch: page.view.epoch,
        at: snapshot.at,
        after: snapshot
            .after
            .clone()
            .expect("a part with records has a last one"),
        done: snapshot.done,
        sum: snapshot.sum,
        selection: snapshot.selection,
    }
}

fn send_all(conn: ConnId, (frames, kind): (Vec<Frame>, FrameKind), cx: &mut Context<'_>) {
    for frame in frames {
        cx.effect(Effect::Send { conn, frame, kind });
    }
}
