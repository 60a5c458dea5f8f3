//! A changeset as these clients send it.
//!
//! What no client of theirs would send (bad JSON, an unknown op, no table or id) refuses the
//! request. A well-formed change that can never be stored is kept apart with its reason: the
//! client would send a refused request for ever.

mod counters;
mod head;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::counters::Counters;
use self::head::RawHead;
use super::text::BrowserText;
use crate::change::{Change, Claim, ClaimedChange, Op};
use crate::error::{Code, Refusal};
use crate::ids::{RecordId, RecordKey, TableName};
use crate::json::Json;
use crate::limits::Limits;
use crate::mutation::{Members, field_name, not_hubs};
use crate::object;
use crate::stamp::Hlc;

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
    /// The record, if there can be one of that table and id.
    pub key: Option<RecordKey>,
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

/// What a change says of what it is about.
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
        let key = match is_broken {
            true => Err(Refusal::new(
                Code::ValueInvalid,
                "table or id holds half a character",
            )),
            false => read_key(&table, &id, limits),
        };
        let asked = asked.and_then(|mut op| {
            let key = key.clone()?;
            not_hubs(&key.table)?;
            counters.count(&key, &mut op)?;
            Ok(Change { key, op })
        });
        Ok(SyncChange {
            table,
            id,
            key: key.ok().filter(|key| !key.table.is_hubs()),
            text: text.to_owned(),
            asked,
        })
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::BadMessage, error.to_string())
}

fn read_key(table: &str, id: &str, limits: &Limits) -> Result<RecordKey, Refusal> {
    Ok(RecordKey {
        table: TableName::parse_within(table, limits.name_bytes_max)?,
        id: RecordId::parse_within(id, limits.name_bytes_max)?,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn parse(changes: &str) -> Result<SyncRequest, Refusal> {
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
