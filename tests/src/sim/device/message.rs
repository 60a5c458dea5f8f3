//! What a device reads, from the very text the session sent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Any message of the hub: one shape, since a name means one thing in all of them.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    pub(super) t: &'a str,
    pub(super) epoch: Option<&'a str>,
    pub(super) head: Option<u64>,
    pub(super) acked: Option<u64>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) at: Option<u64>,
    #[serde(default)]
    pub(super) more: bool,
    pub(super) count: Option<u64>,
    pub(super) sum: Option<&'a str>,
    pub(super) next: Option<&'a str>,
    pub(super) code: Option<&'a str>,
    pub(super) why: Option<&'a str>,
    #[serde(borrow, default)]
    pub(super) changes: Vec<Entry<'a>>,
    #[serde(borrow, default)]
    pub(super) results: Vec<&'a RawValue>,
}

/// One of `changes`.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    pub(super) table: &'a str,
    pub(super) id: &'a str,
    pub(super) op: &'a str,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) fields: Option<BTreeMap<&'a str, Written<'a>>>,
    #[serde(rename = "insertedAt")]
    pub(super) inserted_at: Option<&'a str>,
}

/// A changed field.
#[derive(Debug, Deserialize)]
pub(super) struct Written<'a> {
    #[serde(rename = "updatedAt")]
    pub(super) at: &'a str,
}

/// One of `results`.
#[derive(Debug, Deserialize)]
pub(super) struct Outcome<'a> {
    pub(super) m: u64,
    pub(super) status: &'a str,
    pub(super) seq: Option<u64>,
    #[serde(default)]
    pub(super) clamped: bool,
}
