//! Writing everything into an empty file, space by space.
//!
//! The parts of a space stand under a number that no space has, until its row is written last.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use syncline_protocol::codec;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::SqliteStore;
use super::{commit, dead_letters, jobs, space};
use crate::random;
use crate::transfer::{
    Begun, ClientImage, Counts, Import, ImportError, ImportRun, Part, RecordImage, SpaceImage,
    VerdictImage, epoch_at_after, hex,
};
use crate::types::{DeadLetter, SpaceView, StoreError, epoch_after};

const UNFINISHED: &str = "SELECT archive FROM imports WHERE ended_at IS NULL";

const FINISHED: &str = "SELECT count(*) FROM imports WHERE archive = ?1 AND ended_at IS NOT NULL";

const SPACES: &str = "SELECT count(*) FROM spaces";

const BEGIN: &str = "INSERT INTO imports(archive, run, began_at) VALUES(?1, ?2, ?3)
    ON CONFLICT(archive) DO UPDATE SET run = excluded.run";

/// Only of the run that began last.
const HALF: &str = "SELECT sid FROM imports WHERE archive = ?1 AND run = ?2 AND ended_at IS NULL";

const REMOVE: [&str; 4] = [
    "DELETE FROM records WHERE sid = ?1",
    "DELETE FROM verdicts WHERE sid = ?1",
    "DELETE FROM clients WHERE sid = ?1",
    "DELETE FROM dead_letters WHERE sid = ?1",
];

const NEXT_SID: &str = "SELECT coalesce(max(sid), 0) + 1 FROM spaces";

const BEGIN_SPACE: &str = "UPDATE imports SET sid = ?2, app = ?3, space = ?4 WHERE archive = ?1";

const WRITE_CLIENT: &str = "INSERT INTO clients(sid, usr, client, writer, last, used_at, given)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const WRITE_VERDICT: &str = "INSERT INTO verdicts(sid, writer, slot, m, hash, verdict)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6)";

const WRITE_RECORD: &str = "INSERT INTO records(sid, seq, tbl, id, dead_at, state)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6)";

const WRITE_DEAD_LETTER: &str =
    "INSERT INTO dead_letters(sid, at, usr, client, tbl, id, code, hash, change)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM clients WHERE sid = ?1),
    (SELECT count(*) FROM verdicts WHERE sid = ?1),
    (SELECT count(*) FROM records WHERE sid = ?1),
    (SELECT count(*) FROM dead_letters WHERE sid = ?1),
    (SELECT count(*) FROM jobs WHERE sid = ?1)";

const WRITE_SPACE: &str = "INSERT INTO spaces(sid, app, space, epoch, epoch_at, lost_at, head,
        gc_seq, clock, live, writers, swept, erased_at)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT(app, space) DO NOTHING";

const END_SPACE: &str =
    "UPDATE imports SET sid = NULL, app = NULL, space = NULL WHERE archive = ?1";

const END: &str = "UPDATE imports SET ended_at = ?3
    WHERE archive = ?1 AND run = ?2 AND ended_at IS NULL AND sid IS NULL";

#[async_trait]
impl Import for SqliteStore {
    async fn begin_import(&self, archive: [u8; 32], now_ms: WallMs) -> Result<Begun, ImportError> {
        let run = ImportRun {
            archive,
            run: random()?,
        };
        self.writing(move |tx| begin(tx, run, now_ms)).await
    }

    async fn begin_space(
        &self,
        run: ImportRun,
        space: &SpaceKey,
    ) -> Result<Option<SpaceView>, ImportError> {
        let space = space.clone();
        self.writing(move |tx| begin_space(tx, run, &space)).await
    }

    async fn import_part(&self, run: ImportRun, part: Part) -> Result<(), ImportError> {
        self.writing(move |tx| {
            let sid = half_written(tx, run)?;
            Ok(write(tx, sid, &part)?)
        })
        .await
    }

    async fn end_space(
        &self,
        run: ImportRun,
        space: SpaceImage,
        (expected, now_ms): (Counts, WallMs),
    ) -> Result<SpaceView, ImportError> {
        let random = random()?;
        self.writing(move |tx| {
            let image = renewed(space, (random, now_ms));
            end_space(tx, run, &image, expected)
        })
        .await
    }

