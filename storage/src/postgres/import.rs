//! Writing everything into an empty database, space by space.
//!
//! The parts of a space stand under a number that no space has, until its row is written last. A
//! refusal comes before anything is written.

use async_trait::async_trait;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::PostgresStore;
use super::call::{BEGIN_PATIENT, Call, transaction};
use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::import_rows::write;
use super::jobs;
use super::space::{find, opened, ordered_clock};
use crate::random;
use crate::transfer::{
    Begun, Counts, Import, ImportError, ImportRun, Part, SpaceImage, epoch_at_after, hex,
};
use crate::types::{SpaceView, StoreError, epoch_after};

/// No hub makes a space between the look whether there is one and the import that forbids it.
const LOCK_SPACES: &str = "LOCK TABLE syncline.spaces IN SHARE ROW EXCLUSIVE MODE";

const UNFINISHED: &str = "SELECT archive FROM syncline.imports WHERE ended_at IS NULL";

const COUNT_BEFORE: &str = "SELECT (SELECT count(*) FROM syncline.spaces),
    (SELECT count(*) FROM syncline.imports WHERE archive = $1 AND ended_at IS NOT NULL)";

const WRITE_IMPORT: &str = "INSERT INTO syncline.imports(archive, run, began_at) VALUES($1, $2, $3)
    ON CONFLICT (archive) DO UPDATE SET run = excluded.run";

/// Only of the run that began last. The lock has others wait.
const HALF: &str = "SELECT sid FROM syncline.imports
    WHERE archive = $1 AND run = $2 AND ended_at IS NULL FOR UPDATE";

const REMOVE: [&str; 4] = [
    "DELETE FROM syncline.record_states WHERE sid = $1",
    "DELETE FROM syncline.verdicts WHERE sid = $1",
    "DELETE FROM syncline.clients WHERE sid = $1",
    "DELETE FROM syncline.dead_letters WHERE sid = $1",
];

/// The number comes from where those of new spaces do.
const BEGIN_SPACE: &str = "UPDATE syncline.imports
    SET sid = nextval(pg_get_serial_sequence('syncline.spaces', 'sid')), app = $2, space = $3
    WHERE archive = $1";

const END_SPACE: &str = "UPDATE syncline.imports SET sid = NULL, app = NULL, space = NULL
    WHERE archive = $1";

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM syncline.clients WHERE sid = $1),
    (SELECT count(*) FROM syncline.verdicts WHERE sid = $1),
    (SELECT count(*) FROM syncline.record_states WHERE sid = $1),
    (SELECT count(*) FROM syncline.dead_letters WHERE sid = $1),
    (SELECT count(*) FROM syncline.jobs WHERE sid = $1)";

const WRITE_SPACE: &str = "INSERT INTO syncline.spaces(sid, app, space, epoch, epoch_at, lost_at,
        head, gc_seq, clock, live, writers, swept, erased_at)
    OVERRIDING SYSTEM VALUE VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (app, space) DO NOTHING";

const END: &str = "UPDATE syncline.imports SET ended_at = $3
    WHERE archive = $1 AND run = $2 AND ended_at IS NULL AND sid IS NULL";

#[async_trait]
impl Import for PostgresStore {
    async fn begin_import(&self, archive: [u8; 32], now_ms: WallMs) -> Result<Begun, ImportError> {
        let run = ImportRun {
            archive,
            run: random()?,
        };
        self.call_patiently(BeginImport { run, now_ms }).await?
    }

    async fn begin_space(
        &self,
        run: ImportRun,
        space: &SpaceKey,
    ) -> Result<Option<SpaceView>, ImportError> {
        self.call_patiently(BeginSpace { run, space }).await?
    }

    async fn import_part(&self, run: ImportRun, part: Part) -> Result<(), ImportError> {
        self.call_patiently(WritePart { run, part }).await?
    }

    async fn end_space(
        &self,
        run: ImportRun,
        space: SpaceImage,
        (expected, now_ms): (Counts, WallMs),
    ) -> Result<SpaceView, ImportError> {
        let end = EndSpace {
            run,
            space,
            expected,
            random: random()?,
            now_ms,
        };
        self.call_patiently(end).await?
    }

