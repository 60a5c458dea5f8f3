//! What people ask of jobs: looking at one, cancelling, another time, the dead ones, how many. Asked
//! seldom, so nothing of it stays prepared.

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::finish::Ends;
use super::lanes::{self, Held, Names, Queues, go_on, hold};
use super::{COLUMNS, columns, number, stored, text};
use crate::jobs::{
    DEAD, DeadCursor, DeadJob, JOBS_COUNTED_MAX, JobCounts, JobKey, JobKind, JobName, JobNo,
    LEASED, RETRY, SCHEDULED, StoredJob,
};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;
use crate::postgres::records::bigint;
use crate::types::StoreError;

/// A job of a name.
macro_rules! named {
    () => {
        "j.sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
        AND j.kind = $3 AND j.key = $4"
    };
}

const ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM syncline.jobs j WHERE ",
    named!()
);

const SPACE: &str = "SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2";

/// Brings the queue forward of a job, and holds it.
const FORWARD: &str = concat!(
    "INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT j.sid, j.kind, $5::bigint, 0 FROM syncline.jobs j WHERE ",
    named!(),
    " ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at"
);

/// One that is behind stays there.
const SNOOZE: &str = concat!(
    "UPDATE syncline.jobs j SET due_at = CASE j.state WHEN $7 THEN $5 ELSE j.due_at END,
        at = CASE WHEN j.at IS NOT NULL THEN $5 END,
        behind_at = CASE WHEN j.behind_at IS NOT NULL THEN $5 END
    WHERE j.state = ANY($6::bigint[]) AND ",
    named!(),
    " RETURNING j.no"
);

/// What comes back. In a lane it is behind until that is settled.
macro_rules! revived {
    ($state:literal, $at:literal) => {
        concat!(
            "UPDATE syncline.jobs j SET state = ",
            $state,
            ", dead_at = NULL, attempt = 0, at = CASE WHEN j.lane IS NULL THEN ",
            $at,
            " END, behind_at = CASE WHEN j.lane IS NOT NULL THEN ",
            $at,
            " END"
        )
    };
}

const REPLAY: &str = concat!(
    revived!("$7", "$5::bigint"),
    " WHERE j.state = ANY($6::bigint[]) AND ",
    named!(),
    " RETURNING j.no"
);

/// What waits, and what waits behind others.
const WAITING: &str = "SELECT s.app, s.space, w.key FROM
    (SELECT sid, key FROM syncline.jobs
        WHERE kind = $1 AND at > $2 AND at <= $3 AND state <> $5
    UNION ALL SELECT sid, key FROM syncline.jobs
        WHERE kind = $1 AND behind_at > $2 AND behind_at <= $3) AS w
    JOIN syncline.spaces AS s ON s.sid = w.sid LIMIT $4";

/// The newest first.
pub(in crate::postgres) const DEAD_ONES: &str = concat!(
    "SELECT ",
    columns!(),
    ", j.no, s.app, s.space
    FROM syncline.jobs j JOIN syncline.spaces s ON s.sid = j.sid
    WHERE j.kind = $1 AND (j.dead_at, j.no) < ($2, $3) AND j.dead_at IS NOT NULL
    ORDER BY j.dead_at DESC, j.no DESC LIMIT $4"
);

const OLDEST_DEAD: &str = "SELECT no FROM syncline.jobs
    WHERE kind = $1 AND dead_at <= $2 ORDER BY dead_at, no LIMIT $3";

/// They are found first: were their order asked for beside, all jobs there are would be walked in it.
const FORWARD_DEAD: &str = "WITH dead AS MATERIALIZED (
        SELECT sid, kind FROM syncline.jobs WHERE no = ANY($1::bigint[]))
    INSERT INTO syncline.job_queues AS q (sid, kind, turn_at, turn)
    SELECT DISTINCT sid, kind, $2::bigint, 0 FROM dead ORDER BY sid, kind
    ON CONFLICT (sid, kind) DO UPDATE SET turn_at = excluded.turn_at
    WHERE excluded.turn_at < q.turn_at";

