//! What is sent, by each channel.

use serde_json::json;

use super::site::*;
use super::*;
use crate::mail::tests::server::{Manners, Says, Smtp};
use crate::outgoing::tests::server::Server;
use crate::reminders::{TemplateText, Templates};

fn mail() -> Device {
    Device {
        language: None,
        ..device(Reached::Mail {
            address: "ada@example.com".to_owned(),
        })
    }
}

fn webhook(to: &str) -> Device {
    Device {
        language: None,
        ..device(Reached::Webhook { to: to.to_owned() })
    }
}

fn by_all() -> Notification {
    Notification {
        channels: Channel::ALL.to_vec(),
        ..notification(NOW, "reminders/r1@1")
    }
}

#[tokio::test]
async fn a_browser_is_told_what_only_it_can_read() {
    for (late, urgency) in [(false, "high"), (true, "normal")] {
        let mut server = saying(&["201 Created"]).await;
        let (browser, device) = browser(&server, 1);
        let mut site = Site::told_to(&[]).await;
        let told = Notification {
            late,
            at: NOW - 2_000,
            ..notification(NOW, "reminders/r1@1")
        };
        site.tell(&told).await;
        site.device(&device).await;
        site.at(NOW + 500);
        assert_eq!(site.run().await, None);
        let (head, payload) = pushed(&mut server, &browser).await;
        assert!(head.contains("\r\nttl: 3599\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nurgency: {urgency}\r\n")));
        assert!(head.contains("\r\ntopic: "));
        let expected = json!({
            "v": 1, "id": told.id().to_string(), "app": "todo", "kind": "reminder",
            "title": "Buy milk", "body": "", "language": "en", "at": "2026-11-24T09:59:58.000Z",
            "late": late, "more": 0, "items": [
                {"key": "reminders/r1@1", "table": "reminders", "id": "r1", "task": null},
            ],
        });
        assert_eq!(payload, expected);
        let receipts = json!({"push": {"sent": 1, "failed": 0, "gone": 0}, "done": true});
        assert_eq!(site.receipts().await, receipts);
        assert!(site.progress().await.is_empty());
        let expected = Delivered {
            channel: Channel::Push,
            how: Outcome::Sent,
            lag_ms: 500,
            error: None,
        };
        assert_eq!(site.told(), [expected]);
    }
}

