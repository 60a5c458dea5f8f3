//! Schedules: when they fire, that they fire once, and what is no schedule.

use syncline_protocol::stamp::WallMs;

use super::*;

fn config(cron: &str, timezone: &str) -> ScheduleConfig {
    ScheduleConfig {
        id: "digest".to_owned(),
        cron: cron.to_owned(),
        timezone: timezone.to_owned(),
        job: "mail".to_owned(),
        args: serde_json::json!({"to": "all"}),
        missed: Missed::default(),
    }
}

fn at(text: &str) -> WallMs {
    let at: Timestamp = text.parse().unwrap();
    at.as_millisecond() as u64
}

fn schedule(cron: &str, timezone: &str) -> Schedule {
    Schedule::of(&config(cron, timezone), at("2026-01-01T00:00:00Z")).unwrap()
}

/// The first few times after a moment.
fn times(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let mut times = Vec::new();
    let mut last = at(after);
    while times.len() < count {
        last = schedule.next_after(last).unwrap();
        let time = Timestamp::from_millisecond(last as i64).unwrap();
        times.push(time.to_string());
    }
    times
}

#[test]
fn a_schedule_fires_when_its_pattern_says_in_its_zone() {
    let cases = [
        (
            "0 9 * * *",
            "UTC",
            "2026-03-01T09:00:00Z",
            ["2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"],
        ),
        (
            "0 9 * * 1-5",
            "Europe/Berlin",
            "2026-03-05T20:00:00Z",
            ["2026-03-06T08:00:00Z", "2026-03-09T08:00:00Z"],
        ),
        (
            "*/20 * * * *",
            "Asia/Kolkata",
            "2026-03-05T20:01:00Z",
            ["2026-03-05T20:10:00Z", "2026-03-05T20:30:00Z"],
        ),
        (
            "30 0 12 1 * *",
            "UTC",
            "2026-03-05T00:00:00Z",
            ["2026-04-01T12:00:30Z", "2026-05-01T12:00:30Z"],
        ),
        (
            "@monthly",
            "America/New_York",
            "2026-03-05T00:00:00Z",
            ["2026-04-01T04:00:00Z", "2026-05-01T04:00:00Z"],
        ),
        (
            "0 0 29 2 *",
            "UTC",
            "2026-03-05T00:00:00Z",
            ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        ),
    ];
    for (cron, zone, after, expected) in cases {
        assert_eq!(times(&schedule(cron, zone), after, 2), expected, "{cron}");
    }
}

/// On the day that has no half past two it fires all the same, on the one that has two of them once.
#[test]
fn a_time_of_day_fires_once_a_day_whatever_clocks_do() {
    let nightly = schedule("30 2 * * *", "Europe/Berlin");
    let spring = [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ];
    assert_eq!(times(&nightly, "2026-03-28T00:00:00Z", 3), spring);
    let autumn = [
        "2026-10-24T00:30:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-26T01:30:00Z",
    ];
    assert_eq!(times(&nightly, "2026-10-24T00:00:00Z", 3), autumn);
}

/// Whoever puts it, and however far its clock is.
#[test]
fn all_nodes_put_one_job() {
    let hourly = schedule("0 * * * *", "UTC");
    let put = |now: &str| match hourly.put(&SpaceView::NEVER_OPENED, at(now)) {
        Some(JobMove::Put { job, if_there }) => (job, if_there),
        other => panic!("{other:?}"),
    };
    let (first, if_there) = put("2026-03-05T00:10:00Z");
    assert_eq!(first.due_at_ms, at("2026-03-05T01:00:00Z"));
    assert_eq!(if_there, IfThere::Keep);
    let (late, _) = put("2026-03-05T01:00:01Z");
    assert_eq!((&late.kind, &late.key), (&first.kind, &first.key));
    assert!(hourly.is_of(&first) && hourly.is_of(&late));
}

#[test]
fn a_changed_pattern_is_another_job() {
    let (before, after) = (schedule("0 * * * *", "UTC"), schedule("5 * * * *", "UTC"));
    let elsewhere = schedule("0 * * * *", "Europe/Berlin");
    let Some(JobMove::Put { job, .. }) = before.put(&SpaceView::NEVER_OPENED, 0) else {
        panic!("it is put");
    };
    assert!(!after.is_of(&job) && !elsewhere.is_of(&job));
}

