//! Users without a device, and from when on something could be told.

use super::*;
use crate::notify::{Device, Reached};

async fn with_mail(world: &mut World) {
    let device = Device {
        reached: Reached::Mail {
            address: "ada@example.com".to_owned(),
        },
        name: "mail".to_owned(),
        language: None,
        created_ms: NOW,
        seen_ms: NOW,
    };
    let fields = device.fields().into_iter().collect();
    let id = device.id().to_string();
    world.insert("@@devices", &id, Value::Object(fields)).await;
}

#[tokio::test]
async fn what_no_device_is_told_of_says_so() {
    for (has_mail, kind, nobody) in [
        (false, json!({"channels": ["notice", "push", "mail"]}), true),
        (true, json!({"channels": ["notice", "push", "mail"]}), false),
        (true, json!({"channels": ["notice", "push"]}), true),
        // The record itself is the notice.
        (false, json!({"channels": ["notice"]}), false),
    ] {
        let mut world = World::open().await;
        if has_mail {
            with_mail(&mut world).await;
        }
        world.prefer(json!({"kinds": {"reminder": kind}})).await;
        world.remind("r1", NOW).await;
        world.settle().await;
        let told = world.told().await.remove(0);
        let said = told
            .receipts
            .map(|receipts| (receipts.nobody, receipts.done));
        assert_eq!(said, nobody.then_some((true, true)), "{kind}");
        assert_eq!(world.heard().nobody, usize::from(nobody), "{kind}");
    }
}

/// When it was due, or when quiet hours or a limit let it be.
#[tokio::test]
async fn it_is_said_from_when_on_something_could_be_told() {
    for (preferences, could_be_ms) in [
        (json!({}), NOW + HOUR),
        (
            json!({"timezone": "UTC", "quiet": {"from": "10:30", "to": "12:00"}}),
            NOW + 2 * HOUR,
        ),
        (
            json!({"limit": {"count": 1, "minutes": 90}}),
            NOW + 90 * MINUTE,
        ),
    ] {
        let mut world = World::open().await;
        world.prefer(preferences.clone()).await;
        world.remind("r0", NOW).await;
        world.remind("r1", NOW + HOUR).await;
        world.until(NOW + HOUR).await;
        // The hub is late by a minute in any case.
        world.now_ms = world.job_ms.unwrap_or(could_be_ms) + MINUTE;
        world.settle().await;
        let told = world.told().await;
        assert_eq!(told[1].since, Some(could_be_ms), "{preferences}");
        let heard = world.heard.lock().unwrap();
        let could_be: Vec<u64> = heard
            .iter()
            .flat_map(|one| one.could_be_told_ms.clone())
            .collect();
        assert_eq!(could_be, [NOW, could_be_ms], "{preferences}");
    }
}