#[tokio::test]
async fn all_channels_are_told_at_once() {
    let mut push = saying(&["201 Created"]).await;
    let mut letters = Smtp::new().await;
    let mut posts = Server::saying("200 OK", "").await;
    let (browser, device) = browser(&push, 1);
    let channels = Channels {
        mail: mailing(letters.port),
        webhooks: webhooks(Some(&posts.url)),
        ..pushing()
    };
    let mut site = Site::open(Has::channels(channels)).await;
    site.tell(&by_all()).await;
    for device in [device, mail(), webhook("crm")] {
        site.device(&device).await;
    }
    assert_eq!(site.run().await, None);
    let once = json!({"sent": 1, "failed": 0, "gone": 0});
    let receipts = json!({"push": once, "mail": once, "webhook": once, "done": true});
    assert_eq!(site.receipts().await, receipts);
    let (_, payload) = pushed(&mut push, &browser).await;
    assert_eq!(payload["title"], "Buy milk");
    let letter = letters.letter().await;
    assert_eq!(letter.to, ["ada@example.com"]);
    assert!(
        letter.text.contains("\r\nSubject: Buy milk\r\n"),
        "{}",
        letter.text
    );
    let (head, body) = posts.request().await;
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let id = body["id"].take();
    assert!(id.as_str().unwrap().starts_with("ntf_"));
    assert!(head.contains(&format!("webhook-id: {}\r\n", id.as_str().unwrap())));
    assert!(head.contains("webhook-signature: v1,"));
    let told = by_all();
    let expected = json!({
        "id": null, "trigger": "@notification", "app": "todo", "space": "ada", "attempt": 1,
        "at": "2026-11-24T10:00:00.000Z",
        "data": {
            "id": told.id().to_string(), "kind": "reminder", "at": "2026-11-24T10:00:00.000Z",
            "expires": "2026-11-24T11:00:00.000Z", "late": false, "title": "Buy milk", "body": "",
            "language": "en", "more": 0, "values": {"title": "Buy milk"}, "items": [{
                "key": "reminders/r1@1", "table": "reminders", "id": "r1", "task": null,
                "due": "2026-11-24T10:00:00.000Z", "title": "Buy milk",
            }],
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn devices_of_other_channels_are_told_nothing() {
    let push = saying(&["201 Created"]).await;
    let letters = Smtp::new().await;
    let (_, device) = browser(&push, 1);
    let channels = Channels {
        mail: mailing(letters.port),
        ..pushing()
    };
    let mut site = Site::open(Has::channels(channels)).await;
    site.device(&device).await;
    site.device(&mail()).await;
    let told = Notification {
        channels: vec![Channel::Notice, Channel::Mail],
        ..notification(NOW, "a")
    };
    site.tell(&told).await;
    assert_eq!(site.run().await, None);
    assert_eq!((push.waiting(), letters.waiting()), (0, 1));
    assert_eq!(site.outcomes(), [(Channel::Mail, Outcome::Sent)]);
}

#[tokio::test]
async fn a_device_is_told_in_its_language() {
    let mut push = saying(&["201 Created"]).await;
    let text = |title: &str| TemplateText {
        title: title.to_owned(),
        body: String::new(),
        mail: None,
    };
    let of_kind = [("en", "Due: {title}"), ("de", "Fällig: {title}")];
    let of_kind = of_kind.map(|(language, title)| (language.to_owned(), text(title)));
    let all = BTreeMap::from([("reminder".to_owned(), BTreeMap::from(of_kind))]);
    let templates = Templates::of(&all, "en", &["title"]).unwrap();
    let has = Has {
        templates: Some(templates),
        ..Has::channels(pushing())
    };
    let mut site = Site::open(has).await;
    let (browser, device) = browser(&push, 1);
    let german = Device {
        language: Some("de-AT".to_owned()),
        ..device
    };
    site.device(&german).await;
    site.tell(&notification(NOW, "a")).await;
    site.run().await;
    let (_, payload) = pushed(&mut push, &browser).await;
    assert_eq!(payload["title"], "Fällig: Buy milk");
    assert_eq!(payload["language"], "de");
}

/// What a push service thinks of a message's size is its own.
#[tokio::test]
async fn what_is_too_large_is_sent_once_more_as_small_as_it_can_be() {
    let large = "413 Payload Too Large";
    for (heads, then) in [
        ([large, "201 Created"], Outcome::Sent),
        ([large, large], Outcome::Failed),
    ] {
        let mut server = saying(&heads).await;
        let (browser, device) = browser(&server, 1);
        let mut site = Site::told_to(&[device]).await;
        assert_eq!(site.run().await, None);
        assert_eq!(site.outcomes(), [(Channel::Push, then)]);
        assert_eq!(server.waiting(), 2);
        let (_, whole) = pushed(&mut server, &browser).await;
        let (_, small) = pushed(&mut server, &browser).await;
        assert_eq!((&whole["more"], &small["more"]), (&json!(0), &json!(1)));
        assert_eq!(small["items"], json!([]));
        assert_eq!(
            (&small["id"], &small["title"]),
            (&whole["id"], &json!("Buy milk"))
        );
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up() {
    for head in [
        "400 Bad Request",
        "403 Forbidden",
        "307 Temporary Redirect\r\nlocation: /x",
    ] {
        let server = saying(&[head]).await;
        let mut site = Site::told_to(&[browser(&server, 1).1]).await;
        assert_eq!(site.run().await, None);
        assert_eq!(
            site.outcomes(),
            [(Channel::Push, Outcome::Failed)],
            "{head}"
        );
        assert_eq!(site.devices().await, 1);
        let receipts = json!({"push": {"sent": 0, "failed": 1, "gone": 0}, "done": true});
        assert_eq!(site.receipts().await, receipts);
    }
}

/// It was written when the config still let it.
#[tokio::test]
async fn a_subscription_that_is_none_is_given_up_without_sending() {
    let subscription =
        crate::push::tests::browser::Browser::new().subscribes("ftp://push.example/");
    let mut site = Site::told_to(&[device(Reached::Push { subscription })]).await;
    assert_eq!(site.run().await, None);
    let told = site.told().pop().unwrap();
    assert_eq!(told.how, Outcome::Failed);
    let error = told.error.unwrap();
    assert!(
        error
            .as_str()
            .starts_with("subscription_invalid: endpoint: ")
    );
}

#[tokio::test]
async fn a_letter_that_is_refused_is_given_up_and_one_that_is_put_off_is_not() {
    for (says, then) in [
        (Says::Line("550 nobody"), Outcome::Failed),
        (Says::Line("451 later"), Outcome::Retried),
    ] {
        let rcpt = Manners {
            rcpt: says,
            ..Manners::default()
        };
        let letters = Smtp::with(rcpt).await;
        let channels = Channels {
            mail: mailing(letters.port),
            ..pushing()
        };
        let mut site = Site::open(Has::channels(channels)).await;
        site.tell(&by_all()).await;
        site.device(&mail()).await;
        assert_eq!(site.run().await.is_some(), then == Outcome::Retried);
        assert_eq!(site.outcomes(), [(Channel::Mail, then)]);
    }
}

/// A notification is told, not worked on.
#[tokio::test]
async fn changes_that_a_webhook_answers_are_passed_over() {
    let changes = r#"{"changes":[{"table":"tasks","id":"k1","op":"delete"}]}"#;
    let head = "200 OK\r\ncontent-type: application/json";
    let posts = Server::saying(head, changes).await;
    let channels = Channels {
        webhooks: webhooks(Some(&posts.url)),
        ..pushing()
    };
    let mut site = Site::open(Has::channels(channels)).await;
    site.tell(&by_all()).await;
    site.device(&webhook("crm")).await;
    assert_eq!(site.run().await, None);
    assert_eq!(site.outcomes(), [(Channel::Webhook, Outcome::Sent)]);
    assert!(!site.is_stored("tasks", "k1").await);
}

#[tokio::test]
async fn a_webhook_of_an_endpoint_that_is_no_more_is_given_up() {
    let mut site = Site::open(Has::channels(pushing())).await;
    site.tell(&by_all()).await;
    site.device(&webhook("crm")).await;
    assert_eq!(site.run().await, None);
    let told = site.told().pop().unwrap();
    assert_eq!(told.how, Outcome::Failed);
    assert_eq!(told.error.unwrap().as_str(), "webhook_unknown: \"crm\"");
}

/// Another node may have it already.
#[tokio::test]
async fn what_this_node_cannot_deliver_waits() {
    let channels = Channels {
        push: None,
        ..pushing()
    };
    let mut site = Site::open(Has::channels(channels)).await;
    site.tell(&by_all()).await;
    let server = saying(&["201 Created"]).await;
    for device in [mail(), browser(&server, 1).1] {
        site.device(&device).await;
    }
    assert!(site.run().await.is_some());
    let errors = site.told().into_iter().map(|told| told.error.unwrap());
    let errors: Vec<String> = errors.map(|error| error.as_str().to_owned()).collect();
    for channel in ["push", "mail"] {
        assert!(errors.contains(&format!("channel_off: {channel}")));
    }
}
