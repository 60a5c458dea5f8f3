//! When a trigger fires.

use super::*;

#[test]
fn a_trigger_fires_for_what_it_is_told_to() {
    let (a, b, gone) = (
        live(json!({"x": 1})),
        live(json!({"x": 2})),
        dead(json!({})),
    );
    // What happens: insert, insert after a delete, update, delete, nothing that lives.
    let changes = [
        (None, &a),
        (Some(&gone), &a),
        (Some(&a), &b),
        (Some(&a), &gone),
        (Some(&gone), &gone),
        (None, &gone),
    ];
    for (when, expected) in [
        ("insert", [true, true, false, false, false, false]),
        ("update", [false, false, true, false, false, false]),
        ("delete", [false, false, false, true, false, false]),
        ("any", [true, true, true, true, false, false]),
    ] {
        let found = changes.map(|(before, after)| fires(json!({"when": when}), before, after));
        assert_eq!(found, expected, "{when}");
    }
}

/// Design: nobody is told of it, and nothing follows from it.
#[test]
fn a_change_of_stamps_alone_makes_no_job() {
    let (before, after) = (live_at(1, json!({"x": 1})), live_at(2, json!({"x": 1})));
    assert!(!fires(json!({}), Some(&before), &after));
    // Nor does what is hidden under a delete.
    let (before, after) = (dead(json!({"x": 1})), dead(json!({"x": 2})));
    assert!(!fires(json!({}), Some(&before), &after));
}

#[test]
fn other_tables_make_no_job() {
    let record = live(json!({}));
    let change = Changed {
        key: &key("files", "k1"),
        before: None,
        after: &record,
        who: "ada",
        depth: 0,
    };
    let triggers = triggers(&[json!({})]);
    assert_eq!(fired_by(&triggers, &[change]), Fired::default());
    assert!(triggers.look_at(&key("tasks", "").table));
    assert!(!triggers.look_at(&key("files", "").table));
}

#[test]
fn named_fields_are_looked_at_and_no_others() {
    let before = live(json!({"done": false, "title": "a", "old": 1}));
    let cases = [
        (json!({"done": true, "title": "a", "old": 1}), true),
        (json!({"done": false, "title": "b", "old": 1}), false),
        (json!({"done": false, "title": "a"}), true),
        (
            json!({"done": false, "title": "a", "old": 1, "new": 1}),
            false,
        ),
    ];
    for (after, expected) in cases {
        let fields = json!({"fields": ["done", "old"]});
        assert_eq!(
            fires(fields, Some(&before), &live(after.clone())),
            expected,
            "{after}"
        );
    }
    let fields = || json!({"fields": ["done"]});
    assert!(fires(fields(), None, &before), "it appears with it");
    assert!(
        fires(fields(), Some(&before), &dead(json!({}))),
        "it goes with it"
    );
    assert!(!fires(fields(), None, &live(json!({"title": "a"}))));
}

#[test]
fn conditions_hold_or_do_not() {
    let before = live(json!({"done": false, "due": null, "title": "a"}));
    let after = live(json!({"done": true, "due": null, "title": "a", "n": 1.5}));
    let cases = [
        (json!({"field": "done", "equals": true}), true),
        (
            json!({"field": "done", "equals": true, "side": "before"}),
            false,
        ),
        (
            json!({"field": "done", "equals": false, "side": "before"}),
            true,
        ),
        (json!({"field": "done", "is": "changed"}), true),
        (json!({"field": "title", "is": "changed"}), false),
        (json!({"field": "n", "is": "changed"}), true),
        (json!({"field": "due", "is": "set"}), false),
        (json!({"field": "due", "is": "unset"}), true),
        (json!({"field": "none", "is": "unset"}), true),
        (
            json!({"field": "title", "is": "set", "side": "before"}),
            true,
        ),
        (json!({"field": "n", "is": "unset", "side": "before"}), true),
        (json!({"field": "due", "equals": null}), true),
        (json!({"field": "none", "equals": null}), false),
        (json!({"field": "n", "equals": 1.50}), true),
        (json!({"field": "title", "equals": "a"}), true),
        (json!({"field": "title", "equals": ["a"]}), false),
    ];
    for (condition, expected) in &cases {
        let config = json!({"condition": [condition]});
        assert_eq!(
            fires(config, Some(&before), &after),
            *expected,
            "{condition}"
        );
    }
    let all = json!({"condition": [cases[0].0, cases[3].0]});
    assert!(fires(all, Some(&before), &after));
    let not_all = json!({"condition": [cases[0].0, cases[4].0]});
    assert!(!fires(not_all, Some(&before), &after));
}

/// Two mutations of one commit, made offline, are one change: it appears as it is after both.
#[test]
fn what_is_done_before_anybody_saw_it_is_an_insert_and_no_update() {
    let done = live(json!({"done": true, "repeat": "FREQ=DAILY"}));
    let completing = |when: &str| {
        let condition = [json!({"field": "done", "equals": true})];
        json!({"when": when, "per": "record", "ordered": false, "fields": ["done"],
            "condition": condition})
    };
    assert!(!fires(completing("update"), None, &done));
    assert!(fires(completing("any"), None, &done));
    let open = live(json!({"done": false}));
    assert!(fires(completing("any"), Some(&open), &done));
    for (how, before, after) in [
        ("made", None, &open),
        ("open again", Some(&done), &open),
        ("deleted", Some(&done), &dead(json!({}))),
        (
            "deleted and hidden",
            Some(&open),
            &dead(json!({"done": true})),
        ),
        (
            "renamed",
            Some(&done),
            &live(json!({"done": true, "title": "a", "repeat": "x"})),
        ),
    ] {
        assert!(!fires(completing("any"), before, after), "{how}");
    }
}
