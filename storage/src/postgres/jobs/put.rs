//! What commits do to jobs, in their own transaction, for a group of them at once.

use std::collections::BTreeSet;

use futures_util::future::{OptionFuture, join, join5};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::finish::{Ends, Written, answers, write_ends};
use super::lanes::{Held, Names, Queues, go_on, hold};
use crate::jobs::{IfThere, Job, JobKind, JobLane, JobName, Net, SCHEDULED, net};
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::types::Commit;

/// Jobs that are there already, in the order in which they are named, which is that in which everybody
/// takes them. Were it asked for here, all jobs there are would be walked in it.
pub(in crate::postgres) const LOCK: &str = "SELECT FROM
        unnest($1::bigint[], $2::text[], $3::text[]) AS n(sid, kind, key)
    CROSS JOIN LATERAL (SELECT FROM syncline.jobs j
        WHERE j.sid = n.sid AND j.kind = n.kind AND j.key = n.key FOR UPDATE OF j) AS locked";

/// In the order in which they were put, which is that of their numbers. What they replace is gone by
/// then, and what is there is kept. One is behind if any of its lane can be claimed, or is put before it.
/// Without `OFFSET` all that can be claimed would be hashed to tell.
pub(super) const INSERT: &str = "INSERT INTO syncline.jobs
        (sid, kind, key, state, due_at, at, behind_at, attempt, lease, depth, epoch, seq, origin,
        args, lane)
    SELECT n.sid, n.kind, n.key, $1::bigint, n.due_at,
        CASE WHEN n.is_behind THEN NULL ELSE n.due_at END,
        CASE WHEN n.is_behind THEN n.due_at END, 0, 0, n.depth, n.epoch, n.seq, n.origin, n.args,
        n.lane
    FROM (SELECT n.*, n.lane IS NOT NULL AND (
            row_number() OVER (PARTITION BY n.sid, n.kind, n.lane ORDER BY n.place) > 1
            OR EXISTS (SELECT FROM syncline.jobs o WHERE o.sid = n.sid AND o.kind = n.kind
                AND o.lane = n.lane AND o.at IS NOT NULL OFFSET 0)) AS is_behind
        FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY
            AS n(sid, kind, key, due_at, depth, epoch, seq, origin, args, lane, place)
        WHERE NOT EXISTS (SELECT FROM syncline.jobs k
            WHERE k.sid = n.sid AND k.kind = n.kind AND k.key = n.key)) AS n
    ORDER BY n.place";

pub(super) const CANCEL: &str = "DELETE FROM syncline.jobs j
    USING unnest($1::bigint[], $2::text[], $3::text[]) AS n(sid, kind, key)
    WHERE j.sid = n.sid AND j.kind = n.kind AND j.key = n.key";

/// Jobs that are put, a list a column.
#[derive(Default)]
struct Puts<'c> {
    sid: Vec<i64>,
    kind: Vec<&'c str>,
    key: Vec<&'c str>,
    due_at: Vec<i64>,
    depth: Vec<i64>,
    epoch: Vec<i64>,
    seq: Vec<i64>,
    origin: Vec<&'c str>,
    args: Vec<&'c str>,
    lane: Vec<Option<&'c str>>,
}

impl<'c> Puts<'c> {
    fn add(&mut self, sid: i64, job: &'c Job) {
        self.sid.push(sid);
        self.kind.push(job.kind.as_str());
        self.key.push(job.key.as_str());
        self.due_at.push(job.due_at_ms as i64);
        self.depth.push(i64::from(job.depth));
        self.epoch.push(job.origin.epoch.0 as i64);
        self.seq.push(job.origin.seq.0 as i64);
        self.origin.push(job.origin.trigger.as_str());
        self.args.push(job.args.as_str());
        self.lane.push(job.lane.as_ref().map(JobLane::as_str));
    }

    fn columns(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &SCHEDULED,
            &self.sid,
            &self.kind,
            &self.key,
            &self.due_at,
            &self.depth,
            &self.epoch,
            &self.seq,
            &self.origin,
            &self.args,
            &self.lane,
        ]
    }
}

/// Names in the order in which everybody takes them, that of their bytes, as the columns have it.
#[derive(Default)]
struct Ordered<'c>(BTreeSet<(i64, &'c str, &'c str)>);

impl<'c> Ordered<'c> {
    fn add(&mut self, sid: i64, (kind, key): (&'c str, &'c str)) {
        self.0.insert((sid, kind, key));
    }

