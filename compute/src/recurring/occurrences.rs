//! What is to be written so that an event has its occurrences.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use syncline_protocol::ids::{RecordId, RecordKey, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::WallMs;

use super::args::OccurrencesArgs;
use super::times::{RepeatFields, Repeats, Time, json_of, time};
use crate::recurrence::limits::OCCURRENCES_MAX;
use crate::recurrence::{Expand, Instant, Refused, Work, ends, expand};
use crate::worker::Changes;
use crate::written::Written;

const DAY_S: i64 = 86_400;

/// How far ahead is looked for whether a series is over, in days: as far as may be.
const AHEAD_DAYS: i64 = crate::recurrence::limits::HORIZON_DAYS;

/// The difference between the occurrences that are wanted and those that are there.
pub(super) struct Difference {
    into: TableName,
    /// What the ids of the event's occurrences begin with. Ids that begin alike stand together.
    prefix: String,
    /// By id; of those that were not seen yet.
    wanted: BTreeMap<String, Times>,
    /// What all of them have alike.
    alike: BTreeMap<String, Json>,
    names: Names,
    goes_on: bool,
    /// Why the event wants none.
    refused: Option<Refused>,
    written: Written,
    is_cut: bool,
}

/// What a job is about, and when.
pub(super) struct Seen {
    /// `None` if it is gone.
    pub(super) event: Option<Record>,
    pub(super) key: RecordKey,
    pub(super) now_ms: WallMs,
    /// Changes that may be written at once.
    pub(super) changes_max: usize,
}

/// What an occurrence has of its own.
struct Times {
    occurs_at: Json,
    end: Option<Json>,
}

/// The fields of these.
struct Names {
    occurs_at: String,
    start: String,
    end: String,
    edited: String,
}

impl Difference {
    /// Before what is there was looked at. An event that is gone wants none, and neither does one that
    /// is refused: its rule or zone is none, has too many occurrences in the window, or takes too much
    /// work. What there is of an earlier rule is wrong by then.
    pub(super) fn of(seen: &Seen, args: &OccurrencesArgs, work: &mut Work) -> Difference {
        let mut difference = Difference {
            into: args.into.clone(),
            prefix: prefix(&seen.key),
            wanted: BTreeMap::new(),
            alike: BTreeMap::new(),
            names: Names {
                occurs_at: args.occurs_at.as_str().to_owned(),
                start: args.start.as_str().to_owned(),
                end: args.end.as_str().to_owned(),
                edited: args.edited.as_str().to_owned(),
            },
            goes_on: false,
            refused: None,
            written: Written::at_most(seen.changes_max),
            is_cut: false,
        };
        if let Some(event) = &seen.event
            && let Err(refused) = difference.want((event, seen), args, work)
        {
            difference.wanted.clear();
            difference.refused = Some(refused);
        }
        difference
    }

    fn want(
        &mut self,
        (event, seen): (&Record, &Seen),
        args: &OccurrencesArgs,
        work: &mut Work,
    ) -> Result<(), Refused> {
        let fields = RepeatFields {
            rule: &args.rule,
            timezone: &args.timezone,
            zone: &args.zone,
            except: &args.except,
        };
        let repeats = Repeats::of(event, &fields)?;
        let Some((repeats, start)) = repeats.zip(time(event, &args.start)) else {
            return Ok(());
        };
        for name in &args.copy {
            if let Some(field) = event.field(name.as_str()) {
                let value = field.value.clone();
                self.alike.insert(name.as_str().to_owned(), value);
            }
        }
        let event_id = json_of(seen.key.id.as_str());
        self.alike.insert(args.event.as_str().to_owned(), event_id);
        for own in [&args.start, &args.end, &args.occurs_at, &args.edited] {
            self.alike.remove(own.as_str());
        }
        let length_s = time(event, &args.end).and_then(|end| start.until(end));
        let now_s = i64::try_from(seen.now_ms / 1_000).unwrap_or(i64::MAX / 2);
        let from = now_s - i64::from(args.past_days) * DAY_S;
        let to = now_s + i64::from(args.days) * DAY_S;
        let window = Window {
            repeats: &repeats,
            start,
        };
        for occurrence in window.between(from, to, work)? {
            let Some(at) = start.at(occurrence, &repeats.zone) else {
                continue;
            };
            let end = length_s.and_then(|length_s| at.later(length_s));
            let times = Times {
                occurs_at: at.json(),
                end: end.map(Time::json),
            };
            self.wanted.insert(self.id_of(occurrence, start), times);
        }
        self.goes_on = !self.wanted.is_empty() || window.goes_on(to, work)?;
        Ok(())
    }