const LOCK_DEAD: &str = "WITH found AS MATERIALIZED (
        SELECT no, sid, kind, key FROM syncline.jobs WHERE no = ANY($1::bigint[])),
    ordered AS MATERIALIZED (SELECT no FROM found ORDER BY sid, kind, key)
    SELECT FROM ordered o CROSS JOIN LATERAL
        (SELECT FROM syncline.jobs j WHERE j.no = o.no FOR UPDATE OF j) AS locked";

const REPLAY_DEAD: &str = concat!(
    revived!("$4", "$2::bigint"),
    " WHERE j.no = ANY($1::bigint[]) AND j.state = $3 RETURNING j.no"
);

const OLDER_DEAD: &str = "SELECT no FROM syncline.jobs
    WHERE kind = $1 AND dead_at < $2 ORDER BY dead_at, no LIMIT $3";

/// What others hold stays until it is asked for again.
const TAKE_DEAD: &str = "SELECT j.no FROM syncline.jobs j
    WHERE j.no = ANY($1::bigint[]) AND j.state = $2
    ORDER BY j.sid, j.kind, j.key FOR UPDATE SKIP LOCKED";

const FORGET: &str = "DELETE FROM syncline.jobs WHERE no = ANY($1::bigint[]) AND state = $2";

const COUNT_LIVING: &str = "SELECT k.no, counted.state, counted.count
    FROM unnest($1::text[]) WITH ORDINALITY AS k(kind, no),
        LATERAL (SELECT state, count(*) AS count FROM
            (SELECT state FROM syncline.jobs j WHERE j.kind = k.kind AND at IS NOT NULL
            UNION ALL SELECT state FROM syncline.jobs j
                WHERE j.kind = k.kind AND behind_at IS NOT NULL LIMIT $2) AS few
            GROUP BY state) AS counted";

const COUNT_DEAD: &str = "SELECT k.no, counted.count
    FROM unnest($1::text[]) WITH ORDINALITY AS k(kind, no),
        LATERAL (SELECT count(*) AS count FROM
            (SELECT 1 FROM syncline.jobs j
                WHERE j.kind = k.kind AND dead_at IS NOT NULL LIMIT $2) AS few) AS counted";

/// [`crate::JobStore::waiting_jobs`].
pub(super) struct WaitingOnes<'a> {
    pub(super) kind: &'a JobKind,
    pub(super) between_ms: (WallMs, WallMs),
    pub(super) limit: usize,
}

impl Call for WaitingOnes<'_> {
    type Answer = Vec<JobName>;

    async fn run(&self, connection: &Connection) -> Result<Vec<JobName>, Failure> {
        let at = |ms: WallMs| i64::try_from(ms).unwrap_or(i64::MAX);
        let (after_ms, to_ms) = self.between_ms;
        let asked = [
            &self.kind.as_str() as _,
            &at(after_ms) as _,
            &at(to_ms) as _,
            &bigint(self.limit) as _,
            &LEASED as _,
        ];
        let mut names = Vec::new();
        for row in connection.client.query(WAITING, &asked).await? {
            names.push(JobName {
                space: SpaceKey {
                    app: AppId::trusted(text(&row, 0)?),
                    space: SpaceId::trusted(text(&row, 1)?),
                },
                kind: self.kind.clone(),
                key: JobKey::trusted(text(&row, 2)?),
            });
        }
        Ok(names)
    }
}

/// [`crate::JobStore::job`].
pub(super) struct One<'a>(pub(super) &'a JobName);

impl Call for One<'_> {
    type Answer = Option<StoredJob>;

    async fn run(&self, connection: &Connection) -> Result<Option<StoredJob>, Failure> {
        let asked = parts(self.0);
        let asked = asked.each_ref().map(|part| part as &(dyn ToSql + Sync));
        let row = connection.client.query_opt(ONE, &asked).await?;
        Ok(row.as_ref().map(stored).transpose()?)
    }
}

