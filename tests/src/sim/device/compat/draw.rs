//! What users of these clients do: edits of what they see, with the client's own clock and in
//! its own shapes, and what its faults make of them.

use std::fmt::Write as _;

use syncline_protocol::change::ClaimedChange;
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::ids::RecordKey;
use syncline_protocol::limits::{Limits, STAMP_AHEAD_MS_MAX};
use syncline_protocol::stamp::wall_text;

use super::copy::{Row, key};
use super::{Compat, Edit};
use crate::sim::count::Kind;
use crate::sim::device::Cx;
use crate::sim::device::edits::{FIELDS, IDS, SKEWED_MS, value};
use crate::sim::plan::draw_skew_ms;

/// What can never be stored goes to this field, which no device may show once it is answered,
pub(super) const POISONED_FIELD: &str = "p";

/// to this one if it is too large to be kept aside, so that it stays on its device,
pub(super) const LARGE_FIELD: &str = "q";

/// or to a record of this id, which stays on its device.
pub(super) const POISONED_ID: &str = "z9";

/// More than a record may hold.
const LARGE: usize = Limits::DEFAULT.record_bytes_max + 1;

impl Compat {
    pub(super) fn draw_edit(&mut self, cx: &mut Cx<'_>) {
        if cx.aids.rng.chance(40) {
            self.move_clock(cx);
        }
        if self.clock.skew_ms().unsigned_abs() > SKEWED_MS {
            cx.aids.counts.add(Kind::SkewedEdit);
        }
        if cx.aids.rng.chance(40) {
            return self.poison(cx);
        }
        let at = self.draw_time(cx);
        let table = *cx.aids.rng.pick(&["notes", "tasks"]);
        let id = *cx.aids.rng.pick(&IDS);
        let row = self.copy.rows.get(&key(table, id));
        match row.map(Row::is_deleted) {
            Some(false) => {
                if cx.aids.rng.chance(780) {
                    self.update((table, id), at.as_deref(), cx);
                } else {
                    self.delete((table, id), at, cx);
                }
            }
            was_deleted => {
                if was_deleted == Some(true) {
                    cx.aids.counts.add(Kind::Reinserted);
                }
                self.insert((table, id), at, cx);
            }
        }
    }

    /// A clock that is fast is put right as often as not, so that honest edits follow clamped ones.
    fn move_clock(&mut self, cx: &mut Cx<'_>) {
        let is_fast = self.clock.skew_ms() > STAMP_AHEAD_MS_MAX as i64;
        if is_fast && cx.aids.rng.chance(500) {
            cx.aids.counts.add(Kind::ClockPutRight);
            return self.clock.set(0);
        }
        cx.aids.counts.add(Kind::ClockMoved);
        self.clock.set(draw_skew_ms(&mut cx.aids.rng));
    }

    /// Usually a fresh time; sometimes the last one again, or none.
    fn draw_time(&mut self, cx: &mut Cx<'_>) -> Option<String> {
        let hlc = match cx.aids.rng.below(100) {
            0..=11 if self.clock.again().is_some() => {
                cx.aids.counts.add(Kind::TiedEdit);
                self.clock.again()?
            }
            12..=19 => {
                cx.aids.counts.add(Kind::Timeless);
                return None;
            }
            _ => self.clock.read_wall(cx.now_ms),
        };
        Some(wall_text(hlc.wall_ms()))
    }

