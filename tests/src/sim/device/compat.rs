//! A device of the compatibility protocol, as the first user's client is made: one queue that is
//! sent whole and cleared on any 2xx, a cursor for each table compared as text, blind overwrites
//! by what it is told. It knows nothing of verdicts, epochs or counters. Where it has two tabs,
//! these share all of that but ask for themselves, and a tab asks beside what it waits for.

mod copy;
mod draw;
mod tab;
mod taking;

use std::collections::{BTreeMap, BTreeSet};

use syncline_hub::session::event::Sender;
use syncline_protocol::compat::cursor::{self, EMPTY, Since};
use syncline_protocol::ids::{ClientId, ClientKey, RecordKey, UserId};

use self::copy::Copy;
use self::tab::{Of, Tab, Waiting};
use self::taking::Taking;
use super::edits::TABLES;
use super::{Cx, Device};
use crate::sim::checker::crossed::Place;
use crate::sim::checker::{Checker, Excuses};
use crate::sim::clock::DeviceClock;
use crate::sim::count::{Counts, Kind};
use crate::sim::exchange::{Ask, Reply, Wish};
use crate::sim::network::AUTH;
use crate::sim::trace::{Checked, violated};

/// Requests a tab has under way at once: a browser has so many connections to a host.
const AT_ONCE_MAX: usize = 6;

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
    edited: u64,
    tabs: Vec<Tab>,
    /// Its tabs ask beside what they wait for.
    hurries: bool,
    asked: u64,
    connected: bool,
    /// The latest place that something of a table was told of, also if its cursor is older.
    ahead: BTreeMap<&'static str, Place>,
    /// What it may show that the space has not.
    excuses: Excuses,
}

/// A change of its user.
#[derive(Clone, Debug)]
struct Edit {
    /// Its number in the device's queue.
    no: u64,
    key: RecordKey,
    text: String,
    /// The code it must be set aside with, if it can never be stored.
    poison: Option<&'static str>,
}

impl Edit {
    /// Its table and id.
    fn names(&self) -> (&str, &str) {
        (self.key.table.as_str(), self.key.id.as_str())
    }
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
        let rows = copy.rows.iter();
        let excuses = Excuses {
            haunted: rows
                .map(|(key, row)| (key.clone(), row.0.clone()))
                .collect(),
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
            edited: 0,
            tabs: vec![Tab::default()],
            hurries: false,
            asked: 0,
            connected: false,
            ahead: BTreeMap::new(),
            excuses,
        }
    }

    /// Whether a tab would send what is pending: another may have sent all of it already.
    fn pushes(&self, tab: &Tab) -> bool {
        let sent = |edit| self.tabs.iter().any(|tab| tab.has_sent(edit));
        tab.sends_now || (self.connected && !self.pending.iter().all(sent))
    }

    fn wants_to_ask(&self, tab: &Tab) -> bool {
        let most = if self.hurries { AT_ONCE_MAX } else { 1 };
        tab.under_way() < most && (!tab.stale.is_empty() || self.pushes(tab))
    }

    /// Several replies may be written down at once.
    fn interleaves(&self) -> bool {
        self.hurries || self.tabs.len() > 1
    }

    fn wish(&mut self, tab: usize, cx: &mut Cx<'_>) -> Option<(String, Of, Wish)> {
        let pushes = self.pushes(&self.tabs[tab]);
        let own = &mut self.tabs[tab];
        let table = own.stale.first().copied();
        if pushes && (table.is_none() || cx.aids.rng.chance(500)) {
            own.sends_now = false;
            let own_clock = syncline_protocol::stamp::wall_text(self.clock.wall_ms(cx.now_ms));
            let since = self.copy.least_cursor(&own_clock);
            let body = self.body(&since);
            let edits = self.pending.clone();
            let wish = Wish::Sync(body.clone());
            return Some((since, Of::Push { edits, body }, wish));
        }
        let table = table?;
        own.stale.remove(table);
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

    fn unsent(&self) -> BTreeSet<RecordKey> {
        self.pending.iter().map(|edit| edit.key.clone()).collect()
    }

    /// A reply beside which there can be no other is taken at once, else line by line.
    fn take(&mut self, tab: usize, mut taking: Taking, cx: &mut Cx<'_>) -> Checked {
        if self.interleaves() {
            self.tabs[tab].takings.push(taking);
            return Ok(());
        }
        while self.write_line(&mut taking, cx) {}
        self.end_taking(&taking, cx)
    }
}

fn is_ahead(cursor: &str, place: &cursor::Place) -> bool {
    let since = Since::parse(cursor).expect("the hub's cursors can be read");
    since.is_ahead_of(place)
}

impl Device for Compat {
    fn name(&self) -> &str {
        &self.name
    }

    fn edit(&mut self, cx: &mut Cx<'_>) {
        if !self.connected {
            cx.aids.counts.add(Kind::EditOffline);
        }
        if self.tabs.iter().any(|tab| !tab.is_idle()) {
            cx.aids.counts.add(Kind::EditMeanwhile);
        }
        self.draw_edit(cx);
    }

