//! A store with some of everything in it, and the way from one store into another.

use std::sync::Arc;

use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::given::{self, Carried, Claimed, Given};
use syncline_protocol::ids::{ClientKey, Epoch, FieldName, NodeId, Seq, SpaceKey};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Remembered, Status, Winner, WonField};
use tokio::sync::mpsc;

use super::super::space::{
    NOW, Space, UNLIMITED, client, key, space_key, stamp, titled, tombstone, verdict,
};
use super::LATER;
use crate::archive::{
    ArchiveReader, ArchiveWriter, ImportFailure, ImportJob, Imported, PAGE, export, import, verify,
};
use crate::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobError, JobKey, JobKind, JobLane, JobMove, Lease,
    Origin, Outcome, TriggerId, Wanted,
};
use crate::store::Store;
use crate::transfer::{Import, JobTransfer, Part, Sent, SpaceImage, Transfer};
use crate::types::{Collect, Collected, DeadLetter, Keys, PageLimit, SpaceView, USED_APART_MS};

/// Spaces of [`fill`].
pub(super) const SPACES: u64 = 4;

/// A client that numbers its mutations.
pub(super) fn numbered() -> ClientKey {
    client("ada", "phone")
}

/// A client that was given stamps.
pub(super) fn gave() -> ClientKey {
    client("ada", "old\u{e9} \u{1f4f1}")
}

pub(super) fn letter(change: &str) -> DeadLetter {
    DeadLetter {
        at_ms: NOW,
        client: numbered(),
        table: "tasks".to_owned(),
        id: "k\u{0}\u{1f}1".to_owned(),
        code: Code::NulInString,
        change: change.to_owned(),
    }
}

/// A space's row of nothing.
pub(super) fn image(key: &SpaceKey) -> SpaceImage {
    SpaceImage {
        key: key.clone(),
        view: SpaceView {
            epoch: Epoch(9),
            ..SpaceView::NEVER_OPENED
        },
        erased_at_ms: 0,
    }
}

/// Some of everything that a store can hold but jobs, in four spaces.
pub(crate) async fn fill(store: &dyn Transfer) {
    let mut full = Space::open_named(store, "todo", "ada").await;
    fill_records(&mut full).await;
    fill_marks(&mut full).await;
    let mut commit = full.draft(vec![(key("tasks", "z"), titled("z", 1))]);
    commit.dead_letters = vec![letter("{\"first\":1}"), letter("second")];
    full.accept(commit).await;
    // Another app of the same name, one that is empty, one that was erased.
    let mut chat = Space::open_named(store, "chat", "ada").await;
    chat.put(&[("rooms", "a")]).await;
    Space::open_named(store, "todo", "empty").await;
    let mut erased = Space::open_named(store, "todo", "erased").await;
    erased.put(&[("tasks", "secret")]).await;
    let erasure = store.erase(&erased.key, NOW + 5).await;
    erasure.expect("it is erased");
}

