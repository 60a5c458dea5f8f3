//! A client says hello: its mark is read afresh, its cursor is judged, it is welcomed.

use std::sync::Arc;

use syncline_cluster::ephemeral::Spoken;
use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::{ClientKey, Epoch, Seq, TableName};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::verdict::Mark;
use syncline_protocol::wire::cursor::Selection;
use syncline_protocol::wire::hub::{self, ResetWhy, Welcome};
use syncline_protocol::wire::{Cursor, SnapshotPlace};
use syncline_storage::types::{MarksRead, SpaceView, StoreError};

use super::conn::{Conn, Phase, Snapshot, Step};
use super::event::{Attach, ConnId, Effect, MarksFor, Note};
use super::state::{Context, SessionState, Work};

/// A client between hello and welcome.
#[derive(Debug)]
pub(super) struct Attaching {
    attach: Attach,
    /// The space and the client's mark as the store had them after the hello.
    read: Option<(SpaceView, Option<Mark>)>,
}

/// What a client's position is worth.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Changes after this seq bring it up to date.
    From(Seq),
    /// It has no position: a snapshot.
    Empty,
    /// A snapshot goes on at its place, and after it the changes after this seq follow.
    Resume(SnapshotPlace, Seq),
    /// Its position is of no use, and why.
    Reset(ResetWhy),
    /// It has seen what the store does not hold: the store has lost commits.
    Ahead,
}

impl SessionState {
    pub(super) fn attach(&mut self, attach: Attach, cx: &mut Context<'_>) {
        if let Some(old) = self
            .clients
            .get(&attach.client)
            .and_then(|client| client.conn)
        {
            let reason = "the same client opened another socket";
            cx.effect(Effect::Close {
                conn: old,
                code: close::REPLACED,
                reason,
            });
            self.detach(old, cx);
        }
        let conn = attach.conn;
        self.client(&attach.client).conn = Some(conn);
        self.attaching
            .insert(conn, Attaching { attach, read: None });
        self.read_attach_mark(conn, cx);
    }

    fn read_attach_mark(&self, conn: ConnId, cx: &mut Context<'_>) {
        if let Some(Attaching { attach, .. }) = self.attaching.get(&conn) {
            cx.effect(Effect::ReadMarks(
                MarksFor::Attach(conn),
                vec![attach.client.clone()],
            ));
        }
    }

    pub(super) fn detach(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        self.absent(conn, cx);
        self.watchers.remove(&conn);
        let attached = self.conns.remove(&conn).map(|conn| conn.client);
        if self.conns.is_empty() {
            self.elsewhere.clear();
        }
        let attaching = self
            .attaching
            .remove(&conn)
            .map(|waiting| waiting.attach.client);
        if let Some(key) = attached.or(attaching) {
            let client = self.client(&key);
            if client.conn == Some(conn) {
                client.conn = None;
            }
            self.trim_clients();
        }
    }

    pub(super) fn attach_mark_read(
        &mut self,
        conn: ConnId,
        read: Result<MarksRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let Some(attaching) = self.attaching.get_mut(&conn) else {
            return;
        };
        match read {
            Ok(read) => {
                attaching.read = Some((read.view, read.marks.into_iter().next().flatten()));
                self.admit(conn, cx);
            }
            Err(error) => {
                let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
                tracing::warn!(space = %self.space, %error, "attach failed");
                cx.answer(conn, &hub::error(&refusal));
                cx.effect(Effect::Close {
                    conn,
                    code: close::TRY_AGAIN_LATER,
                    reason: "store unavailable",
                });
                self.detach(conn, cx);
            }
        }
    }

    /// Welcomes those who waited until the session had caught up.
    pub(super) fn admit_waiting(&mut self, cx: &mut Context<'_>) {
        let waiting: Vec<ConnId> = self.attaching.keys().copied().collect();
        for conn in waiting {
            let own = self.view;
            let read = self
                .attaching
                .get_mut(&conn)
                .map(|waiting| &mut waiting.read);
            match read {
                Some(Some((view, _))) if view.epoch == own.epoch => {
                    *view = own;
                    self.admit(conn, cx);
                }
                // A mark of another history says nothing of this one.
                Some(read @ Some(_)) => {
                    *read = None;
                    self.read_attach_mark(conn, cx);
                }
                Some(None) | None => {}
            }
        }
    }

