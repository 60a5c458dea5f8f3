//! Which jobs follow from what a commit does, by table.

use serde_json::{Value, json};
use syncline_protocol::ids::{
    AppId, Epoch, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};
use syncline_storage::jobs::{
    IfThere, JOB_ARGS_BYTES_MAX, JOB_KEY_BYTES_MAX, JOB_LANE_BYTES_MAX, Job, JobMove,
};

use super::*;

mod firing;
mod lanes;
mod own;
mod sizes;

const NOW: u64 = 1_795_514_400_000;

fn stamp(ms: u64) -> Stamp {
    Stamp {
        at: Hlc::new(NOW + ms, 0),
        writer: WriterNo(1),
    }
}

/// A live record whose fields were written at a time.
fn live_at(ms: u64, fields: Value) -> Record {
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    let field = |(name, value): (&String, &Value)| Field {
        name: FieldName::trusted(name),
        value: Json::trusted(&value.to_string()),
        stamp: stamp(ms),
        seq: Seq(1),
    };
    Record {
        inserted: Some(stamp(0)),
        fields: fields.iter().map(field).collect(),
        ..Record::default()
    }
}

fn live(fields: Value) -> Record {
    live_at(1, fields)
}

/// A deleted one, under which fields may be hidden.
fn dead(fields: Value) -> Record {
    Record {
        deleted: Some(stamp(5)),
        ..live_at(9, fields)
    }
}

fn trigger(config: &Value) -> TriggerConfig {
    let mut whole = json!({"id": "t", "table": "tasks", "when": "any", "job": "webhook"});
    let members = whole.as_object_mut().unwrap();
    members.extend(config.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn triggers(configs: &[Value]) -> Triggers {
    let configs: Vec<TriggerConfig> = configs.iter().map(trigger).collect();
    Triggers::of(&configs, DEPTH_MAX).unwrap()
}

fn key(table: &str, id: &str) -> RecordKey {
    RecordKey {
        table: TableName::trusted(table),
        id: RecordId::trusted(id),
    }
}

fn space() -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted("ada"),
    }
}

fn fired_by(triggers: &Triggers, changed: &[Changed<'_>]) -> Fired {
    triggers.jobs_of(&Committed {
        space: &space(),
        epoch: Epoch(7),
        seq: Seq(3),
        now_ms: NOW,
        changed,
    })
}

/// What one change of a task makes.
fn fired(triggers: &Triggers, before: Option<&Record>, after: &Record) -> Fired {
    let change = Changed {
        key: &key("tasks", "k1"),
        before,
        after,
        who: "ada",
        depth: 0,
    };
    fired_by(triggers, &[change])
}

fn jobs(fired: Fired) -> Vec<Job> {
    assert_eq!(fired.cut, []);
    let job = |one| match one {
        JobMove::Put { job, .. } => job,
        JobMove::Cancel { .. } => panic!("nothing is cancelled"),
    };
    fired.moves.into_iter().map(job).collect()
}

fn fires(config: Value, before: Option<&Record>, after: &Record) -> bool {
    !jobs(fired(&triggers(&[config]), before, after)).is_empty()
}

#[test]
fn arguments_are_about_the_record() {
    let args = json!({
        "where": ["$app", "$space", "$table", "$id"],
        "who": "$who", "when": "$when", "seq": "$seq",
        "now": "$after.title", "then": "$before.title", "gone": "$after.none", "dotted": "$after.a.b",
        "text": "plain", "price": "$$5", "n": [1, true, null, {"x": "$after.list"}],
    });
    let before = live(json!({"title": "a"}));
    let after = live(json!({"a.b": 0, "list": [1, {"y": "z"}], "title": "b\"$id"}));
    let made = jobs(fired(
        &triggers(&[json!({"args": args})]),
        Some(&before),
        &after,
    ));
    let found: Value = serde_json::from_str(made[0].args.as_str()).unwrap();
    let about = json!({"table": "tasks", "id": "k1", "when": "update", "who": "ada"});
    for (name, value) in about.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name}");
    }
    let expected = json!({
        "where": ["todo", "ada", "tasks", "k1"],
        "who": "ada", "when": "update", "seq": 3,
        "now": "b\"$id", "then": "a", "gone": null, "dotted": 0,
        "text": "plain", "price": "$5", "n": [1, true, null, {"x": [1, {"y": "z"}]}],
    });
    assert_eq!(found["args"], expected);
}

/// What was not done yet is done once, of the record as it is then.
#[test]
fn one_job_for_a_record_is_put_anew_by_each_commit() {
    let record = live(json!({}));
    let per_record = fired(
        &triggers(&[json!({"per": "record", "ordered": false})]),
        None,
        &record,
    );
    let [JobMove::Put { job, if_there }] = &per_record.moves[..] else {
        panic!("one job: {per_record:?}");
    };
    assert_eq!(
        (job.key.as_str(), *if_there),
        ("t/tasks/k1", IfThere::Replace)
    );
    let per_commit = fired(&triggers(&[json!({})]), None, &record);
    let [JobMove::Put { if_there, .. }] = &per_commit.moves[..] else {
        panic!("one job: {per_commit:?}");
    };
    assert_eq!(*if_there, IfThere::Keep);
}

#[test]
fn an_app_may_have_none() {
    assert!(!triggers(&[json!({})]).is_empty());
    assert!(Triggers::default().is_empty());
}

