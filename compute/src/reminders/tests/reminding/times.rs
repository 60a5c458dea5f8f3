//! When a reminder is told.

use syncline_storage::jobs::JobError;

use super::*;
use crate::notify::{Item, Receipts};

#[tokio::test]
async fn a_reminder_is_told_at_its_time_and_once() {
    let mut world = World::open().await;
    world.remind("r1", NOW + HOUR).await;
    assert_eq!(world.settle().await, Some(NOW + HOUR));
    assert_eq!(world.until(NOW + HOUR - 1).await, Some(NOW + HOUR));
    assert_eq!(world.told().await, []);
    assert_eq!(world.state("r1").await, None, "waiting costs no write");
    assert_eq!(world.until(NOW + HOUR).await, None);
    let told = world.told().await.remove(0);
    let key = format!("reminders/r1@{}", NOW + HOUR);
    let item = Item {
        key,
        table: "reminders".to_owned(),
        id: "r1".to_owned(),
        task: None,
        due: NOW + HOUR,
        title: "r1".to_owned(),
    };
    assert_eq!(told.items, [item]);
    assert_eq!(
        (told.kind.as_str(), told.late, told.more),
        ("reminder", false, 0)
    );
    assert_eq!((told.at, told.expires), (NOW + HOUR, NOW + 13 * HOUR));
    assert_eq!(
        (told.title.as_str(), told.body.as_str()),
        ("r1", "Reminder for 11:00")
    );
    assert_eq!(told.channels, Channel::ALL);
    // The user has no device besides those that sync.
    assert_eq!(told.receipts, Some(Receipts::nobody()));
    let state = world.state("r1").await.unwrap();
    assert_eq!((state.fired_ms, state.missed_ms), (vec![NOW + HOUR], None));
    for later in [NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * DAY] {
        world.now_ms = later;
        assert_eq!(world.work().await, None);
    }
    assert_eq!(world.told().await.len(), 1);
}

#[tokio::test]
async fn what_is_late_says_so_and_what_is_later_than_the_cut_off_is_missed() {
    for (after, is_told, is_late) in [
        (MINUTE, true, false),
        (MINUTE + 1, true, true),
        (12 * HOUR, true, true),
        (12 * HOUR + 1, false, false),
    ] {
        let mut world = World::open().await;
        world.remind("r1", NOW + HOUR).await;
        world.now_ms = NOW + HOUR + after;
        assert_eq!(world.work().await, None);
        let told: Vec<bool> = world.told().await.iter().map(|told| told.late).collect();
        let expected = if is_told { vec![is_late] } else { vec![] };
        assert_eq!(told, expected, "{after}");
        let state = world.state("r1").await.unwrap();
        let missed = (!is_told).then_some(NOW + HOUR);
        assert_eq!(state.missed_ms, missed);
        let heard = world.heard();
        assert_eq!(heard.missed, usize::from(!is_told));
        assert_eq!(
            (heard.told, heard.late),
            (usize::from(is_told), usize::from(is_late))
        );
        // Nothing is written twice.
        assert_eq!(world.tried().await, Worked::Done(None));
    }
}

#[tokio::test]
async fn what_a_config_says_is_late_or_too_late_holds() {
    let mut world = World::open().await;
    world.config = serde_json::from_value(json!({"late_s": 5, "cut_off_s": 10})).unwrap();
    world.config.past_s = 0;
    for (id, at_ms) in [("a", NOW + 100), ("b", NOW + 5_100), ("c", NOW + 5_101)] {
        world.remind(id, at_ms).await;
    }
    world.now_ms = NOW + 10_101;
    world.work().await;
    let told: Vec<(bool, u64)> = world
        .told()
        .await
        .iter()
        .map(|told| (told.late, told.expires))
        .collect();
    let late = (true, NOW + 15_100);
    let on_time = (false, NOW + 15_101);
    assert_eq!(told.len(), 2);
    assert!(told.contains(&late) && told.contains(&on_time), "{told:?}");
    assert_eq!(world.state("a").await.unwrap().missed_ms, Some(NOW + 100));
}

