//! A changeset as these clients send it.
//!
//! What no client of theirs would send (bad JSON, an unknown op, no table or id) refuses the
//! request. A well-formed change that can never be stored is kept apart with its reason: the
//! client would send a refused request for ever.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::text::BrowserText;
use crate::change::{Change, Claim, ClaimedChange, Op};
use crate::error::{Code, Refusal};
use crate::ids::{RecordId, RecordKey, TableName};
use crate::json::Json;
use crate::limits::Limits;
use crate::mutation::{Members, field_name};
use crate::object;
use crate::stamp::Hlc;

/// Changes of one record in one millisecond of one request: as many as a stamp has counters. What
/// follows is kept apart.
const COUNTERS: u32 = u16::MAX as u32 + 1;

/// A changeset.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The device, if the body names it.
    pub client: Option<String>,
    /// The cursor as it came.
    pub since: String,
    /// In the order they came.
    pub changes: Vec<SyncChange>,
}

/// One change of a changeset.
#[derive(Clone, Debug)]
pub struct SyncChange {
    /// The table as it came.
    pub table: String,
    /// The record's id as it came.
    pub id: String,
    /// The change as it came.
    pub text: String,
    /// What it asks for, with counters by the order of the request; or why that can never be
    /// stored.
    pub asked: Result<ClaimedChange, Refusal>,
}

#[derive(Deserialize)]
struct RawRequest<'a> {
    #[serde(rename = "clientId", borrow)]
    client: Option<Cow<'a, str>>,
    #[serde(borrow)]
    since: Option<Cow<'a, str>>,
    #[serde(borrow)]
    changes: Option<Vec<&'a RawValue>>,
}

/// What a change is about. It is read whatever else the change holds, so that the change can be
/// named when it is set aside.
#[derive(Default)]
struct RawHead<'a> {
    table: Option<BrowserText>,
    id: Option<BrowserText>,
    op: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawHead<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_map(HeadReader)
    }
}

struct HeadReader;

