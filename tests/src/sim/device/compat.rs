//! A device of the compatibility protocol, as the first user's client is made: one queue that is
//! sent whole and cleared on any 2xx, a cursor for each table compared as text, blind overwrites
//! by what it is told. It knows nothing of verdicts, epochs or counters.

mod copy;
mod draw;

use std::collections::BTreeSet;

use syncline_hub::session::event::Sender;
use syncline_protocol::compat::cursor::{EMPTY, Reach, Since};
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::ids::{ClientId, ClientKey, RecordKey, UserId};
use syncline_protocol::limits::Limits;

use self::copy::{Body, Copy};
use super::edits::TABLES;
use super::{Cx, Device};
use crate::sim::checker::{Checker, Excuses};
use crate::sim::clock::DeviceClock;
use crate::sim::count::Kind;
use crate::sim::exchange::{Ask, Reply, Wish};
use crate::sim::network::AUTH;
use crate::sim::trace::{Checked, ensure, violated};

/// The cursor of a device that synced with another server.
const FOREIGN: &str = "2026-03-01T10:00:00.000Z";

/// The device.
#[derive(Debug)]
pub struct Compat {
    name: String,
    client: ClientKey,
    clock: DeviceClock,
    copy: Copy,
    /// Changes not answered yet.
    pending: Vec<Edit>,
    /// Tables to pull.
    stale: BTreeSet<&'static str>,
    /// It sends what is pending also without a socket, or nothing if nothing is.
    sends_now: bool,
    waiting: Option<Waiting>,
    asked: u64,
    connected: bool,
    /// Where the space was when a changeset was answered alone.
    ahead: String,
    /// What it may show that the space has not.
    excuses: Excuses,
}

/// A change of its user.
#[derive(Clone, Debug)]
struct Edit {
    key: RecordKey,
    text: String,
    /// The code it must be set aside with, if it can never be stored.
    poison: Option<&'static str>,
}

/// A request without reply yet.
#[derive(Debug)]
struct Waiting {
    no: u64,
    since: String,
    of: Of,
    /// Records that copies of earlier requests may still change, from when it was made on.
    under_way: BTreeSet<RecordKey>,
}

#[derive(Debug)]
enum Of {
    /// The first so many of what is pending.
    Push {
        count: usize,
        body: String,
    },
    Pull(&'static str),
}

impl Compat {
    /// A device that has never seen the hub, but maybe another server.
    pub fn new(number: usize, user: &UserId, clock: DeviceClock, cx: &mut Cx<'_>) -> Compat {
        let name = format!("c{}", number + 1);
        let foreign = cx.aids.rng.chance(250);
        let mut copy = Copy::new(if foreign { FOREIGN } else { EMPTY });
        if foreign {
            cx.aids.counts.add(Kind::ForeignCursor);
            copy.hold_old_data(&mut cx.aids.rng);
        }
        let excuses = Excuses {
            haunted: copy.rows.keys().cloned().collect(),
            ..Excuses::default()
        };
        Compat {
            client: ClientKey {
                user: user.clone(),
                client: ClientId::trusted(&name),
            },
            name,
            clock,
            copy,
            pending: Vec::new(),
            stale: BTreeSet::new(),
            sends_now: false,
            waiting: None,
            asked: 0,
            connected: false,
            ahead: String::new(),
            excuses,
        }
    }

    fn wish(&mut self, cx: &mut Cx<'_>) -> Option<(String, Of, Wish)> {
        let pushes = self.sends_now || (self.connected && !self.pending.is_empty());
        let table = self.stale.first().copied();
        if pushes && (table.is_none() || cx.aids.rng.chance(500)) {
            self.sends_now = false;
            let own_clock = syncline_protocol::stamp::wall_text(self.clock.wall_ms(cx.now_ms));
            let since = self.copy.least_cursor(&own_clock);
            let body = self.body(&since);
            let count = self.pending.len();
            let wish = Wish::Sync(body.clone());
            return Some((since, Of::Push { count, body }, wish));
        }
        let table = table?;
        self.stale.remove(table);
        let since = self.copy.cursor(table).to_owned();
        let wish = Wish::Pull {
            table,
            since: since.clone(),
        };
        Some((since, Of::Pull(table), wish))
    }

    fn body(&self, since: &str) -> String {
        let changes: Vec<&str> = self.pending.iter().map(|edit| edit.text.as_str()).collect();
        format!(
            r#"{{"clientId":"{}","appId":"todo","since":"{since}","changes":[{}]}}"#,
            self.client.client,
            changes.join(",")
        )
    }

