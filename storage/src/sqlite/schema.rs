//! The schema, as numbered steps. `PRAGMA user_version` holds how many were taken.
//!
//! A step that was released is never edited: a change of the schema is a new step at the end.

use std::cmp::Ordering;

use rusqlite::{Connection, TransactionBehavior};

use super::options::OpenError;

/// Every step, in order. All the missing ones are taken in one transaction.
pub(super) const STEPS: &[&str] = &[
    SPACES_RECORDS_MARKS,
    CHANGES_IN_ORDER,
    RETENTION,
    ERASURE,
    IMPORTS,
    JOBS,
    LANES,
    BEHIND,
    LEDGER,
];

/// Numbers that are u64 outside are stored bit for bit as i64. `dead_at` is null while the
/// record lives, else when it was last found dead (ms). `last` is null for a client that has a
/// writer number and no mutation; `given` is
/// null until the hub gave a claim of its a stamp. `slot` is `m % 256`: a verdict overwrites the one 256 before.
const SPACES_RECORDS_MARKS: &str = "
CREATE TABLE spaces(
    sid INTEGER PRIMARY KEY,
    app TEXT NOT NULL,
    space TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    epoch_at INTEGER NOT NULL,
    lost_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    gc_seq INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    live INTEGER NOT NULL,
    writers INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX spaces_key ON spaces(app, space);

CREATE TABLE records(
    sid INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    tbl TEXT NOT NULL,
    id TEXT NOT NULL,
    dead_at INTEGER,
    state BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_key ON records(sid, tbl, id);
CREATE INDEX records_seq ON records(sid, seq);

CREATE TABLE clients(
    sid INTEGER NOT NULL,
    usr TEXT NOT NULL,
    client TEXT NOT NULL,
    writer INTEGER NOT NULL,
    last INTEGER,
    used_at INTEGER NOT NULL,
    given BLOB,
    PRIMARY KEY(sid, usr, client)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX clients_writer ON clients(sid, writer);

CREATE TABLE verdicts(
    sid INTEGER NOT NULL,
    writer INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    m INTEGER NOT NULL,
    hash BLOB NOT NULL,
    verdict BLOB NOT NULL,
    PRIMARY KEY(sid, writer, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters(
    no INTEGER PRIMARY KEY,
    sid INTEGER NOT NULL,
    at INTEGER NOT NULL,
    usr TEXT NOT NULL,
    client TEXT NOT NULL,
    tbl TEXT NOT NULL,
    id TEXT NOT NULL,
    code TEXT NOT NULL,
    hash BLOB NOT NULL,
    change TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX dead_letters_same ON dead_letters(sid, usr, client, hash);
CREATE INDEX dead_letters_new ON dead_letters(sid, no);
";

/// A page of changes may begin inside a commit, after a record of it.
const CHANGES_IN_ORDER: &str = "
DROP INDEX records_seq;
CREATE INDEX records_seq ON records(sid, seq, tbl, id);
";

/// What has grown old is found by its age. `dead_at` and `used_at` are the greatest number once
/// nothing is left to be collected of a record or a client.
const RETENTION: &str = "
ALTER TABLE spaces ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;
CREATE INDEX records_dead ON records(sid, dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX clients_used ON clients(sid, used_at);
";

/// An erased space keeps its row, and a person's spaces are found in all apps.
const ERASURE: &str = "
ALTER TABLE spaces ADD COLUMN erased_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX spaces_name ON spaces(space, app);
";

/// An archive that is being brought in, or was: `ended_at` is null until all of it is there. Of the
/// space that is half written, `sid` is the number under which its parts stand: no row of `spaces`
/// has it yet, so nobody sees them.
const IMPORTS: &str = "
CREATE TABLE imports(
    archive BLOB PRIMARY KEY,
    run INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    sid INTEGER,
    app TEXT,
    space TEXT
) STRICT, WITHOUT ROWID;
";

/// Jobs. `at` is when a job may be claimed: when it is due, when it is tried again, when its lease
/// is over; null once it is dead, which it is since `dead_at`. `lease` counts leases and what ends
/// one, so with `no`, which is never given twice, it names a lease. A row of `job_queues` is a space
/// that has jobs of a kind to be looked at by `turn_at`; `turn` counts its turns since it last had
/// nothing due.
const JOBS: &str = "
CREATE TABLE jobs(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    sid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    state INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    at INTEGER,
    dead_at INTEGER,
    attempt INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    holder TEXT,
    depth INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    origin TEXT NOT NULL,
    args TEXT NOT NULL,
    error TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_key ON jobs(sid, kind, key);
CREATE INDEX jobs_at ON jobs(kind, sid, at, no, state) WHERE at IS NOT NULL;
CREATE INDEX jobs_dead ON jobs(kind, dead_at, no) WHERE dead_at IS NOT NULL;

CREATE TABLE job_queues(
    sid INTEGER NOT NULL,
    kind TEXT NOT NULL,
    turn_at INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    PRIMARY KEY(sid, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_queues_turn ON job_queues(kind, turn_at, turn, sid);
";

/// Jobs of a lane are done in the order of their numbers. The dead hold nobody up.
const LANES: &str = "
ALTER TABLE jobs ADD COLUMN lane TEXT;
CREATE INDEX jobs_lane ON jobs(sid, kind, lane, no) WHERE lane IS NOT NULL AND at IS NOT NULL;
";

/// Of a lane one job can be claimed, and has an `at`. The others are behind: what would be their `at`
/// is `behind_at`, which is null for all others. Where several were leased, the first keeps its lease, and
/// the others are tried again.
pub(super) const BEHIND: &str = "
ALTER TABLE jobs ADD COLUMN behind_at INTEGER;
CREATE INDEX jobs_behind ON jobs(kind, sid, lane, no, state) WHERE behind_at IS NOT NULL;
UPDATE jobs SET at = NULL, behind_at = CASE state WHEN 1 THEN due_at ELSE at END,
        state = CASE state WHEN 1 THEN 2 ELSE state END, holder = NULL
    WHERE lane IS NOT NULL AND at IS NOT NULL AND no NOT IN (SELECT no FROM (SELECT no,
            row_number() OVER (PARTITION BY sid, kind, lane ORDER BY state <> 1, no) AS place
        FROM jobs WHERE lane IS NOT NULL AND at IS NOT NULL) WHERE place = 1);
";

/// The ledger. An account is known by its `no` in the other tables, and its `name` may become nobody's;
/// its numbers are what its lines have made of it. `ledger_lines` are numbered in their account, and are
/// changed by nothing but an erasure. `kind` and `state` are codes that are never given to something else. With
/// the amount in it `ledger_lines_of` is all that a refund reads; without, SQLite would rather read the account.
const LEDGER: &str = "
CREATE TABLE ledger_accounts(
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    lines INTEGER NOT NULL,
    balance INTEGER NOT NULL CHECK(balance >= 0),
    reserved INTEGER NOT NULL CHECK(reserved >= 0),
    in_transit INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    purchased INTEGER NOT NULL,
    received INTEGER NOT NULL,
    consumed INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    sent INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_accounts_name ON ledger_accounts(name);

CREATE TABLE ledger_lines(
    account INTEGER NOT NULL,
    no INTEGER NOT NULL,
    posting BLOB NOT NULL,
    kind INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK(amount > 0),
    balance_after INTEGER NOT NULL,
    at INTEGER NOT NULL,
    of_posting BLOB,
    other INTEGER,
    app TEXT,
    description TEXT NOT NULL,
    metadata TEXT,
    PRIMARY KEY(account, no)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ledger_lines_posting ON ledger_lines(account, posting);
CREATE INDEX ledger_lines_of ON ledger_lines(account, of_posting, kind, amount)
    WHERE of_posting IS NOT NULL;

CREATE TABLE ledger_keys(
    account INTEGER NOT NULL,
    key TEXT NOT NULL,
    line INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY(account, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_reservations(
    account INTEGER NOT NULL,
    posting BLOB NOT NULL,
    amount INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    PRIMARY KEY(account, posting)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_reservations_over ON ledger_reservations(expires_at, account, posting)
    WHERE state = 0;
";

/// Whether the file has this program's schema: who only reads does not bring it there.
pub(super) fn check(conn: &Connection) -> Result<(), OpenError> {
    let known = STEPS.len() as i64;
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(OpenError::SchemaOlder { found, known }),
        Ordering::Greater => Err(OpenError::SchemaNewer { found, known }),
    }
}

/// Brings the file to the newest schema, whole or not at all. Two programs may do it at once.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let known = STEPS.len() as i64;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = usize::try_from(found)
        .ok()
        .and_then(|taken| STEPS.get(taken..))
    else {
        return Err(OpenError::SchemaNewer { found, known });
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", known)?;
    Ok(tx.commit()?)
}
