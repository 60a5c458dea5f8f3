//! A device that speaks the native protocol, as the design wants an SDK to.

mod history;

use std::fmt::Write as _;

use serde_json::value::RawValue;
use syncline_hub::session::event::Sender;
use syncline_protocol::ids::{ClientId, ClientKey, Epoch, RecordKey, Seq, UserId};

use super::message::{Message, Outcome};
use super::outbox::Outbox;
use super::replica::{Records, Replica};
use super::{Cx, Device, edits};
use crate::sim::checker::Checker;
use crate::sim::clock::DeviceClock;
use crate::sim::count::{Counts, Kind};
use crate::sim::trace::{Checked, ensure, violated};

/// Mutations of a burst: more than a mark remembers in two of them.
const BURST: usize = 140;

/// The native device.
#[derive(Debug)]
pub struct Native {
    name: String,
    client: ClientKey,
    /// Client ids used up.
    generation: u32,
    clock: DeviceClock,
    replica: Replica,
    outbox: Outbox,
    /// The tables it wants; `None` is all.
    tables: Option<Vec<&'static str>>,
    /// Those of them its copy does not cover yet.
    backfill: Vec<&'static str>,
    /// The history its socket is of; `None` without a welcome.
    epoch: Option<Epoch>,
    connected: bool,
    /// What it showed when it was told that the history is another one.
    before_reset: Option<Records>,
    /// It makes many mutations at once, once or twice.
    bursts: u32,
    /// It waits for the reason when it is forgotten, and says which history it knew.
    is_heedful: bool,
    /// The first epoch it was told of under its id.
    first_epoch: Option<Epoch>,
    /// The hub has forgotten it; what it is told next on this socket says why.
    is_forgotten: bool,
}

impl Native {
    /// A device that has never seen the hub.
    pub fn new(number: usize, user: &UserId, clock: DeviceClock, cx: &mut Cx<'_>) -> Native {
        let name = format!("d{}", number + 1);
        let rng = &mut cx.aids.rng;
        let tables = rng.chance(300).then(|| {
            let first = rng.below(edits::TABLES.len());
            vec![edits::TABLES[first]]
        });
        Native {
            client: client(user, &name, 0),
            name,
            generation: 0,
            clock,
            replica: Replica::default(),
            outbox: Outbox::default(),
            tables,
            backfill: Vec::new(),
            epoch: None,
            connected: false,
            before_reset: None,
            bursts: if rng.chance(15) { 2 } else { 0 },
            is_heedful: false,
            first_epoch: None,
            is_forgotten: false,
        }
    }

    /// Who it is when it pushes.
    fn sender(&self) -> Sender {
        Sender {
            client: self.client.clone(),
            epoch: self.first_epoch,
        }
    }

    fn wants(&self, key: &RecordKey) -> bool {
        let table = key.table.as_str();
        self.tables
            .as_ref()
            .is_none_or(|tables| tables.contains(&table))
    }

