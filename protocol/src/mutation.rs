//! A mutation: an atomic batch of changes, as one client numbered it.
//!
//! A mutation that cannot be read is still a mutation: its number is used and it is rejected
//! with a reason, so it never blocks the ones behind it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::change::{Change, Claim, ClaimedChange, Op};
use crate::error::{Code, Refusal};
use crate::ids::{ClientId, FieldName, RecordId, RecordKey, TableName};
use crate::json::{self, Json};
use crate::limits::{Limits, NAME_BYTES_MAX};
use crate::object::{self, Object};
use crate::stamp::Hlc;
use crate::verdict::PayloadHash;

/// Arrays and objects around a value in `changes`: the list, the change, `fields`, the field.
const DEPTH_AROUND_VALUE: usize = 4;

/// Field operations of later versions: refused, so that no client comes to rely on their names.
const RESERVED_OPS: [&str; 3] = ["add", "addTo", "removeFrom"];

/// The greatest number a client may use: 2^53 - 1, the greatest a browser counts to.
pub const MUTATION_NUMBER_MAX: u64 = (1 << 53) - 1;

/// What the client ids of keyed mutations begin with; no other client's may.
pub const KEYED_CLIENT: &str = "key:";

/// What devices are shown of who wrote: a key is the writer's own, so of those only
/// [`KEYED_CLIENT`], which no client can be called.
pub fn shown_writer(client: &ClientId) -> &str {
    let name = client.as_str();
    if name.starts_with(KEYED_CLIENT) {
        return KEYED_CLIENT;
    }
    name
}

/// A mutation as it arrived.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The client's number for it: 1, 2, 3…
    pub m: u64,
    /// Of the canonical changes; of the text itself where that is not canonicable.
    pub hash: PayloadHash,
    /// What it asks for, or why that can never be done.
    pub asked: Result<Vec<ClaimedChange>, Refusal>,
}

#[derive(Deserialize)]
struct RawMutation<'a> {
    m: u64,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
}

impl Mutation {
    /// Reads `{"m","changes":[…]}`. Only a missing or unusable number is an error
    /// (`bad_message`): without it nothing can be answered.
    pub fn parse(text: &str, limits: &Limits) -> Result<Mutation, Refusal> {
        let raw: RawMutation<'_> = object::from_str(text)
            .map_err(|e| Refusal::new(Code::BadMessage, format!("a mutation: {e}")))?;
        if !(1..=MUTATION_NUMBER_MAX).contains(&raw.m) {
            return Err(Refusal::new(
                Code::BadMessage,
                "a mutation's number is not in 1 to 2^53 - 1",
            ));
        }
        let (hash, asked) = read_changes(raw.changes.map_or("null", RawValue::get), limits);
        let mutation = Mutation {
            m: raw.m,
            hash,
            asked,
        };
        Ok(mutation.of_others())
    }

    /// Reads `{"key","changes":[…]}`, a write of a server: its key stands for the number. The
    /// mutation is the only one of a client of its own, [`KEYED_CLIENT`] and the key, so marks
    /// remember it like any other. Errors: `bad_message`, `name_invalid`.
    pub fn parse_keyed(text: &str, limits: &Limits) -> Result<(ClientId, Mutation), Refusal> {
        #[derive(Deserialize)]
        struct RawKeyed<'a> {
            #[serde(borrow)]
            key: Cow<'a, str>,
            #[serde(borrow)]
            changes: Option<&'a RawValue>,
        }
        let raw: RawKeyed<'_> = object::from_str(text)
            .map_err(|e| Refusal::new(Code::BadMessage, format!("a mutation: {e}")))?;
        if raw.key.is_empty() {
            return Err(Refusal::new(Code::NameInvalid, "a key is empty"));
        }
        let client = ClientId::parse(&format!("{KEYED_CLIENT}{}", raw.key)).map_err(|_| {
            let most = NAME_BYTES_MAX - KEYED_CLIENT.len();
            let message = format!("a key is longer than {most} bytes or has control characters");
            Refusal::new(Code::NameInvalid, message)
        })?;
        let changes = raw.changes.map_or("null", RawValue::get);
        Ok((client, Mutation::of_changes(changes, limits).of_others()))
    }

    /// The same of somebody who is not the hub: tables of the hub are refused.
    #[must_use]
    pub fn of_others(mut self) -> Mutation {
        let mut tables = self.asked.iter().flatten().map(|change| &change.key.table);
        if let Err(refusal) = tables.try_for_each(not_hubs) {
            self.asked = Err(refusal);
        }
        self
    }

    /// Changes that are the only ones of their client, of any table.
    pub fn of_changes(changes: &str, limits: &Limits) -> Mutation {
        let (hash, asked) = read_changes(changes, limits);
        Mutation { m: 1, hash, asked }
    }

    /// How many changes it holds; a rejected one counts as one.
    pub fn change_count(&self) -> usize {
        self.asked.as_ref().map_or(1, Vec::len)
    }
}

