//! The binary form of records, verdicts and given stamps, at rest and between nodes.
//!
//! This module is the fence around `bincode` 2.0.1, which is no longer maintained
//! (RUSTSEC-2025-0141): nothing else names it. What nodes tell each other has its structs where it
//! is told, and goes through [`encode_versioned_as`] and [`decode_versioned_as`]. Every value starts with a version byte, and
//! decoding is limited, so damaged bytes cost an error and bounded memory. The stored structs
//! stand apart from the inner types: a new field is a new version, old ones stay readable.

mod given;
mod split;

use serde::{Deserialize, Serialize};

pub use self::given::{GIVEN_COUNT_BYTES, decode_given, decode_given_count, encode_given};
pub use self::split::{Split, decode_split, encode_split};

use crate::error::{Code, Refusal};
use crate::ids::{FieldName, RecordId, RecordKey, Seq, TableName, WriterNo};
use crate::json::Json;
use crate::limits::DECODE_BYTES_MAX;
use crate::record::{Field, Record};
use crate::stamp::{Hlc, Stamp};
use crate::verdict::{Status, Verdict, Winner, WonField};

/// The version this hub writes, where a value has none of its own.
const VERSION: u8 = 1;

/// Bytes that are no value of a version this hub knows.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Empty input.
    #[error("no bytes")]
    Empty,
    /// Written by a newer hub.
    #[error("version {0} is not known here")]
    Version(u8),
    /// Damaged, cut short or longer than it says.
    #[error("damaged: {0}")]
    Damaged(String),
}

fn encode_versioned<T: Serialize>(value: &T) -> Vec<u8> {
    encode_versioned_as(VERSION, value)
}

/// A value behind the byte of its version.
pub fn encode_versioned_as<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let config = bincode::config::standard();
    let mut bytes = vec![version];
    bincode::serde::encode_into_std_write(value, &mut bytes, config)
        .expect("writing plain data to memory cannot fail");
    bytes
}

fn decode_versioned<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    decode_versioned_as(VERSION, bytes)
}

/// Reads [`encode_versioned_as`], all of the bytes.
pub fn decode_versioned_as<'a, T: Deserialize<'a>>(
    version: u8,
    bytes: &'a [u8],
) -> Result<T, DecodeError> {
    match decode_first(version, bytes)? {
        (value, 0) => Ok(value),
        (_, left) => Err(DecodeError::Damaged(format!("{left} bytes left"))),
    }
}

/// What a value of any version begins with, where all of them begin alike: the version, that, and
/// how many bytes are left.
pub fn decode_begin<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<(u8, T, usize), DecodeError> {
    let version = *bytes.first().ok_or(DecodeError::Empty)?;
    let (value, left) = decode_first(version, bytes)?;
    Ok((version, value, left))
}

/// What a value begins with, and how many bytes are left.
fn decode_first<'a, T: Deserialize<'a>>(
    known: u8,
    bytes: &'a [u8],
) -> Result<(T, usize), DecodeError> {
    let config = bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();
    match bytes.split_first() {
        None => Err(DecodeError::Empty),
        Some((&version, rest)) if version == known => {
            let decoded = bincode::serde::borrow_decode_from_slice(rest, config);
            let (value, read) = decoded.map_err(|error| DecodeError::Damaged(error.to_string()))?;
            Ok((value, rest.len() - read))
        }
        Some((&version, _)) => Err(DecodeError::Version(version)),
    }
}

/// A small value as hexadecimal text, for positions that clients carry.
pub(crate) fn encode_text<T: Serialize>(value: &T) -> String {
    encode_versioned(value)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The bytes of [`encode_text`]; `None` if it is no hexadecimal text.
pub(crate) fn text_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| {
        let (high, low) = (
            char::from(pair[0]).to_digit(16)?,
            char::from(pair[1]).to_digit(16)?,
        );
        u8::try_from(high << 4 | low).ok()
    };
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(pair).collect())?
}

/// Reads the value of [`text_bytes`].
pub(crate) fn decode_text<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    decode_versioned(bytes)
}

type StampV1 = (u64, u32);

#[derive(Serialize, Deserialize)]
struct RecordV1<'a> {
    inserted: Option<StampV1>,
    deleted: Option<StampV1>,
    seq: u64,
    by: u32,
    inserted_seq: u64,
    deleted_seq: u64,
    #[serde(borrow)]
    fields: Vec<FieldV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct FieldV1<'a> {
    name: &'a str,
    value: &'a str,
    stamp: StampV1,
    seq: u64,
}

fn stamp_v1(stamp: Stamp) -> StampV1 {
    (stamp.at.to_bits(), stamp.writer.0)
}

