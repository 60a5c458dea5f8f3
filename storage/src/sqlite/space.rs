//! A space's row: finding, creating, a new epoch.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey, WriterNo};
use syncline_protocol::stamp::{Hlc, WallMs};

use crate::types::{EPOCH_APART_MS, Erased, SpaceView, StoreError};

pub(super) const FIND: &str =
    "SELECT sid, epoch, epoch_at, head, gc_seq, clock, live, writers, lost_at, swept,
        erased_at
    FROM spaces WHERE app = ?1 AND space = ?2";

pub(super) const LIST: &str = "SELECT app, space FROM spaces WHERE (app, space) > (?1, ?2)
    ORDER BY app, space LIMIT ?3";

const NAMED: &str = "SELECT app FROM spaces WHERE space = ?1 ORDER BY app";

/// Not while an import is unfinished: what it is about to bring would find its place taken.
const CREATE: &str =
    "INSERT INTO spaces(app, space, epoch, epoch_at, lost_at, head, gc_seq, clock, live, writers)
    SELECT ?1, ?2, ?3, ?4, 0, 0, 0, 0, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM imports WHERE ended_at IS NULL)
    ON CONFLICT(app, space) DO NOTHING";

/// A space that says nothing to anybody: no record, no client, nothing set aside, no job, no erasure,
/// its first epoch.
const FORGET_UNWRITTEN: &str = "DELETE FROM spaces
    WHERE app = ?1 AND space = ?2 AND epoch_at < ?3 AND head = 0 AND writers = 0
        AND lost_at = 0 AND erased_at = 0
        AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.sid = spaces.sid)
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.sid = spaces.sid)";

const CHANGE_EPOCH: &str =
    "UPDATE spaces SET epoch = ?4, epoch_at = max(?5, epoch_at + ?6), lost_at = ?5
    WHERE app = ?1 AND space = ?2 AND epoch = ?3";

/// A space as stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpaceRow {
    /// Its number in every other table.
    pub(super) sid: i64,
    /// What the contract shows of it.
    pub(super) view: SpaceView,
}

/// The space, if it was ever opened.
pub(super) fn find(conn: &Connection, space: &SpaceKey) -> Result<Option<SpaceRow>, StoreError> {
    let mut statement = conn.prepare_cached(FIND)?;
    let names = params![space.app.as_str(), space.space.as_str()];
    Ok(statement.query_row(names, from_row).optional()?)
}

/// The space, which the caller opened before. An error if it did not, or if it was erased.
pub(super) fn get(conn: &Connection, space: &SpaceKey) -> Result<SpaceRow, StoreError> {
    find(conn, space)?
        .ok_or_else(|| StoreError::Unavailable("the space was never opened".to_owned()))
}

/// Spaces in the order of their names. Names are never empty, so ('', '') is before the first.
pub(super) fn list(
    conn: &Connection,
    after: Option<&SpaceKey>,
    limit: usize,
) -> Result<Vec<SpaceKey>, StoreError> {
    let (app, space) = after.map_or(("", ""), |key| (key.app.as_str(), key.space.as_str()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(LIST)?;
    let spaces = statement.query_map(params![app, space, limit], |row| {
        Ok(SpaceKey {
            app: AppId::trusted(&row.get::<_, String>(0)?),
            space: SpaceId::trusted(&row.get::<_, String>(1)?),
        })
    })?;
    Ok(spaces.collect::<Result<_, _>>()?)
}

/// The spaces of this name, ordered by app.
pub(super) fn named(conn: &Connection, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
    let mut statement = conn.prepare_cached(NAMED)?;
    let spaces = statement.query_map([name.as_str()], |row| {
        Ok(SpaceKey {
            app: AppId::trusted(&row.get::<_, String>(0)?),
            space: name.clone(),
        })
    })?;
    Ok(spaces.collect::<Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<SpaceRow> {
    let unsigned = |at| row.get::<_, i64>(at).map(|stored| stored as u64);
    Ok(SpaceRow {
        sid: row.get(0)?,
        view: SpaceView {
            epoch: Epoch(unsigned(1)?),
            epoch_at_ms: unsigned(2)?,
            lost_at_ms: unsigned(8)?,
            erased: Erased::at(unsigned(10)?),
            head: Seq(unsigned(3)?),
            gc_seq: Seq(unsigned(4)?),
            swept: Seq(unsigned(9)?),
            clock: Hlc::from_bits(unsigned(5)?),
            live: unsigned(6)?,
            writers: WriterNo(row.get(7)?),
        },
    })
}

/// Creates the space unless another was faster, and returns it as it is then.
pub(super) fn create(
    conn: &mut Connection,
    space: &SpaceKey,
    epoch: Epoch,
    now_ms: WallMs,
) -> Result<SpaceView, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let names = (space.app.as_str(), space.space.as_str());
    tx.prepare_cached(CREATE)?
        .execute(params![names.0, names.1, epoch.0 as i64, now_ms as i64])?;
    let view = get(&tx, space)?.view;
    tx.commit()?;
    Ok(view)
}

/// A change of epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct EpochChange {
    /// The epoch it replaces; of another one nothing happens.
    pub(super) expected: Epoch,
    /// The new one.
    pub(super) epoch: Epoch,
    /// When.
    pub(super) now_ms: WallMs,
}

/// Changes the epoch if it is the expected one, and returns the space as it is then.
pub(super) fn change_epoch(
    conn: &mut Connection,
    space: &SpaceKey,
    change: &EpochChange,
) -> Result<SpaceView, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.prepare_cached(CHANGE_EPOCH)?.execute(params![
        space.app.as_str(),
        space.space.as_str(),
        change.expected.0 as i64,
        change.epoch.0 as i64,
        change.now_ms as i64,
        EPOCH_APART_MS as i64
    ])?;
    let view = get(&tx, space)?.view;
    tx.commit()?;
    Ok(view)
}

/// See [`crate::Store::forget_unwritten`].
pub(super) fn forget_unwritten(
    conn: &Connection,
    space: &SpaceKey,
    before_ms: WallMs,
) -> Result<bool, StoreError> {
    let (app, space) = (space.app.as_str(), space.space.as_str());
    let gone =
        conn.prepare_cached(FORGET_UNWRITTEN)?
            .execute(params![app, space, before_ms as i64])?;
    Ok(gone > 0)
}