    /// What ids of the event's occurrences begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether there will be others, or those of now will be behind the window.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Why the event wants none, if it is for that; once.
    pub(super) fn refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }

    /// Enough is to be written.
    pub(super) fn is_full(&self) -> bool {
        self.written.is_full()
    }

    /// Looks at one that is there.
    pub(super) fn take(&mut self, id: &RecordId, record: &Record) {
        let wanted = self.wanted.remove(id.as_str());
        let edited = record.field(&self.names.edited);
        if edited.is_some_and(|field| field.value.as_str() == "true") {
            return;
        }
        let changed = wanted.map(|times| {
            let mut fields = self.fields(&times);
            let null = Json::trusted("null");
            if times.end.is_none() && record.field(&self.names.end).is_some() {
                // It has the end that its event once had.
                fields.push((&self.names.end, &null));
            }
            fields.retain(|(name, value)| {
                let there = record.field(name);
                there.is_none_or(|field| field.value != **value)
            });
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name.to_owned(), value.clone()));
            fields.collect::<Vec<_>>()
        });
        match changed {
            Some(fields) if fields.is_empty() => {}
            _ if self.written.is_full() => self.is_cut = true,
            Some(fields) => {
                self.written.touches(record.size_bytes());
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                self.written.update((&self.into, id), fields);
            }
            None => {
                self.written.touches(record.size_bytes());
                self.written.delete((&self.into, id));
            }
        }
    }

    /// What is to be written once all were looked at, or enough; and whether that is all.
    pub(super) fn changes(mut self) -> (Option<Changes>, bool) {
        let mut written = std::mem::take(&mut self.written);
        let mut is_whole = !self.is_cut;
        for (id, times) in &self.wanted {
            if written.is_full() {
                is_whole = false;
                break;
            }
            let id = RecordId::trusted(id);
            written.insert((&self.into, &id), self.fields(times), None);
        }
        // Whoever was full may not have seen what else is there.
        let is_whole = is_whole && !written.is_full();
        (written.changes(), is_whole)
    }

    fn fields<'a>(&'a self, times: &'a Times) -> Vec<(&'a str, &'a Json)> {
        let alike = self.alike.iter();
        let mut fields: Vec<(&str, &Json)> =
            alike.map(|(name, value)| (name.as_str(), value)).collect();
        fields.push((&self.names.start, &times.occurs_at));
        fields.push((&self.names.occurs_at, &times.occurs_at));
        if let Some(end) = &times.end {
            fields.push((&self.names.end, end));
        }
        fields
    }

    /// Of an occurrence: the event's own, and when it is. A day has no time.
    fn id_of(&self, occurrence: Instant, start: Time) -> String {
        let at = Timestamp::from_second(occurrence.0).unwrap_or_default();
        let at = match start {
            Time::Day(_) => at.strftime("%Y%m%d"),
            Time::Local(_) | Time::Moment(_) => at.strftime("%Y%m%dT%H%M%SZ"),
        };
        format!("{}{at}", self.prefix)
    }
}

/// The occurrences of an event.
struct Window<'a> {
    repeats: &'a Repeats,
    start: Time,
}

impl Window<'_> {
    /// From a second to before another.
    fn between(&self, from: i64, to: i64, work: &mut Work) -> Result<Vec<Instant>, Refused> {
        let expansion = self.expand((from, to), OCCURRENCES_MAX, work)?;
        match expansion.truncated {
            true => Err(Refused::TooManyOccurrences),
            false => Ok(expansion.occurrences),
        }
    }

    /// Whether it has any from a second on, or never ends.
    fn goes_on(&self, from: i64, work: &mut Work) -> Result<bool, Refused> {
        if !ends(&self.repeats.rrule(self.start))? {
            return Ok(true);
        }
        let ahead = self.expand((from, from + AHEAD_DAYS * DAY_S), 1, work)?;
        Ok(!ahead.occurrences.is_empty())
    }

    fn expand(
        &self,
        (from, to): (i64, i64),
        limit: usize,
        work: &mut Work,
    ) -> Result<crate::recurrence::Expansion, Refused> {
        let ask = Expand {
            rrule: &self.repeats.rrule(self.start),
            dtstart: &self.start.dtstart(&self.repeats.zone),
            timezone: self.start.zone_name(&self.repeats.zone_name),
            from: &Instant(from).to_string(),
            to: &Instant(to).to_string(),
            limit,
        };
        expand(&ask, work)
    }
}

fn prefix(key: &RecordKey) -> String {
    // Neither a table's nor a record's name holds a line feed.
    let named = format!("occurrences\n{}\n{}", key.table, key.id);
    let digest = Sha256::digest(named.as_bytes());
    let hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{hex}.")
}
