//! Removing what has grown too old.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use syncline_protocol::codec;
use syncline_protocol::ids::{Seq, SpaceKey};

use super::records::decode;
use super::space;
use crate::types::{Collect, Collected, Keys, NEVER_MS, SpaceView, StoreError};

/// The oldest dead records. One more than is wanted tells whether there are more.
pub(super) const DEAD: &str = "SELECT rowid, seq, length(state) FROM records
    WHERE sid = ?1 AND dead_at < ?2 ORDER BY dead_at LIMIT ?3";

const REMOVE: &str = "DELETE FROM records WHERE rowid = ?1";

const STATE: &str = "SELECT state FROM records WHERE rowid = ?1";

const STRIP: &str = "UPDATE records SET state = ?2, dead_at = ?3 WHERE rowid = ?1";

/// The clients not used for the longest time.
pub(super) const UNUSED: &str = "SELECT usr, client, writer, last IS NOT NULL FROM clients
    WHERE sid = ?1 AND used_at < ?2 ORDER BY used_at LIMIT ?3";

const FORGET: &str = "UPDATE clients SET last = NULL, used_at = ?4
    WHERE sid = ?1 AND usr = ?2 AND client = ?3";

const FORGET_VERDICTS: &str = "DELETE FROM verdicts WHERE sid = ?1 AND writer = ?2";

const SWEPT: &str = "UPDATE spaces SET head = ?2, swept = ?2, gc_seq = ?3 WHERE sid = ?1";

/// What collecting would say, if there is nothing to collect: then the writer is not needed.
pub(super) fn look(
    conn: &Connection,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Option<Collected>, StoreError> {
    let row = space::get(conn, space)?;
    let look = Collect {
        limit: 0,
        ..collect
    };
    let is_old = !dead(conn, row.sid, look)?.is_empty() || !unused(conn, row.sid, look)?.is_empty();
    Ok((!is_old).then(|| Collected::nothing(row.view)))
}

/// See [`crate::Store::collect`].
pub(super) fn collect(
    conn: &mut Connection,
    space: &SpaceKey,
    collect: Collect,
) -> Result<Collected, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let row = space::get(&tx, space)?;
    let mut dead = dead(&tx, row.sid, collect)?;
    let mut unused = unused(&tx, row.sid, collect)?;
    let fit = collect.fit(dead.iter().map(|record| record.bytes));
    let more = dead.len() > fit || unused.len() > collect.limit;
    dead.truncate(fit);
    unused.truncate(collect.limit);
    let mut view = row.view;
    if !dead.is_empty() {
        let gc_seq = match collect.keys {
            Keys::Remove => remove(&tx, &dead)?.max(view.gc_seq),
            Keys::Keep => strip(&tx, row.sid, &dead).map(|()| view.gc_seq)?,
        };
        let head = view.head.next();
        let moved = params![row.sid, head.0 as i64, gc_seq.0 as i64];
        tx.prepare_cached(SWEPT)?.execute(moved)?;
        view = SpaceView {
            head,
            swept: head,
            gc_seq,
            ..view
        };
    }
    for client in &unused {
        forget(&tx, row.sid, client)?;
    }
    tx.commit()?;
    Ok(Collected {
        view,
        tombstones: dead.len(),
        marks: unused.iter().filter(|client| client.is_numbered).count(),
        more,
    })
}

fn one_more(collect: Collect) -> i64 {
    i64::try_from(collect.limit)
        .unwrap_or(i64::MAX)
        .saturating_add(1)
}

/// A dead record.
struct Dead {
    rowid: i64,
    seq: Seq,
    /// Of its state.
    bytes: usize,
}

fn dead(conn: &Connection, sid: i64, collect: Collect) -> Result<Vec<Dead>, StoreError> {
    let mut statement = conn.prepare_cached(DEAD)?;
    let asked = params![sid, collect.dead_before_ms as i64, one_more(collect)];
    let rows = statement.query_map(asked, |row| {
        Ok(Dead {
            rowid: row.get(0)?,
            seq: Seq(row.get::<_, i64>(1)? as u64),
            bytes: row.get::<_, i64>(2)? as usize,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes records; returns the greatest seq of them.
fn remove(tx: &Transaction<'_>, dead: &[Dead]) -> Result<Seq, StoreError> {
    let mut statement = tx.prepare_cached(REMOVE)?;
    for record in dead {
        statement.execute([record.rowid])?;
    }
    let seqs = dead.iter().map(|record| record.seq);
    Ok(seqs.max().unwrap_or_default())
}

/// Takes the fields of records away.
fn strip(tx: &Transaction<'_>, sid: i64, dead: &[Dead]) -> Result<(), StoreError> {
    let mut read = tx.prepare_cached(STATE)?;
    let mut write = tx.prepare_cached(STRIP)?;
    for Dead { rowid, .. } in dead {
        let state: Vec<u8> = read.query_row([rowid], |row| row.get(0))?;
        let mut record = decode(&state, sid)?;
        record.fields.clear();
        write.execute(params![rowid, codec::encode_record(&record), NEVER_MS])?;
    }
    Ok(())
}

/// A client not used for long.
struct Unused {
    user: String,
    client: String,
    writer: i64,
    is_numbered: bool,
}

fn unused(conn: &Connection, sid: i64, collect: Collect) -> Result<Vec<Unused>, StoreError> {
    let mut statement = conn.prepare_cached(UNUSED)?;
    let asked = params![sid, collect.marks_before_ms as i64, one_more(collect)];
    let rows = statement.query_map(asked, |row| {
        Ok(Unused {
            user: row.get(0)?,
            client: row.get(1)?,
            writer: row.get(2)?,
            is_numbered: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn forget(tx: &Transaction<'_>, sid: i64, unused: &Unused) -> Result<(), StoreError> {
    let named = params![sid, unused.user, unused.client, NEVER_MS];
    tx.prepare_cached(FORGET)?.execute(named)?;
    tx.prepare_cached(FORGET_VERDICTS)?
        .execute(params![sid, unused.writer])?;
    Ok(())
}