fn job(view: &SpaceView, key: &str) -> Job {
    Job {
        kind: webhook(),
        key: JobKey::trusted(key),
        lane: Some(JobLane::trusted("a \"lane\"")),
        due_at_ms: NOW - 9,
        args: JobArgs::trusted(r#"{"a":["\u0000\"é",-0.5]}"#),
        depth: 2,
        origin: Origin {
            epoch: view.epoch,
            seq: view.head,
            trigger: TriggerId::trusted("on done"),
        },
    }
}

/// Jobs of one lane, the last one due first.
pub(super) async fn put_in_lane(space: &mut Space<'_>, keys: &[&str]) {
    let view = space.view;
    let put = |(n, key): (usize, &&str)| JobMove::Put {
        job: Job {
            due_at_ms: NOW - n as u64,
            ..job(&view, key)
        },
        if_there: IfThere::Keep,
    };
    let mut commit = space.draft(Vec::new());
    commit.jobs = keys.iter().enumerate().map(put).collect();
    space.accept(commit).await;
}

/// One of a lane that is leased and others behind it: one that waits for its next try and one that is
/// new. Before them one that is dead.
pub(crate) async fn fill_jobs(store: &dyn JobTransfer) {
    let mut full = Space::open_named(store, "todo", "ada").await;
    let view = full.view;
    let job = |key: &str| job(&view, key);
    let put = |job: Job| JobMove::Put {
        job,
        if_there: IfThere::Keep,
    };
    let mut commit = full.draft(Vec::new());
    let waits = Job {
        lane: None,
        ..job("waits")
    };
    let of_lane = ["dead", "leased"].map(job);
    commit.jobs = [waits].into_iter().chain(of_lane).map(put).collect();
    full.accept(commit).await;
    for lease in leases(store, 3).await {
        let outcome = match lease.name.key.as_str() {
            "waits" => Outcome::Retry {
                at_ms: NOW + 50,
                error: JobError::new("late \"é"),
            },
            "dead" => Outcome::Dead {
                error: JobError::new("no"),
            },
            _ => continue,
        };
        let finished = store.finish(&[Ended { lease, outcome }], NOW).await;
        assert_eq!(finished, Ok(vec![Ok(())]));
    }
    let leased = leases(store, 3).await;
    assert_eq!(leased.len(), 1, "what was behind the dead one");
    let mut commit = full.draft(Vec::new());
    commit.jobs = vec![put(job("new"))];
    full.accept(commit).await;
}

pub(super) fn webhook() -> JobKind {
    JobKind::trusted("webhook")
}

/// Leases jobs of [`webhook`].
pub(super) async fn leases(store: &dyn JobTransfer, jobs: usize) -> Vec<Lease> {
    let kind = webhook();
    let claim = Claim {
        wanted: vec![Wanted::of(kind, jobs)],
        holder: NodeId::trusted("n1"),
        now_ms: NOW,
        lease_ms: 60_000,
        per_space: jobs,
    };
    let leased = store.claim(&claim).await.expect("the store answers");
    leased.into_iter().map(|one| one.lease).collect()
}

/// Ends a job well.
pub(super) async fn done(store: &dyn JobTransfer, lease: Lease) {
    let outcome = Outcome::Done;
    let finished = store.finish(&[Ended { lease, outcome }], NOW).await;
    assert_eq!(finished, Ok(vec![Ok(())]));
}

/// Gives a job up.
pub(super) async fn dead(store: &dyn JobTransfer, lease: Lease) {
    let error = JobError::new("no");
    let outcome = Outcome::Dead { error };
    let finished = store.finish(&[Ended { lease, outcome }], NOW).await;
    assert_eq!(finished, Ok(vec![Ok(())]));
}

async fn fill_records(full: &mut Space<'_>) {
    let values = [
        ("", "null"),
        ("\"\\", r#"["\"]}",{"a":{"b":[1.5e+300,-0.1,true]}}]"#),
        ("n\u{0}l", r#""\u0000 \ud83d\ude00 é""#),
        ("title", r#""\n\t<>&""#),
    ];
    let fields = values.iter().enumerate().map(|(n, (name, value))| Field {
        name: FieldName::trusted(name),
        value: Json::trusted(value),
        stamp: stamp(n as u64, n as u32),
        seq: Seq(n as u64),
    });
    let odd = Record {
        fields: fields.collect(),
        inserted_seq: Seq(1),
        ..titled("odd", 2)
    };
    // Newer than the delete, so hidden until an insert comes.
    let hidden = Record {
        deleted: Some(stamp(2, 1)),
        deleted_seq: Seq(1),
        fields: vec![Field {
            stamp: stamp(9, 3),
            ..titled("hidden", 3).fields.remove(0)
        }],
        ..tombstone(1)
    };
    let kept = vec![(key("tasks", "kept"), tombstone(1))];
    let mut commit = full.draft(kept);
    commit.now_ms = NOW - 10;
    full.accept(commit).await;
    let collected = collect(full.store, NOW, Keys::Keep).await;
    assert_eq!(collected.tombstones, 1);
    full.refresh().await;
    let mut commit = full.draft(vec![
        (key("tasks", "a"), titled("a", 1)),
        (key("tasks", "\u{e9}\u{1f600}\"'\\"), odd),
        (key("tags", "hidden"), hidden),
        (key("z", "never inserted"), Record::default()),
        (key("tasks", "dead"), tombstone(2)),
    ]);
    commit.clock = Hlc::new(NOW + 3, 0xffff);
    full.accept(commit).await;
    // Only one of them is as old as that.
    for id in [("tags", "hidden"), ("z", "never inserted")] {
        let mut commit = full.draft(vec![(
            key(id.0, id.1),
            full.record(&key(id.0, id.1)).await.expect("it is there"),
        )]);
        commit.now_ms = NOW + 100;
        full.accept(commit).await;
    }
}

async fn fill_marks(full: &mut Space<'_>) {
    let mut mark = None;
    let decided = |space: &Space<'_>, m: u64| {
        let winner = Winner {
            key: key("tasks", "a"),
            fields: vec![WonField {
                name: FieldName::trusted("title"),
                at: stamp(7, 1).at,
                value: Some(Json::trusted(r#""won""#)),
            }],
            deleted_at: Some(stamp(8, 1).at),
            inserted_at: None,
        };
        let refusal = Refusal::new(Code::ValueInvalid, "no\u{0}\n");
        let mut verdict = match m {
            1 => verdict(Status::Applied, space.view.head),
            2 => verdict(Status::Superseded, space.view.head),
            _ => verdict(Status::Rejected(refusal), space.view.head),
        };
        verdict.winners = vec![winner];
        verdict.clamped = m == 2;
        Remembered {
            m,
            hash: [m as u8 ^ 0xa5; 32],
            verdict,
        }
    };
    for m in 1..=3 {
        let mut commit = full.marked(Vec::new(), &numbered(), mark);
        commit.marks[0].verdicts = vec![decided(full, m)];
        full.accept(commit).await;
        mark = full.mark(&numbered()).await;
    }
    // More than a mark remembers: the slots begin again.
    let busy = client("bob", "busy");
    let mut commit = full.marked(Vec::new(), &busy, None);
    commit.marks[0].last = Some(300);
    commit.marks[0].verdicts = (1..=300).map(|m| decided(full, m)).collect();
    full.accept(commit).await;
    let mut given = Given::default();
    for n in 0..6 {
        let fresh = vec![(Claimed::from_bits(u64::MAX - n), Hlc::new(NOW, n as u16))];
        let carried = Carried {
            fresh,
            ..Carried::default()
        };
        given = given.and(carried, given::Part::whole(Seq(n)));
    }
    let mut commit = full.marked(Vec::new(), &gave(), None);
    commit.marks[0].last = None;
    commit.marks[0].verdicts = Vec::new();
    commit.marks[0].given = Some(Arc::new(given));
    full.accept(commit).await;
    // One that was not used for so long that it is forgotten.
    let old = client("ada", "forgotten");
    let mut commit = full.marked(Vec::new(), &old, None);
    commit.now_ms = NOW - 9 * USED_APART_MS;
    full.accept(commit).await;
    let collect = Collect {
        dead_before_ms: 0,
        marks_before_ms: NOW - 5 * USED_APART_MS,
        keys: Keys::Keep,
        limit: 100,
        bytes: usize::MAX,
    };
    let collected = full.store.collect(&full.key, collect).await;
    assert_eq!(collected.expect("it is collected").marks, 1);
    full.refresh().await;
}

/// Collects records of `todo/ada`.
pub(super) async fn collect(store: &dyn Store, dead_before_ms: WallMs, keys: Keys) -> Collected {
    let collect = Collect {
        dead_before_ms,
        marks_before_ms: 0,
        keys,
        limit: 100,
        bytes: usize::MAX,
    };
    let collected = store.collect(&space_key("todo", "ada"), collect).await;
    collected.expect("it is collected")
}

/// What a store sends of a space but its row.
pub(super) async fn parts(store: &dyn Transfer, space: &SpaceKey, page: PageLimit) -> Vec<Part> {
    let (to, mut sent) = mpsc::channel(1);
    let receiving = async {
        let mut parts = Vec::new();
        while let Some(sent) = sent.recv().await {
            parts.extend(match sent {
                Sent::Part(part) => Some(part),
                Sent::Space(_) => None,
            });
        }
        parts
    };
    let (ended, parts) = tokio::join!(store.export_space(space, page, to), receiving);
    ended.expect("it is read");
    parts
}

/// All of a store but epochs, and what only one engine keeps.
pub(crate) async fn everything(store: &dyn Transfer) -> Vec<(SpaceView, Vec<Part>)> {
    let mut all = Vec::new();
    let mut spaces = store.spaces(None, usize::MAX).await.expect("listed");
    spaces.sort();
    for space in spaces {
        let mut view = store.space(&space).await.expect("read").expect("opened");
        (view.epoch, view.epoch_at_ms) = (Epoch(0), 0);
        let mut parts = parts(store, &space, UNLIMITED).await;
        for part in &mut parts {
            if let Part::Records(records) = part {
                records
                    .iter_mut()
                    .for_each(|one| one.committed_at_ms = None);
            }
        }
        all.push((view, parts));
    }
    all
}

pub(crate) async fn archive_of(store: &dyn Transfer) -> Vec<u8> {
    let writer = ArchiveWriter::begin(Vec::new(), NOW).expect("memory takes it");
    let written = export(store, writer, PAGE).await;
    written.expect("it is written").0
}

pub(crate) async fn bring(archive: &[u8], into: &dyn Import) -> Result<Imported, ImportFailure> {
    bring_paged(archive, into, PAGE).await
}

pub(super) async fn bring_paged(
    archive: &[u8],
    into: &dyn Import,
    page: PageLimit,
) -> Result<Imported, ImportFailure> {
    let job = ImportJob {
        verified: verify(archive)?,
        page,
        now_ms: LATER,
    };
    import(ArchiveReader::begin(archive)?, into, (job, |_| {})).await
}
