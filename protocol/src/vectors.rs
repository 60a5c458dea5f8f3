//! Runs the language-neutral vectors of `protocol/vectors`. Every case has a name and one rule;
//! a failure names the file, the case and its rule. An unknown member fails, so that no vector
//! says something nobody tests.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::change::{self, Change, Claim, ClaimedChange, Op, StampedChange};
use crate::ids::{FieldName, RecordId, RecordKey, Seq, TableName, WriterNo};
use crate::json::{self, Json};
use crate::limits::Limits;
use crate::merge::Merged;
use crate::mutation::{Mutation, parse_changes};
use crate::overlay::{self, Data, Outbox};
use crate::record::Record;
use crate::samples::{key, state};
use crate::stamp::{Hlc, Stamp};

trait Case {
    fn name(&self) -> &str;
    fn rule(&self) -> &str;
    /// What is wrong, if anything.
    fn run(&self) -> Result<(), String>;
}

macro_rules! case {
    ($type:ident, $run:expr) => {
        impl Case for $type {
            fn name(&self) -> &str {
                &self.name
            }
            fn rule(&self) -> &str {
                &self.rule
            }
            fn run(&self) -> Result<(), String> {
                let run: fn(&$type) -> Result<(), String> = $run;
                run(self)
            }
        }
    };
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("a vector file has the shape its reader knows")
}

fn run_all<C: Case>(file: &str, cases: &[C]) {
    assert!(!cases.is_empty(), "{file} holds no case");
    let (mut names, mut rules) = (BTreeSet::new(), BTreeSet::new());
    let mut failed = Vec::new();
    for case in cases {
        let (name, rule) = (case.name(), case.rule());
        assert!(
            !name.is_empty() && names.insert(name),
            "{file}: {name} is not a new name"
        );
        assert!(
            rule.ends_with('.') && rules.insert(rule),
            "{file}: {name} has no rule of its own"
        );
        if let Err(why) = case.run() {
            failed.push(format!("{name}: {rule}\n    {why}"));
        }
    }
    assert!(failed.is_empty(), "{file}:\n{}", failed.join("\n"));
}

/// Compares what came with what was expected.
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: {got:?} instead of {expected:?}"))
}

fn canonical(text: &str) -> Json {
    Json::parse(text, Limits::DEFAULT.json_depth_max).expect("a vector's value is JSON")
}

fn hlc(text: &str) -> Hlc {
    Hlc::parse(text).expect("a vector's stamp is one")
}

/// Reads a change that names no record through the parser of the wire.
fn wire_op(change: &RawValue) -> Op<Claim> {
    let mut members: BTreeMap<String, Box<RawValue>> = read(change.get());
    for (name, value) in [("table", "\"tasks\""), ("id", "\"k1\"")] {
        let value = RawValue::from_string(value.into()).expect("JSON");
        assert!(
            members.insert(name.into(), value).is_none(),
            "the record is implied"
        );
    }
    let text = serde_json::to_string(&[members]).expect("plain data");
    let text = json::canonical(&text, Limits::DEFAULT.json_depth_max + 4).expect("JSON");
    parse_changes(&text, &Limits::DEFAULT)
        .expect("a vector's change can be read")
        .remove(0)
        .op
}