    /// Welcomes a client whose mark was read, unless the session is behind that read.
    fn admit(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(Attaching {
            attach,
            read: Some((read, mark)),
        }) = self.attaching.get(&conn)
        else {
            return;
        };
        if read.epoch != self.view.epoch || read.head > self.view.head {
            self.stale = true;
            return;
        }
        let mut standing = self.standing(attach, mark.as_ref());
        if standing == Standing::Ahead {
            if self.may_change_epoch(cx.now_ms) {
                return self.change_epoch(cx);
            }
            standing = if cursor_ahead(attach.cursor.as_ref(), self.view.head) {
                Standing::Reset(ResetWhy::Cursor)
            } else {
                self.place(attach)
            };
        }
        let attached = self.attaching.remove(&conn);
        let Some(Attaching {
            attach,
            read: Some((_, mark)),
        }) = attached
        else {
            return;
        };
        self.welcome(attach, mark, standing, cx);
    }

    /// The epoch may change by itself once in an interval.
    pub(super) fn may_change_epoch(&self, now_ms: u64) -> bool {
        self.view
            .may_lose_epoch(now_ms, self.limits.epoch_change_interval_ms)
    }

    pub(super) fn change_epoch(&mut self, cx: &mut Context<'_>) {
        // A commit in flight ends first; whoever admits next comes here again.
        if matches!(self.work, Work::Idle) {
            self.work = Work::ChangingEpoch;
            cx.effect(Effect::NewEpoch {
                expected: self.view.epoch,
            });
        } else {
            self.stale = true;
        }
    }

    /// Judges a client's position against the view, which is as fresh as the client's mark.
    fn standing(&self, attach: &Attach, mark: Option<&Mark>) -> Standing {
        let stored = mark.and_then(|mark| mark.last);
        let of_this_epoch = attach.cursor.as_ref().is_some_and(|c| self.is_of_epoch(c));
        let cursor_ahead = of_this_epoch && cursor_ahead(attach.cursor.as_ref(), self.view.head);
        let mark_ahead = of_this_epoch && stored.is_some() && attach.acked > stored;
        if cursor_ahead || mark_ahead {
            return Standing::Ahead;
        }
        self.place(attach)
    }

    fn place(&self, attach: &Attach) -> Standing {
        let by_cursor = match &attach.cursor {
            None if self.was_erased_since(attach.epoch) => Standing::Reset(ResetWhy::Erased),
            None => Standing::Empty,
            Some(cursor) if !self.is_of_epoch(cursor) => {
                Standing::Reset(self.view.reset_from(Epoch::parse(&cursor.epoch)))
            }
            Some(cursor) if Seq(cursor.seq) < self.view.gc_seq => Standing::Reset(ResetWhy::Gc),
            Some(cursor) => Standing::From(Seq(cursor.seq)),
        };
        let Some(place) = &attach.snapshot_next else {
            return by_cursor;
        };
        // Only a client with a position fills up; the others take all they want.
        let fills_up = matches!(by_cursor, Standing::From(_));
        let backfill = attach.backfill.as_deref().filter(|_| fills_up);
        let selection = Selection::of(attach.tables.as_deref(), backfill);
        let of_this_epoch = place.epoch == self.view.epoch;
        if !of_this_epoch && self.view.reset_from(Some(place.epoch)) == ResetWhy::Erased {
            // What it has of the snapshot was erased.
            return Standing::Reset(ResetWhy::Erased);
        }
        let usable = of_this_epoch
            && place.at <= self.view.head
            && place.at >= self.view.gc_seq
            && place.selection == selection;
        match (by_cursor, &attach.backfill) {
            _ if of_this_epoch && place.at < self.view.gc_seq => Standing::Reset(ResetWhy::Gc),
            _ if !usable => Standing::Reset(ResetWhy::Cursor),
            // New tables are filled up; the others go on from the cursor.
            (Standing::From(seq), Some(_)) => Standing::Resume(place.clone(), seq),
            (by_cursor, Some(_)) => by_cursor,
            (_, None) => Standing::Resume(place.clone(), place.at),
        }
    }

    /// Whether everything was erased after an epoch that a client knew.
    pub(super) fn was_erased_since(&self, epoch: Option<Epoch>) -> bool {
        epoch.is_some_and(|epoch| self.view.was_erased_since(epoch))
    }

