//! Tries: what is sent again, and what is not.

use serde_json::json;

use super::site::*;
use super::*;
use crate::mail::tests::server::{Manners, Says, Smtp};
use crate::outgoing::tests::server::{Answer, Server};
use crate::worker::{Worked, Worker};

#[tokio::test]
async fn a_device_whose_subscription_is_gone_is_deleted() {
    for head in ["404 Not Found", "410 Gone"] {
        let server = saying(&[head]).await;
        let other = saying(&["201 Created"]).await;
        let (gone, here) = (browser(&server, 1).1, browser(&other, 1).1);
        let mut site = Site::told_to(&[gone.clone(), here]).await;
        assert_eq!(site.run().await, None);
        let receipts = json!({"push": {"sent": 1, "failed": 0, "gone": 1}, "done": true});
        assert_eq!(site.receipts().await, receipts, "{head}");
        let left = site.space.table(DEVICES).await;
        assert_eq!(left.len(), 1);
        assert_ne!(left[0].0, gone.id().to_string());
    }
}

/// Also while others are tried again.
#[tokio::test]
async fn who_has_it_is_not_sent_it_again_and_who_waits_waits_as_asked() {
    let later = "429 Too Many Requests\r\nretry-after: 120";
    let slow = saying(&[later, "201 Created"]).await;
    let (well, gone) = (saying(&["201 Created"]).await, saying(&["410 Gone"]).await);
    let devices = [&slow, &well, &gone].map(|server| browser(server, 1).1);
    let mut site = Site::told_to(&devices).await;
    assert_eq!(site.run().await, Some(NOW + 120_000));
    let progress = &site.progress().await[0];
    let of = |device: &Device| progress[device.id().to_string()].clone();
    let waiting = json!({
        "channel": "push", "state": "waiting", "at": NOW + 120_000, "tries": 1,
    });
    assert_eq!(of(&devices[0]), waiting);
    assert_eq!(of(&devices[1])["state"], "sent");
    assert_eq!(of(&devices[2])["state"], "gone");
    assert_eq!(
        (site.devices().await, site.receipts().await),
        (2, Value::Null)
    );
    // It is asked too early, which is no try.
    site.at(NOW + 119_999);
    assert_eq!(site.work().await, Worked::Busy { wait_ms: 1 });
    site.at(NOW + 120_000);
    assert_eq!(site.run().await, None);
    assert_eq!((slow.waiting(), well.waiting(), gone.waiting()), (2, 1, 1));
    let receipts = json!({"push": {"sent": 2, "failed": 0, "gone": 1}, "done": true});
    assert_eq!(site.receipts().await, receipts);
    assert!(site.progress().await.is_empty());
}

#[tokio::test]
async fn what_may_go_well_later_is_tried_until_it_expires() {
    let garbage = Answer::Bytes(b"SSH-2.0\r\n".to_vec());
    for server in [
        saying(&["503 Service Unavailable"]).await,
        Server::answering(garbage).await,
    ] {
        let mut site = Site::told_to(&[browser(&server, 1).1]).await;
        let mut tries = 0;
        let mut now_ms = NOW;
        while let Some(due_at_ms) = site.run().await {
            tries += 1;
            assert!(due_at_ms > now_ms && due_at_ms < NOW + 3_600_000);
            now_ms = due_at_ms;
            site.at(now_ms);
        }
        assert!(tries > 4, "{tries}");
        let outcomes = site.outcomes();
        let (last, before) = outcomes.split_last().unwrap();
        assert_eq!(*last, (Channel::Push, Outcome::Failed));
        assert!(before.iter().all(|(_, how)| *how == Outcome::Retried));
        let receipts = json!({"push": {"sent": 0, "failed": 1, "gone": 0}, "done": true});
        assert_eq!(site.receipts().await, receipts);
    }
}

#[tokio::test]
async fn nothing_is_sent_from_its_expiry_on() {
    for (now_ms, sent, how) in [
        (NOW + 3_599_999, 1, Outcome::Sent),
        (NOW + 3_600_000, 0, Outcome::Failed),
    ] {
        let server = saying(&["201 Created"]).await;
        let mut site = Site::told_to(&[browser(&server, 1).1]).await;
        site.at(now_ms);
        assert_eq!(site.run().await, None);
        assert_eq!(server.waiting(), sent);
        assert_eq!(site.outcomes(), [(Channel::Push, how)]);
    }
}

#[tokio::test]
async fn what_was_deleted_is_not_delivered_any_more() {
    let server = saying(&["503 Service Unavailable"]).await;
    let mut site = Site::told_to(&[browser(&server, 1).1]).await;
    assert!(site.run().await.is_some());
    assert_eq!(site.progress().await.len(), 1);
    site.delete_notification().await;
    assert_eq!(site.run().await, None);
    assert_eq!(server.waiting(), 1);
    assert!(site.progress().await.is_empty());
    assert_eq!(site.work().await, Worked::Done(None));
}

