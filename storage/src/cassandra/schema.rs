//! The tables, as numbered steps. The row `schema` of the table `meta` holds how many were taken.
//!
//! A step that was released is never edited: a change of the schema is a new step at the end.
//! Every step can be taken again. Hubs that start at once take them at once: a table's id is in
//! its definition, made of the names, so that those who define it at once define one table. (Without it each
//! coordinator would give an id of its own, and rows written under one of them would be lost.)

use std::collections::HashMap;

use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::statement::{Consistency, Statement};
use sha2::{Digest, Sha256};

use super::connect::Connected;
use super::failure::short;
use super::options::{CassandraOptions, OpenError};
use super::value::Cells;

/// A step's definitions.
type Step = &'static [Definition];

/// What a step defines.
#[derive(Clone, Copy, Debug)]
pub(super) enum Definition {
    /// A table: its name, its columns, and what else is said of it before its id.
    Table(&'static str, &'static str, &'static str),
    /// Columns of a table that is there: its name, the columns, and one of them.
    Columns(&'static str, &'static str, &'static str),
    /// How the files of a table that is there are merged: its name. Left alone where an operator has chosen.
    Leveled(&'static str),
}
use Definition::{Columns, Leveled, Table};

/// Every step, in order.
pub(super) const STEPS: &[Step] = &[SPACES, JOBS, NAMED, LEDGER, LEVELED];

/// Numbers that are u64 outside are stored bit for bit as bigint, but for `clock`, whose highest
/// bit is turned so that it orders as it does outside. Times are milliseconds since 1970.
///
/// `names` finds the apps of a space's name. A name is written before its space and stays when
/// the space was forgotten, so what it finds is looked up. `imports` has one partition: what is
/// being brought in is static, and a row is an archive that was brought in whole.
const SPACES: Step = &[
    Table(
        "spaces",
        "(
    app text, space text,
    kind tinyint, n bigint, a text, b text,
    epoch bigint static, epoch_at bigint static, lost_at bigint static, erased_at bigint static,
    head bigint static, gc_seq bigint static, swept bigint static, clock bigint static,
    live bigint static, writers bigint static, last_commit bigint static, importing bigint static,
    seq bigint, bytes int, dead_at bigint, committed_at bigint, state blob,
    writer bigint, last bigint, used_at bigint, given_count bigint, given blob,
    m bigint, hash blob, verdict blob,
    at bigint, code text, tbl blob, id blob, change blob,
    PRIMARY KEY ((app, space), kind, n, a, b))",
        "",
    ),
    Table(
        "names",
        "(space text, app text, PRIMARY KEY (space, app))",
        "",
    ),
    Table(
        "imports",
        "(
    part text, archive blob,
    bringing blob static, run bigint static, app text static, space text static,
    ended_at bigint,
    PRIMARY KEY (part, archive))",
        "",
    ),
];

/// Jobs: see [`super::jobs`]. `job_no` is the last number of a space; `moment` is when a job may be
/// claimed, or when it died; `turns` and `dead` forget deletions after a minute, since a row of
/// theirs that comes back is looked up in vain, once.
const JOBS: Step = &[
    Columns(
        "spaces",
        "job_no bigint static, no bigint, lease bigint, phase bigint, moment bigint, due bigint,
    attempt bigint, depth bigint, of_epoch bigint, of_seq bigint, trigger_id text, holder text,
    lane text, args text, error text, turn bigint, hint bigint",
        "job_no",
    ),
    Table(
        "turns",
        "(
    kind text, shard bigint, at bigint, turn bigint, id bigint, app text, space text,
    PRIMARY KEY ((kind, shard), at, turn, id))",
        "gc_grace_seconds = 60 AND",
    ),
    Table(
        "dead",
        "(
    kind text, at bigint, no bigint, app text, space text, key text,
    PRIMARY KEY (kind, at, no, app, space, key))",
        "gc_grace_seconds = 60 AND",
    ),
];

/// `held` is of who holds a space ([`super::hold`]). `dead_jobs` takes the place of `dead`, of which a
/// row that was removed and written anew could be lost: each has an `id` that was never there before.
/// What died before is found in `dead`. `said` is text of the table `meta`.
const NAMED: Step = &[
    Columns("spaces", "held bigint static", "held"),
    Columns("meta", "said text", "said"),
    Table(
        "dead_jobs",
        "(
    kind text, at bigint, no bigint, id bigint, app text, space text, key text,
    PRIMARY KEY (kind, at, no, id))",
        "gc_grace_seconds = 60 AND",
    ),
];

