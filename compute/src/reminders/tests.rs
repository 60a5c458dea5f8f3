//! Reminders, of records as devices write them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use syncline_protocol::ids::{FieldName, RecordId, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};

use super::*;

mod batch;
mod due;
mod plan;
mod preferences;
mod quiet;
mod reminding;
mod template;

/// 2026-11-24T10:00:00.000Z, a Tuesday.
const NOW: u64 = 1_795_514_400_000;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Zones whose clocks are changed: by an hour or half of one, at midnight, by a day, of offsets with
/// quarters of an hour, and never.
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "UTC",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn ms(text: &str) -> u64 {
    let at: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(at.as_millisecond()).unwrap()
}

fn stamp(at_ms: u64) -> Stamp {
    Stamp {
        at: Hlc::new(at_ms, 0),
        writer: WriterNo(1),
    }
}

/// A live record, all of it written at a time.
fn record(at_ms: u64, fields: Value) -> Record {
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    let sorted: BTreeMap<String, Value> = fields.into_iter().collect();
    let fields = sorted.into_iter().map(|(name, value)| Field {
        name: FieldName::trusted(&name),
        value: Json::trusted(&value.to_string()),
        stamp: stamp(at_ms),
        seq: Seq(1),
    });
    Record {
        inserted: Some(stamp(at_ms)),
        fields: fields.collect(),
        ..Record::default()
    }
}

fn deleted(mut record: Record) -> Record {
    record.deleted = Some(stamp(NOW + DAY));
    record
}

fn key(id: &str) -> RecordKey {
    RecordKey {
        table: TableName::trusted("reminders"),
        id: RecordId::trusted(id),
    }
}
