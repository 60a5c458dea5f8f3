//! A space's row: finding, creating, a new epoch.

use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey, WriterNo};
use syncline_protocol::stamp::{Hlc, WallMs};
use tokio_postgres::Row;

use super::call::{Call, transaction};
use super::commit::BEGIN;
use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::records::bigint;
use crate::types::{EPOCH_APART_MS, Erased, SpaceView, StoreError};

pub(super) const FIND: &str =
    "SELECT sid, epoch, epoch_at, lost_at, head, gc_seq, clock, live, writers, swept, erased_at
    FROM syncline.spaces WHERE app = $1 AND space = $2";

const NAMED: &str = "SELECT app FROM syncline.spaces WHERE space = $1 ORDER BY app";

const LIST: &str = "SELECT app, space FROM syncline.spaces WHERE (app, space) > ($1, $2)
    ORDER BY app, space LIMIT $3";

/// The same of many spaces at once, and behind it a space's place among those asked.
pub(super) const FIND_MANY: &str =
    "SELECT s.sid, s.epoch, s.epoch_at, s.lost_at, s.head, s.gc_seq, s.clock, s.live, s.writers,
        s.swept, s.erased_at, asked.no
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(app, space, no)
    JOIN syncline.spaces s ON s.app = asked.app AND s.space = asked.space";

/// Of many spaces at once: `no` is a space's place among those asked.
pub(super) const FIND_SIDS: &str = "SELECT asked.no, s.sid
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(app, space, no)
    JOIN syncline.spaces s ON s.app = asked.app AND s.space = asked.space";

/// Not while an import is unfinished: what it is about to bring would find its place taken.
pub(super) const CREATE: &str = "INSERT INTO syncline.spaces
    (app, space, epoch, epoch_at, lost_at, head, gc_seq, clock, live, writers)
    SELECT $1::text, $2::text, $3::bigint, $4::bigint, 0, 0, 0, $5::bigint, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM syncline.imports WHERE ended_at IS NULL)
    ON CONFLICT (app, space) DO NOTHING";

/// A space that says nothing to anybody: no record, no client, nothing set aside, no job, no erasure,
/// its first epoch. Asked seldom, so it does not stay prepared.
const FORGET_UNWRITTEN: &str = "DELETE FROM syncline.spaces
    WHERE app = $1 AND space = $2 AND epoch_at < $3 AND head = 0 AND writers = 0
        AND lost_at = 0 AND erased_at = 0
        AND NOT EXISTS (SELECT 1 FROM syncline.dead_letters d WHERE d.sid = spaces.sid)
        AND NOT EXISTS (SELECT 1 FROM syncline.jobs j WHERE j.sid = spaces.sid)";

/// A commit that is waited for is seen by the next statement only.
const LOCK: &str = "SELECT FROM syncline.spaces WHERE app = $1 AND space = $2 FOR UPDATE";

pub(super) const CHANGE_EPOCH: &str = "UPDATE syncline.spaces
    SET epoch = $4, epoch_at = greatest($5, epoch_at + $6), lost_at = $5
    WHERE app = $1 AND space = $2 AND epoch = $3";

/// A space as stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpaceRow {
    /// Its number in every other table.
    pub(super) sid: i64,
    /// What the contract shows of it.
    pub(super) view: SpaceView,
}

impl SpaceRow {
    /// Reads a row of [`FIND`] or [`FIND_MANY`].
    pub(super) fn read(row: &Row) -> Result<SpaceRow, StoreError> {
        let number = |at| row.try_get::<_, i64>(at).map_err(|e| unreadable(&e));
        let unsigned = |at| number(at).map(|stored| stored as u64);
        Ok(SpaceRow {
            sid: number(0)?,
            view: SpaceView {
                epoch: Epoch(unsigned(1)?),
                epoch_at_ms: unsigned(2)?,
                lost_at_ms: unsigned(3)?,
                erased: Erased::at(unsigned(10)?),
                head: Seq(unsigned(4)?),
                gc_seq: Seq(unsigned(5)?),
                swept: Seq(unsigned(9)?),
                clock: clock_of(number(6)?),
                live: unsigned(7)?,
                writers: WriterNo(u32::try_from(number(8)?).map_err(|_| {
                    StoreError::Damaged("a space's writers are no number of writers".to_owned())
                })?),
            },
        })
    }
}

/// A clock as a number that orders as clocks do.
pub(super) fn ordered_clock(clock: Hlc) -> i64 {
    (clock.to_bits() ^ 1 << 63) as i64
}

fn clock_of(stored: i64) -> Hlc {
    Hlc::from_bits(stored as u64 ^ 1 << 63)
}

/// The space, which the caller opened before. An error if it did not, or if it was erased.
pub(super) fn opened(found: Option<SpaceRow>) -> Result<SpaceRow, StoreError> {
    found.ok_or_else(|| StoreError::Unavailable("the space was never opened".to_owned()))
}

pub(super) async fn find(
    connection: &Connection,
    space: &SpaceKey,
) -> Result<Option<SpaceRow>, Failure> {
    let statement = &connection.statements.find_space;
    let (app, space) = (space.app.as_str(), space.space.as_str());
    let found = connection
        .client
        .query_opt(statement, &[&app, &space])
        .await?;
    Ok(found.as_ref().map(SpaceRow::read).transpose()?)
}

/// The numbers of spaces, each with its place among those asked.
pub(super) async fn find_sids(
    connection: &Connection,
    spaces: &[&SpaceKey],
) -> Result<Vec<(usize, i64)>, Failure> {
    let apps: Vec<&str> = spaces.iter().map(|key| key.app.as_str()).collect();
    let names: Vec<&str> = spaces.iter().map(|key| key.space.as_str()).collect();
    let statement = &connection.statements.find_sids;
    let rows = connection.client.query(statement, &[&apps, &names]).await?;
    let placed = |row: &Row| {
        let number = |at| row.try_get::<_, i64>(at).map_err(|e| unreadable(&e));
        Ok((number(0)? as usize - 1, number(1)?))
    };
    rows.iter().map(placed).collect()
}