// merge.json

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeFile {
    #[allow(dead_code, reason = "for readers")]
    about: String,
    cases: Vec<MergeCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeCase {
    name: String,
    rule: String,
    changes: Vec<MergeChange>,
    results: Vec<MergeResult>,
    record: MergeRecord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeChange {
    op: String,
    writer: u32,
    #[serde(rename = "insertedAt")]
    inserted_at: Option<String>,
    #[serde(rename = "deletedAt")]
    deleted_at: Option<String>,
    data: Option<BTreeMap<String, Box<RawValue>>>,
    fields: Option<BTreeMap<String, Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    value: Box<RawValue>,
    #[serde(rename = "updatedAt")]
    updated_at: String,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct MergeResult {
    status: String,
    visible: bool,
    #[serde(default)]
    lost: BTreeSet<String>,
    lost_to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeRecord {
    inserted: Option<At>,
    deleted: Option<At>,
    live: bool,
    fields: BTreeMap<String, MergeField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    at: String,
    writer: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeField {
    value: Box<RawValue>,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    writer: u32,
}

fn stamp(at: &str, writer: u32) -> Stamp {
    Stamp {
        at: hlc(at),
        writer: WriterNo(writer),
    }
}

impl MergeChange {
    fn to_change(&self) -> StampedChange {
        let op = match (
            &*self.op,
            &self.inserted_at,
            &self.deleted_at,
            &self.data,
            &self.fields,
        ) {
            ("insert", Some(at), None, Some(data), None) => Op::Insert {
                at: stamp(at, self.writer),
                data: data
                    .iter()
                    .map(|(name, value)| (FieldName::trusted(name), canonical(value.get())))
                    .collect(),
            },
            ("update", None, None, None, Some(fields)) => Op::Update {
                fields: fields
                    .iter()
                    .map(|(name, write)| {
                        let value = canonical(write.value.get());
                        (
                            FieldName::trusted(name),
                            value,
                            stamp(&write.updated_at, self.writer),
                        )
                    })
                    .collect(),
            },
            ("delete", None, Some(at), None, None) => Op::Delete {
                at: stamp(at, self.writer),
            },
            _ => panic!("{} has not the members it needs", self.op),
        };
        Change { key: key("k1"), op }
    }
}

fn told(merged: &Merged) -> MergeResult {
    let lost_to = match (merged.lost.to_delete, merged.lost.to_insert) {
        (false, false) => None,
        (true, false) => Some("delete".into()),
        (false, true) => Some("insert".into()),
        (true, true) => panic!("a change cannot lose to both"),
    };
    MergeResult {
        status: if merged.changed {
            "applied"
        } else {
            "superseded"
        }
        .into(),
        visible: merged.visible,
        lost: merged
            .lost
            .fields
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        lost_to,
    }
}

case!(MergeCase, |case| {
    let changes: Vec<_> = case.changes.iter().map(MergeChange::to_change).collect();
    let mut record = Record::default();
    let mut results = Vec::new();
    for (change, seq) in changes.iter().zip(1..) {
        results.push(told(&record.merge(change, Seq(seq))));
    }
    expect("results", &results, &case.results)?;
    let at = |at: &Option<At>| at.as_ref().map(|at| stamp(&at.at, at.writer));
    let fields = case.record.fields.iter().map(|(name, field)| {
        let stamp = stamp(&field.updated_at, field.writer);
        (name.clone(), (canonical(field.value.get()), stamp))
    });
    let expected = (
        at(&case.record.inserted),
        at(&case.record.deleted),
        fields.collect(),
    );
    expect("record", &state(&record), &expected)?;
    expect("live", &record.is_live(), &case.record.live)?;
    for order in orders(changes.len()) {
        let mut record = Record::default();
        for at in &order {
            record.merge(&changes[*at], Seq(1));
        }
        expect(
            &format!("record in the order {order:?}"),
            &state(&record),
            &expected,
        )?;
    }
    Ok(())
});

/// Every order of `n` things.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else {
        return vec![vec![]];
    };
    let insert_last = |order: Vec<usize>| {
        (0..n).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, last);
            longer
        })
    };
    orders(last).into_iter().flat_map(insert_last).collect()
}

#[test]
fn merge_vectors_hold_in_every_order() {
    run_all(
        "merge.json",
        &read::<MergeFile>(include_str!("../vectors/merge.json")).cases,
    );
}