    fn take(&mut self, waiting: &Waiting, text: &str, cx: &mut Cx<'_>) -> Checked {
        let body: Body<'_> = match serde_json::from_str(text) {
            Ok(body) => body,
            Err(error) => return violated("readable", format!("{error}: {text}")),
        };
        let tables = match &waiting.of {
            Of::Push { .. } => &TABLES[..],
            Of::Pull(table) => std::slice::from_ref(table),
        };
        for table in tables {
            let before = self.copy.cursor(table);
            cx.checker.cursor_moves(before, body.synced_until)?;
        }
        let anew = self.is_told_anew(&waiting.since, body.synced_until, cx);
        // A changeset with the cursor of one pulled table is answered as if it had none.
        let is_push = matches!(waiting.of, Of::Push { .. });
        let since = Since::parse(&waiting.since);
        let foreign = matches!(
            since,
            Ok(Since::At {
                reach: Reach::OneOfForeign,
                ..
            })
        );
        if anew || (is_push && foreign) {
            let rows = self.copy.rows.keys();
            let of_these = rows.filter(|key| tables.contains(&key.table.as_str()));
            self.excuses.haunted.extend(of_these.cloned());
        }
        let own_cursor = matches!(since, Ok(Since::At { .. }));
        if own_cursor && anew || cx.checker.is_lost(body.synced_until) {
            let unsent = self.pending.iter().map(|edit| &edit.key);
            let overwritten = unsent.chain(&waiting.under_way).cloned();
            self.excuses.overwritten.extend(overwritten);
        }
        self.copy.take(&body, tables);
        self.settle_sent(waiting, &body, cx)?;
        self.excuses.unsent = self.unsent();
        for table in tables {
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
                self.excuses.keep(table, &differing, &waiting.under_way);
            }
        }
        Ok(())
    }

    /// A reply that tells of nothing but its changeset, and leaves the cursor where it was: what
    /// the device shows is of no moment until it has pulled.
    fn take_alone(
        &mut self,
        waiting: &Waiting,
        (text, head): (&str, &str),
        cx: &mut Cx<'_>,
    ) -> Checked {
        let body: Body<'_> = match serde_json::from_str(text) {
            Ok(body) => body,
            Err(error) => return violated("readable", format!("{error}: {text}")),
        };
        let since = Since::parse(&waiting.since).expect("it was read before");
        let until = match since.of_all_tables() {
            Since::Empty => Since::Stale,
            until => until,
        };
        let stays = body.synced_until == until.text();
        ensure(stays, "forward", || {
            format!("alone, {} becomes {}", waiting.since, body.synced_until)
        })?;
        if cx.checker.is_lost(body.synced_until) {
            let unsent = self.pending.iter().map(|edit| &edit.key);
            let overwritten = unsent.chain(&waiting.under_way).cloned();
            self.excuses.overwritten.extend(overwritten);
        }
        head.clone_into(&mut self.ahead);
        self.copy.take(&body, &TABLES);
        self.stale.extend(TABLES);
        self.settle_sent(waiting, &body, cx)?;
        self.excuses.unsent = self.unsent();
        Ok(())
    }

    /// Whether it shows some of a table that is newer than the table's cursor: a changeset was
    /// answered alone, and what was pulled since is older.
    fn is_ahead(&self, table: &str) -> bool {
        let of = |text: &str| match Since::parse(text) {
            Ok(Since::At { minute, seq, .. }) => Some((minute, seq)),
            _ => None,
        };
        let (own, ahead) = (of(self.copy.cursor(table)), of(&self.ahead));
        own.zip(ahead)
            .is_some_and(|(own, ahead)| own.0 == ahead.0 && own.1 < ahead.1)
    }

    /// What was sent is answered.
    fn settle_sent(&mut self, waiting: &Waiting, body: &Body<'_>, cx: &mut Cx<'_>) -> Checked {
        let Of::Push { count, body: sent } = &waiting.of else {
            cx.aids.counts.add(Kind::PullDone);
            return Ok(());
        };
        let answered: Vec<Edit> = self.pending.drain(..*count).collect();
        if body
            .conflicts
            .iter()
            .any(|conflict| conflict.code == "erased")
        {
            cx.aids.counts.add(Kind::ErasedLate);
            let since = Since::parse(&waiting.since).ok();
            let is_of_before = cx.checker.is_of_before_erasure(since);
            return ensure(
                is_of_before && body.conflicts.len() == *count,
                "erased",
                || format!("{waiting:?} was answered so"),
            );
        }
        check_set_aside(&answered, body, cx)?;
        let request = SyncRequest::parse(sent, &Limits::DEFAULT).expect("it was read before");
        let told = (&self.client, body.synced_until);
        cx.checker.acknowledged(told, &request.changes)?;
        cx.aids.counts.add(Kind::SyncDone);
        Ok(())
    }

    /// Whether the hub took its cursor for one of no known age.
    fn is_told_anew(&self, since: &str, until: &str, cx: &mut Cx<'_>) -> bool {
        let minute = |text: &str| match Since::parse(text) {
            Ok(Since::At { minute, .. }) => Some(minute),
            _ => None,
        };
        if since == EMPTY {
            cx.aids.counts.add(Kind::ToldEverything);
            return !self.copy.is_empty();
        }
        // Also of one history: a store that lost commits has a head before the cursor.
        let anew = minute(since) != minute(until) || since > until;
        if anew {
            cx.aids.counts.add(Kind::ToldAnew);
        }
        anew
    }

    fn unsent(&self) -> BTreeSet<RecordKey> {
        self.pending.iter().map(|edit| edit.key.clone()).collect()
    }
}

