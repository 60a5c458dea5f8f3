//! What a row of the log asks for, or why that can never be stored.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use syncline_protocol::change::{Change, Claim, ClaimedChange, Op};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{FieldName, RecordId, RecordKey, TableName, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::limits::{Limits, STAMP_AHEAD_MS_MAX, STAMP_WALL_MS_MIN};
use syncline_protocol::stamp::{Hlc, WallMs};

/// A row as it stands in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct LogRow {
    /// Its writer's number among the clients of the space.
    pub(super) writer: WriterNo,
    /// Its client's name.
    pub(super) client: String,
    /// `table_name`.
    pub(super) table: String,
    /// `record_id`.
    pub(super) id: String,
    /// `op`.
    pub(super) op: String,
    /// `data`, as JSON text.
    pub(super) data: Option<String>,
    /// `field_timestamps`, as JSON text.
    pub(super) stamps: Option<String>,
    /// `created_at` in microseconds since 1970; `None` if it is not finite.
    pub(super) at_us: Option<i64>,
}

/// What a row asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Of one record. A claim without time asks for the arrival.
    pub(super) changes: Vec<ClaimedChange>,
    pub(super) writer: WriterNo,
    /// When the old server took it; of two in a millisecond the later is greater.
    pub(super) arrived: Hlc,
    pub(super) adjusted: Adjusted,
}

/// Times of a row that do not stand as they were claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Adjusted {
    /// Too far ahead of the arrival, which stands in their place.
    pub(super) ahead: u64,
    /// No times that a stamp may have.
    pub(super) unusable: u64,
}

/// What a row says of a time.
enum Told {
    Nothing,
    At(WallMs),
    Unusable,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

impl LogRow {
    /// Reads it, at `now_ms` by the hub's clock. Errors: it can never be stored.
    pub(super) fn read(&self, limits: &Limits, now_ms: WallMs) -> Result<Written, Refusal> {
        let arrived = self.arrived(now_ms)?;
        let key = RecordKey {
            table: TableName::parse_within(&self.table, limits.name_bytes_max)?,
            id: RecordId::parse_within(&self.id, limits.name_bytes_max)?,
        };
        let data = members(self.data.as_deref())?;
        let stamps = members(self.stamps.as_deref()).ok();
        let mut reading = Reading {
            limits,
            arrived_ms: arrived.wall_ms(),
            adjusted: Adjusted {
                ahead: 0,
                unusable: u64::from(stamps.is_none()),
            },
        };
        let stamps = stamps.unwrap_or_default();
        let ops = match self.op.as_str() {
            "insert" => reading.insert(&data, &stamps)?,
            "update" => vec![reading.update(&data, &stamps)?],
            "delete" => vec![Op::Delete {
                at: reading.claim(&[data.get("deletedAt")]),
            }],
            other => {
                let message = format!("op {other:?} is unknown");
                return Err(Refusal::new(Code::OpUnknown, message));
            }
        };
        let changes = ops.into_iter().map(|op| Change {
            key: key.clone(),
            op,
        });
        Ok(Written {
            changes: changes.collect(),
            writer: self.writer,
            arrived,
            adjusted: reading.adjusted,
        })
    }

    /// The arrival, not after now, since that would be ahead for every device. Errors:
    /// `stamp_invalid`.
    fn arrived(&self, now_ms: WallMs) -> Result<Hlc, Refusal> {
        let at_us = self.at_us.and_then(|at_us| u64::try_from(at_us).ok());
        match at_us.filter(|at_us| at_us / 1_000 >= STAMP_WALL_MS_MIN) {
            Some(at_us) if at_us / 1_000 >= now_ms => Ok(Hlc::new(now_ms, 0)),
            Some(at_us) => Ok(Hlc::new(at_us / 1_000, (at_us % 1_000) as u16)),
            None => Err(Refusal::new(
                Code::StampInvalid,
                "created_at is before 2020, or never",
            )),
        }
    }
}

/// The members of an object, the last of those of one name; of nothing none.
fn members(text: Option<&str>) -> Result<Members<'_>, Refusal> {
    let read: Result<Option<Members<'_>>, _> = serde_json::from_str(text.unwrap_or("null"));
    let read = read.map_err(|error| Refusal::new(Code::ChangeInvalid, error.to_string()))?;
    Ok(read.unwrap_or_default())
}