impl<'de> Visitor<'de> for HeadReader {
    type Value = RawHead<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawHead<'de>, A::Error> {
        let mut head = RawHead::default();
        let twice = |name| Err(A::Error::duplicate_field(name));
        // A name may hold half a character, as a value may.
        while let Some(name) = members.next_key::<BrowserText>()? {
            match name.shown.as_str() {
                "table" if head.table.is_some() => return twice("table"),
                "table" => head.table = members.next_value()?,
                "id" if head.id.is_some() => return twice("id"),
                "id" => head.id = members.next_value()?,
                "op" if head.op.is_some() => return twice("op"),
                "op" => {
                    let op: Option<Text<'de>> = members.next_value()?;
                    head.op = op.map(|Text(op)| op);
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(head)
    }
}

/// A text, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What it says of that.
#[derive(Deserialize)]
struct RawBody<'a> {
    #[serde(borrow)]
    fields: Option<Members<'a>>,
    #[serde(borrow)]
    data: Option<Members<'a>>,
    #[serde(rename = "deletedAt", borrow)]
    deleted_at: Option<&'a RawValue>,
}

impl SyncRequest {
    /// Reads a request's body. Errors: `bad_message`.
    pub fn parse(text: &str, limits: &Limits) -> Result<SyncRequest, Refusal> {
        let raw: RawRequest<'_> = object::from_str(text).map_err(bad)?;
        let since = raw
            .since
            .ok_or_else(|| bad("since is missing"))?
            .into_owned();
        let mut counters = Counters::default();
        let changes = raw.changes.unwrap_or_default();
        Ok(SyncRequest {
            client: raw.client.map(Cow::into_owned),
            since,
            changes: changes
                .into_iter()
                .map(|text| SyncChange::parse(text.get(), limits, &mut counters))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl SyncChange {
    fn parse(text: &str, limits: &Limits, counters: &mut Counters) -> Result<SyncChange, Refusal> {
        let head: RawHead<'_> = object::from_str(text).map_err(bad)?;
        let given = |name: Option<BrowserText>| name.filter(|name| !name.shown.is_empty());
        let table = given(head.table).ok_or_else(|| bad("a change has no table"))?;
        let id = given(head.id).ok_or_else(|| bad("a change has no id"))?;
        let is_broken = table.is_broken || id.is_broken;
        let (table, id) = (table.shown, id.shown);
        let body = object::from_str::<RawBody<'_>>(text)
            .map_err(|e| Refusal::new(Code::ChangeInvalid, e.to_string()));
        let asked = match head.op.as_deref() {
            Some("insert") => body.and_then(|body| read_insert(body.data, limits)),
            Some("update") => body.and_then(|body| read_update(body.fields, limits)),
            Some("delete") => body.and_then(|body| read_delete(body.deleted_at)),
            _ => return Err(bad("a change's op is not insert, update or delete")),
        };
        let asked = asked.and_then(|mut op| {
            if is_broken {
                let message = "table or id holds half a character";
                return Err(Refusal::new(Code::ValueInvalid, message));
            }
            let key = RecordKey {
                table: TableName::parse_within(&table, limits.name_bytes_max)?,
                id: RecordId::parse_within(&id, limits.name_bytes_max)?,
            };
            counters.count(&key, &mut op)?;
            Ok(Change { key, op })
        });
        Ok(SyncChange {
            table,
            id,
            text: text.to_owned(),
            asked,
        })
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::BadMessage, error.to_string())
}

/// An insert's time is `data.updatedAt`, else `data.createdAt`, else the hub's.
fn read_insert(data: Option<Members<'_>>, limits: &Limits) -> Result<Op<Claim>, Refusal> {
    let data = data.unwrap_or_default().last_of_each();
    let at = match claim(data.get("updatedAt"))? {
        None => claim(data.get("createdAt"))?,
        at => at,
    };
    data.check_count(limits)?;
    let data = data
        .iter()
        .map(|(name, value)| Ok((field_name(name, limits)?, read_value(value, limits)?)))
        .collect::<Result<_, Refusal>>()?;
    Ok(Op::Insert { at, data })
}

fn read_update(fields: Option<Members<'_>>, limits: &Limits) -> Result<Op<Claim>, Refusal> {
    let fields = fields.unwrap_or_default().last_of_each();
    fields.check_count(limits)?;
    let write = |(name, write): (&str, &RawValue)| {
        let write: Members<'_> = serde_json::from_str(write.get())
            .map_err(|e| Refusal::new(Code::ChangeInvalid, format!("field {name}: {e}")))?;
        // A field without value is one that was set to undefined: those clients mean null.
        let value = write
            .get("value")
            .map_or(Ok(Json::trusted("null")), |value| read_value(value, limits))?;
        Ok((
            field_name(name, limits)?,
            value,
            claim(write.get("updatedAt"))?,
        ))
    };
    let fields = fields.iter().map(write).collect::<Result<_, Refusal>>()?;
    Ok(Op::Update { fields })
}

fn read_delete(deleted_at: Option<&RawValue>) -> Result<Op<Claim>, Refusal> {
    Ok(Op::Delete {
        at: claim(deleted_at)?,
    })
}

fn read_value(value: &RawValue, limits: &Limits) -> Result<Json, Refusal> {
    Json::parse(value.get(), limits.json_depth_max)
}

/// A time, if it is given as text; whatever is no text gives none.
fn claim(text: Option<&RawValue>) -> Result<Claim, Refusal> {
    let text = text.and_then(|text| serde_json::from_str::<Cow<'_, str>>(text.get()).ok());
    text.map(|text| Hlc::parse(&text)).transpose()
}

/// Requests have no counters: of equal times, the later change of a record is the greater. Stamps
/// are compared inside a record only, so each counts by itself; it does by a hash of its name and
/// the time, since two that share a count lose nothing by it.
#[derive(Default)]
struct Counters {
    earlier: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Counters {
    /// Errors: `too_many_changes` for what no counter is left for. It would not be known to be
    /// later than the one before it.
    fn count(&mut self, key: &RecordKey, op: &mut Op<Claim>) -> Result<(), Refusal> {
        let mut claims: Vec<&mut Hlc> = match op {
            Op::Insert { at, .. } | Op::Delete { at } => at.iter_mut().collect(),
            Op::Update { fields } => fields
                .iter_mut()
                .filter_map(|(_, _, at)| at.as_mut())
                .collect(),
        };
        let counted = |at: &Hlc| self.hasher.hash_one((key, at.wall_ms()));
        let mut moments: Vec<u64> = claims.iter().map(|at| counted(at)).collect();
        for (at, moment) in claims.iter_mut().zip(&moments) {
            let earlier = self.earlier.get(moment).copied().unwrap_or(0);
            let counter = u16::try_from(earlier).map_err(|_| {
                let message = format!("more than {COUNTERS} changes of {key} in one millisecond");
                Refusal::new(Code::TooManyChanges, message)
            })?;
            **at = Hlc::new(at.wall_ms(), counter);
        }
        moments.sort_unstable();
        moments.dedup();
        for moment in moments {
            *self.earlier.entry(moment).or_default() += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(changes: &str) -> Result<SyncRequest, Refusal> {
        let text = format!(
            r#"{{"clientId":"d1","appId":"todo","since":"1970-01-01T00:00:00.000Z","changes":[{changes}]}}"#
        );
        SyncRequest::parse(&text, &Limits::DEFAULT)
    }

    fn asked(change: &str) -> Result<ClaimedChange, Refusal> {
        parse(change).unwrap().changes.remove(0).asked
    }

    #[test]
    fn malformed_requests_are_refused() {
        for text in ["", "{", "[]", r#"{"changes":[]}"#, r#"{"since":5}"#] {
            assert_eq!(
                SyncRequest::parse(text, &Limits::DEFAULT).unwrap_err().code,
                Code::BadMessage,
                "{text}"
            );
        }
        for change in [
            r#"{"id":"a","op":"delete"}"#,
            r#"{"table":"t","op":"delete"}"#,
            r#"{"table":"","id":"a","op":"delete"}"#,
            r#"{"table":"t","id":"","op":"delete"}"#,
            r#"{"table":"t","id":"a"}"#,
            r#"{"table":"t","id":"a","op":"upsert"}"#,
            "7",
        ] {
            assert_eq!(
                parse(change).unwrap_err().code,
                Code::BadMessage,
                "{change}"
            );
        }
    }

    #[test]
    fn a_change_that_can_never_be_stored_is_kept_apart() {
        for (change, code) in [
            (
                r#"{"table":"t","id":"a","op":"insert","data":{"x":"\u0000"}}"#,
                Code::NulInString,
            ),
            (
                r#"{"table":"t","id":"a","op":"insert","data":{"x":"\ud800"}}"#,
                Code::ValueInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"insert","data":{"x":1e400}}"#,
                Code::ValueInvalid,
            ),
            (
                r#"{"table":"t","id":"a\ud800","op":"insert","data":{}}"#,
                Code::ValueInvalid,
            ),
            (
                r#"{"table":"\udc00","id":"a","op":"delete"}"#,
                Code::ValueInvalid,
            ),
            (
                r#"{"table":"t\u0001","id":"a","op":"delete"}"#,
                Code::NameInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"insert","data":{"__proto__":1}}"#,
                Code::NameInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"delete","deletedAt":"2019-01-01T00:00:00Z"}"#,
                Code::StampInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"update","fields":{"x":{"value":1,"updatedAt":"now"}}}"#,
                Code::StampInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"update","fields":{"x":1}}"#,
                Code::ChangeInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"insert","data":[1]}"#,
                Code::ChangeInvalid,
            ),
            (
                r#"{"table":"t","id":"a","op":"insert","data":{"\ud800":1}}"#,
                Code::ChangeInvalid,
            ),
        ] {
            assert_eq!(asked(change).unwrap_err().code, code, "{change}");
        }
    }

    #[test]
    fn half_a_character_in_the_name_of_any_member_keeps_the_change_apart() {
        for members in [
            r#""\ud800":1,"table":"t","id":"a","op":"insert","data":{}"#,
            r#""table":"t","id":"a","op":"delete","x\udfff":{"\ud800":[]}"#,
            r#""table":"t","id":"a","op":"update","fields":{"\ud800":{"value":1}}"#,
            r#""table":"t","id":"a","op":"update","fields":{"x":{"value":1,"\ud800":2}}"#,
        ] {
            let poison = format!("{{{members}}}");
            let whole = r#"{"table":"t","id":"b","op":"delete"}"#;
            let request = parse(&format!("{poison},{whole}")).unwrap();
            let [poisoned, read] = &request.changes[..] else {
                panic!("{request:?}");
            };
            let named = (poisoned.table.as_str(), poisoned.id.as_str());
            assert_eq!((named, &poisoned.text), (("t", "a"), &poison));
            let code = poisoned.asked.as_ref().unwrap_err().code;
            assert_eq!(code, Code::ChangeInvalid, "{poison}");
            assert!(read.asked.is_ok());
        }
        let twice = r#"{"table":"t","table":"t","id":"a","op":"delete"}"#;
        assert_eq!(parse(twice).unwrap_err().code, Code::BadMessage);
    }

    #[test]
    fn a_name_with_half_a_character_is_shown_with_a_replacement() {
        let change = r#"{"table":"t","id":"a\ud800","op":"delete"}"#;
        let change = parse(change).unwrap().changes.remove(0);
        assert_eq!(
            (change.table.as_str(), change.id.as_str()),
            ("t", "a\u{fffd}")
        );
    }

    #[test]
    fn the_limits_are_those_given() {
        let limits = Limits {
            fields_max: 2,
            json_depth_max: 1,
            name_bytes_max: 16,
            ..Limits::DEFAULT
        };
        for (id, data, code) in [
            ("1234567890123456", r#"{"a":[],"b":1}"#, None),
            ("12345678901234567", "{}", Some(Code::NameInvalid)),
            ("a", r#"{"a":1,"b":1,"c":1}"#, Some(Code::TooManyFields)),
            ("a", r#"{"a":[[]]}"#, Some(Code::JsonTooDeep)),
        ] {
            let change = format!(r#"{{"table":"t","id":"{id}","op":"insert","data":{data}}}"#);
            let text = format!(r#"{{"since":"","changes":[{change}]}}"#);
            let mut request = SyncRequest::parse(&text, &limits).unwrap();
            let asked = request.changes.remove(0).asked;
            assert_eq!(asked.err().map(|refusal| refusal.code), code, "{change}");
        }
    }

    #[test]
    fn an_insert_is_stamped_by_updated_at_else_created_at_else_by_the_hub() {
        let at = |data: &str| {
            let change = format!(r#"{{"table":"t","id":"a","op":"insert","data":{data}}}"#);
            match asked(&change).unwrap().op {
                Op::Insert { at, .. } => at.map(|at| at.to_string()),
                other => panic!("{other:?}"),
            }
        };
        let (early, late) = ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z");
        let both = format!(r#"{{"createdAt":"{early}","updatedAt":"{late}"}}"#);
        assert_eq!(at(&both).as_deref(), Some(late));
        assert_eq!(
            at(&format!(r#"{{"createdAt":"{early}"}}"#)).as_deref(),
            Some(early)
        );
        assert_eq!(at("{}"), None);
        assert_eq!(at(r#"{"updatedAt":null}"#), None);
    }

    #[test]
    fn the_later_of_two_changes_of_one_time_is_the_greater() {
        let change = |value: &str, at: &str| {
            format!(
                r#"{{"table":"t","id":"a","op":"update","fields":{{"x":{{"value":{value},"updatedAt":"{at}"}}}}}}"#
            )
        };
        let (one, two) = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z");
        let changes = [
            change("1", one),
            change("2", one),
            change("3", two),
            change("4", one),
        ];
        let counters: Vec<u16> = parse(&changes.join(","))
            .unwrap()
            .changes
            .into_iter()
            .map(|change| match change.asked.unwrap().op {
                Op::Update { fields } => fields[0].2.unwrap().counter(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counters, [0, 1, 0, 2]);
    }

    /// The counter of a delete, or why it was kept apart.
    fn counter(change: &SyncChange) -> Result<u16, Code> {
        match change.asked.as_ref().map(|asked| &asked.op) {
            Ok(Op::Delete { at: Some(at) }) => Ok(at.counter()),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn deletes(ids: impl Iterator<Item = String>) -> Vec<SyncChange> {
        let at = "2026-01-01T00:00:00Z";
        let delete =
            |id| format!(r#"{{"table":"t","id":"{id}","op":"delete","deletedAt":"{at}"}}"#);
        parse(&ids.map(delete).collect::<Vec<_>>().join(","))
            .unwrap()
            .changes
    }

    #[test]
    fn a_record_has_as_many_changes_of_one_time_as_there_are_counters() {
        let same = |_| "a".to_owned();
        let changes = deletes((0..=COUNTERS).map(same));
        let [.., last, one_more] = &changes[..] else {
            panic!("{} changes", changes.len());
        };
        assert_eq!(counter(&changes[0]), Ok(0));
        assert_eq!(counter(last), Ok(u16::MAX));
        assert_eq!(counter(one_more), Err(Code::TooManyChanges));
    }

    #[test]
    fn the_changes_of_many_records_need_no_counters() {
        let changes = deletes((0..=COUNTERS).map(|id| id.to_string()));
        assert!(changes.iter().all(|change| counter(change) == Ok(0)));
    }

    #[test]
    fn of_two_members_of_one_name_the_last_counts() {
        let change = r#"{"table":"t","id":"a","op":"insert","data":{"x":9,"y":0,"x":1}}"#;
        match asked(change).unwrap().op {
            Op::Insert { data, .. } => {
                let read: Vec<_> = data.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                assert_eq!(read, [("x", "1"), ("y", "0")]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn twenty_thousand_changes_are_read() {
        let changes: Vec<String> = (0..20_000)
            .map(|i| format!(r#"{{"table":"t","id":"k{i}","op":"insert","data":{{}}}}"#))
            .collect();
        assert_eq!(parse(&changes.join(",")).unwrap().changes.len(), 20_000);
    }
}
