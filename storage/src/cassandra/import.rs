//! Writing everything into an empty keyspace, space by space.
//!
//! What is being brought in stands in the table `imports`: the archive, the run that may write,
//! and the space that is half written. The parts of a space stand in its partition, in which there
//! is no space until its static columns are written last. Every batch tests that its run is the
//! last that began the space.

mod writing;

use std::collections::HashMap;

use async_trait::async_trait;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use self::writing::Writing;
use super::CassandraStore;
use super::erase::push_remove_rows;
use super::failure::{Failure, contended};
use super::jobs;
use super::row::{Found, Place, kind, ordered_clock};
use super::server::{Columns, Level, Server, Writes, of};
use super::space::{ends, find, list, opened, push_ends, put_name};
use super::statements::Text;
use super::tries::RACES_MAX;
use super::value::Value;
use crate::random;
use crate::transfer::{
    Begun, Counts, Import, ImportError, ImportRun, Part, SpaceImage, epoch_at_after, hex,
};
use crate::types::{SpaceView, StoreError, epoch_after};

/// Rows counted at once.
const COUNTED_MAX: usize = 5_000;

impl From<Failure> for ImportError {
    fn from(failure: Failure) -> ImportError {
        ImportError::Store(failure.into())
    }
}

/// What the table `imports` says.
#[derive(Debug, Default)]
struct State {
    /// The archive that is being brought in, the run that may write, and the half-written space.
    unfinished: Option<(Vec<u8>, i64, Option<SpaceKey>)>,
    /// Those brought in whole.
    ended: Vec<Vec<u8>>,
}

/// Whether an import was begun and not finished.
pub(super) async fn unfinished(server: &Server) -> Result<bool, Failure> {
    Ok(state(server).await?.unfinished.is_some())
}

async fn state(server: &Server) -> Result<State, Failure> {
    let rows = server.ask((Text::Imports, Level::Serial), ()).await?;
    let mut state = State::default();
    for cells in rows.cells()? {
        if let Some(archive) = cells.bytes(0) {
            let half = cells.bytes(2).is_some().then_some(SpaceKey {
                app: AppId::trusted(cells.text(2)?),
                space: SpaceId::trusted(cells.text(3)?),
            });
            state.unfinished = Some((archive.to_vec(), cells.number_there(1)?, half));
        }
        if let Some(ended) = cells.bytes(4) {
            state.ended.push(ended.to_vec());
        }
    }
    Ok(state)
}

/// The half-written space of a run that may write.
async fn half(server: &Server, run: ImportRun) -> Result<Option<SpaceKey>, ImportError> {
    match state(server).await?.unfinished {
        Some((archive, stored, half)) if archive == run.archive && stored == run.run as i64 => {
            Ok(half)
        }
        _ => Err(ImportError::TakenOver),
    }
}

async fn half_written(server: &Server, run: ImportRun) -> Result<SpaceKey, ImportError> {
    let none = || StoreError::Unavailable("no space was begun".to_owned());
    Ok(half(server, run).await?.ok_or_else(none)?)
}

/// Writes one statement of `imports`, if its condition holds.
async fn step(server: &Server, text: Text, values: Vec<Value<'_>>) -> Result<bool, Failure> {
    let mut writes = Writes::default();
    writes.push(text, values);
    server.write(&writes).await
}

fn taken_over_unless(done: bool) -> Result<(), ImportError> {
    match done {
        true => Ok(()),
        false => Err(ImportError::TakenOver),
    }
}

async fn count_spaces(server: &Server) -> Result<u64, Failure> {
    let (mut count, mut seen) = (0, None);
    loop {
        let some = list(server, seen.as_ref(), COUNTED_MAX).await?;
        count += some.len() as u64;
        match some.last() {
            Some(last) => seen = Some(last.clone()),
            None => return Ok(count),
        }
    }
}

