//! What commits do to jobs, in their own transaction, for a group of them at once.

use std::collections::BTreeSet;

use futures_util::future::{OptionFuture, join5};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};

use super::finish::{Ends, Written, answers, back_ms, write_ends};
use crate::jobs::{IfThere, Job, JobKind, JobLane, JobName, Net, SCHEDULED, net};
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::types::Commit;

/// Brings queues forward to when jobs of theirs come, and holds them.
pub(super) const FORWARD: &str = "INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT n.sid, n.kind, min(n.turn_at), 0
    FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n(sid, kind, turn_at)
    GROUP BY n.sid, n.kind ORDER BY n.sid, n.kind COLLATE \"C\"
    ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at";

/// Jobs that are there already, in the order in which they are named, which is that in which everybody
/// takes them. Were it asked for here, all jobs there are would be walked in it.
pub(in crate::postgres) const LOCK: &str = "SELECT FROM
        unnest($1::bigint[], $2::text[], $3::text[]) AS n(sid, kind, key)
    CROSS JOIN LATERAL (SELECT FROM syncline.jobs j
        WHERE j.sid = n.sid AND j.kind = n.kind AND j.key = n.key FOR UPDATE OF j) AS locked";

/// In the order in which they were put, which is that of their numbers. What they replace is gone by
/// then, and what is there is kept.
pub(super) const INSERT: &str = "INSERT INTO syncline.jobs
        (sid, kind, key, state, due_at, at, attempt, lease, depth, epoch, seq, origin, args, lane)
    SELECT n.sid, n.kind, n.key, $1::bigint, n.due_at, n.due_at, 0, 0, n.depth, n.epoch, n.seq,
        n.origin, n.args, n.lane
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::bigint[], $9::text[], $10::text[], $11::text[])
        AS n(sid, kind, key, due_at, depth, epoch, seq, origin, args, lane)
    ON CONFLICT (sid, kind, key) DO NOTHING";

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

/// Names of jobs, a list a column.
#[derive(Default)]
struct Names<'c> {
    sid: Vec<i64>,
    kind: Vec<&'c str>,
    key: Vec<&'c str>,
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

impl<'c> Names<'c> {
    fn add(&mut self, sid: i64, (kind, key): (&'c str, &'c str)) {
        self.sid.push(sid);
        self.kind.push(kind);
        self.key.push(key);
    }
}

/// Queues that jobs come to, a list a column.
#[derive(Default)]
struct Queues<'c> {
    sid: Vec<i64>,
    kind: Vec<&'c str>,
    turn_at: Vec<i64>,
}

/// Everything of a group.
#[derive(Default)]
struct Moves<'c> {
    queues: Queues<'c>,
    /// All names that are put, cancelled or ended.
    named: Ordered<'c>,
    ends: Ends<'c>,
    /// Those that go, because they are cancelled or replaced.
    gone: Names<'c>,
    put: Puts<'c>,
}

impl<'c> Moves<'c> {
    fn add(&mut self, sid: i64, commit: &'c Commit) {
        for ended in &commit.ends {
            let JobName { kind, key, .. } = &ended.lease.name;
            self.named.add(sid, (kind.as_str(), key.as_str()));
            if let Some(back_ms) = back_ms(&ended.outcome) {
                self.forward(sid, kind, back_ms.max(commit.now_ms));
            }
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
                Net::Cancel => self.gone.add(sid, name),
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
    let Moves {
        queues,
        named,
        ends,
        gone,
        put,
    } = &moves;
    let named = named.names();
    if named.sid.is_empty() {
        return Ok(());
    }
    let (client, statements) = (&connection.client, &connection.statements.jobs);
    let some = |is_some: bool, statement, columns| {
        OptionFuture::from(is_some.then(|| execute(client, statement, columns)))
    };
    let forward: [&(dyn ToSql + Sync); 3] = [&queues.sid, &queues.kind, &queues.turn_at];
    let lock: [&(dyn ToSql + Sync); 3] = [&named.sid, &named.kind, &named.key];
    let cancel: [&(dyn ToSql + Sync); 3] = [&gone.sid, &gone.kind, &gone.key];
    let insert = put.columns();
    // Each is sent when it is first polled, and they are polled in this order.
    let (forwarded, locked, written, gone, put) = join5(
        some(!queues.sid.is_empty(), &statements.forward, &forward),
        execute(client, &statements.lock, &lock),
        write_ends(connection, ends),
        some(!gone.sid.is_empty(), &statements.cancel, &cancel),
        some(!put.sid.is_empty(), &statements.insert, &insert),
    )
    .await;
    locked?;
    let lost = lost(commits, &written?);
    if !lost.is_empty() {
        return Err(Failure::LeasesLost(lost));
    }
    for written in [forwarded, gone, put].into_iter().flatten() {
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
