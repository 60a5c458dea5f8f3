//! What a browser's worker is given.

use serde_json::json;
use syncline_protocol::ids::AppId;

use super::super::payload::Told;
use super::*;
use crate::reminders::{MailWords, Rendered};

fn item(n: usize, bytes: usize) -> Item {
    Item {
        key: format!("reminders/{n}{}", "k".repeat(bytes)),
        table: "reminders".to_owned(),
        id: format!("r{n}"),
        task: Some("k1".to_owned()),
        due: NOW,
        title: "Buy milk".to_owned(),
    }
}

struct Written {
    whole: Vec<u8>,
    smallest: Vec<u8>,
}

fn written(items: Vec<Item>, title: &str, body: &str) -> Written {
    let notification = Notification {
        items,
        more: 3,
        ..notification(NOW, "a")
    };
    let words = Rendered {
        title: title.to_owned(),
        body: body.to_owned(),
        language: "en".to_owned(),
        mail: MailWords::default(),
    };
    let (id, app) = (notification.id(), AppId::trusted("todo"));
    let told = Told {
        id: &id,
        app: &app,
        notification: &notification,
        words: &words,
    };
    Written {
        whole: told.payload(),
        smallest: told.smallest(),
    }
}

fn read(payload: &[u8]) -> Value {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX, "{}", payload.len());
    serde_json::from_slice(payload).unwrap()
}

#[test]
fn what_fits_is_whole() {
    let payload = read(&written(vec![item(1, 1), item(2, 1)], "title", "body").whole);
    assert_eq!(
        (&payload["title"], &payload["body"]),
        (&json!("title"), &json!("body"))
    );
    assert_eq!(payload["items"].as_array().unwrap().len(), 2);
    assert_eq!(payload["more"], 3);
}

/// At the limit, and one byte past it.
#[test]
fn items_are_left_out_only_when_there_is_no_room() {
    let bare = written(vec![item(1, 0)], "t", "b").whole.len();
    let left = PAYLOAD_BYTES_MAX - bare;
    for (bytes, items, more) in [(left, 1, 3), (left + 1, 0, 4)] {
        let payload = read(&written(vec![item(1, bytes)], "t", "b").whole);
        assert_eq!(payload["items"].as_array().unwrap().len(), items);
        assert_eq!(payload["more"], more);
        assert_eq!(payload["body"], "b");
    }
}

#[test]
fn the_last_items_are_left_out_first_then_the_body_then_the_title() {
    let twenty = || (0..20).map(|n| item(n, 150)).collect::<Vec<_>>();
    let payload = read(&written(twenty(), "t", "b").whole);
    let kept = payload["items"].as_array().unwrap();
    assert!(kept.len() > 5 && kept.len() < 20, "{}", kept.len());
    assert_eq!(payload["more"], 3 + 20 - kept.len());
    assert_eq!(kept[0]["id"], "r0");
    assert_eq!(
        (&payload["title"], &payload["body"]),
        (&json!("t"), &json!("b"))
    );

    // Control characters are six bytes each.
    let body = "\u{1}".repeat(600);
    let payload = read(&written(twenty(), "t", &body).whole);
    assert_eq!(
        (&payload["items"], &payload["more"]),
        (&json!([]), &json!(23))
    );
    let kept = payload["body"].as_str().unwrap();
    assert!(
        kept.ends_with('…') && kept.chars().count() > 400,
        "{kept:?}"
    );
    assert_eq!(payload["title"], "t");

    let title = "\u{1}".repeat(600);
    let payload = read(&written(twenty(), &title, &body).whole);
    assert_eq!(
        (&payload["items"], &payload["body"]),
        (&json!([]), &json!(""))
    );
    let kept = payload["title"].as_str().unwrap();
    assert!(
        kept.ends_with('…') && kept.chars().count() > 400,
        "{kept:?}"
    );
}

/// Whatever characters it is of, nothing is cut in the middle of one.
#[test]
fn texts_of_any_characters_are_cut_to_fit() {
    for c in ['a', '"', 'ä', '漢', '🦀', '\u{1}'] {
        for (title, body) in [(120, 600), (120, 3_000), (3_000, 600)] {
            let text = |chars: usize| c.to_string().repeat(chars);
            let payload = written(Vec::new(), &text(title), &text(body)).whole;
            let payload = read(&payload);
            let is_of = |text: &Value| text.as_str().unwrap().chars().all(|x| x == c || x == '…');
            assert!(is_of(&payload["title"]) && is_of(&payload["body"]), "{c:?}");
        }
    }
}

#[test]
fn the_smallest_says_what_it_is_and_no_more() {
    let payload = read(&written(vec![item(1, 1)], &"t".repeat(41), "b").smallest);
    assert_eq!(
        (&payload["items"], &payload["more"]),
        (&json!([]), &json!(4))
    );
    assert_eq!(payload["body"], "");
    assert_eq!(payload["title"], format!("{}…", "t".repeat(39)));
    assert_eq!(payload["id"], notification_id(vec![item(1, 1)]));
}

fn notification_id(items: Vec<Item>) -> String {
    let told = Notification {
        items,
        ..notification(NOW, "a")
    };
    told.id().to_string()
}