/// It stands in the record, so that the history shows it.
#[tokio::test]
async fn what_is_to_be_delivered_to_nobody_says_so() {
    let mut site = Site::told_to(&[]).await;
    assert_eq!(site.run().await, None);
    assert_eq!(site.receipts().await, json!({"done": true, "nobody": true}));
    assert_eq!((site.ends(), site.outcomes()), (vec![End::Nobody], vec![]));
    assert_eq!(site.work().await, Worked::Done(None));
    assert_eq!(site.ends(), [], "it was said before");
}

/// Nothing is written, so nothing is synced either.
#[tokio::test]
async fn what_nobody_delivers_is_done_and_says_nothing() {
    let server = saying(&["201 Created"]).await;
    let mut site = Site::told_to(&[browser(&server, 1).1]).await;
    let notice = Notification {
        channels: vec![Channel::Notice],
        ..notification(NOW, "b")
    };
    site.tell(&notice).await;
    assert_eq!(site.work().await, Worked::Done(None));
    site.tell(&notification(NOW, "c")).await;
    assert_eq!(site.run().await, None);
    assert_eq!((server.waiting(), site.ends()), (1, vec![End::Delivered]));
    assert_eq!(
        site.work().await,
        Worked::Done(None),
        "it was delivered before"
    );
    assert_eq!(server.waiting(), 1);
}

#[tokio::test]
async fn a_device_that_was_removed_meanwhile_is_gone() {
    let server = saying(&["503 Service Unavailable"]).await;
    let (_, device) = browser(&server, 1);
    let mut site = Site::told_to(std::slice::from_ref(&device)).await;
    let due_at_ms = site.run().await.unwrap();
    site.space.delete(DEVICES, &device.id().to_string()).await;
    site.at(due_at_ms);
    assert_eq!(site.run().await, None);
    let receipts = json!({"push": {"sent": 0, "failed": 0, "gone": 1}, "done": true});
    assert_eq!(site.receipts().await, receipts);
    assert_eq!(server.waiting(), 1);
}

#[tokio::test]
async fn twenty_devices_are_told_and_no_more() {
    let server = saying(&["201 Created"]).await;
    for (devices, sent) in [(DEVICES_MAX, 20), (DEVICES_MAX + 1, 20)] {
        let before = server.waiting();
        let all: Vec<Device> = (0..devices).map(|n| browser(&server, n).1).collect();
        let mut site = Site::told_to(&all).await;
        assert_eq!(site.run().await, None);
        assert_eq!(server.waiting() - before, sent);
        assert_eq!(site.receipts().await["push"]["sent"], sent);
    }
}

/// A worker that is stopped in the middle leaves nothing, and the next one tells the same.
#[tokio::test]
async fn a_try_that_is_stopped_is_made_again_under_the_same_names() {
    let mut push = Server::answering(Answer::Stuck("")).await;
    let mut posts = Server::answering(Answer::Stuck("")).await;
    let taken = Manners {
        taken: Says::Hangs,
        ..Manners::default()
    };
    let mut letters = Smtp::with(taken).await;
    let (browser, device_of_browser) = browser(&push, 1);
    let channels = Channels {
        mail: mailing(letters.port),
        webhooks: webhooks(Some(&posts.url)),
        ..pushing()
    };
    let mut site = Site::open(Has::channels(channels)).await;
    site.tell(&Notification {
        channels: Channel::ALL.to_vec(),
        ..notification(NOW, "a")
    })
    .await;
    let address = "ada@example.com".to_owned();
    let to = "crm".to_owned();
    for device in [
        device_of_browser,
        device(Reached::Mail { address }),
        device(Reached::Webhook { to }),
    ] {
        site.device(&device).await;
    }
    let mut seen = Vec::new();
    for attempt in 1..=2 {
        let (worker, mut task) = (site.worker.clone(), site.task());
        task.attempt = attempt;
        let working = tokio::spawn(async move { worker.work(&task).await });
        let (_, payload) = pushed(&mut push, &browser).await;
        let letter = letters.letter().await.text;
        let message_id = letter.lines().find(|line| line.starts_with("Message-ID: "));
        let (head, _) = posts.request().await;
        let webhook_id = head.lines().find(|line| line.starts_with("webhook-id: "));
        seen.push((
            payload["id"].clone(),
            message_id.unwrap().to_owned(),
            webhook_id.unwrap().to_owned(),
        ));
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        assert!(site.progress().await.is_empty() && site.outcomes().is_empty());
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_job_that_is_about_no_notification_is_hopeless() {
    let site = Site::told_to(&[]).await;
    for args in [
        json!({"args": {}}),
        json!({"table": "tasks", "id": "k1", "when": "insert", "who": "ada", "args": {}}),
        json!(7),
    ] {
        let worked = site.worker.work(&site.task_about(&args)).await;
        let Worked::Hopeless(error) = worked else {
            panic!("another end: {worked:?}");
        };
        assert!(error.as_str().starts_with("args_invalid: "));
    }
}