/// Whether somebody who is not the hub may write to a table. Errors: `table_reserved`.
pub(crate) fn not_hubs(table: &TableName) -> Result<(), Refusal> {
    match table.is_hubs() {
        false => Ok(()),
        true => Err(Refusal::new(
            Code::TableReserved,
            format!("only the hub writes to table {table}"),
        )),
    }
}

fn read_changes(text: &str, limits: &Limits) -> (PayloadHash, Result<Vec<ClaimedChange>, Refusal>) {
    match json::canonical(text, limits.json_depth_max + DEPTH_AROUND_VALUE) {
        Ok(canonical) => (hash(&canonical), parse_changes(&canonical, limits)),
        Err(refusal) => (hash(text), Err(refusal)),
    }
}

fn hash(text: &str) -> PayloadHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Reads a list of changes from canonical JSON, so that values are copied as they stand.
pub fn parse_changes(canonical: &str, limits: &Limits) -> Result<Vec<ClaimedChange>, Refusal> {
    let raw: Vec<Object<RawChange<'_>>> = serde_json::from_str(canonical).map_err(invalid)?;
    let most = limits.changes_per_push_max;
    if raw.len() > most {
        let message = format!("a mutation has more than {most} changes");
        return Err(Refusal::new(Code::TooManyChanges, message));
    }
    raw.into_iter()
        .map(|Object(change)| change.read(limits))
        .collect()
}

fn invalid(error: impl fmt::Display) -> Refusal {
    Refusal::new(Code::ChangeInvalid, format!("a change: {error}"))
}

/// The shape of a change on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChange<'a> {
    #[serde(borrow)]
    table: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow)]
    fields: Option<Members<'a>>,
    #[serde(borrow)]
    data: Option<Members<'a>>,
    #[serde(borrow)]
    inserted_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    deleted_at: Option<Cow<'a, str>>,
}

impl RawChange<'_> {
    fn read(self, limits: &Limits) -> Result<ClaimedChange, Refusal> {
        let key = RecordKey {
            table: TableName::parse_within(&self.table, limits.name_bytes_max)?,
            id: RecordId::parse_within(&self.id, limits.name_bytes_max)?,
        };
        let op = match &*self.op {
            "insert" => read_insert(self.data, self.inserted_at.as_deref(), limits)?,
            "update" => read_update(self.fields, limits)?,
            "delete" => Op::Delete {
                at: self.deleted_at.as_deref().map(Hlc::parse).transpose()?,
            },
            other => {
                return Err(Refusal::new(
                    Code::OpUnknown,
                    format!("op {other:?} is unknown"),
                ));
            }
        };
        Ok(Change { key, op })
    }
}