fn check_set_aside(sent: &[Edit], body: &Body<'_>, cx: &mut Cx<'_>) -> Checked {
    for conflict in &body.conflicts {
        cx.aids.counts.add(match conflict.code {
            "record_unknown" => Kind::UpdateUnknown,
            _ => Kind::SetAside,
        });
    }
    // What is too large is that only if it wins: the checker of commits knows.
    let must = |edit: &&Edit| edit.poison.is_some_and(|code| code != "record_too_large");
    for edit in sent.iter().filter(must) {
        let (table, id) = (edit.key.table.as_str(), edit.key.id.as_str());
        let named = body.conflicts.iter().any(|conflict| {
            (conflict.table, conflict.id, Some(conflict.code)) == (table, id, edit.poison)
        });
        ensure(named, "set_aside", || format!("{edit:?} is not named"))?;
    }
    let poison = sent.iter().filter(|edit| edit.poison.is_some()).count();
    let aside = body.conflicts.iter();
    let aside = aside.filter(|conflict| conflict.code != "record_unknown");
    ensure(aside.count() <= poison, "set_aside", || {
        format!("more is set aside than {poison}")
    })
}

impl Device for Compat {
    fn name(&self) -> &str {
        &self.name
    }

    fn edit(&mut self, cx: &mut Cx<'_>) {
        if !self.connected {
            cx.aids.counts.add(Kind::EditOffline);
        }
        if self.waiting.is_some() {
            cx.aids.counts.add(Kind::EditMeanwhile);
        }
        self.draw_edit(cx);
    }

    fn set_clock(&mut self, skew_ms: i64) {
        self.clock.set(skew_ms);
    }

    fn connect(&mut self, cx: &mut Cx<'_>) {
        self.connected = true;
        cx.sends.push(AUTH.into());
    }

    fn disconnected(&mut self) {
        self.connected = false;
    }

    fn receive(&mut self, text: &str, _cx: &mut Cx<'_>) -> Checked {
        let message: serde_json::Value = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => return violated("readable", format!("{error}: {text}")),
        };
        match message["type"].as_str() {
            // A client that has just connected pulls everything.
            Some("auth-ok") => self.stale.extend(TABLES),
            Some("sync-available") => {
                let named = message["tables"].as_array().into_iter().flatten();
                let named: Vec<_> = named.filter_map(|table| table.as_str()).collect();
                let of_these = TABLES.into_iter().filter(|table| named.contains(table));
                self.stale.extend(of_these);
            }
            _ => return violated("readable", format!("a message {text}")),
        }
        Ok(())
    }

    fn push(&mut self, _cx: &mut Cx<'_>) {}

    /// It pulls now and then, and sends what it has, without being told.
    fn call(&mut self, cx: &mut Cx<'_>) -> Option<(Sender, String)> {
        self.stale.extend(TABLES);
        self.sends_now = cx.aids.rng.chance(500);
        None
    }

    fn called(&mut self, _: &ClientKey, _: &str, _: &mut Cx<'_>) -> Checked {
        Ok(())
    }

    fn grow(&mut self, _cx: &mut Cx<'_>) {}

    fn wants_to_push(&self) -> bool {
        false
    }

    fn wants_to_ask(&self) -> bool {
        let pushes = self.sends_now || (self.connected && !self.pending.is_empty());
        self.waiting.is_none() && (pushes || !self.stale.is_empty())
    }

    fn ask(&mut self, under_way: BTreeSet<RecordKey>, cx: &mut Cx<'_>) -> Option<Ask> {
        let (since, of, wish) = self.wish(cx)?;
        self.asked += 1;
        let no = self.asked;
        self.waiting = Some(Waiting {
            no,
            since,
            of,
            under_way,
        });
        Some(Ask {
            no,
            client: self.client.clone(),
            wish,
        })
    }

    fn look_again(&mut self) {
        self.stale.extend(TABLES);
        self.sends_now = true;
    }

    fn awaits(&self) -> Option<u64> {
        self.waiting.as_ref().map(|waiting| waiting.no)
    }

    fn answered(&mut self, reply: &Reply, cx: &mut Cx<'_>) -> Checked {
        let Some(waiting) = self.waiting.take() else {
            return Ok(());
        };
        match reply {
            Reply::Done(text) => self.take(&waiting, text, cx),
            Reply::Unread(text, head) => self.take_alone(&waiting, (text, head), cx),
            Reply::Failed => {
                if let Of::Pull(table) = waiting.of {
                    self.stale.insert(table);
                }
                Ok(())
            }
        }
    }

    fn is_settled(&self, checker: &Checker) -> Result<(), String> {
        if !self.pending.is_empty() || self.waiting.is_some() || !self.stale.is_empty() {
            return Err(format!("{} has something left: {self:?}", self.name));
        }
        checker
            .equal(&self.name, &self.copy.shown(), &self.excuses)
            .map_err(|violation| violation.seen)
    }
}