#[async_trait]
impl Import for CassandraStore {
    async fn begin_import(&self, archive: [u8; 32], _: WallMs) -> Result<Begun, ImportError> {
        let server = &self.server;
        let run = ImportRun {
            archive,
            run: random()?,
        };
        for _ in 0..RACES_MAX {
            let state = state(server).await?;
            let spaces = count_spaces(server).await?;
            let done = match &state.unfinished {
                Some((other, _, _)) if other[..] != archive => {
                    return Err(ImportError::Other(hex(other)));
                }
                Some((_, before, _)) => {
                    let values = vec![
                        Value::Int(run.run as i64),
                        Value::Blob(archive.to_vec()),
                        Value::Int(*before),
                    ];
                    step(server, Text::TakeOver, values).await?
                }
                None if state.ended.iter().any(|ended| ended[..] == archive) => {
                    return Err(ImportError::Imported);
                }
                None if spaces > 0 => return Err(ImportError::NotEmpty(spaces)),
                None => begin(server, run).await?,
            };
            if done {
                return Ok(Begun {
                    run,
                    spaces_before: spaces,
                });
            }
        }
        Err(contended().into())
    }

    async fn begin_space(
        &self,
        run: ImportRun,
        space: &SpaceKey,
    ) -> Result<Option<SpaceView>, ImportError> {
        let server = &self.server;
        let ours = Value::Int(run.run as i64);
        if let Some(half) = half(server, run).await? {
            // If it is whole the condition does not hold, and it stays.
            let mut writes = Writes::default();
            writes.push(Text::DropSpace, of(&half));
            push_remove_rows(&mut writes, &half);
            server.write(&writes).await?;
            let done = step(server, Text::NoHalf, vec![ours.clone()]).await?;
            taken_over_unless(done)?;
        }
        if let Found::Space(row) = find(server, space).await? {
            return match row.brought {
                Some(by) if by == archive_no(run) => Ok(Some(row.view)),
                // By a hub, which looked before the import began.
                _ => Err(ImportError::SpaceTaken(space.clone())),
            };
        }
        put_name(server, space).await?;
        let mut values = of(space);
        values.push(ours.clone());
        taken_over_unless(step(server, Text::Half, values).await?)?;
        let mut writes = Writes::default();
        let mut values = vec![ours];
        values.extend(of(space));
        writes.push(Text::BeginSpace, values);
        match server.write(&writes).await? {
            true => Ok(None),
            false => Err(ImportError::SpaceTaken(space.clone())),
        }
    }

    async fn import_part(&self, run: ImportRun, part: Part) -> Result<(), ImportError> {
        let space = half_written(&self.server, run).await?;
        let writing = Writing {
            server: &self.server,
            space: &space,
            run,
        };
        match &part {
            Part::Clients(all) => writing.clients(all).await,
            Part::Verdicts(all) => writing.verdicts(all).await,
            Part::Records(all) => writing.records(all).await,
            Part::DeadLetters(all) => writing.dead_letters(all).await,
            Part::Jobs(all) => writing.jobs(all).await,
        }
    }

    async fn end_space(
        &self,
        run: ImportRun,
        space: SpaceImage,
        (expected, now_ms): (Counts, WallMs),
    ) -> Result<SpaceView, ImportError> {
        let server = &self.server;
        let key = half_written(server, run).await?;
        let jobs = ordered_jobs(server, &key).await?;
        let mut found = counts(server, &key).await?;
        found.jobs = jobs.len() as u64;
        if found != expected {
            return Err(ImportError::Differs {
                space: key,
                expected: Box::new(expected),
                found: Box::new(found),
            });
        }
        let id = random()? as i64;
        let epoch = epoch_after(space.view.epoch, random()?);
        let mut writes = Writes::default();
        let at_ms = epoch_at_after(space.view.epoch_at_ms, now_ms);
        let mut values = end_values(&space, (epoch.0, at_ms), id);
        values.push(Value::Int(archive_no(run)));
        values.extend(of(&key));
        values.push(Value::Int(run.run as i64));
        writes.push(Text::EndSpace, values);
        let mut ends = ends();
        ends.push(Place::end(kind::ORDER));
        push_ends(&mut writes, &key, &ends);
        jobs::open_queues(server, (&mut writes, &key), &jobs).await?;
        if !server.write(&writes).await? {
            return match find(server, &key).await?.space() {
                Some(_) => Err(ImportError::SpaceTaken(key)),
                None => Err(ImportError::TakenOver),
            };
        }
        let ours = vec![Value::Int(run.run as i64)];
        taken_over_unless(step(server, Text::NoHalf, ours).await?)?;
        Ok(opened(server, &key).await?.view)
    }