    fn is_of_epoch(&self, cursor: &Cursor) -> bool {
        Epoch::parse(&cursor.epoch) == Some(self.view.epoch) || mutant(Mutant::IgnoreEpoch)
    }

    fn welcome(
        &mut self,
        attach: Attach,
        mark: Option<Mark>,
        standing: Standing,
        cx: &mut Context<'_>,
    ) {
        let conn = attach.conn;
        let client = self.client(&attach.client);
        client.learn(mark);
        let acked = client.decided;
        let text = Welcome {
            node: self.node.as_str(),
            epoch: self.view.epoch,
            head: self.view.head,
            gc_seq: self.view.gc_seq,
            now_ms: cx.now_ms,
            token_expires_in_s: attach.token_expires_in_s,
            acked,
            message_bytes: self.limits.message_bytes_max,
            changes_per_push: self.limits.data.changes_per_push_max,
        }
        .to_text();
        cx.answer(conn, &text);
        if self.conns.is_empty() {
            // Nothing was kept while nobody was here.
            cx.effect(Effect::Tell(Spoken::Asked));
        }
        self.show_presences(conn, &attach.client, cx);
        let sent = match &standing {
            Standing::From(seq) => *seq,
            _ => self.view.head,
        };
        self.conns.insert(
            conn,
            Conn {
                client: attach.client,
                tables: attach.tables.clone(),
                sent,
                seen: sent,
                inside: None,
                partial: false,
                phase: Phase::Live,
                presence: None,
                missed: None,
                token_ended: false,
                erased: false,
            },
        );
        match standing {
            Standing::From(seq) => match attach.backfill {
                Some(new_tables) => {
                    let selection = Selection::of(attach.tables.as_deref(), Some(&new_tables));
                    let of = (Some(new_tables), selection);
                    self.start_snapshot(conn, self.fresh(of, seq), cx);
                }
                None => self.follow(conn, cx),
            },
            Standing::Resume(place, resume_from) => {
                let tables = attach.backfill.or(attach.tables);
                self.start_snapshot(conn, resumed(place, tables, resume_from), cx);
            }
            Standing::Empty => {
                let of = whole(attach.tables);
                self.start_snapshot(conn, self.fresh(of, self.view.head), cx);
            }
            Standing::Reset(why) => self.reset_conn(conn, why, cx),
            Standing::Ahead => unreachable!("resolved by admit"),
        }
    }

    /// Tells a client that its position is of no use and begins a snapshot.
    pub(super) fn reset_conn(&mut self, conn: ConnId, why: ResetWhy, cx: &mut Context<'_>) {
        cx.note(Note::Reset(why));
        cx.answer(conn, &hub::reset(why, self.view.epoch));
        let mut tables = None;
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.erased |= why == ResetWhy::Erased;
            tables.clone_from(&conn.tables);
        }
        self.start_snapshot(conn, self.fresh(whole(tables), self.view.head), cx);
    }

    /// A snapshot from the start.
    fn fresh(&self, (tables, selection): (Tables, Selection), resume_from: Seq) -> Snapshot {
        Snapshot {
            tables,
            selection,
            at: self.view.head,
            after: None,
            done: 0,
            sum: Default::default(),
            resume_from,
        }
    }

    fn start_snapshot(&mut self, conn: ConnId, snapshot: Snapshot, cx: &mut Context<'_>) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.inside = None;
            state.phase = Phase::Snapshot(Box::new(snapshot), Step::WaitingForView);
            self.read_snapshot(conn, cx);
        }
    }

    /// The client of an attached socket.
    pub(super) fn client_of(&self, conn: ConnId) -> Option<&ClientKey> {
        self.conns.get(&conn).map(|conn| &conn.client)
    }
}

/// A selection of tables; `None` is all.
type Tables = Option<Arc<[TableName]>>;

/// What a client gets that has nothing of the tables it wants.
fn whole(tables: Tables) -> (Tables, Selection) {
    let selection = Selection::of(tables.as_deref(), None);
    (tables, selection)
}

fn resumed(place: SnapshotPlace, tables: Tables, resume_from: Seq) -> Snapshot {
    Snapshot {
        tables,
        selection: place.selection,
        at: place.at,
        after: Some(place.after),
        done: place.done,
        sum: place.sum,
        resume_from,
    }
}

fn cursor_ahead(cursor: Option<&Cursor>, head: Seq) -> bool {
    cursor.is_some_and(|cursor| Seq(cursor.seq) > head)
}