fn stamp_of(stored: StampV1) -> Stamp {
    Stamp {
        at: Hlc::from_bits(stored.0),
        writer: WriterNo(stored.1),
    }
}

/// A record at rest.
pub fn encode_record(record: &Record) -> Vec<u8> {
    encode_versioned(&record_v1(record))
}

fn record_v1(record: &Record) -> RecordV1<'_> {
    RecordV1 {
        inserted: record.inserted.map(stamp_v1),
        deleted: record.deleted.map(stamp_v1),
        seq: record.seq.0,
        by: record.by.0,
        inserted_seq: record.inserted_seq.0,
        deleted_seq: record.deleted_seq.0,
        fields: record
            .fields
            .iter()
            .map(|field| FieldV1 {
                name: field.name.as_str(),
                value: field.value.as_str(),
                stamp: stamp_v1(field.stamp),
                seq: field.seq.0,
            })
            .collect(),
    }
}

/// Reads [`encode_record`].
pub fn decode_record(bytes: &[u8]) -> Result<Record, DecodeError> {
    let stored: RecordV1<'_> = decode_versioned(bytes)?;
    Ok(Record {
        inserted: stored.inserted.map(stamp_of),
        deleted: stored.deleted.map(stamp_of),
        seq: Seq(stored.seq),
        by: WriterNo(stored.by),
        inserted_seq: Seq(stored.inserted_seq),
        deleted_seq: Seq(stored.deleted_seq),
        fields: stored
            .fields
            .iter()
            .map(|field| Field {
                name: FieldName::trusted(field.name),
                value: Json::trusted(field.value),
                stamp: stamp_of(field.stamp),
                seq: Seq(field.seq),
            })
            .collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct VerdictV1<'a> {
    #[serde(borrow)]
    status: StatusV1<'a>,
    seq: u64,
    clamped: bool,
    winners: Vec<WinnerV1<'a>>,
}

#[derive(Serialize, Deserialize)]
enum StatusV1<'a> {
    Applied,
    Superseded,
    Rejected { code: &'a str, message: &'a str },
}

#[derive(Serialize, Deserialize)]
struct WinnerV1<'a> {
    table: &'a str,
    id: &'a str,
    deleted_at: Option<u64>,
    inserted_at: Option<u64>,
    #[serde(borrow)]
    fields: Vec<(&'a str, u64, Option<&'a str>)>,
}

/// A verdict at rest.
pub fn encode_verdict(verdict: &Verdict) -> Vec<u8> {
    encode_versioned(&VerdictV1 {
        status: match &verdict.status {
            Status::Applied => StatusV1::Applied,
            Status::Superseded => StatusV1::Superseded,
            Status::Rejected(refusal) => StatusV1::Rejected {
                code: refusal.code.as_str(),
                message: &refusal.message,
            },
        },
        seq: verdict.seq.0,
        clamped: verdict.clamped,
        winners: verdict.winners.iter().map(winner_v1).collect(),
    })
}

fn winner_v1(winner: &Winner) -> WinnerV1<'_> {
    WinnerV1 {
        table: winner.key.table.as_str(),
        id: winner.key.id.as_str(),
        deleted_at: winner.deleted_at.map(Hlc::to_bits),
        inserted_at: winner.inserted_at.map(Hlc::to_bits),
        fields: winner
            .fields
            .iter()
            .map(|f| {
                (
                    f.name.as_str(),
                    f.at.to_bits(),
                    f.value.as_ref().map(Json::as_str),
                )
            })
            .collect(),
    }
}

/// Reads [`encode_verdict`].
pub fn decode_verdict(bytes: &[u8]) -> Result<Verdict, DecodeError> {
    let stored: VerdictV1<'_> = decode_versioned(bytes)?;
    Ok(Verdict {
        status: match stored.status {
            StatusV1::Applied => Status::Applied,
            StatusV1::Superseded => Status::Superseded,
            StatusV1::Rejected { code, message } => Status::Rejected(Refusal::new(
                Code::parse(code).unwrap_or(Code::ChangeInvalid),
                message,
            )),
        },
        seq: Seq(stored.seq),
        clamped: stored.clamped,
        winners: stored.winners.iter().map(winner_of).collect(),
    })
}

fn winner_of(stored: &WinnerV1<'_>) -> Winner {
    Winner {
        key: RecordKey {
            table: TableName::trusted(stored.table),
            id: RecordId::trusted(stored.id),
        },
        deleted_at: stored.deleted_at.map(Hlc::from_bits),
        inserted_at: stored.inserted_at.map(Hlc::from_bits),
        fields: stored
            .fields
            .iter()
            .map(|(name, at, value)| WonField {
                name: FieldName::trusted(name),
                at: Hlc::from_bits(*at),
                value: value.map(Json::trusted),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
