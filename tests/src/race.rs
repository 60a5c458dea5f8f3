//! Committers that fight for a few spaces, in groups, and what must be true afterwards.
//!
//! Each draws spaces, reads them, and hands in a group in the order drawn. To every space goes a
//! record under the committer's own client, or the next number of a client that all share and
//! nothing else: such a commit leaves the head, so only the mark tells two of them apart.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use anyhow::{Context, ensure};
use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName,
    UserId, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Mark;
use syncline_storage::Store;
use syncline_storage::faulty::Prng;
use syncline_storage::types::{Commit, CommitError, MarkMove, PageLimit, SpaceView};

/// The hub's clock of the race.
const NOW: WallMs = 1_795_514_400_000;

/// Spaces in a group.
const GROUP: u64 = 12;

/// What took effect in a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commits of a record.
    pub records: u64,
    /// Commits of the shared client's mark alone.
    pub marks: u64,
    /// Commits that lost.
    pub conflicts: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.records += other.records;
        self.marks += other.marks;
        self.conflicts += other.conflicts;
    }
}

/// One line, for a pipe.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.records, self.marks, self.conflicts)
    }
}

impl Tally {
    /// Reads what `Display` wrote.
    pub fn parse(line: &str) -> anyhow::Result<Tally> {
        let mut numbers = line.split(' ').map(str::parse);
        let mut next = || numbers.next().context("three numbers");
        Ok(Tally {
            records: next()??,
            marks: next()??,
            conflicts: next()??,
        })
    }
}

/// The race's `n`-th space.
pub fn space_key(n: u64) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("race"),
        space: SpaceId::trusted(&format!("space{n}")),
    }
}

fn client_key(name: &str) -> ClientKey {
    ClientKey {
        user: UserId::trusted("racer"),
        client: ClientId::trusted(name),
    }
}

/// Runs one committer, of a name no other has, for so many groups. Returns what took effect in
/// each of `spaces` spaces. Errors: the store failed; a race it must decide without.
pub async fn run(
    store: &dyn Store,
    (name, seed): (&str, u64),
    (spaces, groups): (u64, u64),
) -> anyhow::Result<BTreeMap<u64, Tally>> {
    let mut random = Prng::new(seed);
    let mut tallies: BTreeMap<u64, Tally> = BTreeMap::new();
    for group in 0..groups {
        let mut drawn: Vec<u64> = Vec::new();
        while (drawn.len() as u64) < GROUP.min(spaces) {
            let space = random.below(spaces);
            if !drawn.contains(&space) {
                drawn.push(space);
            }
        }
        let mut commits = Vec::new();
        for space in &drawn {
            commits.push(draft(store, *space, (name, group)).await?);
        }
        let marks_alone: Vec<bool> = commits.iter().map(|one| one.records.is_empty()).collect();
        let answers = store.commit(commits).await;
        for ((space, answer), marks_alone) in drawn.iter().zip(answers).zip(marks_alone) {
            let tally = tallies.entry(*space).or_default();
            match answer {
                Ok(()) if marks_alone => tally.marks += 1,
                Ok(()) => tally.records += 1,
                Err(CommitError::Conflict) => tally.conflicts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(tallies)
}

/// The next commit to a space: in turn a record, and the shared mark alone.
async fn draft(
    store: &dyn Store,
    space: u64,
    (name, group): (&str, u64),
) -> anyhow::Result<Commit> {
    let key = space_key(space);
    let client = if group.is_multiple_of(2) {
        name
    } else {
        "shared"
    };
    let client = client_key(client);
    let read = store.marks(&key, std::slice::from_ref(&client)).await?;
    let (view, mark) = (read.view, read.marks[0].clone());
    let head = match client.client.as_str() == name {
        true => view.head.next(),
        false => view.head,
    };
    let moved = next_mark(client, mark, &view);
    let records = if head == view.head {
        Vec::new()
    } else {
        let record_key = RecordKey {
            table: TableName::trusted("t"),
            id: RecordId::trusted(&format!("{name}-{group}")),
        };
        vec![(record_key, Arc::new(record(head, moved.writer)))]
    };
    Ok(Commit {
        space: key,
        expect_epoch: view.epoch,
        expect_head: view.head,
        head,
        clock: view.clock,
        live: view.live + records.len() as u64,
        writers: view.writers.max(moved.writer),
        now_ms: NOW,
        records,
        stood: Vec::new(),
        marks: vec![moved],
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs: Vec::new(),
    })
}

fn next_mark(client: ClientKey, mark: Option<Mark>, view: &SpaceView) -> MarkMove {
    let last = mark.as_ref().and_then(|mark| mark.last);
    MarkMove {
        client,
        writer: mark.map_or(WriterNo(view.writers.0 + 1), |mark| mark.writer),
        expect_last: last,
        expect_given: None,
        last: Some(last.unwrap_or(0) + 1),
        given: None,
        verdicts: Vec::new(),
    }
}

fn record(seq: Seq, writer: WriterNo) -> Record {
    let stamp = Stamp {
        at: Hlc::new(NOW, 0),
        writer,
    };
    Record {
        inserted: Some(stamp),
        fields: vec![Field {
            name: FieldName::trusted("n"),
            value: Json::trusted("1"),
            stamp,
            seq,
        }],
        seq,
        by: writer,
        inserted_seq: seq,
        ..Record::default()
    }
}

/// Checks a space against all that took effect in it: the head counts the commits of records,
/// which are 1, 2, 3…, and the shared mark counts the others.
pub async fn check(store: &dyn Store, space: u64, tally: Tally) -> anyhow::Result<()> {
    let key = space_key(space);
    let all = PageLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let page = store.changes(&key, Seq(0).into(), all).await?;
    let seqs = page.records.iter().map(|(_, record)| record.seq.0);
    ensure!(
        seqs.eq(1..=tally.records) && page.view.head.0 == tally.records,
        "space {space}: head {} and {} records, {} were accepted",
        page.view.head,
        page.records.len(),
        tally.records
    );
    let shared = [client_key("shared")];
    let marks = store.marks(&key, &shared).await?.marks;
    let last = marks[0].as_ref().and_then(|mark| mark.last).unwrap_or(0);
    ensure!(
        last == tally.marks,
        "space {space}: the shared mark is at {last}, {} moves were accepted",
        tally.marks
    );
    Ok(())
}
