//! Telling devices: verdicts to those who wait, deltas to those who are live.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncline_protocol::delta::{self, Entry};
use syncline_protocol::ids::{ClientId, ClientKey, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::limits::MESSAGE_BYTES_MAX;
use syncline_protocol::record::Record;
use syncline_protocol::wire::hub::{self, Answer};

use super::conn::{Conn, Phase, wants};
use super::event::{CallId, CallReply, ConnId, Effect, Follow, FrameKind, Waiter};
use super::reader::entry;
use super::state::{Context, SessionState};
use crate::gateway::frame::Frame;

/// Bytes of changes in one delta or snapshot part: half a message, so that one record of the
/// greatest size and the frame around it still fit.
pub(super) const CHANGES_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;

/// A socket whose tables saw nothing of so many commits gets an empty delta, so that its
/// cursor does not fall behind the tombstones kept.
const CURSOR_LAG_MAX: u64 = 64;

/// Answers gathered in one step, to be sent as one message for each socket.
#[derive(Default)]
pub(super) struct Answers {
    conns: BTreeMap<ConnId, (ClientKey, Vec<(u64, Answer)>)>,
    calls: Vec<(CallId, u64, Answer)>,
}

impl Answers {
    pub(super) fn add(&mut self, waiters: &[Waiter], client: &ClientKey, m: u64, answer: &Answer) {
        for waiter in waiters {
            match waiter {
                Waiter::Conn(conn) => {
                    let gathered = self.conns.entry(*conn);
                    let (_, list) = gathered.or_insert_with(|| (client.clone(), Vec::new()));
                    list.push((m, answer.clone()));
                }
                Waiter::Call(call) => self.calls.push((*call, m, answer.clone())),
            }
        }
    }
}

impl SessionState {
    pub(super) fn send_answers(&mut self, answers: Answers, cx: &mut Context<'_>) {
        for (conn, (client, results)) in answers.conns {
            if self.conns.contains_key(&conn) {
                let through = self
                    .clients
                    .get(&client)
                    .and_then(|c| c.decided)
                    .unwrap_or(0);
                cx.answer(conn, &hub::verdicts(through, cx.now_ms, &results));
            }
        }
        for (id, m, answer) in answers.calls {
            if let Some(call) = self.calls.get_mut(&id) {
                call.results.push((m, answer));
                call.missing -= 1;
                self.finish_call(id, cx);
            }
        }
    }

    /// Answers a call that has all its results.
    pub(super) fn finish_call(&mut self, id: CallId, cx: &mut Context<'_>) {
        if self
            .calls
            .get(&id)
            .is_none_or(|call| call.missing > 0 || call.held.is_some())
        {
            return;
        }
        if let Some(mut call) = self.calls.remove(&id) {
            call.results.sort_by_key(|(m, _)| *m);
            let (epoch, head) = (self.view.epoch, self.view.head);
            cx.effect(Effect::Reply(
                id,
                CallReply::Results {
                    epoch,
                    head,
                    results: call.results,
                },
            ));
        }
    }

    /// Tells the live sockets of a commit made here, `from` → the view's head. Its `authors`
    /// hear of it even if nothing of it shows in their tables.
    pub(super) fn fan_out(
        &mut self,
        from: Seq,
        records: &[(RecordKey, Arc<Record>)],
        authors: &[ClientKey],
        cx: &mut Context<'_>,
    ) {
        let live = |conn: &Conn| matches!(conn.phase, Phase::Live);
        if self.watchers.is_empty() && !self.conns.values().any(live) {
            return;
        }
        let writers = self.writer_names(records);
        let entries: Vec<ShownEntry<'_>> = records
            .iter()
            .filter_map(|(key, record)| {
                let shown = delta::since(record, from)?;
                let entry = entry((key, record), (shown, from), &writers);
                Some(ShownEntry::new(entry))
            })
            .collect();
        self.tell_watchers(entries.iter().map(ShownEntry::table), cx);
        self.tell_live(from, &entries, Audience::Concerned(authors), cx);
    }

    /// The clients that changed records, among those this session knows.
    fn writer_names(&self, records: &[(RecordKey, Arc<Record>)]) -> Vec<(WriterNo, ClientId)> {
        let writers: BTreeSet<WriterNo> = records.iter().map(|(_, record)| record.by).collect();
        let named = self.clients.iter().filter_map(|(key, client)| {
            let writer = client.writer.filter(|writer| writers.contains(writer))?;
            Some((writer, key.client.clone()))
        });
        named.collect()
    }

    /// Sends `entries` to every live socket of the audience; all of them stand at `from`. The text
    /// is encoded once for each selection of tables. Who would get more than `live_bytes_max`
    /// reads it from the store instead, page by page.
    pub(super) fn tell_live(
        &mut self,
        from: Seq,
        entries: &[ShownEntry<'_>],
        audience: Audience<'_>,
        cx: &mut Context<'_>,
    ) {
        let to = self.view.head;
        let last = match audience {
            Audience::Concerned(_) => Last::Complete,
            Audience::Everybody(last) => last,
        };
        let (live_bytes_max, follow) = (self.limits.live_bytes_max, cx.follow);
        let mut frames: Vec<Encoded> = Vec::new();
        let mut behind = Vec::new();
        for (id, conn) in &mut self.conns {
            if !matches!(conn.phase, Phase::Live) {
                continue;
            }
            // A socket becomes live at the head only, and is told of every step from there.
            debug_assert_eq!(conn.seen, from, "a live socket is not at the head");
            let visible = entries.iter().any(|entry| conn.wants(entry.table()));
            let lags = to.0 - conn.sent.0 >= CURSOR_LAG_MAX;
            if !visible && !lags && !audience.must_hear(&conn.client) {
                conn.seen = to;
                continue;
            }
            let at = frames
                .iter()
                .position(|frame| frame.from == conn.sent && frame.tables == conn.tables)
                .unwrap_or_else(|| {
                    let entries = Wanted {
                        entries,
                        tables: conn.tables.clone(),
                    };
                    let step = (conn.sent, to);
                    let how = (last, follow);
                    frames.push(Encoded::new(step, entries, how, live_bytes_max));
                    frames.len() - 1
                });
            let Some(frames) = &frames[at].frames else {
                behind.push(*id);
                continue;
            };
            for frame in frames {
                let kind = FrameKind::Live { from: conn.sent };
                cx.effects.push(Effect::Send {
                    conn: *id,
                    frame: frame.clone(),
                    kind,
                });
            }
            (conn.sent, conn.seen) = (to, to);
        }
        self.leave_live(behind, cx);
    }
}

/// Which live sockets are told of something.
#[derive(Clone, Copy)]
pub(super) enum Audience<'a> {
    /// Those who can see something of it, and its authors.
    Concerned(&'a [ClientKey]),
    /// All, with whether more follows: what began with `more` must be ended for all.
    Everybody(Last),
}

impl Audience<'_> {
    fn must_hear(&self, client: &ClientKey) -> bool {
        match self {
            Audience::Concerned(authors) => authors.contains(client),
            Audience::Everybody(_) => true,
        }
    }
}

/// A change that may be told. It is encoded when somebody is told it, once.
pub(super) struct ShownEntry<'a> {
    entry: Entry<'a>,
    text: OnceCell<String>,
}