/// The hub is away while 50 reminders come due.
#[tokio::test]
async fn an_outage_is_told_of_in_one_notification() {
    let mut world = World::open().await;
    for n in 0..50 {
        world
            .remind(&format!("r{n:02}"), NOW + (n + 1) * MINUTE)
            .await;
    }
    world.settle().await;
    world.now_ms = NOW + 53 * MINUTE;
    assert_eq!(world.settle().await, None);
    let told = world.told().await;
    assert_eq!(told.len(), 1);
    let told = &told[0];
    assert_eq!((told.items.len(), told.more, told.late), (20, 30, true));
    assert_eq!(told.items[0].id, "r00");
    assert_eq!(told.title, "50 reminders");
    assert!(told.body.starts_with("r00, r01, r02, "), "{}", told.body);
    assert_eq!(told.expires, NOW + 50 * MINUTE + 12 * HOUR);
    for n in 0..50 {
        let state = world.state(&format!("r{n:02}")).await.unwrap();
        assert_eq!(state.fired_ms, [NOW + (n + 1) * MINUTE]);
    }
}

#[tokio::test]
async fn what_is_due_together_is_one_notification_and_what_is_due_later_another() {
    let mut world = World::open().await;
    world.remind("a", NOW + MINUTE).await;
    world.remind("b", NOW + MINUTE).await;
    world.remind("c", NOW + 90_000).await;
    assert_eq!(world.until(NOW + HOUR).await, None);
    assert_eq!(world.told_of().await, [of(1, &["a", "b"]), of(1, &["c"])]);
    // One look for all of them.
    let mut world = World::open().await;
    for window_ms in [0, 29_999, 30_000] {
        world.config.batch_window_ms = window_ms;
        let ids = ["a", "b", "c"].map(|id| format!("{id}{window_ms}"));
        let due_ms = world.now_ms + MINUTE;
        for (id, at_ms) in ids.iter().zip([due_ms, due_ms, due_ms + 30_000]) {
            world.remind(id, at_ms).await;
        }
        let before = world.told().await.len();
        world.now_ms = due_ms + 30_000;
        world.settle().await;
        let more = world.told().await.len() - before;
        assert_eq!(more, if window_ms < 30_000 { 2 } else { 1 });
    }
}

/// What is read is the zone of the user, where no record has one.
#[tokio::test]
async fn a_day_is_one_of_the_users_zone() {
    let mut world = World::open().await;
    world
        .insert("reminders", "r1", json!({"remindAt": "2026-11-25"}))
        .await;
    assert_eq!(world.settle().await, Some(ms("2026-11-25T09:00:00Z")));
    world.prefer(json!({"timezone": "America/New_York"})).await;
    assert_eq!(world.settle().await, Some(ms("2026-11-25T14:00:00Z")));
    world.prefer(json!({"timezone": "Asia/Kathmandu"})).await;
    assert_eq!(world.settle().await, Some(ms("2026-11-25T03:15:00Z")));
}

#[tokio::test]
async fn what_is_for_no_time_is_passed_over_and_said() {
    let mut world = World::open().await;
    for (id, data) in [
        ("a", json!({})),
        ("b", json!({"remindAt": "soon"})),
        ("c", json!({"minutesBefore": 10})),
        (
            "d",
            json!({"remindAt": "2026-11-24T10:30:00Z", "timezone": "Mars/Base"}),
        ),
    ] {
        world.insert("reminders", id, data).await;
    }
    assert_eq!(world.settle().await, None);
    assert_eq!(world.heard().invalid, 2);
    let problems: Vec<&str> = world.heard().problems().collect();
    assert_eq!(problems, ["reminder_invalid"]);
    world.remind("e", NOW + MINUTE).await;
    assert_eq!(world.until(NOW + MINUTE).await, None);
    assert_eq!(world.told_of().await, [of(1, &["e"])]);
}

#[tokio::test]
async fn an_app_that_has_no_reminders_any_more_leaves_its_job_to_others_and_ends_it() {
    let mut world = World::open().await;
    world.remind("r1", NOW).await;
    world.space.key.app = AppId::trusted("other");
    let hears: Hears = Arc::new(|_, _| {});
    let store = world.space.store.clone();
    let apps: [(&AppId, &RemindersConfig); 0] = [];
    let worker = Reminding::of(store, apps, 500, hears).unwrap();
    let mut task = world.task();
    assert_eq!(worker.work(&task).await, Worked::Busy { wait_ms: 60_000 });
    task.now_ms = task.job.due_at_ms + 15 * MINUTE;
    assert_eq!(
        worker.work(&task).await,
        Worked::Hopeless(JobError::new("reminders_gone: app other has none"))
    );
}