    fn hello(&self) -> String {
        let mut text = format!(
            r#"{{"t":"hello","v":1,"app":"todo","client":"{}","token":"-""#,
            self.client.client
        );
        let mut push = |name: &str, value: String| {
            write!(text, r#","{name}":{value}"#).expect("writing to a String cannot fail");
        };
        if let Some((epoch, seq)) = self.replica.cursor {
            push("cursor", format!(r#"{{"epoch":"{epoch}","seq":{seq}}}"#));
        }
        if let Some(tables) = &self.tables {
            push("tables", names(tables));
        }
        if !self.backfill.is_empty() {
            push("backfill", names(&self.backfill));
        }
        if let Some(next) = self.resumes_at() {
            push("snapshot_next", format!(r#""{next}""#));
        }
        if let Some(acked) = self.outbox.acked {
            push("acked", acked.to_string());
        }
        if let Some(epoch) = self.first_epoch {
            push("epoch", format!(r#""{epoch}""#));
        }
        text.push('}');
        text
    }

    /// Where a broken snapshot of everything goes on; one of new tables begins again.
    fn resumes_at(&self) -> Option<&String> {
        let snapshot = self.replica.snapshot.as_ref()?;
        match snapshot.tables {
            None => snapshot.next.as_ref(),
            Some(_) => None,
        }
    }

    fn welcome(&mut self, welcome: &Message<'_>, cx: &mut Cx<'_>) -> Checked {
        let epoch = welcome.epoch.and_then(Epoch::parse);
        self.epoch = epoch;
        if welcome.acked < self.outbox.acked {
            self.is_forgotten = self.is_heedful && self.stands_elsewhere(epoch);
            if !self.is_forgotten {
                self.take_new_id(cx);
            }
            return Ok(());
        }
        if self.is_heedful {
            self.first_epoch = self.first_epoch.or(epoch);
        }
        let of_this = self.replica.cursor.filter(|(own, _)| Some(*own) == epoch);
        if let Some(cursor) = of_this {
            cx.checker.welcomed(cursor, welcome.head)?;
        }
        let same = of_this.is_some();
        if self.resumes_at().is_some() {
            cx.aids.counts.add(Kind::SnapshotResumed);
        } else if self.replica.cursor.is_none() {
            self.replica.begin_snapshot(None);
        } else if same && !self.backfill.is_empty() {
            self.replica.begin_snapshot(Some(self.backfill.clone()));
        } else if same && self.replica.is_at(welcome.head) {
            // Nothing is missing, so nothing will be told, also if the last socket broke before
            // the delta that would have said so.
            self.replica.complete = true;
            return self.complete(cx);
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Message<'_>, cx: &mut Cx<'_>) -> Checked {
        if self.replica.delta(delta)? {
            self.complete(cx)?;
        }
        if cx.aids.rng.chance(100) {
            let seq = delta.to.unwrap_or(0);
            cx.sends.push(format!(r#"{{"t":"ack","seq":{seq}}}"#));
        }
        Ok(())
    }

    /// What was told so far may be shown.
    fn complete(&mut self, cx: &mut Cx<'_>) -> Checked {
        let Some(at) = self.replica.cursor else {
            return Ok(());
        };
        self.replica.show();
        self.outbox.passed(at.1);
        cx.aids.counts.add(Kind::Complete);
        let shown = self.replica.shown.iter();
        let shown = shown.map(|(key, held)| (key, &*held.data));
        cx.checker.shown(at, |key| self.wants(key), shown)?;
        self.offer_back(cx);
        Ok(())
    }

    fn results(&mut self, results: &[&RawValue], cx: &mut Cx<'_>) -> Checked {
        for result in results {
            cx.checker_told(&self.client, result.get())?;
            let outcome: Outcome<'_> =
                serde_json::from_str(result.get()).expect("a result is readable");
            if outcome.clamped {
                cx.aids.counts.add(Kind::Clamp);
            }
            let seq = match outcome.status {
                "applied" => outcome.seq.map(Seq),
                _ => None,
            };
            // What the copy shows already need not be laid over it.
            let passed = self.replica.complete && self.replica.cursor.map(|(_, own)| own) >= seq;
            self.outbox.decided(outcome.m, seq.filter(|_| !passed));
        }
        Ok(())
    }

    /// Something was not taken.
    fn refused(&mut self, code: &str, acked: Option<u64>, cx: &mut Cx<'_>) -> Checked {
        match code {
            "gap" => {
                cx.aids.counts.add(Kind::Gap);
                if acked < self.outbox.acked && self.is_heedful {
                    // Its next hello tells why.
                    *cx.leaves = true;
                } else if acked < self.outbox.acked {
                    self.take_new_id(cx);
                }
            }
            "unavailable" | "draining" | "too_many_in_flight" | "slow" => {}
            other => return violated("refused", format!("{}: {other}", self.name)),
        }
        self.outbox.push_again();
        Ok(())
    }
}

impl Cx<'_> {
    fn checker_told(&mut self, client: &ClientKey, result: &str) -> Checked {
        let outcome: Outcome<'_> = serde_json::from_str(result).expect("a result is readable");
        self.checker.told(client, outcome.m, result)
    }
}

impl Device for Native {
    fn name(&self) -> &str {
        &self.name
    }

    fn edit(&mut self, cx: &mut Cx<'_>) {
        if !self.connected {
            cx.aids.counts.add(Kind::EditOffline);
        }
        let count = if self.bursts > 0 { BURST } else { 1 };
        self.bursts = self.bursts.saturating_sub(1);
        for _ in 0..count {
            let changes = edits::draw(&mut self.clock, cx);
            cx.aids.trace.say(&self.name, || format!("edits {changes}"));
            self.outbox.add(changes);
        }
    }

    fn heed_erasures(&mut self) {
        self.is_heedful = true;
    }

    fn set_clock(&mut self, skew_ms: i64) {
        self.clock.set(skew_ms);
    }

    fn clear_up(&mut self, cx: &mut Cx<'_>) {
        let changes = edits::draw_delete(&mut self.clock, cx);
        cx.aids
            .trace
            .say(&self.name, || format!("clears up {changes}"));
        self.outbox.add(changes);
    }

    fn connect(&mut self, cx: &mut Cx<'_>) {
        self.connected = true;
        self.outbox.push_again();
        cx.sends.push(self.hello());
    }

    fn disconnected(&mut self) {
        self.connected = false;
        self.epoch = None;
        self.is_forgotten = false;
    }

    fn receive(&mut self, text: &str, cx: &mut Cx<'_>) -> Checked {
        let message: Message<'_> = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => return violated("readable", format!("{error}: {text}")),
        };
        if self.is_forgotten && matches!(message.t, "snapshot" | "snapshot_end" | "delta") {
            self.take_new_id(cx);
            return Ok(());
        }
        match message.t {
            "welcome" => self.welcome(&message, cx),
            "delta" => self.delta(&message, cx),
            "verdicts" => self.results(&message.results, cx),
            "reset" => {
                self.reset(&message, cx);
                Ok(())
            }
            "snapshot" => self.replica.part(&message),
            "snapshot_end" => {
                let epoch = self.epoch.expect("a welcome came first");
                let filled = self.replica.end_snapshot(&message, epoch)?;
                cx.aids.counts.add(match filled {
                    None => Kind::Snapshot,
                    Some(_) => Kind::Backfill,
                });
                self.backfill.clear();
                Ok(())
            }
            "error" => self.refused(message.code.unwrap_or_default(), message.acked, cx),
            "slow" => self.refused("slow", None, cx),
            "presence" => Ok(()),
            // The hub closes behind it.
            "reconnect" => {
                cx.aids.counts.add(Kind::ToldToMove);
                Ok(())
            }
            other => violated("readable", format!("a message {other}")),
        }
    }

    fn push(&mut self, cx: &mut Cx<'_>) {
        if self.epoch.is_none() || self.is_forgotten {
            return;
        }
        if cx.aids.rng.chance(30) {
            cx.sends
                .push(r#"{"t":"presence","state":{"at":"k1"}}"#.into());
        }
        if let Some(muts) = self.outbox.next_push(&self.sender(), cx.checker) {
            cx.sends.push(format!(r#"{{"t":"push","muts":[{muts}]}}"#));
        }
    }

    fn call(&mut self, cx: &mut Cx<'_>) -> Option<(Sender, String)> {
        // It reads before it pushes, so it knows a history.
        if self.is_heedful && self.first_epoch.is_none() {
            return None;
        }
        let muts = self.outbox.for_call(&self.sender(), cx.checker)?;
        Some((self.sender(), muts))
    }

    fn called(&mut self, client: &ClientKey, text: &str, cx: &mut Cx<'_>) -> Checked {
        if *client != self.client {
            return Ok(());
        }
        let with_t = format!(r#"{{"t":"-",{}"#, &text[1..]);
        let message: Message<'_> = serde_json::from_str(&with_t).expect("a reply is readable");
        match message.code {
            Some("reset") => {
                self.reset(&message, cx);
                Ok(())
            }
            Some(code) => self.refused(code, message.acked, cx),
            None => self.results(&message.results, cx),
        }
    }

    fn grow(&mut self, cx: &mut Cx<'_>) {
        let Some(tables) = &mut self.tables else {
            return;
        };
        let more = edits::TABLES.iter().find(|table| !tables.contains(table));
        if let (Some(more), true) = (more, !self.connected) {
            cx.aids.counts.add(Kind::TablesGrew);
            tables.push(more);
            // A copy that does not exist yet is made of all tables at once.
            if self.replica.cursor.is_some() {
                self.backfill.push(more);
            } else {
                self.replica.begin_snapshot(None);
            }
        }
    }

    fn wants_to_push(&self) -> bool {
        self.epoch.is_some() && !self.is_forgotten && self.outbox.has_unpushed()
    }

    fn is_settled(&self, checker: &Checker, _: &mut Counts) -> Result<(), String> {
        if !self.outbox.is_empty() {
            return Err(format!("{}: {}", self.name, self.outbox.describe()));
        }
        if !self.replica.complete || !self.backfill.is_empty() {
            return Err(format!("{} is not complete", self.name));
        }
        let visible = checker.visible().iter();
        let expected = visible.filter(|(key, _)| self.wants(key));
        let shown = self.replica.shown.iter();
        let equal = expected
            .map(|(key, text)| (key, &**text))
            .eq(shown.map(|(key, held)| (key, &*held.data)));
        ensure(equal, "equal", || {
            format!("{} stands at {:?}", self.name, self.replica.cursor)
        })
        .map_err(|violation| violation.seen)
    }
}

fn client(user: &UserId, name: &str, generation: u32) -> ClientKey {
    let id = match generation {
        0 => name.to_owned(),
        _ => format!("{name}.{generation}"),
    };
    ClientKey {
        user: user.clone(),
        client: ClientId::trusted(&id),
    }
}

fn names(tables: &[&str]) -> String {
    format!(r#"["{}"]"#, tables.join(r#"",""#))
}