    async fn end_import(&self, run: ImportRun, now_ms: WallMs) -> Result<(), ImportError> {
        self.call_patiently(EndImport { run, now_ms }).await?
    }
}

/// What a step answers: a refusal is an answer too.
type Step<T> = Result<T, ImportError>;

struct BeginImport {
    run: ImportRun,
    now_ms: WallMs,
}

impl Call for BeginImport {
    type Answer = Step<Begun>;

    async fn run(&self, connection: &Connection) -> Result<Step<Begun>, Failure> {
        let client = &connection.client;
        let archive = &self.run.archive[..];
        let beginning = async {
            client.batch_execute(LOCK_SPACES).await?;
            let unfinished = unfinished(connection).await?;
            let before = client.query_one(COUNT_BEFORE, &[&archive]).await?;
            let spaces = number(&before, 0)? as u64;
            match unfinished {
                Some(other) if other != archive => {
                    return Ok(Err(ImportError::Other(hex(&other))));
                }
                Some(_) => {}
                None if number(&before, 1)? > 0 => return Ok(Err(ImportError::Imported)),
                None if spaces > 0 => return Ok(Err(ImportError::NotEmpty(spaces))),
                None => {}
            }
            let (run, now_ms) = (self.run.run as i64, self.now_ms as i64);
            client
                .execute(WRITE_IMPORT, &[&archive, &run, &now_ms])
                .await?;
            Ok(Ok(Begun {
                run: self.run,
                spaces_before: spaces,
            }))
        };
        transaction(connection, BEGIN_PATIENT, beginning).await
    }
}

async fn unfinished(connection: &Connection) -> Result<Option<Vec<u8>>, Failure> {
    let found = connection.client.query_opt(UNFINISHED, &[]).await?;
    let archive = |row: &tokio_postgres::Row| row.try_get(0).map_err(|e| unreadable(&e));
    Ok(found.as_ref().map(archive).transpose()?)
}

fn number(row: &tokio_postgres::Row, at: usize) -> Result<i64, StoreError> {
    row.try_get(at).map_err(|e| unreadable(&e))
}

/// The number of the half-written space; `None` between two spaces.
async fn half(connection: &Connection, run: ImportRun) -> Result<Step<Option<i64>>, Failure> {
    let asked = [&&run.archive[..] as _, &(run.run as i64) as _];
    let Some(row) = connection.client.query_opt(HALF, &asked).await? else {
        return Ok(Err(ImportError::TakenOver));
    };
    Ok(Ok(row.try_get(0).map_err(|e| unreadable(&e))?))
}

/// Its number where there must be one.
async fn half_written(connection: &Connection, run: ImportRun) -> Result<Step<i64>, Failure> {
    let none = || StoreError::Unavailable("no space was begun".to_owned());
    Ok(match half(connection, run).await? {
        Ok(sid) => Ok(sid.ok_or_else(none)?),
        Err(refused) => Err(refused),
    })
}

struct BeginSpace<'a> {
    run: ImportRun,
    space: &'a SpaceKey,
}

impl Call for BeginSpace<'_> {
    type Answer = Step<Option<SpaceView>>;

    async fn run(&self, connection: &Connection) -> Result<Step<Option<SpaceView>>, Failure> {
        let client = &connection.client;
        let archive = &self.run.archive[..];
        let beginning = async {
            let half = match half(connection, self.run).await? {
                Ok(half) => half,
                Err(refused) => return Ok(Err(refused)),
            };
            if let Some(sid) = half {
                for sql in REMOVE.into_iter().chain(jobs::REMOVE) {
                    client.execute(sql, &[&sid]).await?;
                }
                client.execute(END_SPACE, &[&archive]).await?;
            }
            if let Some(row) = find(connection, self.space).await? {
                return Ok(Ok(Some(row.view)));
            }
            let (app, name) = (self.space.app.as_str(), self.space.space.as_str());
            client
                .execute(BEGIN_SPACE, &[&archive, &app, &name])
                .await?;
            Ok(Ok(None))
        };
        transaction(connection, BEGIN_PATIENT, beginning).await
    }
}