    fn names(&self) -> Names<'c> {
        let mut names = Names::default();
        for (sid, kind, key) in &self.0 {
            names.add(*sid, (kind, key));
        }
        names
    }
}

/// Everything of a group.
#[derive(Default)]
struct Moves<'c> {
    queues: Queues<'c>,
    /// Those of what goes, which may be in lanes.
    held: Held<'c>,
    now_ms: WallMs,
    /// All names that are put, cancelled or ended.
    named: Ordered<'c>,
    ends: Ends<'c>,
    /// Those that go, because they are cancelled or replaced.
    gone: Names<'c>,
    put: Puts<'c>,
}

impl<'c> Moves<'c> {
    fn add(&mut self, sid: i64, commit: &'c Commit) {
        self.now_ms = self.now_ms.max(commit.now_ms);
        for ended in &commit.ends {
            let JobName { kind, key, .. } = &ended.lease.name;
            self.named.add(sid, (kind.as_str(), key.as_str()));
            self.ends.add(ended, commit.now_ms);
        }
        for ((kind, key), net) in net(&commit.jobs) {
            let name = (kind.as_str(), key.as_str());
            self.named.add(sid, name);
            match net {
                Net::Put(job, if_there) => {
                    // What is overdue when it comes goes behind what was due before: else a space
                    // could always be the first.
                    self.forward(sid, kind, job.due_at_ms.max(commit.now_ms));
                    self.put.add(sid, job);
                    if if_there == IfThere::Replace {
                        self.gone.add(sid, name);
                    }
                }
                Net::Cancel => {
                    self.held.sid.push(sid);
                    self.held.kind.push(kind.as_str());
                    self.gone.add(sid, name);
                }
            }
        }
    }

    fn forward(&mut self, sid: i64, kind: &'c JobKind, turn_at_ms: WallMs) {
        self.queues.sid.push(sid);
        self.queues.kind.push(kind.as_str());
        self.queues.turn_at.push(turn_at_ms as i64);
    }
}

/// Writes what commits that were accepted do to jobs, in their transaction. They come with their
/// places in the group and their spaces' numbers, in the order of these.
pub(in crate::postgres) async fn write(
    connection: &Connection,
    commits: &[(usize, i64, &Commit)],
) -> Result<(), Failure> {
    let mut moves = Moves::default();
    for (_, sid, commit) in commits {
        moves.add(*sid, commit);
    }
    if moves.named.0.is_empty() {
        return Ok(());
    }
    let Moves {
        ends, gone, put, ..
    } = &moves;
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let some = |is_some: bool, statement, columns| {
        OptionFuture::from(is_some.then(|| execute(client, statement, columns)))
    };
    let named = moves.named.names();
    let (lock, cancel, insert) = (named.columns(), gone.columns(), put.columns());
    let leaves = !(gone.sid.is_empty() && ends.all.no.is_empty());
    let go_on = leaves.then(|| go_on(connection, (ends, gone), moves.now_ms as i64));
    // Each is sent when it is first polled, and they are polled in this order.
    let (held, (locked, gone_on), written, gone, put) = join5(
        hold(connection, (&moves.queues, &moves.held), ends),
        join(
            execute(client, &statements.lock, &lock),
            OptionFuture::from(go_on),
        ),
        write_ends(connection, ends),
        some(!gone.sid.is_empty(), &statements.cancel, &cancel),
        some(!put.sid.is_empty(), &statements.insert, &insert),
    )
    .await;
    held?;
    locked?;
    let lost = lost(commits, &written?);
    if !lost.is_empty() {
        return Err(Failure::LeasesLost(lost));
    }
    for written in [gone_on, gone, put].into_iter().flatten() {
        written?;
    }
    Ok(())
}

/// The commits of which leases were not held, by their places.
fn lost(commits: &[(usize, i64, &Commit)], written: &Written) -> Vec<(usize, Vec<usize>)> {
    let of_commit = |(at, _, commit): &(usize, i64, &Commit)| {
        let leases = commit.ends.iter().map(|ended| &ended.lease);
        let answers = answers(leases, written).into_iter().enumerate();
        let places: Vec<usize> = answers
            .filter_map(|(place, answer)| answer.is_err().then_some(place))
            .collect();
        (!places.is_empty()).then_some((*at, places))
    };
    commits.iter().filter_map(of_commit).collect()
}

async fn execute(
    client: &Client,
    statement: &Statement,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    client.execute(statement, columns).await
}