/// A time of a row. An empty text is what that server writes for none.
fn told(text: Option<&&RawValue>) -> Told {
    match text.map(|text| text.get()) {
        None | Some("null" | "\"\"") => Told::Nothing,
        Some(text) => match serde_json::from_str::<String>(text) {
            Ok(time) => Hlc::parse(&time).map_or(Told::Unusable, |at| Told::At(at.wall_ms())),
            Err(_) => Told::Unusable,
        },
    }
}

struct Reading<'a> {
    limits: &'a Limits,
    arrived_ms: WallMs,
    adjusted: Adjusted,
}

impl Reading<'_> {
    /// The first of these that is a time; the arrival if none is, or if that one is ahead of it.
    fn claim(&mut self, of: &[Option<&&RawValue>]) -> Claim {
        for told in of.iter().map(|text| told(*text)) {
            match told {
                Told::Nothing => {}
                Told::Unusable => self.adjusted.unusable += 1,
                Told::At(ms) if ms > self.arrived_ms + STAMP_AHEAD_MS_MAX => {
                    self.adjusted.ahead += 1;
                    return None;
                }
                Told::At(ms) => return Some(Hlc::new(ms, 0)),
            }
        }
        None
    }

    /// The insert; and an update with the fields that have a time of their own.
    fn insert(
        &mut self,
        data: &Members<'_>,
        stamps: &Members<'_>,
    ) -> Result<Vec<Op<Claim>>, Refusal> {
        let at = self.claim(&[data.get("updatedAt"), data.get("createdAt")]);
        let mut inserted = Vec::new();
        let mut fields = Vec::new();
        for (name, value) in self.fields(data)? {
            match self.claim_of(name.as_str(), stamps) {
                Some(own) => fields.push((name, value, own)),
                None => inserted.push((name, value)),
            }
        }
        let data = inserted;
        let mut ops = vec![Op::Insert { at, data }];
        if !fields.is_empty() {
            ops.push(Op::Update { fields });
        }
        Ok(ops)
    }

    fn update(&mut self, data: &Members<'_>, stamps: &Members<'_>) -> Result<Op<Claim>, Refusal> {
        let fields = self.fields(data)?;
        let owns: Vec<Option<Claim>> = fields
            .iter()
            .map(|(name, _)| self.claim_of(name.as_str(), stamps))
            .collect();
        // Asked only where it is needed: it is counted if it is no time.
        let others = match owns.contains(&None) {
            true => self.claim(&[data.get("updatedAt")]),
            false => None,
        };
        let fields = fields.into_iter().zip(owns);
        let fields = fields.map(|((name, value), own)| (name, value, own.unwrap_or(others)));
        Ok(Op::Update {
            fields: fields.collect(),
        })
    }

    /// A field's own claim; `None` if it has none that is a time.
    fn claim_of(&mut self, name: &str, stamps: &Members<'_>) -> Option<Claim> {
        match told(stamps.get(name)) {
            Told::Nothing => None,
            Told::Unusable => {
                self.adjusted.unusable += 1;
                None
            }
            Told::At(_) => Some(self.claim(&[stamps.get(name)])),
        }
    }

    fn fields(&self, data: &Members<'_>) -> Result<Vec<(FieldName, Json)>, Refusal> {
        let most = self.limits.fields_max;
        if data.len() > most {
            let message = format!("a change of more than {most} fields");
            return Err(Refusal::new(Code::TooManyFields, message));
        }
        let read = |(name, value): (&String, &&RawValue)| {
            Ok((
                FieldName::parse_within(name, self.limits.name_bytes_max)?,
                Json::parse(value.get(), self.limits.json_depth_max)?,
            ))
        };
        data.iter().map(read).collect()
    }
}