    fn set_clock(&mut self, skew_ms: i64) {
        self.clock.set(skew_ms);
    }

    fn open_tab(&mut self) -> bool {
        self.tabs.push(Tab::default());
        true
    }

    fn hurry(&mut self) -> bool {
        self.hurries = true;
        true
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
        let stale: Vec<_> = match message["type"].as_str() {
            // A client that has just connected pulls everything.
            Some("auth-ok") => TABLES.to_vec(),
            Some("sync-available") => {
                let named = message["tables"].as_array().into_iter().flatten();
                let named: Vec<_> = named.filter_map(|table| table.as_str()).collect();
                let of_these = TABLES.into_iter().filter(|table| named.contains(table));
                of_these.collect()
            }
            _ => return violated("readable", format!("a message {text}")),
        };
        self.tabs
            .iter_mut()
            .for_each(|tab| tab.stale.extend(&stale));
        Ok(())
    }

    fn push(&mut self, _cx: &mut Cx<'_>) {}

    /// It pulls now and then, and sends what it has, without being told.
    fn call(&mut self, cx: &mut Cx<'_>) -> Option<(Sender, String)> {
        let sends_now = cx.aids.rng.chance(500);
        for tab in &mut self.tabs {
            tab.stale.extend(TABLES);
            tab.sends_now = sends_now;
        }
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
        self.tabs.iter().any(|tab| self.wants_to_ask(tab))
    }

    fn ask(&mut self, under_way: BTreeSet<RecordKey>, cx: &mut Cx<'_>) -> Option<Ask> {
        let tabs = self.tabs.iter().enumerate();
        let tabs = tabs.filter(|(_, tab)| self.wants_to_ask(tab));
        let tabs: Vec<usize> = tabs.map(|(tab, _)| tab).collect();
        let tab = match tabs[..] {
            [] => return None,
            [tab] => tab,
            _ => *cx.aids.rng.pick(&tabs),
        };
        let (since, of, wish) = self.wish(tab, cx)?;
        if self.tabs.iter().any(|tab| !tab.is_idle()) {
            cx.aids.counts.add(Kind::AskedBeside);
        }
        self.asked += 1;
        let no = self.asked;
        self.tabs[tab].waiting.push(Waiting {
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
        for tab in &mut self.tabs {
            tab.stale.extend(TABLES);
            tab.sends_now = true;
        }
    }

    fn awaits(&self) -> Vec<u64> {
        let waiting = self.tabs.iter().flat_map(|tab| &tab.waiting);
        waiting.map(|waiting| waiting.no).collect()
    }

    fn answered(&mut self, no: u64, reply: &Reply, cx: &mut Cx<'_>) -> Checked {
        let mut tabs = self.tabs.iter_mut().enumerate();
        let found = tabs.find_map(|(at, tab)| Some((at, tab.answered(no)?)));
        let Some((tab, waiting)) = found else {
            return Ok(());
        };
        let read = match reply {
            Reply::Done(text) => (text.as_str(), None),
            Reply::Unread(text, head) => (text.as_str(), Some(head.as_str())),
            Reply::Failed => {
                if let Of::Pull(table) = waiting.of {
                    self.tabs[tab].stale.insert(table);
                }
                return Ok(());
            }
        };
        let taking = self.begin_taking(waiting, read, cx)?;
        self.take(tab, taking, cx)
    }

    fn wants_to_write(&self) -> bool {
        self.tabs.iter().any(|tab| !tab.takings.is_empty())
    }

    fn write(&mut self, cx: &mut Cx<'_>) -> Checked {
        let tabs = self.tabs.iter().enumerate();
        let places = tabs.flat_map(|(tab, one)| (0..one.takings.len()).map(move |at| (tab, at)));
        let places: Vec<(usize, usize)> = places.collect();
        let (tab, at) = *cx.aids.rng.pick(&places);
        let mut taking = self.tabs[tab].takings.remove(at);
        if self.write_line(&mut taking, cx) {
            self.tabs[tab].takings.insert(at, taking);
            return Ok(());
        }
        self.end_taking(&taking, cx)
    }

    fn is_ahead_of(&self, place: &cursor::Place) -> bool {
        let is_ahead = |table: &&str| is_ahead(self.copy.cursor(table), place);
        TABLES.iter().any(is_ahead)
    }

    fn is_wholly_ahead_of(&self, place: &cursor::Place) -> bool {
        let is_ahead = |table: &&str| is_ahead(self.copy.cursor(table), place);
        TABLES.iter().all(is_ahead)
    }

    fn is_settled(&self, checker: &Checker, counts: &mut Counts) -> Result<(), String> {
        let is_done = |tab: &Tab| tab.is_idle() && tab.stale.is_empty();
        if !self.pending.is_empty() || !self.tabs.iter().all(is_done) {
            return Err(format!("{} has something left: {self:?}", self.name));
        }
        checker
            .equal(&self.name, (&self.copy.shown(), &self.excuses), counts)
            .map_err(|violation| violation.seen)
    }
}