    async fn end_import(&self, run: ImportRun, now_ms: WallMs) -> Result<(), ImportError> {
        self.writing(move |tx| {
            let ended = params![run.archive, run.run as i64, now_ms as i64];
            match tx
                .prepare_cached(END)
                .map_err(sql)?
                .execute(ended)
                .map_err(sql)?
            {
                0 => Err(ImportError::TakenOver),
                _ => Ok(()),
            }
        })
        .await
    }
}

impl SqliteStore {
    /// Runs a job of an import in a transaction of its own; an error undoes it.
    async fn writing<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, ImportError> + Send + 'static,
    ) -> Result<T, ImportError> {
        let run = move |conn: &mut Connection| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            match job(&tx) {
                Ok(done) => {
                    tx.commit()?;
                    Ok(Ok(done))
                }
                Err(ImportError::Store(error)) => Err(error),
                Err(refused) => Ok(Err(refused)),
            }
        };
        self.writer.run(run).await?
    }
}

/// The space under a new epoch.
fn renewed(mut image: SpaceImage, (random, now_ms): (u64, WallMs)) -> SpaceImage {
    image.view.epoch = epoch_after(image.view.epoch, random);
    image.view.epoch_at_ms = epoch_at_after(image.view.epoch_at_ms, now_ms);
    image
}

fn sql(error: rusqlite::Error) -> StoreError {
    error.into()
}

pub(super) fn unfinished(conn: &Connection) -> Result<Option<[u8; 32]>, StoreError> {
    let found = conn.query_row(UNFINISHED, [], |row| row.get(0));
    Ok(found.optional()?)
}

fn begin(tx: &Transaction<'_>, run: ImportRun, now_ms: WallMs) -> Result<Begun, ImportError> {
    let unfinished = unfinished(tx)?;
    let count = |sql_text, params: &[&dyn rusqlite::ToSql]| -> Result<u64, StoreError> {
        let count: i64 = tx.query_row(sql_text, params, |row| row.get(0))?;
        Ok(count as u64)
    };
    let spaces = count(SPACES, &[])?;
    match unfinished {
        Some(other) if other != run.archive => return Err(ImportError::Other(hex(&other))),
        Some(_) => {}
        None if count(FINISHED, &[&run.archive])? > 0 => return Err(ImportError::Imported),
        None if spaces > 0 => return Err(ImportError::NotEmpty(spaces)),
        None => {}
    }
    let began = params![run.archive, run.run as i64, now_ms as i64];
    tx.execute(BEGIN, began).map_err(sql)?;
    Ok(Begun {
        run,
        spaces_before: spaces,
    })
}

/// The number of the half-written space; `None` between two spaces.
fn half(tx: &Transaction<'_>, run: ImportRun) -> Result<Option<i64>, ImportError> {
    let mut statement = tx.prepare_cached(HALF).map_err(sql)?;
    let found = statement
        .query_row(params![run.archive, run.run as i64], |row| row.get(0))
        .optional();
    found.map_err(sql)?.ok_or(ImportError::TakenOver)
}

fn half_written(tx: &Transaction<'_>, run: ImportRun) -> Result<i64, ImportError> {
    let none = || StoreError::Unavailable("no space was begun".to_owned());
    Ok(half(tx, run)?.ok_or_else(none)?)
}

fn begin_space(
    tx: &Transaction<'_>,
    run: ImportRun,
    space: &SpaceKey,
) -> Result<Option<SpaceView>, ImportError> {
    if let Some(sid) = half(tx, run)? {
        for text in REMOVE.into_iter().chain(jobs::REMOVE) {
            tx.prepare_cached(text)
                .and_then(|mut remove| remove.execute([sid]))
                .map_err(sql)?;
        }
        tx.execute(END_SPACE, [run.archive]).map_err(sql)?;
    }
    if let Some(row) = space::find(tx, space)? {
        return Ok(Some(row.view));
    }
    // Nobody else may make a space now, so the number stays free.
    let next: i64 = tx.query_row(NEXT_SID, [], |row| row.get(0)).map_err(sql)?;
    let names = (space.app.as_str(), space.space.as_str());
    let begun = params![run.archive, next, names.0, names.1];
    tx.prepare_cached(BEGIN_SPACE)
        .and_then(|mut begin| begin.execute(begun))
        .map_err(sql)?;
    Ok(None)
}