impl<'a> ShownEntry<'a> {
    pub(super) fn new(entry: Entry<'a>) -> ShownEntry<'a> {
        let text = OnceCell::new();
        ShownEntry { entry, text }
    }

    /// Decides who gets it.
    pub(super) fn table(&self) -> &'a TableName {
        &self.entry.key.table
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let mut text = String::with_capacity(self.entry.size_bytes());
            self.entry.write(&mut text);
            text
        })
    }
}

/// The entries of one selection of tables.
struct Wanted<'a> {
    entries: &'a [ShownEntry<'a>],
    tables: Option<Arc<[TableName]>>,
}

impl<'a> Wanted<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a ShownEntry<'a>> {
        let wanted = |entry: &&ShownEntry<'_>| wants(self.tables.as_deref(), entry.table());
        self.entries.iter().filter(wanted)
    }
}

/// A delta for all sockets of one cursor and one selection of tables.
struct Encoded {
    from: Seq,
    tables: Option<Arc<[TableName]>>,
    /// `None` if it is too large to be told live.
    frames: Option<Vec<Frame>>,
}

impl Encoded {
    fn new(
        (from, to): (Seq, Seq),
        wanted: Wanted<'_>,
        how: (Last, Option<Follow>),
        bytes_max: usize,
    ) -> Encoded {
        let add = |sum: usize, bytes| Some(sum + bytes).filter(|sum| *sum <= bytes_max);
        let sizes = |entry: &ShownEntry<'_>| entry.entry.size_bytes();
        let fits = wanted.iter().map(sizes).try_fold(0, add).is_some();
        let texts = || wanted.iter().map(ShownEntry::text);
        let frames = fits.then(|| delta_frames((from, to), texts(), how));
        Encoded {
            from,
            tables: wanted.tables,
            frames,
        }
    }
}

/// Whether the last of some deltas brings the client up to the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// It does.
    Complete,
    /// More follow.
    More,
}

/// Packs changes into deltas of bounded size. All but the last leave the cursor where it is
/// and say `more`, so a commit is never half shown; the last is the one that is followed.
pub(super) fn delta_frames<'t>(
    (from, to): (Seq, Seq),
    texts: impl Iterator<Item = &'t str>,
    (last, follow): (Last, Option<Follow>),
) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(1);
    let mut changes = String::new();
    for text in texts {
        if !changes.is_empty() && changes.len() + text.len() > CHANGES_BYTES_MAX {
            frames.push(Frame::text(&hub::delta(from, from, &changes, true)));
            changes.clear();
        }
        if !changes.is_empty() {
            changes.push(',');
        }
        changes.push_str(text);
    }
    let more = last == Last::More;
    frames.push(Frame::text(&match follow {
        None => hub::delta(from, to, &changes, more),
        Some(Follow { trace }) => hub::followed_delta((from, to), &changes, more, trace),
    }));
    frames
}
