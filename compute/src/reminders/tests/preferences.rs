//! What a user wants to be told, when.

use super::*;

const NIGHT: &str = r#""timezone":"UTC","quiet":{"from":"22:00","to":"07:00"}"#;

fn preferences(members: &str) -> Preferences {
    Preferences::read(&format!("{{{members}}}")).unwrap()
}

fn wrong(members: &str) -> String {
    Preferences::read(&format!("{{{members}}}")).unwrap_err()
}

fn asked<'a>(now_ms: u64, told_ms: &'a [u64]) -> Asked<'a> {
    Asked {
        kind: "reminder",
        now_ms,
        expires_ms: now_ms + 12 * HOUR,
        told_ms,
    }
}

fn at(text: &str) -> u64 {
    ms(&format!("2026-11-{text}:00Z"))
}

fn all() -> Verdict {
    Verdict::Now(Channel::ALL.to_vec())
}

#[test]
fn who_says_nothing_is_told_everything_at_once() {
    for preferences in [Preferences::default(), preferences("")] {
        assert_eq!(preferences.verdict(&asked(NOW, &[])), all());
        assert!(preferences.zone().is_none());
    }
}

#[test]
fn a_kind_is_told_by_its_channels() {
    let kinds =
        r#""kinds":{"reminder":{"channels":["push","notice","push"]},"digest":{"channels":[]}}"#;
    let preferences = preferences(kinds);
    let expected = Verdict::Now(vec![Channel::Notice, Channel::Push]);
    assert_eq!(preferences.verdict(&asked(NOW, &[])), expected);
    let kind = |kind| Asked {
        kind,
        ..asked(NOW, &[])
    };
    let none = Verdict::Dropped(Dropped::NoChannel);
    assert_eq!(preferences.verdict(&kind("digest")), none);
    assert_eq!(preferences.verdict(&kind("other")), all());
}

#[test]
fn quiet_hours_are_waited_for_passed_over_or_heeded_as_a_kind_has_it() {
    let kinds = r#","kinds":{"alarm":{"inQuiet":"now"},"news":{"inQuiet":"drop"}}"#;
    let preferences = preferences(&format!("{NIGHT}{kinds}"));
    let verdict = |kind, now_ms| {
        preferences.verdict(&Asked {
            kind,
            ..asked(now_ms, &[])
        })
    };
    let (day, night) = (at("24T12:00"), at("24T23:00"));
    for kind in ["reminder", "alarm", "news"] {
        assert_eq!(verdict(kind, day), all());
    }
    assert_eq!(verdict("reminder", night), Verdict::Later(at("25T07:00")));
    assert_eq!(verdict("alarm", night), all());
    assert_eq!(verdict("news", night), Verdict::Dropped(Dropped::Quiet));
}

#[test]
fn what_expires_before_they_end_is_dropped() {
    let preferences = preferences(NIGHT);
    let night = at("24T23:00");
    let verdict = |expires_ms| {
        preferences.verdict(&Asked {
            expires_ms,
            ..asked(night, &[])
        })
    };
    assert_eq!(verdict(at("25T07:00")), Verdict::Dropped(Dropped::Quiet));
    assert_eq!(verdict(at("25T07:00") + 1), Verdict::Later(at("25T07:00")));
}

