//! Notifications and devices as records.

use std::collections::BTreeMap;

use serde_json::Value;
use syncline_protocol::ids::{FieldName, Seq, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};

mod deliver;
mod hanging;
mod payload;
mod random;
mod sending;
mod site;
mod trying;
mod words;

use super::*;
use crate::push::{KeyTexts, SubscriptionText};
use crate::reminders::Channel;

/// 2026-11-24T10:00:00.000Z.
const NOW: u64 = 1_795_514_400_000;

fn record(fields: Vec<(String, Value)>) -> Record {
    let stamp = Stamp {
        at: Hlc::new(NOW, 0),
        writer: WriterNo(1),
    };
    let sorted: BTreeMap<String, Value> = fields.into_iter().collect();
    let fields = sorted.into_iter().map(|(name, value)| Field {
        name: FieldName::trusted(&name),
        value: Json::trusted(&value.to_string()),
        stamp,
        seq: Seq(1),
    });
    Record {
        inserted: Some(stamp),
        fields: fields.collect(),
        ..Record::default()
    }
}

fn notification(at: u64, key: &str) -> Notification {
    Notification {
        kind: "reminder".to_owned(),
        at,
        since: None,
        expires: at + 3_600_000,
        late: false,
        title: "Buy milk".to_owned(),
        body: String::new(),
        language: "en".to_owned(),
        items: vec![Item {
            key: key.to_owned(),
            table: "reminders".to_owned(),
            id: "r1".to_owned(),
            task: None,
            due: at,
            title: "Buy milk".to_owned(),
        }],
        more: 0,
        values: BTreeMap::from([("title".to_owned(), "Buy milk".to_owned())]),
        channels: vec![Channel::Notice, Channel::Push],
        receipts: None,
    }
}

fn device(reached: Reached) -> Device {
    Device {
        reached,
        name: "phone".to_owned(),
        language: Some("de".to_owned()),
        created_ms: NOW,
        seen_ms: NOW + 1,
    }
}

#[test]
fn a_notification_is_read_as_it_was_written() {
    let mut told = notification(NOW, "reminders/r1@1");
    assert_eq!(Notification::of(&record(told.fields())).unwrap(), told);
    told.since = Some(NOW - 7);
    assert_eq!(Notification::of(&record(told.fields())).unwrap(), told);
    let old: Vec<_> = told
        .fields()
        .into_iter()
        .filter(|(name, _)| name != "since")
        .collect();
    told.since = None;
    assert_eq!(Notification::of(&record(old)).unwrap(), told);
    told.receipts = Some(Receipts {
        push: Some(Receipt {
            sent: 2,
            failed: 1,
            gone: 0,
        }),
        done: true,
        ..Receipts::default()
    });
    assert_eq!(Notification::of(&record(told.fields())).unwrap(), told);
    assert_eq!(Notification::of(&record(Vec::new())), None);
    let mut deleted = record(told.fields());
    deleted.deleted = Some(Stamp {
        at: Hlc::new(NOW + 1, 0),
        writer: WriterNo(1),
    });
    assert_eq!(Notification::of(&deleted), None);
}

#[test]
fn ids_of_notifications_are_in_the_order_of_time_and_of_their_items() {
    let id = |at, key| notification(at, key).id();
    assert!(id(NOW, "a") < id(NOW + 1, "a"));
    assert!(id(999_999_999_999, "a") < id(NOW, "a"));
    assert_ne!(id(NOW, "a"), id(NOW, "b"));
    assert_eq!(id(NOW, "a"), id(NOW, "a"));
    assert!(NotificationId::from(NOW) < id(NOW, "a"));
    assert!(id(NOW - 1, "a") < NotificationId::from(NOW));
}

#[test]
fn a_device_is_read_as_it_was_written_and_is_one_by_how_it_is_reached() {
    let push = |endpoint: &str| Reached::Push {
        subscription: SubscriptionText {
            endpoint: endpoint.to_owned(),
            keys: KeyTexts {
                p256dh: "p".to_owned(),
                auth: "a".to_owned(),
            },
        },
    };
    let mail = Reached::Mail {
        address: "ada@example.com".to_owned(),
    };
    let webhook = Reached::Webhook {
        to: "ada@example.com".to_owned(),
    };
    let all = [push("https://push.example/1"), mail, webhook];
    for reached in all.clone() {
        let one = device(reached);
        assert_eq!(Device::of(&record(one.fields())).unwrap(), one);
        let mut later = one.clone();
        (later.name, later.seen_ms) = ("laptop".to_owned(), NOW + 2);
        assert_eq!(later.id(), one.id());
    }
    let mut ids = all.map(|reached| device(reached).id()).to_vec();
    ids.push(device(push("https://push.example/2")).id());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}