/// An insert's time is `insertedAt`, else `data.updatedAt`, else `data.createdAt` where those
/// are stamps, else the hub's.
fn read_insert(
    data: Option<Members<'_>>,
    inserted_at: Option<&str>,
    limits: &Limits,
) -> Result<Op<Claim>, Refusal> {
    let data = data.ok_or_else(|| invalid("an insert has no data"))?;
    data.check_count(limits)?;
    let at = match inserted_at {
        Some(text) => Some(Hlc::parse(text)?),
        None => data.stamp("updatedAt").or_else(|| data.stamp("createdAt")),
    };
    let data = data
        .0
        .iter()
        .map(|(name, value)| Ok((field_name(name, limits)?, read_value(value, limits)?)))
        .collect::<Result<_, Refusal>>()?;
    Ok(Op::Insert { at, data })
}

fn read_update(fields: Option<Members<'_>>, limits: &Limits) -> Result<Op<Claim>, Refusal> {
    let fields = fields.ok_or_else(|| invalid("an update has no fields"))?;
    fields.check_count(limits)?;
    let fields = fields
        .0
        .iter()
        .map(|(name, write)| {
            let name = field_name(name, limits)?;
            let write: Members<'_> = serde_json::from_str(write.get()).map_err(invalid)?;
            let (value, at) = read_write(&name, &write, limits)?;
            Ok((name, value, at))
        })
        .collect::<Result<_, Refusal>>()?;
    Ok(Op::Update { fields })
}

pub(crate) fn field_name(name: &str, limits: &Limits) -> Result<FieldName, Refusal> {
    FieldName::parse_within(name, limits.name_bytes_max)
}

/// Reads `{"value":…,"updatedAt":"…"}`.
fn read_write(
    name: &FieldName,
    write: &Members<'_>,
    limits: &Limits,
) -> Result<(Json, Claim), Refusal> {
    if let Some(op) = RESERVED_OPS.iter().find(|op| write.get(op).is_some()) {
        return Err(Refusal::new(
            Code::OpReserved,
            format!("field {name}: {op} is reserved"),
        ));
    }
    let value = write
        .get("value")
        .ok_or_else(|| invalid(format!("field {name} has no value")))?;
    let at = match write.get("updatedAt") {
        None => None,
        Some(text) => {
            let text: Cow<'_, str> = serde_json::from_str(text.get())
                .map_err(|e| Refusal::new(Code::StampInvalid, format!("field {name}: {e}")))?;
            Some(Hlc::parse(&text)?)
        }
    };
    Ok((read_value(value, limits)?, at))
}

fn read_value(value: &RawValue, limits: &Limits) -> Result<Json, Refusal> {
    if json::depth(value.get()) > limits.json_depth_max {
        return Err(Refusal::new(
            Code::JsonTooDeep,
            "a value is nested too deep",
        ));
    }
    Ok(Json::trusted(value.get()))
}

/// The members of an object, in order, with their values as text. Unlike a map of options it
/// tells `null` from absent.
#[derive(Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    /// More fields than a record may have are refused before they cost a merge. Errors:
    /// `too_many_fields`.
    pub(crate) fn check_count(&self, limits: &Limits) -> Result<(), Refusal> {
        let most = limits.fields_max;
        if self.0.len() <= most {
            return Ok(());
        }
        let message = format!("a change of more than {most} fields");
        Err(Refusal::new(Code::TooManyFields, message))
    }

    /// The last of members with one name, as a browser reads them.
    pub(crate) fn last_of_each(mut self) -> Self {
        self.0.reverse();
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self.0.dedup_by(|earlier, last| earlier.0 == last.0);
        self
    }

    /// The member as a stamp, if it is one.
    fn stamp(&self, name: &str) -> Option<Hlc> {
        let text: Cow<'_, str> = serde_json::from_str(self.get(name)?.get()).ok()?;
        Hlc::parse(&text).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut read = Vec::with_capacity(members.size_hint().unwrap_or(8));
                while let Some(Name(name)) = members.next_key::<Name<'de>>()? {
                    read.push((name, members.next_value()?));
                }
                Ok(Members(read))
            }
        }
        source.deserialize_map(Reader)
    }
}

/// A member's name, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
