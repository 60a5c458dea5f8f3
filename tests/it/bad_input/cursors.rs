//! Cursors that name the right history and a place that cannot be. They may cost a space its
//! epoch, which a store that lost commits does too, so they are Eve's.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use syncline_protocol::ids::{Epoch, RecordId, RecordKey, Seq, TableName};
use syncline_protocol::wire::cursor::{Selection, SnapshotPlace, SnapshotSum};
use syncline_tests::socket::{Got, Socket};

use super::request::{Expect, Request};
use super::{EVE, Hub};

/// The greatest number a client counts to.
const COUNTED: u64 = (1 << 53) - 1;

/// Seqs no space has reached.
const AHEAD: [u64; 5] = [
    1 << 32,
    1 << 53,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX,
];

/// Sends them all. Returns how many.
pub(super) async fn send_all(hub: &Hub) -> usize {
    for after in AHEAD {
        let epoch = epoch(hub).await;
        let path = format!("/v1/todo/changes?epoch={epoch}&after={after}");
        let request = Request::new(path.clone(), "GET", &path).by(hub, EVE);
        request.expect(Expect::Code(410, "reset")).check(hub).await;
    }
    for seq in AHEAD {
        let cursor = json!({"epoch": epoch(hub).await.to_string(), "seq": seq});
        let name = cursor.to_string();
        hub.note(
            &name,
            is_told(hub, json!({"cursor": cursor}), "reset").await,
        );
    }
    let acked = is_told(hub, json!({"acked": u64::MAX}), "snapshot_end").await;
    hub.note("acked 2^64 - 1", acked);
    AHEAD.len() * 2 + 1 + places(hub).await
}

async fn places(hub: &Hub) -> usize {
    let epoch = epoch(hub).await;
    let taken = Expect::Status(200);
    let reset = Expect::Code(410, "reset");
    let invalid = Expect::Code(400, "cursor_invalid");
    let cases = [
        (epoch, 1, COUNTED, taken),
        (epoch, 1, COUNTED + 1, invalid),
        (epoch, 1, u64::MAX, invalid),
        (epoch, 2, 0, reset),
        (epoch, u64::MAX, COUNTED, reset),
        (Epoch(7), 1, 0, reset),
    ];
    for (epoch, at, done, expect) in cases {
        let place = SnapshotPlace {
            epoch,
            at: Seq(at),
            after: RecordKey {
                table: TableName::parse("tasks").unwrap(),
                id: RecordId::parse("a").unwrap(),
            },
            done,
            sum: SnapshotSum(u32::MAX),
            selection: Selection::ALL,
        };
        let path = format!("/v1/todo/snapshot?next={}", place.to_text());
        let request = Request::new(format!("{place:?}"), "GET", &path);
        request.by(hub, EVE).expect(expect).check(hub).await;
        let told = match expect {
            Expect::Status(_) => "snapshot_end",
            Expect::Code(410, _) => "reset",
            _ => "error",
        };
        let next = json!({"snapshot_next": place.to_text()});
        hub.note(&format!("{place:?}"), is_told(hub, next, told).await);
    }
    cases.len() * 2
}

async fn epoch(hub: &Hub) -> Epoch {
    let snapshot: Value = serde_json::from_str(&hub.snapshot(EVE).await).unwrap();
    Epoch::parse(snapshot["epoch"].as_str().unwrap()).unwrap()
}

/// Says hello and waits for a message of a type.
async fn is_told(hub: &Hub, more: Value, t: &str) -> Result<()> {
    let mut socket = Socket::connect_at(hub.process.public).await;
    let token = hub.issuer.token(EVE);
    let mut hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "c", "token": token});
    for (name, value) in more.as_object().unwrap() {
        hello[name] = value.clone();
    }
    socket.send(&hello).await;
    loop {
        let got = socket.next().await;
        let Got::Message(message) = &got else {
            bail!("{got:?}, not {t}");
        };
        if message["t"] == t {
            return Ok(());
        }
        ensure!(message["t"] != "error", "{message}, not {t}");
    }
}