/// The ledger: see [`super::ledger`]. A partition is an account, by a random number; `last_write` is random
/// and new with every write of it. `ledger_owners` says which number an owner's account has; `ledger_hints`
/// forget deletions after a minute, since a row of theirs that comes back is looked up in vain, once.
const LEDGER: Step = &[
    Table(
        "ledger",
        "(
    number blob, kind tinyint, n bigint, id blob,
    owner text static, closed bigint static, last_write bigint static, lines bigint static,
    balance bigint static, reserved bigint static, in_transit bigint static,
    granted bigint static, purchased bigint static, received bigint static,
    consumed bigint static, expired bigint static, sent bigint static,
    posting blob, what bigint, amount bigint, balance_after bigint, at bigint,
    of_posting blob, other blob, app text, description text, metadata text,
    line bigint, hash blob, refunded bigint, expires_at bigint, state bigint,
    key text, to_owner text,
    PRIMARY KEY (number, kind, n, id))",
        "",
    ),
    Table("ledger_owners", "(owner text PRIMARY KEY, number blob)", ""),
    Table(
        "ledger_hints",
        "(
    what bigint, shard bigint, at bigint, id blob, number blob,
    PRIMARY KEY ((what, shard), at, id))",
        "gc_grace_seconds = 60 AND",
    ),
];

/// Rows of a space are overwritten again and again: so that a read of it meets few files, and what was
/// deleted meets its deletion.
const LEVELED: Step = &[Leveled("spaces")];

/// What a server gives a table of which nothing is said.
const UNCHOSEN: &str = "SizeTieredCompactionStrategy";

/// Known to every server that this speaks to.
const CHOSEN: &str = "LeveledCompactionStrategy";

const META: Definition = Table("meta", "(name text PRIMARY KEY, version bigint)", "");

/// Brings the keyspace to the newest schema; made if it is not there and the options say how it
/// is replicated. Many programs may do it at once.
pub(super) async fn migrate(
    connected: &Connected,
    options: &CassandraOptions,
) -> Result<(), OpenError> {
    take_steps(connected, options, STEPS.len()).await
}

/// Takes the steps up to so many.
async fn take_steps(
    connected: &Connected,
    options: &CassandraOptions,
    known: usize,
) -> Result<(), OpenError> {
    let session = &connected.session;
    let found = version(session, options).await?;
    if missing(found.unwrap_or(0))?.is_empty() {
        return Ok(());
    }
    let keyspace = &options.keyspace;
    if found.is_none() {
        make_keyspace(connected, options).await?;
        define(session, keyspace, META).await?;
        let begin =
            format!("INSERT INTO {keyspace}.meta(name, version) VALUES('schema', 0) IF NOT EXISTS");
        run(session, conditional(options, begin)).await?;
    }
    // Another one may have done it meanwhile, or more.
    let found = version(session, options).await?.unwrap_or(0);
    let missing = missing(found)?;
    for step in &missing[..known.saturating_sub(STEPS.len() - missing.len())] {
        for definition in *step {
            define(session, keyspace, *definition).await?;
        }
    }
    let taken = format!(
        "UPDATE {keyspace}.meta SET version = {known} WHERE name = 'schema' IF version < {known}"
    );
    run(session, conditional(options, taken)).await
}

/// Whether the keyspace has this program's schema: who only reads does not bring it there.
pub(super) async fn check(session: &Session, options: &CassandraOptions) -> Result<(), OpenError> {
    let found = version(session, options).await?.unwrap_or(0);
    match missing(found)?.is_empty() {
        true => Ok(()),
        false => Err(OpenError::SchemaOlder {
            known: STEPS.len() as i64,
        }),
    }
}

fn missing(found: i64) -> Result<&'static [Step], OpenError> {
    let taken = usize::try_from(found).ok();
    let known = STEPS.len() as i64;
    taken
        .and_then(|taken| STEPS.get(taken..))
        .ok_or(OpenError::SchemaNewer { found, known })
}