struct WritePart {
    run: ImportRun,
    part: Part,
}

impl Call for WritePart {
    type Answer = Step<()>;

    async fn run(&self, connection: &Connection) -> Result<Step<()>, Failure> {
        let writing = async {
            match half_written(connection, self.run).await? {
                Ok(sid) => write(connection, sid, &self.part).await.map(Ok),
                Err(refused) => Ok(Err(refused)),
            }
        };
        transaction(connection, BEGIN_PATIENT, writing).await
    }
}

struct EndSpace {
    run: ImportRun,
    space: SpaceImage,
    expected: Counts,
    random: u64,
    now_ms: WallMs,
}

impl Call for EndSpace {
    type Answer = Step<SpaceView>;

    async fn run(&self, connection: &Connection) -> Result<Step<SpaceView>, Failure> {
        transaction(connection, BEGIN_PATIENT, self.in_transaction(connection)).await
    }
}

impl EndSpace {
    async fn in_transaction(&self, connection: &Connection) -> Result<Step<SpaceView>, Failure> {
        let client = &connection.client;
        let sid = match half_written(connection, self.run).await? {
            Ok(sid) => sid,
            Err(refused) => return Ok(Err(refused)),
        };
        let counts = client.query_one(COUNTS, &[&sid]).await?;
        let count = |at| number(&counts, at).map(|count| count as u64);
        let found = Counts {
            clients: count(0)?,
            verdicts: count(1)?,
            records: count(2)?,
            dead_letters: count(3)?,
            jobs: count(4)?,
        };
        let key = &self.space.key;
        if found != self.expected {
            return Ok(Err(ImportError::Differs {
                space: key.clone(),
                expected: Box::new(self.expected),
                found: Box::new(found),
            }));
        }
        if self.write_space(connection, sid).await? == 0 {
            return Ok(Err(ImportError::SpaceTaken(key.clone())));
        }
        client.execute(jobs::IMPORTED, &[&sid]).await?;
        client.execute(jobs::IMPORT_QUEUES, &[&sid]).await?;
        let archive = &self.run.archive[..];
        client.execute(END_SPACE, &[&archive]).await?;
        Ok(Ok(opened(find(connection, key).await?)?.view))
    }

    async fn write_space(&self, connection: &Connection, sid: i64) -> Result<u64, Failure> {
        let (key, view) = (&self.space.key, &self.space.view);
        let epoch = epoch_after(view.epoch, self.random);
        let epoch_at_ms = epoch_at_after(view.epoch_at_ms, self.now_ms);
        let written = connection
            .client
            .execute(
                WRITE_SPACE,
                &[
                    &sid,
                    &key.app.as_str(),
                    &key.space.as_str(),
                    &(epoch.0 as i64),
                    &(epoch_at_ms as i64),
                    &(view.lost_at_ms as i64),
                    &(view.head.0 as i64),
                    &(view.gc_seq.0 as i64),
                    &ordered_clock(view.clock),
                    &(view.live as i64),
                    &i64::from(view.writers.0),
                    &(view.swept.0 as i64),
                    &(self.space.erased_at_ms as i64),
                ],
            )
            .await?;
        Ok(written)
    }
}

struct EndImport {
    run: ImportRun,
    now_ms: WallMs,
}

impl Call for EndImport {
    type Answer = Step<()>;

    async fn run(&self, connection: &Connection) -> Result<Step<()>, Failure> {
        let (archive, run) = (&self.run.archive[..], self.run.run as i64);
        let ended = [&archive as _, &run as _, &(self.now_ms as i64) as _];
        Ok(match connection.client.execute(END, &ended).await? {
            0 => Err(ImportError::TakenOver),
            _ => Ok(()),
        })
    }
}

/// [`crate::transfer::Export::is_half_imported`].
pub(super) struct IsHalf;

impl Call for IsHalf {
    type Answer = bool;

    async fn run(&self, connection: &Connection) -> Result<bool, Failure> {
        Ok(unfinished(connection).await?.is_some())
    }
}
