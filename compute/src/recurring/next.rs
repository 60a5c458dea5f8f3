//! The next instance of a record that was done.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use syncline_protocol::ids::{RecordId, RecordKey};
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::Hlc;

use super::args::{NextArgs, json};
use super::reminded::Reminder;
use super::times::{RepeatFields, Repeats, Time, json_of, text, time};
use super::{CHANGES_MAX, NEXT_ID_BYTES};
use crate::recurrence::{Onward, Refused, Work, onward};
use crate::worker::Changes;
use crate::written::Written;

/// A record that is done and says that it repeats.
pub(super) struct Completed {
    record: Record,
    key: RecordKey,
    next_key: RecordKey,
    /// When it was done, by whoever did it.
    at: Hlc,
}

impl Completed {
    /// `None` if the record is gone, is not done (any more), or does not repeat.
    pub(super) fn of(
        record: Option<Record>,
        key: &RecordKey,
        args: &NextArgs,
    ) -> Option<Completed> {
        let record = record?;
        let done = record.field(args.done.as_str())?;
        if Some(&done.value) != json(&args.done_is).ok().as_ref() {
            return None;
        }
        let at = done.stamp.at;
        text(&record, &args.rule).filter(|rule| !rule.trim().is_empty())?;
        let occurrence = text(&record, &args.start).unwrap_or_default();
        let next_key = RecordKey {
            table: key.table.clone(),
            id: next_id(key, &occurrence),
        };
        Some(Completed {
            record,
            key: key.clone(),
            next_key,
            at,
        })
    }

    /// The record of the next instance. It follows from the record and from which of its occurrences
    /// was done, not from when: who is done later, or once more, means the same instance.
    pub(super) fn next_key(&self) -> RecordKey {
        self.next_key.clone()
    }

    /// What makes it, with reminders of its own; `None` if the rule has ended. Errors: the rule or zone is none, or takes too
    /// much work.
    pub(super) fn next(
        self,
        args: &NextArgs,
        reminders: &[Reminder],
        work: &mut Work,
    ) -> Result<Option<Changes>, Refused> {
        let fields = RepeatFields {
            rule: &args.rule,
            timezone: &args.timezone,
            zone: &args.zone,
            except: &args.except,
        };
        let Some(repeats) = Repeats::of(&self.record, &fields)? else {
            return Ok(None);
        };
        let done_ms = self.at.wall_ms();
        let due = time(&self.record, &args.start);
        let start = due.or_else(|| Time::day_of(done_ms, &repeats.zone));
        let start = start.ok_or(Refused::TimeInvalid("start"))?;
        let after = start.looks_after(done_ms, &repeats.zone);
        let ask = Onward {
            rrule: &repeats.rrule(start),
            dtstart: &start.dtstart(&repeats.zone),
            timezone: start.zone_name(&repeats.zone_name),
            after: after.ok_or(Refused::TimeInvalid("after"))?,
        };
        let Some(step) = onward(&ask, work)? else {
            return Ok(None);
        };
        let next = start.at(step.next, &repeats.zone);
        let next = next.ok_or(Refused::TimeInvalid("start"))?;
        let rule = match step.rrule == ask.rrule {
            true => repeats.rule.clone(),
            false => without_exceptions(&step.rrule, &repeats, start),
        };
        let mut written = self.written(args, (start, next), &rule);
        for Reminder { key, fields } in reminders {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
            written.insert((&key.table, &key.id), fields, Some(self.at));
        }
        Ok(written.changes())
    }

    fn written(&self, args: &NextArgs, (start, next): (Time, Time), rule: &str) -> Written {
        let mut fields: BTreeMap<&str, Json> = BTreeMap::new();
        for field in &self.record.fields {
            fields.insert(field.name.as_str(), field.value.clone());
        }
        for name in &args.shift {
            let moved = time(&self.record, name).zip(start.until(next));
            let moved = moved.and_then(|(time, seconds)| time.later(seconds));
            if let Some(moved) = moved {
                fields.insert(name.as_str(), moved.json());
            }
        }
        fields.insert(args.start.as_str(), next.json());
        fields.insert(args.rule.as_str(), json_of(rule));
        let set = args.set();
        for (name, value) in &set {
            if let Ok(value) = json(value) {
                fields.insert(name.as_str(), value);
            }
        }
        for name in &args.leave_out {
            fields.remove(name.as_str());
        }
        let mut written = Written::at_most(CHANGES_MAX);
        let RecordKey { table, id } = &self.next_key;
        let fields = fields.iter().map(|(name, value)| (*name, value));
        // As of the completion: whatever somebody wrote to it since is newer.
        written.insert((table, id), fields, Some(self.at));
        let old: Vec<(&str, Json)> = args
            .old
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), json(value).ok()?)))
            .collect();
        if !old.is_empty() {
            let fields = old.iter().map(|(name, value)| (*name, value));
            written.update((&self.key.table, &self.key.id), fields);
        }
        written
    }
}

/// Exceptions that came from a field stay there.
fn without_exceptions(rrule: &str, repeats: &Repeats, start: Time) -> String {
    let added = repeats.rrule(start).lines().count() - repeats.own_lines().count();
    let lines: Vec<&str> = rrule.lines().collect();
    lines[..lines.len().saturating_sub(added)].join("\n")
}

fn next_id(key: &RecordKey, occurrence: &str) -> RecordId {
    // Neither a table's nor a record's name holds a line feed.
    let named = format!("next\n{}\n{}\n{occurrence}", key.table, key.id);
    let digest = Sha256::digest(named.as_bytes());
    let hex: String = digest[..NEXT_ID_BYTES / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    RecordId::trusted(&hex)
}
