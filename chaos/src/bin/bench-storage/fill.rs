//! The data that is there before anything is measured: tasks of many users.

use std::sync::Arc;

use anyhow::Context;
use syncline_protocol::ids::{
    AppId, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_storage::Store;
use syncline_storage::types::{Commit, SpaceView};

pub(crate) const SPACES: usize = 2_000;

/// Of a space.
pub(crate) const SPACE_RECORDS: usize = 100;

pub(crate) const RECORDS: usize = SPACES * SPACE_RECORDS;

/// The hub's clock.
pub(crate) const NOW: WallMs = 1_795_514_400_000;

/// Spaces filled by one group.
const GROUP: usize = 50;

pub(crate) fn space_key(n: usize) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(&format!("user-{n:05}")),
    }
}

pub(crate) fn record_key(n: usize) -> RecordKey {
    RecordKey {
        table: TableName::trusted("tasks"),
        // Ids come from devices: they are in no order.
        id: RecordId::trusted(&format!(
            "{:016x}",
            (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )),
    }
}

/// A task of eight fields, of which a change wrote three in commit `seq`.
pub(crate) fn task(n: usize, seq: Seq, writer: WriterNo) -> Record {
    let stamp = |ms| Stamp {
        at: Hlc::new(NOW + ms, 0),
        writer,
    };
    let note = "Two litres, and if there is none, then oat milk from the shop at the corner. ";
    let fields = [
        (
            "createdAt",
            "\"2026-11-24T10:00:00.000Z\"".to_owned(),
            false,
        ),
        ("done", (seq.0 % 2 == 1).to_string(), true),
        (
            "listId",
            "\"01926f3a-7b1c-7c3e-9a51-4f2d8e6b1c90\"".to_owned(),
            false,
        ),
        ("note", format!("\"{note}{note}\""), false),
        ("order", n.to_string(), true),
        ("priority", "2".to_owned(), false),
        ("tags", "[\"home\",\"shopping\"]".to_owned(), false),
        ("title", format!("\"Buy milk, the {}th time\"", seq.0), true),
    ];
    Record {
        inserted: Some(stamp(0)),
        deleted: None,
        fields: fields
            .into_iter()
            .map(|(name, value, is_new)| Field {
                name: FieldName::trusted(name),
                value: Json::trusted(&value),
                stamp: stamp(if is_new { seq.0 } else { 0 }),
                seq: if is_new { seq } else { Seq(1) },
            })
            .collect(),
        seq,
        by: writer,
        inserted_seq: Seq(1),
        deleted_seq: Seq(0),
    }
}

/// A commit onto a space that is at `view`.
pub(crate) fn commit(n: usize, view: &SpaceView, records: Vec<(RecordKey, Arc<Record>)>) -> Commit {
    Commit {
        space: space_key(n),
        expect_epoch: view.epoch,
        expect_head: view.head,
        head: view.head.next(),
        clock: view.clock,
        live: SPACE_RECORDS as u64,
        writers: view.writers,
        now_ms: NOW,
        records,
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs: Vec::new(),
    }
}

/// Fills every space.
pub(crate) async fn fill(store: &dyn Store) -> anyhow::Result<()> {
    for from in (0..SPACES).step_by(GROUP) {
        let mut group = Vec::new();
        for n in from..from + GROUP {
            let view = store.open_space(&space_key(n), NOW).await?;
            let tasks = (0..SPACE_RECORDS)
                .map(|at| (record_key(at), Arc::new(task(at, Seq(1), WriterNo(0)))));
            group.push(commit(n, &view, tasks.collect()));
        }
        for answer in store.commit(group).await {
            answer.context("a space is filled")?;
        }
    }
    Ok(())
}