/// Steps taken; `None` without a table that says it.
async fn version(session: &Session, options: &CassandraOptions) -> Result<Option<i64>, OpenError> {
    let keyspace = &options.keyspace;
    let there = format!(
        "SELECT table_name FROM system_schema.tables \
         WHERE keyspace_name = '{keyspace}' AND table_name = 'meta'"
    );
    let mut there = Statement::new(there);
    there.set_consistency(Consistency::One);
    if rows(session, there).await?.is_empty() {
        return Ok(None);
    }
    let mut asked = Statement::new(format!(
        "SELECT version FROM {keyspace}.meta WHERE name = 'schema'"
    ));
    asked.set_consistency(options.serial_read());
    match rows(session, asked).await {
        Ok(found) => Ok(Some(found.first().copied().flatten().unwrap_or(0))),
        // A server lists a table that another hub makes before it takes statements of it.
        Err(OpenError::Server(why)) if is_no_table(&why) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As Cassandra says it.
fn is_no_table(why: &str) -> bool {
    why.contains("table meta does not exist")
}

/// The first cell of each row, where it is a number.
async fn rows(session: &Session, asked: Statement) -> Result<Vec<Option<i64>>, OpenError> {
    let answer = session
        .query_unpaged(asked, ())
        .await
        .map_err(|e| refused(&e))?;
    let answer = answer
        .into_rows_result()
        .map_err(|e| OpenError::Server(e.to_string()))?;
    let rows = answer
        .rows::<Cells<'_>>()
        .map_err(|e| OpenError::Server(e.to_string()))?;
    let mut numbers = Vec::new();
    for row in rows {
        let row = row.map_err(|e| OpenError::Server(e.to_string()))?;
        numbers.push(row.number(0).ok().flatten());
    }
    Ok(numbers)
}

pub(super) async fn make_keyspace(
    connected: &Connected,
    options: &CassandraOptions,
) -> Result<(), OpenError> {
    let session = &connected.session;
    let keyspace = &options.keyspace;
    let there = format!(
        "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"
    );
    let mut there = Statement::new(there);
    there.set_consistency(Consistency::One);
    if !rows(session, there).await?.is_empty() {
        return Ok(());
    }
    let Some(replication) = &options.replication else {
        return Err(OpenError::NoKeyspace(keyspace.clone()));
    };
    let Some(replication) = replication.cql(connected.place_of_copies()) else {
        let there = connected.datacenters.iter().cloned().collect::<Vec<_>>();
        return Err(OpenError::Copies(there.join(":3,")));
    };
    let make = format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}");
    run(session, Statement::new(make)).await
}

async fn define(
    session: &Session,
    keyspace: &str,
    definition: Definition,
) -> Result<(), OpenError> {
    match definition {
        Table(table, columns, with) => {
            let id = table_id(keyspace, table);
            let define = format!(
                "CREATE TABLE IF NOT EXISTS {keyspace}.{table} {columns} WITH {with} id = {id}"
            );
            run(session, Statement::new(define)).await
        }
        Columns(table, columns, one) => {
            if has_column(session, keyspace, (table, one)).await? {
                return Ok(());
            }
            let define = format!("ALTER TABLE {keyspace}.{table} ADD ({columns})");
            match run(session, Statement::new(define)).await {
                // Another one was faster: all of them came at once.
                Err(_) if has_column(session, keyspace, (table, one)).await? => Ok(()),
                answer => answer,
            }
        }
        Leveled(table) if is_unchosen(session, keyspace, table).await? => {
            let define =
                format!("ALTER TABLE {keyspace}.{table} WITH compaction = {{'class': '{CHOSEN}'}}");
            run(session, Statement::new(define)).await
        }
        Leveled(_) => Ok(()),
    }
}

/// Whether a table's files are merged as a server does it by itself.
async fn is_unchosen(session: &Session, keyspace: &str, table: &str) -> Result<bool, OpenError> {
    let mut asked = Statement::new(format!(
        "SELECT compaction FROM system_schema.tables WHERE keyspace_name = '{keyspace}' \
         AND table_name = '{table}'"
    ));
    asked.set_consistency(Consistency::One);
    let answer = session.query_unpaged(asked, ()).await;
    let answer = answer.map_err(|e| refused(&e))?.into_rows_result();
    let answer = answer.map_err(|e| OpenError::Server(e.to_string()))?;
    let found = answer.first_row::<(HashMap<String, String>,)>();
    let (compaction,) = found.map_err(|e| OpenError::Server(e.to_string()))?;
    let class = compaction.get("class");
    Ok(class.is_some_and(|class| class.ends_with(UNCHOSEN)))
}

async fn has_column(
    session: &Session,
    keyspace: &str,
    (table, column): (&str, &str),
) -> Result<bool, OpenError> {
    let mut there = Statement::new(format!(
        "SELECT column_name FROM system_schema.columns WHERE keyspace_name = '{keyspace}' \
         AND table_name = '{table}' AND column_name = '{column}'"
    ));
    there.set_consistency(Consistency::One);
    Ok(!rows(session, there).await?.is_empty())
}

/// An id of the names, in the form of a random one (RFC 9562, version 8).
pub(super) fn table_id(keyspace: &str, table: &str) -> String {
    let digest = Sha256::digest(format!("syncline/{keyspace}/{table}"));
    let hex = crate::transfer::hex(&digest[..16]);
    format!(
        "{}-{}-8{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

fn conditional(options: &CassandraOptions, statement: String) -> Statement {
    let mut statement = Statement::new(statement);
    statement.set_consistency(options.quorum());
    statement.set_serial_consistency(Some(options.serial_write()));
    statement
}

async fn run(session: &Session, statement: Statement) -> Result<(), OpenError> {
    match session.query_unpaged(statement, ()).await {
        // Two who define the same thing at once: the second is told that it is there.
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(
            DbError::AlreadyExists { .. },
            _,
        ))) => Ok(()),
        answer => answer.map(drop).map_err(|e| refused(&e)),
    }
}

fn refused(error: &ExecutionError) -> OpenError {
    OpenError::Server(short(&error.to_string()).to_owned())
}

/// A keyspace as a program of before knew it.
#[cfg(test)]
pub(super) async fn migrate_as_before(
    connected: &Connected,
    options: &CassandraOptions,
    known: usize,
) -> Result<(), OpenError> {
    take_steps(connected, options, known).await
}