fn parts(name: &JobName) -> [&str; 4] {
    let space = &name.space;
    let (kind, key) = (name.kind.as_str(), name.key.as_str());
    [space.app.as_str(), space.space.as_str(), kind, key]
}

/// [`crate::JobStore::cancel`].
pub(super) struct Cancel<'a>(pub(super) &'a JobName);

impl Call for Cancel<'_> {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Failure> {
        let (client, statements) = (&connection.client, &connection.statements.jobs);
        let [app, space, kind, key] = parts(self.0);
        let Some(row) = client.query_opt(SPACE, &[&app, &space]).await? else {
            return Ok(false);
        };
        let sid = number(&row, 0)?;
        let held = Held {
            sid: vec![sid],
            kind: vec![kind],
        };
        let mut names = Names::default();
        names.add(sid, (kind, key));
        let cancelling = async {
            let (nothing_comes, nothing_ends) = (Queues::default(), Ends::default());
            hold(connection, (&nothing_comes, &held), &nothing_ends).await?;
            client.query(&statements.lock, &names.columns()).await?;
            // Nobody says what time it is: the next is due since it was.
            go_on(connection, (&nothing_ends, &names), 0).await?;
            Ok(client.execute(&statements.cancel, &names.columns()).await? > 0)
        };
        transaction(connection, BEGIN, cancelling).await
    }
}

/// A change of one job, after which it waits.
pub(super) struct Waits<'a> {
    name: &'a JobName,
    sql: &'static str,
    at_ms: WallMs,
    /// States in which it is changed, and the one afterwards, or in which it is for that time then.
    states: (&'static [i64], i64),
}

impl<'a> Waits<'a> {
    /// [`crate::JobStore::snooze`].
    pub(super) fn snooze(name: &'a JobName, at_ms: WallMs) -> Waits<'a> {
        Waits {
            name,
            sql: SNOOZE,
            at_ms,
            states: (&[SCHEDULED, RETRY], SCHEDULED),
        }
    }

    /// [`crate::JobStore::replay`].
    pub(super) fn replay(name: &'a JobName, at_ms: WallMs) -> Waits<'a> {
        Waits {
            name,
            sql: REPLAY,
            at_ms,
            states: (&[DEAD], RETRY),
        }
    }
}

impl Call for Waits<'_> {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Failure> {
        let client = &connection.client;
        let [app, space, kind, key] = parts(self.name);
        let (at, (before, after)) = (self.at_ms as i64, self.states);
        let forward = [
            &app as _,
            &space as _,
            &kind as _,
            &key as _,
            &at as &(dyn ToSql + Sync),
        ];
        let change = [&forward[..], &[&before, &after]].concat();
        let changing = async {
            client.execute(FORWARD, &forward).await?;
            let changed = numbers(&client.query(self.sql, &change).await?)?;
            lanes::settle(connection, &changed).await?;
            Ok(!changed.is_empty())
        };
        transaction(connection, BEGIN, changing).await
    }
}

/// [`crate::JobStore::dead_jobs`].
pub(super) struct DeadOnes<'a> {
    pub(super) kind: &'a JobKind,
    pub(super) after: Option<DeadCursor>,
    pub(super) limit: usize,
}

impl Call for DeadOnes<'_> {
    type Answer = Vec<DeadJob>;

    async fn run(&self, connection: &Connection) -> Result<Vec<DeadJob>, Failure> {
        let place = self.after;
        let place = place.map(|after| (after.at_ms as i64, after.no.0 as i64));
        let (at, no) = place.unwrap_or((i64::MAX, i64::MAX));
        let (kind, limit) = (self.kind.as_str(), bigint(self.limit));
        let asked = [&kind as _, &at as _, &no as _, &limit as _];
        let rows = connection.client.query(DEAD_ONES, &asked).await?;
        let dead = rows.iter().map(dead_job);
        Ok(dead.collect::<Result<_, _>>()?)
    }
}

