//! What a user wants to be told, when.

use jiff::Timestamp;
use proptest::prelude::*;

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
        told_by: None,
        now_ms,
        expires_ms: now_ms + 12 * HOUR,
        told_ms,
        limits: &[],
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
fn what_is_to_be_told_by_some_channels_is_told_by_those_that_the_user_wants() {
    let preferences = preferences(r#""kinds":{"reminder":{"channels":["push","mail"]}}"#);
    let verdict = |told_by: &[Channel]| {
        let told_by = Some(told_by);
        preferences.verdict(&Asked {
            told_by,
            ..asked(NOW, &[])
        })
    };
    let push = Verdict::Now(vec![Channel::Push]);
    assert_eq!(verdict(&[Channel::Notice, Channel::Push]), push);
    let none = Verdict::Dropped(Dropped::NoChannel);
    assert_eq!(verdict(&[Channel::Notice]), none);
}

#[test]
fn a_user_says_a_language_and_how_much_is_too_much() {
    let none = Preferences::default();
    assert_eq!((none.language(), none.limit_count()), (None, None));
    let some = preferences(r#""language":"de-AT","limit":{"count":3,"minutes":60}"#);
    assert_eq!(
        (some.language(), some.limit_count()),
        (Some("de-AT"), Some(3))
    );
    let longest = "abcdefgh-".repeat(3) + "12345678";
    assert_eq!(longest.len(), LANGUAGE_BYTES_MAX);
    assert!(Preferences::read(&json!({"language": longest}).to_string()).is_ok());
    let too_long = "abcdefgh-".repeat(3) + "1234567-";
    for tag in [
        &*too_long,
        "abcdefgh-abcdefgh-abcdefgh-1234567-8",
        "",
        "de_AT",
        "de-",
        "abcdefghi",
        "dé",
    ] {
        let said = wrong(&format!(r#""language":{}"#, json!(tag)));
        assert!(said.ends_with("a tag such as en or de-AT"), "{tag}: {said}");
    }
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

/// The first minute at which it may be told, found by looking at each.
fn naive(quiet: (u64, u64), limit: (usize, u64), now_ms: u64, told_ms: &[u64]) -> u64 {
    let (from, to) = quiet;
    let may = |at_ms: u64| {
        let minute = at_ms / MINUTE % 1_440;
        let is_quiet = match from < to {
            true => (from..to).contains(&minute),
            false => minute >= from || minute < to,
        };
        let counts = |told: &&u64| **told <= at_ms && at_ms - **told < limit.1 * MINUTE;
        !is_quiet && told_ms.iter().filter(counts).count() < limit.0
    };
    let minutes = (0..).map(|minutes| now_ms + minutes * MINUTE);
    minutes.into_iter().find(|at_ms| may(*at_ms)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn it_is_told_at_the_first_minute_that_is_neither_quiet_nor_too_much(
        now in 0..3_000_u64,
        from in 0..1_440_u64,
        length in 1..1_439_u64,
        limit in (1..4_usize, 1..1_440_u64),
        told in prop::collection::vec(-1_500..200_i64, 0..6),
    ) {
        let to = (from + length) % 1_440;
        let time = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let preferences = preferences(&format!(
            r#""timezone":"UTC","quiet":{{"from":"{}","to":"{}"}},
               "limit":{{"count":{},"minutes":{}}}"#,
            time(from), time(to), limit.0, limit.1
        ));
        let now_ms = NOW + now * MINUTE;
        let told_ms: Vec<u64> = told
            .iter()
            .map(|minutes| now_ms.saturating_add_signed(minutes * 60_000))
            .collect();
        let expires_ms = u64::MAX;
        let found = preferences.verdict(&Asked { expires_ms, ..asked(now_ms, &told_ms) });
        let first_ms = naive((from, to), limit, now_ms, &told_ms);
        let expected = match first_ms == now_ms {
            true => all(),
            false => Verdict::Later(first_ms),
        };
        let shown = Timestamp::from_millisecond(now_ms as i64).unwrap();
        prop_assert_eq!(found, expected, "{}", shown);
    }
}
