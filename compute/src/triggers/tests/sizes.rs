//! What a job, and a commit, may hold.

use super::*;

/// What is too large for a job is read by who does it.
#[test]
fn whole_records_stand_in_arguments_unless_they_are_too_large() {
    let config = json!({"args": {"now": "$after", "then": "$before", "title": "$after.title"}});
    let args_of = |before: Option<&Record>, after: &Record| {
        let made = jobs(fired(
            &triggers(std::slice::from_ref(&config)),
            before,
            after,
        ));
        let found: Value = serde_json::from_str(made[0].args.as_str()).unwrap();
        found["args"].clone()
    };
    let (small, gone) = (live(json!({"n": [1], "title": "a"})), dead(json!({"x": 1})));
    let expected = json!({"now": {"n": [1], "title": "a"}, "then": null, "title": "a"});
    assert_eq!(args_of(None, &small), expected);
    let expected = json!({"now": null, "then": {"n": [1], "title": "a"}, "title": null});
    assert_eq!(args_of(Some(&small), &gone), expected);
    let large = live(json!({"title": "b", "x": "y".repeat(JOB_ARGS_BYTES_MAX)}));
    let expected = json!({"now": null, "then": null, "title": "b"});
    assert_eq!(args_of(Some(&small), &large), expected);
}

fn args_of(config: &Value, before: Option<&Record>, after: &Record) -> Value {
    let made = jobs(fired(
        &triggers(std::slice::from_ref(config)),
        before,
        after,
    ));
    let found: Value = serde_json::from_str(made[0].args.as_str()).unwrap();
    found["args"].clone()
}

/// Somebody must still be told that something happened.
#[test]
fn a_value_too_large_for_a_job_is_null_in_its_place() {
    let large = "y".repeat(JOB_ARGS_BYTES_MAX);
    let record = live(json!({"text": large, "title": "a"}));
    let config = json!({"args": {"text": "$after.text", "title": "$after.title", "n": 1}});
    let expected = json!({"text": null, "title": "a", "n": 1});
    assert_eq!(args_of(&config, None, &record), expected);
    let alone = json!({"args": "$after.text"});
    assert_eq!(args_of(&alone, None, &record), Value::Null);
}

#[test]
fn the_largest_values_go_first_and_no_more_than_must() {
    let text = |kib: usize| "y".repeat(kib << 10);
    let record = live(json!({"a": text(20), "b": text(40), "c": text(30), "d": 1}));
    let config = json!({"args": ["$after.a", "$after.b", "$after.c", "$after.d", "$after"]});
    let found = args_of(&config, None, &record);
    assert_eq!(found, json!([text(20), null, text(30), 1, null]));
}

/// At the limit, and one past.
#[test]
fn a_value_that_just_fits_is_there() {
    let config = json!({"args": "$after.x"});
    let about = json!({"args": "", "table": "tasks", "id": "k1", "when": "insert", "who": "ada"});
    let room = JOB_ARGS_BYTES_MAX - about.to_string().len();
    for (bytes, is_there) in [(room, true), (room + 1, false)] {
        let record = live(json!({"x": "y".repeat(bytes)}));
        assert_eq!(
            args_of(&config, None, &record).is_string(),
            is_there,
            "{bytes}"
        );
    }
}

/// What a config says itself is never left out.
/// Three triggers, and records of 60,000 bytes.
#[test]
fn the_jobs_of_a_commit_hold_so_many_bytes_and_what_is_small() {
    let config = |id: &str| json!({"id": id, "args": {"to": "$after.to", "all": "$after"}});
    let triggers = triggers(&[config("a"), config("b"), config("c")]);
    let record = live(json!({"to": "llm", "text": "y".repeat(60_000)}));
    let keys: Vec<_> = (0..100).map(|n| key("tasks", &format!("k{n}"))).collect();
    let changed = keys.iter().map(|key| Changed {
        key,
        before: None,
        after: &record,
        who: "ada",
        depth: 0,
    });
    let made = jobs(fired_by(&triggers, &changed.collect::<Vec<_>>()));
    let args = |job: &Job| serde_json::from_str::<Value>(job.args.as_str()).unwrap()["args"].take();
    let args: Vec<Value> = made.iter().map(args).collect();
    assert_eq!(args.len(), 300);
    // One more brings it above 4 MiB.
    let is_whole = |args: &Value| !args["all"].is_null();
    assert!(args[..69].iter().all(is_whole));
    assert!(!args[69..].iter().any(is_whole));
    assert!(args.iter().all(|args| args["to"] == "llm"));
}

#[test]
fn arguments_that_are_too_large_without_values_are_cut_and_told() {
    let config = json!({"args": "x".repeat(JOB_ARGS_BYTES_MAX - 8)});
    let fired = fired(&triggers(&[config]), None, &live(json!({})));
    assert_eq!(fired.moves, []);
    assert!(matches!(fired.cut[0].why, CutWhy::ArgsTooLarge(_)));
}

#[test]
fn jobs_past_what_a_commit_may_make_are_cut_and_told() {
    let record = live(json!({}));
    let key = key("tasks", "k1");
    let change = Changed {
        key: &key,
        before: None,
        after: &record,
        who: "ada",
        depth: 0,
    };
    let fired = fired_by(
        &triggers(&[json!({})]),
        &vec![change; JOBS_PER_COMMIT_MAX + 1],
    );
    assert_eq!(
        (fired.moves.len(), fired.cut.len()),
        (JOBS_PER_COMMIT_MAX, 1)
    );
    assert_eq!(fired.cut[0].why, CutWhy::TooMany);
}
