//! What waits for NATS is bounded, and heads come to all.

use std::collections::BTreeSet;

use syncline_protocol::ids::{
    AppId, Epoch, FieldName, NodeId, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName,
    WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};

use super::super::fake::{Fake, bus, options};
use super::super::subject::{Prefix, Subjects};
use super::*;
use crate::bus::{Bus, Heard};
use crate::ephemeral::{Ephemeral, Spoken};
use crate::event::SpaceHead;
use crate::heartbeat::Instance;
use crate::repeats::Repeats;

/// Nobody listens there: port 9 is for what is thrown away.
const NOBODY: &str = "nats://127.0.0.1:9";

fn space(name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(name),
    }
}

/// A commit of a record that large.
fn commit(length: usize) -> Arc<CommitEvent> {
    let key = RecordKey {
        table: TableName::trusted("tasks"),
        id: RecordId::trusted("k1"),
    };
    let record = Record {
        fields: vec![Field {
            name: FieldName::trusted("title"),
            value: Json::trusted(&format!("{:?}", "x".repeat(length))),
            stamp: Stamp {
                at: Hlc::new(1, 0),
                writer: WriterNo(1),
            },
            seq: Seq(1),
        }],
        ..Record::default()
    };
    Arc::new(CommitEvent {
        node: NodeId::trusted("n1"),
        space: space("ada"),
        epoch: Epoch(1),
        from: Seq(0),
        to: Seq(1),
        clock: Hlc::new(1, 0),
        live: 1,
        writers: WriterNo(1),
        records: vec![(key, Arc::new(record))],
        marks: Vec::new(),
        jobs_due_ms: None,
        followed: None,
    })
}

fn asked() -> Told {
    Told::Ephemeral(Arc::new(Ephemeral {
        node: NodeId::trusted("n1"),
        instance: Instance(1),
        space: space("ada"),
        what: Spoken::Asked,
    }))
}

/// Nothing of it leaves: there is no server, and the test lets nobody else have a turn.
#[tokio::test]
async fn what_does_not_fit_is_dropped_and_half_of_the_room_is_for_commits() {
    let (bus, reports) = bus(&options(NOBODY)).await;
    let dropped = |kind| reports.count(Report::Dropped(kind));
    let event = commit(60_000);
    let each = wire::estimate(&event) + MESSAGE_BYTES;
    assert!(each < CONTENT_BYTES_MAX);
    let publish = |count: usize| {
        (0..count).for_each(|_| bus.publish(Told::Commit(event.clone())));
    };
    let half = (QUEUE_BYTES - COMMITS_BYTES) / each;
    publish(half);
    bus.publish(asked());
    assert_eq!(dropped(Kind::Ephemeral), 0);
    publish(1);
    bus.publish(asked());
    assert_eq!(dropped(Kind::Ephemeral), 1);
    let all = (QUEUE_BYTES - MESSAGE_BYTES) / each;
    publish(all - half - 1);
    assert_eq!(dropped(Kind::Commit), 0);
    publish((17 << 20) / each - all);
    assert_eq!(dropped(Kind::Commit), (17 << 20) / each - all);
}

/// At once they would not fit into what may wait.
#[tokio::test]
async fn however_many_heads_are_said_again_all_are_told() {
    let mut server = Fake::start().await;
    let (bus, reports) = bus(&options(&server.url)).await;
    let heads = QUEUE_BYTES / MESSAGE_BYTES + 5_000;
    let repeats = Repeats::default();
    for at in 0..heads as u64 {
        repeats.note(SpaceHead {
            space: space(&format!("s{at}")),
            epoch: Epoch(1),
            head: Seq(at),
        });
    }
    repeats.say(&NodeId::trusted("n1"), &bus).await;
    assert_eq!(reports.count(Report::Dropped(Kind::Heads)), 0);
    let mut heard = BTreeSet::new();
    while heard.len() < heads {
        let (subject, bytes) = server.published.recv().await.unwrap();
        let told_in = Subjects::of(&Prefix::default()).parse(&subject).unwrap();
        let decoded = wire::decode(told_in, &bytes, 0);
        let Some((Kind::Heads, Heard::Heads(told, _))) = decoded else {
            panic!("{subject}")
        };
        heard.extend(told.iter().map(|at| at.head));
    }
}
