//! The schema, as numbered steps. `syncline.schema_version` holds how many were taken.
//!
//! A step that was released is never edited: a change of the schema is a new step at the end.
//! Everything is in the schema `syncline`, so the database may hold other things. Every step can
//! be taken again, because some relatives of Postgres do not roll back definitions.

use tokio_postgres::{Client, Error};

use super::connection::Connector;
use super::error::{Failure, told};
use super::options::OpenError;

/// Every step, in order. All the missing ones are taken in one transaction.
pub(super) const STEPS: &[&str] = &[
    SPACES_RECORDS_MARKS,
    RETENTION,
    ERASURE,
    IMPORTS,
    JOBS,
    LANES,
    BEHIND,
    LEDGER,
];

/// Numbers that are u64 outside are stored bit for bit as bigint, but for `clock`, whose highest
/// bit is turned so that it orders as it does outside. Times are milliseconds since 1970. `last`
/// is null for a client that has a writer number and no mutation; `given` is null until the hub
/// gave a claim of its a stamp, and
/// `given_count` says how often that moved. `slot` is `m % 256`: a verdict overwrites the one 256 before.
///
/// Rows that are changed in place leave room for it in their pages, so that no index has to be
/// touched. `octets` of a dead letter are what came, which may hold what no text may.
const SPACES_RECORDS_MARKS: &str = r#"
CREATE TABLE IF NOT EXISTS syncline.spaces(
    sid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch bigint NOT NULL,
    epoch_at bigint NOT NULL,
    lost_at bigint NOT NULL,
    head bigint NOT NULL,
    gc_seq bigint NOT NULL,
    clock bigint NOT NULL,
    live bigint NOT NULL,
    writers bigint NOT NULL,
    app text COLLATE "C" NOT NULL,
    space text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX IF NOT EXISTS spaces_key ON syncline.spaces(app, space);

CREATE TABLE IF NOT EXISTS syncline.record_states(
    sid bigint NOT NULL,
    seq bigint NOT NULL,
    committed_at bigint NOT NULL,
    dead boolean NOT NULL,
    tbl text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    data text NOT NULL,
    PRIMARY KEY(sid, tbl, id)
);
CREATE INDEX IF NOT EXISTS record_states_seq ON syncline.record_states(sid, seq, tbl, id);

CREATE TABLE IF NOT EXISTS syncline.clients(
    sid bigint NOT NULL,
    writer bigint NOT NULL,
    last bigint,
    used_at bigint NOT NULL,
    usr text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    given bytea,
    given_count bigint NOT NULL,
    PRIMARY KEY(sid, usr, client)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX IF NOT EXISTS clients_writer ON syncline.clients(sid, writer);

CREATE TABLE IF NOT EXISTS syncline.verdicts(
    sid bigint NOT NULL,
    writer bigint NOT NULL,
    slot bigint NOT NULL,
    m bigint NOT NULL,
    hash bytea NOT NULL,
    verdict bytea NOT NULL,
    PRIMARY KEY(sid, writer, slot)
) WITH (fillfactor = 90);

CREATE TABLE IF NOT EXISTS syncline.dead_letters(
    sid bigint NOT NULL,
    no bigint NOT NULL,
    at bigint NOT NULL,
    usr text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    code text NOT NULL,
    hash bytea NOT NULL,
    tbl_octets bytea NOT NULL,
    id_octets bytea NOT NULL,
    change_octets bytea NOT NULL,
    PRIMARY KEY(sid, no)
);
CREATE UNIQUE INDEX IF NOT EXISTS dead_letters_same
    ON syncline.dead_letters(sid, usr, client, hash);

CREATE OR REPLACE VIEW syncline.records AS
SELECT s.app, s.space, r.tbl AS table_name, r.id,
    CASE WHEN r.dead THEN NULL
        WHEN strpos(r.data, '\u0000') > 0 AND r.data ~ '(^|[^\\])(\\\\)*\\u0000' THEN NULL
        ELSE r.data::jsonb END AS data,
    to_timestamp(r.committed_at / 1000.0) AS updated_at,
    r.dead AS deleted
FROM syncline.record_states r JOIN syncline.spaces s ON s.sid = r.sid;
"#;

/// What has grown old is found by its age. `dead_at` is when a record was last found dead, null
/// while it lives; it and `used_at` are the greatest number once nothing is left to be collected of
/// a record or a client.
const RETENTION: &str = "
ALTER TABLE syncline.spaces ADD COLUMN IF NOT EXISTS swept bigint NOT NULL DEFAULT 0;
ALTER TABLE syncline.record_states ADD COLUMN IF NOT EXISTS dead_at bigint;
UPDATE syncline.record_states SET dead_at = committed_at WHERE dead AND dead_at IS NULL;
CREATE INDEX IF NOT EXISTS record_states_dead
    ON syncline.record_states(sid, dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS clients_used ON syncline.clients(sid, used_at);
";

/// An erased space keeps its row, and a person's spaces are found in all apps.
const ERASURE: &str = "
ALTER TABLE syncline.spaces ADD COLUMN IF NOT EXISTS erased_at bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS spaces_name ON syncline.spaces(space, app);
";

/// An archive that is being brought in, or was: `ended_at` is null until all of it is there. Of the
/// space that is half written, `sid` is the number under which its parts stand: no row of `spaces`
/// has it yet, so nobody sees them.
const IMPORTS: &str = r#"
CREATE TABLE IF NOT EXISTS syncline.imports(
    archive bytea PRIMARY KEY,
    run bigint NOT NULL,
    began_at bigint NOT NULL,
    ended_at bigint,
    sid bigint,
    app text COLLATE "C",
    space text COLLATE "C"
);
"#;

/// Jobs. `at` is when a job may be claimed: when it is due, when it is tried again, when its lease
/// is over; null once it is dead, which it is since `dead_at`. `lease` counts leases and what ends
/// one, so with `no`, which is never given twice, it names a lease. A row of `job_queues` is a space
/// that has jobs of a kind to be looked at by `turn_at`; `turn` counts its turns since it last had
/// nothing due.
const JOBS: &str = r#"
CREATE TABLE IF NOT EXISTS syncline.jobs(
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid bigint NOT NULL,
    due_at bigint NOT NULL,
    at bigint,
    dead_at bigint,
    lease bigint NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    state bigint NOT NULL,
    attempt bigint NOT NULL,
    depth bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    origin text NOT NULL,
    holder text,
    args text NOT NULL,
    error text
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_key ON syncline.jobs(sid, kind, key);
CREATE INDEX IF NOT EXISTS jobs_at ON syncline.jobs(kind, sid, at, no, state)
    WHERE at IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_dead ON syncline.jobs(kind, dead_at, no)
    WHERE dead_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS syncline.job_queues(
    sid bigint NOT NULL,
    turn_at bigint NOT NULL,
    turn bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    PRIMARY KEY(sid, kind)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS job_queues_turn
    ON syncline.job_queues(kind, turn_at, turn, sid);
"#;

/// Jobs of a lane are done in the order of their numbers. The dead hold nobody up.
const LANES: &str = r#"
ALTER TABLE syncline.jobs ADD COLUMN IF NOT EXISTS lane text COLLATE "C";
CREATE INDEX IF NOT EXISTS jobs_lane ON syncline.jobs(sid, kind, lane, no)
    WHERE lane IS NOT NULL AND at IS NOT NULL;
"#;

/// Of a lane one job can be claimed, and has an `at`. The others are behind: what would be their `at`
/// is `behind_at`, which is null for all others. Where several were leased, the first keeps its lease,
/// and the others are tried again.
pub(super) const BEHIND: &str = r#"
ALTER TABLE syncline.jobs ADD COLUMN IF NOT EXISTS behind_at bigint;
CREATE INDEX IF NOT EXISTS jobs_behind ON syncline.jobs(kind, sid, lane, no, state)
    WHERE behind_at IS NOT NULL;
UPDATE syncline.jobs j SET at = NULL, holder = NULL,
    behind_at = CASE j.state WHEN 1 THEN j.due_at ELSE j.at END,
    state = CASE j.state WHEN 1 THEN 2 ELSE j.state END
FROM (SELECT no, row_number() OVER (PARTITION BY sid, kind, lane ORDER BY state <> 1, no) AS place
    FROM syncline.jobs WHERE lane IS NOT NULL AND at IS NOT NULL) AS of_lane
WHERE j.no = of_lane.no AND of_lane.place > 1;
"#;

/// The ledger. An account is known by its `no` in the other tables, and its `name` may become nobody's;
/// its numbers are what its lines have made of it. `ledger_lines` are numbered in their account, and are
/// changed by nothing but an erasure. `kind` and `state` are codes that are never given to something else.
const LEDGER: &str = r#"
CREATE TABLE IF NOT EXISTS syncline.ledger_accounts(
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lines bigint NOT NULL,
    balance bigint NOT NULL CHECK(balance >= 0),
    reserved bigint NOT NULL CHECK(reserved >= 0),
    in_transit bigint NOT NULL,
    granted bigint NOT NULL,
    purchased bigint NOT NULL,
    received bigint NOT NULL,
    consumed bigint NOT NULL,
    expired bigint NOT NULL,
    sent bigint NOT NULL,
    name text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_accounts_name ON syncline.ledger_accounts(name);

CREATE TABLE IF NOT EXISTS syncline.ledger_lines(
    account bigint NOT NULL,
    no bigint NOT NULL,
    kind bigint NOT NULL,
    amount bigint NOT NULL CHECK(amount > 0),
    balance_after bigint NOT NULL,
    at bigint NOT NULL,
    other bigint,
    posting bytea NOT NULL,
    of_posting bytea,
    app text,
    description text NOT NULL,
    metadata text,
    PRIMARY KEY(account, no)
);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_lines_posting ON syncline.ledger_lines(account, posting);
CREATE INDEX IF NOT EXISTS ledger_lines_of ON syncline.ledger_lines(account, of_posting, kind)
    WHERE of_posting IS NOT NULL;

CREATE TABLE IF NOT EXISTS syncline.ledger_keys(
    account bigint NOT NULL,
    line bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY(account, key)
);

CREATE TABLE IF NOT EXISTS syncline.ledger_reservations(
    account bigint NOT NULL,
    amount bigint NOT NULL,
    expires_at bigint NOT NULL,
    state bigint NOT NULL,
    posting bytea NOT NULL,
    PRIMARY KEY(account, posting)
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS ledger_reservations_over
    ON syncline.ledger_reservations(expires_at, account, posting) WHERE state = 0;
"#;

/// Where the version is. Its one row is also the lock that programs which start at once take.
const PLACE: &str = "
CREATE SCHEMA IF NOT EXISTS syncline;
CREATE TABLE IF NOT EXISTS syncline.schema_version(
    only_row boolean PRIMARY KEY,
    version bigint NOT NULL
);
INSERT INTO syncline.schema_version(only_row, version) VALUES(true, 0)
    ON CONFLICT (only_row) DO NOTHING;
";

const IS_THERE: &str = "SELECT to_regclass('syncline.schema_version') IS NOT NULL";

const VERSION: &str = "SELECT version FROM syncline.schema_version WHERE only_row";

const LOCK_VERSION: &str = "SELECT version FROM syncline.schema_version WHERE only_row FOR UPDATE";

/// Tries of what fails only because another program does the same.
const TRIES_MAX: usize = 20;

/// Brings the database to the newest schema, whole or not at all. Many programs may do it at
/// once. One that is at the newest is only read, so a role without the right to define is enough.
pub(super) async fn migrate(connector: &Connector) -> Result<(), OpenError> {
    let mut client = connector.plain().await.map_err(refused)?;
    // A step may take long, and others wait for it.
    let patient = client.batch_execute("SET statement_timeout = 0").await;
    patient.map_err(|error| refused(error.into()))?;
    if at_newest(&client).await? {
        return Ok(());
    }
    let mut tries = 0;
    // Two programs that define the same thing at once: one is told that it is there, or that the
    // catalogue moved. Both see it when they look again.
    while let Err(error) = client.batch_execute(PLACE).await {
        tries += 1;
        if tries == TRIES_MAX || !is_collision(&error) {
            return Err(refused(error.into()));
        }
    }
    take_steps(&mut client).await
}

/// Whether the database has this program's schema: who only reads does not bring it there.
pub(super) async fn check(connector: &Connector) -> Result<(), OpenError> {
    let client = connector.plain().await.map_err(refused)?;
    match at_newest(&client).await? {
        true => Ok(()),
        false => Err(OpenError::SchemaOlder {
            known: STEPS.len() as i64,
        }),
    }
}

/// Whether there is nothing to do. Errors: the database is ahead of us.
async fn at_newest(client: &Client) -> Result<bool, OpenError> {
    let sql = |error: Error| refused(error.into());
    let is_there: bool = client.query_one(IS_THERE, &[]).await.map_err(sql)?.get(0);
    if !is_there {
        return Ok(false);
    }
    let row = client.query_opt(VERSION, &[]).await.map_err(sql)?;
    match row {
        Some(row) => Ok(missing(row.get(0))?.is_empty()),
        None => Ok(false),
    }
}

async fn take_steps(client: &mut Client) -> Result<(), OpenError> {
    let sql = |error: Error| refused(error.into());
    let tx = client.transaction().await.map_err(sql)?;
    let found = tx.query_one(LOCK_VERSION, &[]).await.map_err(sql)?.get(0);
    for step in missing(found)? {
        tx.batch_execute(step).await.map_err(sql)?;
    }
    let known = STEPS.len() as i64;
    tx.execute("UPDATE syncline.schema_version SET version = $1", &[&known])
        .await
        .map_err(sql)?;
    tx.commit().await.map_err(sql)
}

fn missing(found: i64) -> Result<&'static [&'static str], OpenError> {
    let taken = usize::try_from(found).ok();
    let known = STEPS.len() as i64;
    taken
        .and_then(|taken| STEPS.get(taken..))
        .ok_or(OpenError::SchemaNewer { found, known })
}

fn is_collision(error: &Error) -> bool {
    // Unique violation, duplicate schema, duplicate table, "tuple concurrently updated".
    let collisions = ["23505", "42P06", "42P07", "XX000"];
    let code = error.code().map(|code| code.code());
    code.is_some_and(|code| collisions.contains(&code))
}

pub(super) fn refused(failure: Failure) -> OpenError {
    OpenError::Server(match failure {
        Failure::Sql(error) => told(&error),
        other => crate::types::StoreError::from(other).to_string(),
    })
}