/// [`crate::Store::space`].
pub(super) struct Find<'a>(pub(super) &'a SpaceKey);

impl Call for Find<'_> {
    type Answer = Option<SpaceView>;

    async fn run(&self, connection: &Connection) -> Result<Option<SpaceView>, Failure> {
        Ok(find(connection, self.0).await?.map(|row| row.view))
    }
}

/// [`crate::Store::views`].
pub(super) struct FindMany<'a>(pub(super) &'a [SpaceKey]);

impl Call for FindMany<'_> {
    type Answer = Vec<Option<SpaceView>>;

    async fn run(&self, connection: &Connection) -> Result<Vec<Option<SpaceView>>, Failure> {
        let apps: Vec<&str> = self.0.iter().map(|key| key.app.as_str()).collect();
        let names: Vec<&str> = self.0.iter().map(|key| key.space.as_str()).collect();
        let statement = &connection.statements.find_spaces;
        let rows = connection.client.query(statement, &[&apps, &names]).await?;
        let mut views = vec![None; self.0.len()];
        for row in &rows {
            let no: i64 = row.try_get(11).map_err(|e| unreadable(&e))?;
            views[no as usize - 1] = Some(SpaceRow::read(row)?.view);
        }
        Ok(views)
    }
}

/// [`crate::Store::spaces`].
pub(super) struct List<'a> {
    pub(super) after: Option<&'a SpaceKey>,
    pub(super) limit: usize,
}

impl Call for List<'_> {
    type Answer = Vec<SpaceKey>;

    async fn run(&self, connection: &Connection) -> Result<Vec<SpaceKey>, Failure> {
        // Names are never empty, so ('', '') is before the first.
        let (app, space) = self
            .after
            .map_or(("", ""), |key| (key.app.as_str(), key.space.as_str()));
        let asked = [&app as _, &space as _, &bigint(self.limit) as _];
        let rows = connection.client.query(LIST, &asked).await?;
        let name = |row: &Row| {
            let text = |at| row.try_get::<_, &str>(at).map_err(|e| unreadable(&e));
            Ok(SpaceKey {
                app: AppId::trusted(text(0)?),
                space: SpaceId::trusted(text(1)?),
            })
        };
        rows.iter().map(name).collect()
    }
}

/// [`crate::Store::spaces_named`].
pub(super) struct Named<'a>(pub(super) &'a SpaceId);

impl Call for Named<'_> {
    type Answer = Vec<SpaceKey>;

    async fn run(&self, connection: &Connection) -> Result<Vec<SpaceKey>, Failure> {
        let rows = connection.client.query(NAMED, &[&self.0.as_str()]).await?;
        let key = |row: &Row| {
            let app: &str = row.try_get(0).map_err(|e| unreadable(&e))?;
            Ok(SpaceKey {
                app: AppId::trusted(app),
                space: self.0.clone(),
            })
        };
        rows.iter().map(key).collect()
    }
}

/// Creates a space unless another was faster, and returns it as it is then.
pub(super) struct Create<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) epoch: Epoch,
    pub(super) now_ms: WallMs,
}

impl Call for Create<'_> {
    type Answer = SpaceView;

    async fn run(&self, connection: &Connection) -> Result<SpaceView, Failure> {
        let statement = &connection.statements.create_space;
        let (app, name) = (self.space.app.as_str(), self.space.space.as_str());
        let (epoch, now_ms) = (self.epoch.0 as i64, self.now_ms as i64);
        let clock = ordered_clock(Hlc::default());
        connection
            .client
            .execute(statement, &[&app, &name, &epoch, &now_ms, &clock])
            .await?;
        Ok(opened(find(connection, self.space).await?)?.view)
    }
}

/// Changes the epoch if it is the expected one, and returns the space as it is then.
pub(super) struct ChangeEpoch<'a> {
    pub(super) space: &'a SpaceKey,
    /// The epoch it replaces; of another one nothing happens.
    pub(super) expected: Epoch,
    /// The new one.
    pub(super) epoch: Epoch,
    /// When.
    pub(super) now_ms: WallMs,
}

impl Call for ChangeEpoch<'_> {
    type Answer = SpaceView;

    async fn run(&self, connection: &Connection) -> Result<SpaceView, Failure> {
        let statement = &connection.statements.change_epoch;
        let (app, name) = (self.space.app.as_str(), self.space.space.as_str());
        let (expected, epoch) = (self.expected.0 as i64, self.epoch.0 as i64);
        let (now_ms, apart) = (self.now_ms as i64, EPOCH_APART_MS as i64);
        connection
            .client
            .execute(
                statement,
                &[&app, &name, &expected, &epoch, &now_ms, &apart],
            )
            .await?;
        Ok(opened(find(connection, self.space).await?)?.view)
    }
}

/// [`crate::Store::forget_unwritten`].
pub(super) struct ForgetUnwritten<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) before_ms: WallMs,
}

impl Call for ForgetUnwritten<'_> {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Failure> {
        transaction(connection, BEGIN, async {
            let (app, name) = (self.space.app.as_str(), self.space.space.as_str());
            let before_ms = self.before_ms as i64;
            let client = &connection.client;
            client.execute(LOCK, &[&app, &name]).await?;
            let asked = [&app as _, &name as _, &before_ms as _];
            Ok(client.execute(FORGET_UNWRITTEN, &asked).await? > 0)
        })
        .await
    }
}