// stamps.json

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampsFile {
    #[allow(dead_code, reason = "for readers")]
    about: String,
    parse: Vec<ParseCase>,
    order: Vec<OrderCase>,
    clamp: Vec<ClampCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParseCase {
    name: String,
    rule: String,
    text: String,
    wall_ms: Option<u64>,
    counter: Option<u16>,
    canonical: Option<String>,
    #[serde(default)]
    refused: bool,
}

case!(ParseCase, |case| {
    let read = Hlc::parse(&case.text).ok();
    let got = (
        read.map(Hlc::wall_ms),
        read.map(Hlc::counter),
        read.map(|at| at.to_string()),
    );
    let expected = (case.wall_ms, case.counter, case.canonical.clone());
    expect("stamp", &got, &expected)?;
    expect("refused", &read.is_none(), &case.refused)
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderCase {
    name: String,
    rule: String,
    ascending: Vec<At>,
}

case!(OrderCase, |case| {
    let stamps: Vec<_> = case
        .ascending
        .iter()
        .map(|at| stamp(&at.at, at.writer))
        .collect();
    assert!(stamps.len() > 1, "an order needs two stamps");
    expect("ascending", &stamps.is_sorted_by(|a, b| a < b), &true)
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClampCase {
    name: String,
    rule: String,
    clock: String,
    steps: Vec<ClampStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClampStep {
    now: String,
    changes: Vec<Box<RawValue>>,
    stamps: Vec<BTreeMap<String, String>>,
    clamped: bool,
    clock: String,
}

case!(ClampCase, |case| {
    let mut clock = hlc(&case.clock);
    for step in &case.steps {
        let claimed: Vec<ClaimedChange> = step
            .changes
            .iter()
            .map(|c| Change {
                key: key("k1"),
                op: wire_op(c),
            })
            .collect();
        let taken = (WriterNo(1), hlc(&step.now).wall_ms());
        let onto = Record::default();
        let claimed = claimed.iter();
        let stamped = claimed.map(|claimed| change::stamp(claimed, &onto, taken, &mut clock));
        let stamped: Vec<_> = stamped.collect();
        let got: Vec<_> = stamped
            .iter()
            .map(|stamped| given(&stamped.change))
            .collect();
        expect("stamps", &got, &step.stamps)?;
        let clamped = stamped.iter().any(|stamped| stamped.clamped);
        expect("clamped", &clamped, &step.clamped)?;
        expect("clock", &clock, &hlc(&step.clock))?;
    }
    Ok(())
});

fn given(change: &StampedChange) -> BTreeMap<String, String> {
    match &change.op {
        Op::Insert { at, .. } | Op::Delete { at } => {
            BTreeMap::from([("at".into(), at.at.to_string())])
        }
        Op::Update { fields } => {
            let fields = fields.iter();
            fields
                .map(|(name, _, at)| (name.to_string(), at.at.to_string()))
                .collect()
        }
    }
}

#[test]
fn stamp_vectors_hold() {
    let file: StampsFile = read(include_str!("../vectors/stamps.json"));
    run_all("stamps.json, parse", &file.parse);
    run_all("stamps.json, order", &file.order);
    run_all("stamps.json, clamp", &file.clamp);
}

// canonical.json

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalFile {
    #[allow(dead_code, reason = "for readers")]
    about: String,
    cases: Vec<CanonicalCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanonicalCase {
    name: String,
    rule: String,
    text: String,
    canonical: Option<String>,
    code: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "for readers that have no text any more")]
    text_only: bool,
}

case!(CanonicalCase, |case| {
    let read = json::canonical(&case.text, Limits::DEFAULT.json_depth_max);
    let expected = match (&case.canonical, &case.code) {
        (Some(text), None) => Ok(text.clone()),
        (None, Some(code)) => Err(code.clone()),
        _ => panic!("a case expects either a text or a code"),
    };
    expect(
        "canonical",
        &read.map_err(|refusal| refusal.code.as_str().into()),
        &expected,
    )
});

#[test]
fn canonical_vectors_hold() {
    let file: CanonicalFile = read(include_str!("../vectors/canonical.json"));
    run_all("canonical.json", &file.cases);
}

// overlay.json

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlayFile {
    #[allow(dead_code, reason = "for readers")]
    about: String,
    cases: Vec<OverlayCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlayCase {
    name: String,
    rule: String,
    record: KeyText,
    server: Option<BTreeMap<String, Value>>,
    pending: Vec<Box<RawValue>>,
    shows: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    table: String,
    id: String,
}

case!(OverlayCase, |case| {
    let key = RecordKey {
        table: TableName::trusted(&case.record.table),
        id: RecordId::trusted(&case.record.id),
    };
    let outbox: Outbox<Claim> = case
        .pending
        .iter()
        .map(|text| {
            let mutation = Mutation::parse(text.get(), &Limits::DEFAULT).expect("a mutation");
            (
                mutation.m,
                mutation.asked.expect("a mutation that can be read"),
            )
        })
        .collect();
    let server = case.server.as_ref().map(data);
    let shown = overlay::overlay(&key, server.as_ref(), &outbox);
    expect("shows", &shown, &case.shows.as_ref().map(data))
});

fn data(members: &BTreeMap<String, Value>) -> Data {
    let read = |(name, value): (&String, &Value)| {
        (FieldName::trusted(name), canonical(&value.to_string()))
    };
    members.iter().map(read).collect()
}

#[test]
fn overlay_vectors_hold() {
    run_all(
        "overlay.json",
        &read::<OverlayFile>(include_str!("../vectors/overlay.json")).cases,
    );
}
