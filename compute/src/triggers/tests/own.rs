//! Triggers of the hub.

use syncline_storage::jobs::{JobKind, TriggerId};

use super::*;

fn own(table: &str, one: One, fields: Option<&[&str]>) -> OwnTrigger {
    OwnTrigger {
        id: TriggerId::trusted("@own"),
        table: TableName::trusted(table),
        when: When::Any,
        fields: fields.map(|names| names.iter().map(|name| FieldName::trusted(name)).collect()),
        kind: JobKind::trusted("reminder"),
        one,
    }
}

fn change<'a>(key: &'a RecordKey, after: &'a Record) -> Changed<'a> {
    Changed {
        key,
        before: None,
        after,
        who: "ada",
        depth: 0,
    }
}

#[test]
fn a_space_has_one_job_however_much_of_it_a_commit_changes() {
    let triggers = Triggers::default().with_own(vec![
        own("reminders", One::Space, None),
        own("tasks", One::Space, None),
    ]);
    let record = live(json!({"due": 1}));
    let keys = [
        key("reminders", "r1"),
        key("tasks", "k1"),
        key("tasks", "k2"),
    ];
    let changes: Vec<Changed<'_>> = keys.iter().map(|key| change(key, &record)).collect();
    let fired = fired_by(&triggers, &changes);
    let [JobMove::Put { job, if_there }] = &fired.moves[..] else {
        panic!("one job: {fired:?}");
    };
    assert_eq!((job.key.as_str(), *if_there), ("@own", IfThere::Replace));
    assert_eq!(
        (job.due_at_ms, job.args.as_str()),
        (NOW, r#"{"args":null}"#)
    );
}

#[test]
fn a_record_has_one_job_that_is_told_of_it_and_stays() {
    let triggers = Triggers::default().with_own(vec![own("@notifications", One::Record, None)]);
    let record = live(json!({}));
    let keys = [key("@notifications", "n1"), key("@notifications", "n\"2")];
    let changes: Vec<Changed<'_>> = keys.iter().map(|key| change(key, &record)).collect();
    let fired = fired_by(&triggers, &changes);
    let told = fired.moves.iter().map(|one| match one {
        JobMove::Put { job, if_there } => {
            let about = crate::about::About::of(&job.args).unwrap();
            (job.key.to_string(), *if_there, about.record.unwrap().key)
        }
        JobMove::Cancel { .. } => panic!("nothing is cancelled"),
    });
    let expected = keys
        .clone()
        .map(|key| (format!("@own/{key}"), IfThere::Keep, key));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn it_fires_if_one_of_its_fields_shows_another_value() {
    let triggers = Triggers::default().with_own(vec![own("tasks", One::Space, Some(&["due"]))]);
    let (before, titled, moved) = (
        live(json!({"due": 1, "title": "a"})),
        live(json!({"due": 1, "title": "b"})),
        live(json!({"due": 2, "title": "a"})),
    );
    assert!(jobs(fired(&triggers, Some(&before), &titled)).is_empty());
    assert_eq!(jobs(fired(&triggers, Some(&before), &moved)).len(), 1);
    assert_eq!(
        jobs(fired(&triggers, Some(&before), &dead(json!({})))).len(),
        1
    );
}

/// What a circle of jobs, or a commit of very many, has cut is not what the hub needs.
#[test]
fn neither_depth_nor_number_cuts_it() {
    let others = json!({"per": "commit", "ordered": false});
    let triggers = triggers(&[others]).with_own(vec![own("tasks", One::Space, None)]);
    let record = live(json!({}));
    let keys: Vec<RecordKey> = (0..=JOBS_PER_COMMIT_MAX)
        .map(|n| key("tasks", &format!("k{n}")))
        .collect();
    let changes: Vec<Changed<'_>> = keys.iter().map(|key| change(key, &record)).collect();
    let is_own =
        |one: &&JobMove| matches!(one, JobMove::Put { job, .. } if job.key.as_str() == "@own");
    assert_eq!(
        fired_by(&triggers, &changes)
            .moves
            .iter()
            .filter(is_own)
            .count(),
        1
    );
    let deep = Changed {
        depth: u8::MAX,
        ..change(&keys[0], &record)
    };
    let fired = fired_by(&triggers, &[deep]);
    assert_eq!((fired.moves.len(), fired.cut.len()), (1, 1));
}

#[test]
fn no_trigger_of_a_config_is_called_like_one_or_looks_at_a_table_of_the_hub() {
    for (config, why) in [
        (json!({"id": "@own"}), "id: those that begin with @"),
        (json!({"table": "@notifications"}), "table: the hub's own"),
    ] {
        let refused = Triggers::of(&[trigger(&config)], DEPTH_MAX).unwrap_err();
        assert!(refused.why.starts_with(why), "{}", refused.why);
    }
}