#[test]
fn so_many_are_told_in_so_long_and_not_one_more() {
    let preferences = preferences(r#""limit":{"count":3,"minutes":60}"#);
    let verdict = |told: &[u64]| preferences.verdict(&asked(NOW, told));
    let ago = |minutes: u64| NOW - minutes * MINUTE;
    assert_eq!(verdict(&[ago(1), ago(2)]), all());
    assert_eq!(verdict(&[ago(1), ago(2), ago(60)]), all());
    let third = NOW - 60 * MINUTE + 1;
    assert_eq!(verdict(&[ago(1), third, ago(2)]), Verdict::Later(NOW + 1));
    let more = [ago(1), ago(30), ago(2), ago(20), ago(40)];
    assert_eq!(verdict(&more), Verdict::Later(ago(20) + HOUR));
    // By a clock that was ahead.
    assert_eq!(verdict(&[NOW + 1, NOW + 2, NOW + 3]), all());
}

#[test]
fn what_expires_before_there_is_room_is_dropped() {
    let preferences = preferences(r#""limit":{"count":1,"minutes":60}"#);
    let told = [NOW - MINUTE];
    let verdict = |expires_ms| {
        preferences.verdict(&Asked {
            expires_ms,
            ..asked(NOW, &told)
        })
    };
    assert_eq!(verdict(NOW + 59 * MINUTE), Verdict::Dropped(Dropped::Limit));
    assert_eq!(
        verdict(NOW + 59 * MINUTE + 1),
        Verdict::Later(NOW + 59 * MINUTE)
    );
}

/// The limit would be over in the night, so it waits for the morning; what the night makes room for
/// is not waited for.
#[test]
fn both_are_waited_for_together() {
    let preferences = preferences(&format!(r#"{NIGHT},"limit":{{"count":1,"minutes":120}}"#));
    let verdict = |now_ms, told_ms| preferences.verdict(&asked(now_ms, &[told_ms]));
    let morning = Verdict::Later(at("25T07:00"));
    assert_eq!(verdict(at("24T21:30"), at("24T21:00")), morning);
    assert_eq!(verdict(at("24T23:30"), at("24T23:00")), morning);
    assert_eq!(
        verdict(at("25T06:30"), at("25T06:00")),
        Verdict::Later(at("25T08:00"))
    );
}

#[test]
fn what_is_no_preference_is_refused_and_why() {
    for (members, why) in [
        (r#""timezone":"Mars/Base""#, "not in the tz database"),
        (
            r#""quiet":{"from":"22:00","to":"07:00"}"#,
            "of which timezone",
        ),
        (
            r#""timezone":"UTC","quiet":{"from":"22:00","to":"22:00"}"#,
            "are the same",
        ),
        (
            r#""timezone":"UTC","quiet":{"from":"late","to":"07:00"}"#,
            "a time such as",
        ),
        (
            r#""timezone":"UTC","quiet":{"from":"22:00"}"#,
            "missing field",
        ),
        (
            r#""limit":{"count":0,"minutes":60}"#,
            "count: between 1 and 1000",
        ),
        (r#""limit":{"count":1001,"minutes":60}"#, "count: between"),
        (
            r#""limit":{"count":1,"minutes":0}"#,
            "minutes: between 1 and 1440",
        ),
        (r#""limit":{"count":1,"minutes":1441}"#, "minutes: between"),
        (
            r#""kinds":{"reminder":{"channels":["pigeon"]}}"#,
            "unknown variant",
        ),
        (
            r#""kinds":{"reminder":{"inQuiet":"maybe"}}"#,
            "unknown variant",
        ),
        (r#""mute":true"#, "unknown field"),
        (
            r#""timezone":"UTC","quiet":["22:00","07:00"]"#,
            "expected an object",
        ),
        (r#""limit":[1,60]"#, "expected an object"),
        (
            r#""kinds":{"reminder":[["push"],"now"]}"#,
            "expected an object",
        ),
    ] {
        let said = wrong(members);
        assert!(said.contains(why), "{members}: {said}");
    }
    assert!(Preferences::read("[]").is_err() && Preferences::read("null").is_err());
    let kinds = |many: usize| {
        let each: Vec<String> = (0..many).map(|n| format!(r#""k{n}":{{}}"#)).collect();
        Preferences::read(&format!(r#"{{"kinds":{{{}}}}}"#, each.join(","))).is_ok()
    };
    assert!(kinds(KINDS_MAX) && !kinds(KINDS_MAX + 1));
    let most = r#"{"limit":{"count":1000,"minutes":1440}}"#;
    assert!(Preferences::read(most).is_ok());
}
