//! Settings that do not go together.

use super::*;

fn webhook(timeout_ms: u64, time_ms: u64) -> String {
    format!(
        r#"
        [jobs]
        time_ms = {time_ms}
        [webhooks.llm]
        url = "https://llm.example.com/hook"
        secret = "a secret of thirty-two bytes or so"
        timeout_ms = {timeout_ms}
        "#
    )
}

#[test]
fn an_endpoint_may_not_take_longer_than_a_try() {
    for (timeout_ms, time_ms) in [(10_000, 11_000), (120_000, 121_000)] {
        assert!(load(&webhook(timeout_ms, time_ms), &[]).is_ok());
        let said = refused(&webhook(timeout_ms, time_ms - 1), &[]);
        let expected = format!("longer than jobs.time_ms ({})", time_ms - 1);
        assert!(said.contains("webhook \"llm\": timeout_ms"), "{said}");
        assert!(said.contains(&expected), "{said}");
    }
}

fn repeating(limits: &str, args: &str) -> String {
    format!(
        r#"
        [limits]
        {limits}
        [[app.todo.triggers]]
        id = "repeat"
        table = "events"
        when = "any"
        per = "record"
        job = "recurrence"
        args = {args}
        "#
    )
}

const OCCURRENCES: &str = r#"{do = "occurrences", into = "o", days = 7}"#;

/// Each of its jobs would be given up.
#[test]
fn what_repeats_must_fit_into_the_limits_of_records() {
    let moving = r#"{do = "next", old = {repeat = false}}"#;
    let next = r#"{do = "next"}"#;
    for (limit, args, least) in [
        ("name_bytes_max", OCCURRENCES, 49),
        ("name_bytes_max", next, 32),
        ("changes_per_push_max", moving, 2),
    ] {
        let fits = repeating(&format!("{limit} = {least}"), args);
        assert!(load(&fits, &[]).is_ok(), "{fits}");
        let said = refused(&repeating(&format!("{limit} = {}", least - 1), args), &[]);
        let expected = format!("limits.{limit} is too small for trigger repeat of app todo");
        assert!(said.contains(&expected), "{said}");
    }
    // It writes in parts of what a push may hold.
    for args in [OCCURRENCES, next] {
        assert!(load(&repeating("changes_per_push_max = 1", args), &[]).is_ok());
    }
    let none = "[limits]\nname_bytes_max = 16";
    assert!(load(none, &[]).is_ok(), "nothing repeats");
}

/// With the longest that a notification waits for its turn.
#[test]
fn a_push_or_a_mail_fits_into_a_try() {
    for (key, on) in [
        (
            "push",
            "private_key = \"yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw\"\ncontact = \"mailto:a@b.example\"",
        ),
        (
            "mail",
            "url = \"smtps://mail.example\"\nfrom = \"a@b.example\"",
        ),
    ] {
        let file = |time_ms: u64| {
            format!("[jobs]\ntime_ms = {time_ms}\n[{key}]\n{on}\ntimeout_ms = 5000\n")
        };
        let times = if key == "push" { 2 } else { 1 };
        let least_ms = times * 5_000 + syncline_compute::notify::PLACE_WAIT_MS_MAX;
        assert!(load(&file(least_ms), &[]).is_ok(), "{key}");
        let said = refused(&file(least_ms - 1), &[]);
        assert!(said.contains(&format!("{key} timeout_ms")), "{said}");
    }
}

#[test]
fn reminders_fit_into_the_limits() {
    for (name, least) in [
        ("changes_per_push_max", 2),
        ("fields_max", 32),
        ("name_bytes_max", 64),
        ("record_bytes_max", 65_536),
    ] {
        let file = |value: u64| format!("[limits]\n{name} = {value}\n[app.todo.reminders]\n");
        assert!(load(&file(least), &[]).is_ok(), "{name}");
        let said = refused(&file(least - 1), &[]);
        assert!(said.contains(&format!("limits.{name}")), "{said}");
    }
}