#[test]
fn what_was_missed_is_left_out_or_made_up_for() {
    let due = at("2026-03-05T01:00:00Z");
    let again = |time: &str| Outcome::Again {
        due_at_ms: at(time),
    };
    let cases = [
        (Missed::Skip, "2026-03-05T01:00:09Z", "2026-03-05T02:00:00Z"),
        (Missed::Last, "2026-03-05T01:00:09Z", "2026-03-05T02:00:00Z"),
        (Missed::Each, "2026-03-05T01:00:09Z", "2026-03-05T02:00:00Z"),
        (Missed::Skip, "2026-03-05T04:30:00Z", "2026-03-05T05:00:00Z"),
        (Missed::Last, "2026-03-05T04:30:00Z", "2026-03-05T04:00:00Z"),
        (Missed::Each, "2026-03-05T04:30:00Z", "2026-03-05T02:00:00Z"),
        // A clock behind the due time does not have it fire twice.
        (Missed::Skip, "2026-03-05T00:59:00Z", "2026-03-05T02:00:00Z"),
        (Missed::Last, "2026-03-05T00:59:00Z", "2026-03-05T02:00:00Z"),
    ];
    for (missed, now, expected) in cases {
        let config = ScheduleConfig {
            missed,
            ..config("0 * * * *", "UTC")
        };
        let hourly = Schedule::of(&config, 0).unwrap();
        assert_eq!(
            hourly.after(due, at(now)),
            again(expected),
            "{missed:?} {now}"
        );
    }
}

#[test]
fn a_time_that_a_later_one_has_overtaken_is_not_begun() {
    let due = at("2026-03-05T01:00:00Z");
    let cases = [
        (Missed::Skip, "2026-03-05T01:59:59Z", None),
        (
            Missed::Skip,
            "2026-03-05T02:00:00Z",
            Some("2026-03-05T03:00:00Z"),
        ),
        (
            Missed::Skip,
            "2026-03-05T04:30:00Z",
            Some("2026-03-05T05:00:00Z"),
        ),
        (Missed::Last, "2026-03-05T01:59:59Z", None),
        (
            Missed::Last,
            "2026-03-05T02:00:00Z",
            Some("2026-03-05T02:00:00Z"),
        ),
        (
            Missed::Last,
            "2026-03-05T04:30:00Z",
            Some("2026-03-05T04:00:00Z"),
        ),
        (Missed::Each, "2026-03-05T04:30:00Z", None),
        // A clock behind the due time.
        (Missed::Skip, "2026-03-05T00:30:00Z", None),
        (Missed::Last, "2026-03-05T00:30:00Z", None),
    ];
    for (missed, now, expected) in cases {
        let config = ScheduleConfig {
            missed,
            ..config("0 * * * *", "UTC")
        };
        let hourly = Schedule::of(&config, 0).unwrap();
        let instead = hourly.instead_of(due, at(now));
        assert_eq!(instead, expected.map(at), "{missed:?} {now}");
    }
}

#[test]
fn what_is_no_schedule_is_told_and_why() {
    let long = "0,".repeat(PATTERN_BYTES_MAX);
    let large = serde_json::json!("x".repeat(syncline_storage::jobs::JOB_ARGS_BYTES_MAX));
    let good = || config("0 9 * * *", "UTC");
    let cases = [
        (
            config("0 25 * * *", "UTC"),
            "schedule digest: cron \"0 25 * * *\"",
        ),
        (config("soon", "UTC"), "schedule digest: cron \"soon\""),
        (config("0 0 30 2 *", "UTC"), "never again"),
        (config(&long, "UTC"), "longer than 256 bytes"),
        (
            config("0 9 * * *", "Europe/Atlantis"),
            "timezone \"Europe/Atlantis\"",
        ),
        (
            ScheduleConfig {
                id: String::new(),
                ..good()
            },
            "id: ",
        ),
        (
            ScheduleConfig {
                job: "\u{0}".to_owned(),
                ..good()
            },
            "job: ",
        ),
        (
            ScheduleConfig {
                args: large,
                ..good()
            },
            "args: ",
        ),
    ];
    for (config, expected) in cases {
        let refused = Schedule::of(&config, at("2026-01-01T00:00:00Z")).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}