#[test]
fn of_a_deleted_record_arguments_tell_what_it_was() {
    let args = json!({"args": {"was": "$before.title", "is": "$after.title"}});
    let (before, after) = (
        live(json!({"title": "a"})),
        dead(json!({"title": "hidden"})),
    );
    let made = jobs(fired(&triggers(&[args]), Some(&before), &after));
    let found: Value = serde_json::from_str(made[0].args.as_str()).unwrap();
    assert_eq!(found["args"], json!({"is": null, "was": "a"}));
    assert_eq!(found["when"], "delete");
}

#[test]
fn a_job_is_named_by_its_trigger_the_commit_and_the_record() {
    let record = live(json!({}));
    let made = jobs(fired(&triggers(&[json!({})]), None, &record));
    assert_eq!(made[0].key.as_str(), "t/0000000000000007/3/tasks/k1");
    assert_eq!((made[0].due_at_ms, made[0].depth), (NOW, 0));
    assert_eq!(made[0].origin.trigger.as_str(), "t");
    assert_eq!(
        (made[0].origin.epoch, made[0].origin.seq),
        (Epoch(7), Seq(3))
    );
    let again = jobs(fired(&triggers(&[json!({})]), None, &record));
    assert_eq!(made, again, "the same commit makes the same jobs");
}

#[test]
fn names_too_long_for_a_key_are_still_told_apart() {
    let record = live(json!({}));
    let names = ["a", "b"].map(|end| format!("{}{end}", "x".repeat(1_000)));
    let keys = names.each_ref().map(|id| key("tasks", id));
    let changes = keys.each_ref().map(|key| Changed {
        key,
        before: None,
        after: &record,
        who: "ada",
        depth: 0,
    });
    let made = jobs(fired_by(&triggers(&[json!({})]), &changes));
    assert_ne!(made[0].key, made[1].key);
    assert!(
        made.iter()
            .all(|job| job.key.as_str().len() <= JOB_KEY_BYTES_MAX)
    );
}

#[test]
fn every_trigger_that_fits_makes_its_job() {
    let all = triggers(&[
        json!({"id": "one"}),
        json!({"id": "two", "when": "delete"}),
        json!({"id": "three", "job": "mail"}),
    ]);
    let made = jobs(fired(&all, None, &live(json!({}))));
    let kinds: Vec<(&str, &str)> = made
        .iter()
        .map(|job| (job.origin.trigger.as_str(), job.kind.as_str()))
        .collect();
    assert_eq!(kinds, [("one", "webhook"), ("three", "mail")]);
}

/// A job that writes what triggers it would never end.
#[test]
fn a_circle_of_jobs_is_cut_and_told() {
    let record = live(json!({}));
    let triggers = triggers(&[json!({})]);
    let at = |depth| {
        let change = Changed {
            key: &key("tasks", "k1"),
            before: None,
            after: &record,
            who: "job",
            depth,
        };
        fired_by(&triggers, &[change])
    };
    let last = jobs(at(DEPTH_MAX - 1));
    assert_eq!(last[0].depth, DEPTH_MAX - 1);
    let beyond = at(DEPTH_MAX);
    assert_eq!(beyond.moves, []);
    assert_eq!(beyond.cut.len(), 1);
    assert_eq!(beyond.cut[0].why, CutWhy::TooDeep(DEPTH_MAX));
    assert_eq!(beyond.cut[0].trigger.as_str(), "t");
}

#[test]
fn what_is_no_trigger_is_told_and_why() {
    let cases = [
        (json!({"id": ""}), "trigger : id"),
        (json!({"id": "a/b"}), "trigger a/b: id: / and #"),
        (json!({"id": "a#b"}), "trigger a#b: id: / and #"),
        (json!({"table": ""}), "trigger t: table"),
        (json!({"per": "record"}), "per: a record's one job"),
        (
            json!({"per": "record", "job": "mail", "ordered": true}),
            "per: a record's one job",
        ),
        (json!({"job": "j".repeat(65)}), "job: "),
        (json!({"fields": []}), "fields: none is named"),
        (json!({"fields": ["\u{0}"]}), "fields: "),
        (
            json!({"args": {"a": ["$title"]}}),
            "\"$title\" stands for nothing",
        ),
        (json!({"args": "$after."}), "args: "),
        (json!({"args": "x".repeat(JOB_ARGS_BYTES_MAX)}), "args: "),
        (
            json!({"condition": [{"field": "x"}]}),
            "condition on \"x\": either",
        ),
        (
            json!({"condition": [{"field": "x", "is": "set", "equals": 1}]}),
            "either",
        ),
        (
            json!({"condition": [{"field": "x", "is": "changed", "side": "after"}]}),
            "both sides",
        ),
    ];
    for (config, expected) in cases {
        let refused = Triggers::of(&[trigger(&config)], DEPTH_MAX).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let twice = [trigger(&json!({})), trigger(&json!({}))];
    let refused = Triggers::of(&twice, DEPTH_MAX).unwrap_err();
    assert_eq!(refused.to_string(), "trigger t: there are two of this id");
}

#[test]
fn a_config_that_names_something_else_is_refused() {
    let wrong = [
        json!({"id": "t", "table": "a", "when": "upsert", "job": "j"}),
        json!({"id": "t", "table": "a", "when": "any", "job": "j", "kind": "j"}),
        json!({"id": "t", "when": "any", "job": "j"}),
        json!({"id": "t", "table": "a", "when": "any", "job": "j", "condition": [{"field": "x", "not": 1}]}),
    ];
    for config in wrong {
        let read = serde_json::from_value::<TriggerConfig>(config.clone());
        assert!(read.is_err(), "{config}");
    }
}