    async fn end_import(&self, run: ImportRun, now_ms: WallMs) -> Result<(), ImportError> {
        let server = &self.server;
        half(server, run).await?;
        let mut writes = Writes::default();
        writes.push(Text::EndImport, vec![Value::Int(run.run as i64)]);
        let archive = vec![Value::Blob(run.archive.to_vec()), Value::Int(now_ms as i64)];
        writes.push(Text::PutArchive, archive);
        taken_over_unless(server.write(&writes).await?)
    }
}

/// From now on no space is made that is not brought in. One that was, in the moment between the
/// look and this, has the import given up.
async fn begin(server: &Server, run: ImportRun) -> Result<bool, ImportError> {
    let ours = Value::Int(run.run as i64);
    let values = vec![Value::Blob(run.archive.to_vec()), ours.clone()];
    if !step(server, Text::BeginImport, values).await? {
        return Ok(false);
    }
    match count_spaces(server).await? {
        0 => Ok(true),
        spaces => {
            step(server, Text::GiveUp, vec![ours]).await?;
            Err(ImportError::NotEmpty(spaces))
        }
    }
}

/// How a space says which archive it came in.
fn archive_no(run: ImportRun) -> i64 {
    let first = run.archive.first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}

fn end_values(
    space: &SpaceImage,
    (epoch, epoch_at_ms): (u64, WallMs),
    id: i64,
) -> Vec<Value<'static>> {
    let view = &space.view;
    vec![
        Value::Int(epoch as i64),
        Value::Int(epoch_at_ms as i64),
        Value::Int(view.lost_at_ms as i64),
        Value::Int(space.erased_at_ms as i64),
        Value::Int(view.head.0 as i64),
        Value::Int(view.gc_seq.0 as i64),
        Value::Int(view.swept.0 as i64),
        Value::Int(ordered_clock(view.clock)),
        Value::Int(view.live as i64),
        Value::Int(i64::from(view.writers.0)),
        Value::Int(id),
    ]
}

/// What was written of a space that is not there yet.
async fn counts(server: &Server, space: &SpaceKey) -> Result<Counts, Failure> {
    let mut counts: HashMap<i8, u64> = HashMap::new();
    for kind in [kind::CLIENT, kind::VERDICT, kind::RECORD, kind::LETTER] {
        let (mut from, to) = (Place::begin(kind), Place::end(kind));
        loop {
            let asked = (Columns::Light, Level::Serial, COUNTED_MAX);
            let rows = server.range(space, (&from, &to), asked).await?;
            let all = rows.all()?;
            *counts.entry(kind).or_default() += all.len() as u64;
            match all.last() {
                Some(last) if all.len() == COUNTED_MAX => from = last.place()?,
                _ => break,
            }
        }
    }
    let of = |kind| counts.get(&kind).copied().unwrap_or(0);
    Ok(Counts {
        clients: of(kind::CLIENT),
        verdicts: of(kind::VERDICT),
        records: of(kind::RECORD),
        dead_letters: of(kind::LETTER),
        jobs: 0,
    })
}

/// Where its jobs stand.
async fn ordered_jobs(server: &Server, space: &SpaceKey) -> Result<Vec<Place>, Failure> {
    let (mut from, to) = (Place::begin(kind::ORDER), Place::end(kind::ORDER));
    let mut places = Vec::new();
    loop {
        let asked = (Columns::Light, Level::Serial, COUNTED_MAX);
        let rows = server.range(space, (&from, &to), asked).await?;
        let all = rows.all()?;
        for row in &all {
            from = row.place()?;
            if !from.is_end() {
                places.push(from.clone());
            }
        }
        if all.len() < COUNTED_MAX {
            return Ok(places);
        }
    }
}