    fn insert(&mut self, (table, id): (&str, &str), at: Option<String>, cx: &mut Cx<'_>) {
        let mut fields = vec![("n", value(cx))];
        if cx.aids.rng.chance(600) {
            fields.push(("title", value(cx)));
        }
        if let Some(at) = at {
            let name = *cx.aids.rng.pick(&["updatedAt", "updatedAt", "createdAt"]);
            fields.push((name, format!(r#""{at}""#)));
        }
        let fields = fields.into_iter();
        let row = Row(fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect());
        let members: Vec<String> = row
            .0
            .iter()
            .map(|(name, value)| format!(r#""{name}":{value}"#))
            .collect();
        let data = members.join(",");
        let key = key(table, id);
        let is_dropped = cx.aids.rng.chance(40);
        if is_dropped {
            self.excuses.crossed.insert_dropped(&key, &row.0);
        }
        self.copy.rows.insert(key.clone(), row);
        if is_dropped {
            cx.aids.counts.add(Kind::InsertDropped);
            cx.aids
                .trace
                .say(&self.name, || format!("drops its insert of {key}"));
            self.excuses.dropped.insert(key);
            return;
        }
        let text = format!(r#"{{"table":"{table}","id":"{id}","op":"insert","data":{{{data}}}}}"#);
        self.queue(key, (text, None), cx);
    }

    fn update(&mut self, (table, id): (&str, &str), at: Option<&str>, cx: &mut Cx<'_>) {
        let count = 1 + cx.aids.rng.below(2);
        let mut fields = String::new();
        let key = key(table, id);
        for name in FIELDS.iter().cycle().skip(cx.aids.rng.below(3)).take(count) {
            let value = value(cx);
            if !fields.is_empty() {
                fields.push(',');
            }
            write!(fields, r#""{name}":{{"value":{value}"#).expect("a String takes all");
            if let Some(at) = at {
                write!(fields, r#","updatedAt":"{at}""#).expect("a String takes all");
            }
            fields.push('}');
            if let Some(row) = self.copy.rows.get_mut(&key) {
                row.0.insert((*name).to_owned(), value);
            }
        }
        let text =
            format!(r#"{{"table":"{table}","id":"{id}","op":"update","fields":{{{fields}}}}}"#);
        self.queue(key, (text, None), cx);
    }

    fn delete(&mut self, (table, id): (&str, &str), at: Option<String>, cx: &mut Cx<'_>) {
        let key = key(table, id);
        let at = at.map_or(String::new(), |at| format!(r#","deletedAt":"{at}""#));
        if let Some(row) = self.copy.rows.get_mut(&key) {
            row.0.insert("deletedAt".into(), r#""then""#.into());
        }
        let text = format!(r#"{{"table":"{table}","id":"{id}","op":"delete"{at}}}"#);
        self.queue(key, (text, None), cx);
    }

    /// An edit that can never be stored: of a field that only such edits name, or of a record.
    fn poison(&mut self, cx: &mut Cx<'_>) {
        let now = wall_text(self.clock.wall_ms(cx.now_ms));
        let mut field = POISONED_FIELD;
        let (kind, code, value, at) = match cx.aids.rng.below(5) {
            0..=1 => (Kind::PoisonNul, "nul_in_string", r#""\u0000""#.into(), now),
            2..=3 => {
                let at = *cx.aids.rng.pick(&["2019-12-31T23:59:59.999Z", "now"]);
                (
                    Kind::PoisonStamp,
                    "stamp_invalid",
                    "1".into(),
                    at.to_owned(),
                )
            }
            _ => {
                field = LARGE_FIELD;
                let large = format!(r#""{}""#, "x".repeat(LARGE));
                (Kind::PoisonLarge, "record_too_large", large, now)
            }
        };
        cx.aids.counts.add(kind);
        let seen = self.copy.rows.iter().filter(|(_, row)| !row.is_deleted());
        let seen: Vec<_> = seen.map(|(key, _)| key.clone()).collect();
        let (key, text) = if seen.is_empty() || cx.aids.rng.chance(300) {
            let text = format!(
                r#"{{"table":"notes","id":"{POISONED_ID}","op":"insert","data":{{"{field}":{value},"updatedAt":"{at}"}}}}"#
            );
            (key("notes", POISONED_ID), text)
        } else {
            let key = cx.aids.rng.pick(&seen).clone();
            let text = format!(
                r#"{{"table":"{}","id":"{}","op":"update","fields":{{"{field}":{{"value":{value},"updatedAt":"{at}"}}}}}}"#,
                key.table.as_str(),
                key.id.as_str()
            );
            (key, text)
        };
        let row = self.copy.rows.entry(key.clone()).or_default();
        row.0.insert(field.into(), "0".into());
        self.queue(key, (text, Some(code)), cx);
    }

    fn queue(
        &mut self,
        key: RecordKey,
        (text, poison): (String, Option<&'static str>),
        cx: &mut Cx<'_>,
    ) {
        self.edited += 1;
        let edit = Edit {
            no: self.edited,
            key,
            text,
            poison,
        };
        cx.aids.trace.say(&self.name, || {
            let text: String = edit.text.chars().take(300).collect();
            format!("edits {text}")
        });
        // The hub reads also what it finds too large, and when that was made.
        if edit.poison.is_none_or(|code| code == "record_too_large") {
            cx.checker.edited(&self.client, &asked(&edit.text));
        }
        self.pending.push(edit);
    }
}

/// What an edit asks for.
fn asked(text: &str) -> ClaimedChange {
    let body = format!(r#"{{"since":"","changes":[{text}]}}"#);
    let request = SyncRequest::parse(&body, &Limits::DEFAULT).expect("it is written above");
    let mut changes = request.changes.into_iter().map(|change| change.asked);
    let asked = changes.next().expect("there is one");
    asked.expect("it can be read")
}