fn dead_job(row: &Row) -> Result<DeadJob, StoreError> {
    Ok(DeadJob {
        space: SpaceKey {
            app: AppId::trusted(text(row, COLUMNS + 1)?),
            space: SpaceId::trusted(text(row, COLUMNS + 2)?),
        },
        cursor: DeadCursor {
            at_ms: number(row, 5)? as u64,
            no: JobNo(number(row, COLUMNS)? as u64),
        },
        stored: stored(row)?,
    })
}

/// The oldest dead jobs of a kind, up to a time.
pub(super) struct OldDead<'a> {
    pub(super) kind: &'a JobKind,
    pub(super) at_ms: WallMs,
    pub(super) limit: usize,
}

impl OldDead<'_> {
    async fn numbers(&self, connection: &Connection, sql: &str) -> Result<Vec<i64>, Failure> {
        let (kind, at) = (self.kind.as_str(), self.at_ms as i64);
        let asked = [&kind as _, &at as _, &bigint(self.limit) as _];
        Ok(numbers(&connection.client.query(sql, &asked).await?)?)
    }
}

fn numbers(rows: &[Row]) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| number(row, 0)).collect()
}

/// [`crate::JobStore::replay_all`].
pub(super) struct ReplayAll<'a>(pub(super) OldDead<'a>);

impl Call for ReplayAll<'_> {
    type Answer = usize;

    async fn run(&self, connection: &Connection) -> Result<usize, Failure> {
        let client = &connection.client;
        let at = self.0.at_ms as i64;
        let replaying = async {
            let dead = self.0.numbers(connection, OLDEST_DEAD).await?;
            let asked: [&(dyn ToSql + Sync); 4] = [&dead, &at, &DEAD, &RETRY];
            client.execute(FORWARD_DEAD, &asked[..2]).await?;
            client.query(LOCK_DEAD, &asked[..1]).await?;
            let replayed = numbers(&client.query(REPLAY_DEAD, &asked).await?)?;
            lanes::settle(connection, &replayed).await?;
            Ok(replayed.len())
        };
        transaction(connection, BEGIN, replaying).await
    }
}

/// [`crate::JobStore::forget_dead`].
pub(super) struct ForgetDead<'a>(pub(super) OldDead<'a>);

impl Call for ForgetDead<'_> {
    type Answer = usize;

    async fn run(&self, connection: &Connection) -> Result<usize, Failure> {
        let client = &connection.client;
        let forgetting = async {
            let dead = self.0.numbers(connection, OLDER_DEAD).await?;
            let taken = numbers(&client.query(TAKE_DEAD, &[&dead, &DEAD]).await?)?;
            Ok(client.execute(FORGET, &[&taken, &DEAD]).await? as usize)
        };
        transaction(connection, BEGIN, forgetting).await
    }
}

/// [`crate::JobStore::job_counts`].
pub(super) struct Counting<'a>(pub(super) &'a [JobKind]);

impl Call for Counting<'_> {
    type Answer = Vec<JobCounts>;

    async fn run(&self, connection: &Connection) -> Result<Vec<JobCounts>, Failure> {
        let kinds: Vec<&str> = self.0.iter().map(JobKind::as_str).collect();
        let most = JOBS_COUNTED_MAX as i64;
        let asked = [&kinds as _, &most as _];
        let mut counts = vec![JobCounts::default(); kinds.len()];
        for row in connection.client.query(COUNT_LIVING, &asked).await? {
            let of_kind = &mut counts[number(&row, 0)? as usize - 1];
            let count = number(&row, 2)? as u64;
            match number(&row, 1)? {
                LEASED => of_kind.leased = count,
                RETRY => of_kind.retry = count,
                _ => of_kind.scheduled = count,
            }
        }
        for row in connection.client.query(COUNT_DEAD, &asked).await? {
            counts[number(&row, 0)? as usize - 1].dead = number(&row, 1)? as u64;
        }
        Ok(counts)
    }
}