fn write(tx: &Transaction<'_>, sid: i64, part: &Part) -> Result<(), StoreError> {
    match part {
        Part::Clients(all) => all.iter().try_for_each(|one| write_client(tx, sid, one)),
        Part::Verdicts(all) => all.iter().try_for_each(|one| write_verdict(tx, sid, one)),
        Part::Records(all) => all.iter().try_for_each(|one| write_record(tx, sid, one)),
        Part::DeadLetters(all) => all.iter().try_for_each(|one| write_letter(tx, sid, one)),
        Part::Jobs(all) => all.iter().try_for_each(|one| jobs::import(tx, sid, one)),
    }
}

fn write_client(tx: &Transaction<'_>, sid: i64, client: &ClientImage) -> Result<(), StoreError> {
    let mark = &client.mark;
    tx.prepare_cached(WRITE_CLIENT)?.execute(params![
        sid,
        client.key.user.as_str(),
        client.key.client.as_str(),
        mark.writer.0,
        mark.last.map(|last| last as i64),
        client.used.to_stored(),
        mark.given.as_deref().map(codec::encode_given)
    ])?;
    Ok(())
}

fn write_verdict(tx: &Transaction<'_>, sid: i64, image: &VerdictImage) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(WRITE_VERDICT)?;
    commit::write_verdict(&mut statement, (sid, image.writer), &image.remembered)
}

fn write_record(tx: &Transaction<'_>, sid: i64, image: &RecordImage) -> Result<(), StoreError> {
    tx.prepare_cached(WRITE_RECORD)?.execute(params![
        sid,
        image.record.seq.0 as i64,
        image.key.table.as_str(),
        image.key.id.as_str(),
        image.dead.map(|since| since.to_stored()),
        codec::encode_record(&image.record)
    ])?;
    Ok(())
}

fn write_letter(tx: &Transaction<'_>, sid: i64, letter: &DeadLetter) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(WRITE_DEAD_LETTER)?;
    dead_letters::write_one(&mut statement, (sid, letter.at_ms), letter)
}

fn end_space(
    tx: &Transaction<'_>,
    run: ImportRun,
    image: &SpaceImage,
    expected: Counts,
) -> Result<SpaceView, ImportError> {
    let sid = half_written(tx, run)?;
    let found = counted(tx, sid)?;
    if found != expected {
        return Err(ImportError::Differs {
            space: image.key.clone(),
            expected: Box::new(expected),
            found: Box::new(found),
        });
    }
    let view = &image.view;
    let written = params![
        sid,
        image.key.app.as_str(),
        image.key.space.as_str(),
        view.epoch.0 as i64,
        view.epoch_at_ms as i64,
        view.lost_at_ms as i64,
        view.head.0 as i64,
        view.gc_seq.0 as i64,
        view.clock.to_bits() as i64,
        view.live as i64,
        view.writers.0,
        view.swept.0 as i64,
        image.erased_at_ms as i64
    ];
    let mut statement = tx.prepare_cached(WRITE_SPACE).map_err(sql)?;
    if statement.execute(written).map_err(sql)? == 0 {
        return Err(ImportError::SpaceTaken(image.key.clone()));
    }
    jobs::import_queues(tx, sid).map_err(sql)?;
    tx.prepare_cached(END_SPACE)
        .and_then(|mut end| end.execute([run.archive]))
        .map_err(sql)?;
    Ok(space::get(tx, &image.key)?.view)
}

fn counted(tx: &Transaction<'_>, sid: i64) -> Result<Counts, StoreError> {
    let mut statement = tx.prepare_cached(COUNTS)?;
    let counts = statement.query_row([sid], |row| {
        let count = |at| row.get::<_, i64>(at).map(|count| count as u64);
        Ok(Counts {
            clients: count(0)?,
            verdicts: count(1)?,
            records: count(2)?,
            dead_letters: count(3)?,
            jobs: count(4)?,
        })
    })?;
    Ok(counts)
}
