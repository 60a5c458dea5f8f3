//! Writing everything into an empty keyspace, space by space.
//!
//! What is being brought in stands in the table `imports`: the archive, the run that may write,
//! and the space that is half written. The parts of a space stand in its partition, in which there
//! is no space until its static columns are written last. Every batch tests that its run is the
//! last that began the space.

use std::collections::HashMap;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use syncline_protocol::codec;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::stamp::WallMs;

use super::CassandraStore;
use super::commit::letter_values;
use super::erase::push_remove_rows;
use super::failure::{Failure, contended};
use super::jobs;
use super::row::{ALIVE, Found, Place, kind, ordered_clock};
use super::server::{Columns, Level, Server, Writes, of};
use super::space::{TRIES_MAX, at, ends, find, list, opened, push_ends, put_name};
use super::statements::Text;
use super::value::Value;
use crate::jobs::StoredJob;
use crate::random;
use crate::transfer::{
    Begun, ClientImage, Counts, Import, ImportError, ImportRun, Part, RecordImage, SpaceImage,
    VerdictImage, epoch_at_after, hex,
};
use crate::types::{DeadLetter, SpaceView, StoreError, epoch_after};

/// Bytes written at once, about; one row more than fits is in.
const BATCH_BYTES: usize = 1 << 20;

/// Rows written at once.
const BATCH_ROWS: usize = 1_000;

/// Jobs written at once: their arguments have 64 KiB at most.
const JOBS_AT_ONCE: usize = 64;

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
        for _ in 0..TRIES_MAX {
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

/// A part of a space as it is written, in bounded batches. A part that is cut off is written again
/// from the beginning of its space.
struct Writing<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    run: ImportRun,
}

impl Writing<'_> {
    fn begun(&self) -> Result<Writes<'_>, ImportError> {
        let mut writes = Writes::default();
        let mut values = vec![Value::Int(random()? as i64)];
        values.extend(of(self.space));
        values.push(Value::Int(self.run.run as i64));
        writes.push(Text::ImportPart, values);
        Ok(writes)
    }

    /// Writes rows, of which `add` makes statements.
    async fn all<'r, T: Sync>(
        &'r self,
        rows: &'r [T],
        add: impl Fn(&mut Writes<'r>, &'r T) + Send,
    ) -> Result<(), ImportError> {
        let mut writes = self.begun()?;
        for row in rows {
            if writes.len() >= BATCH_ROWS || writes.bytes() >= BATCH_BYTES {
                let full = std::mem::replace(&mut writes, self.begun()?);
                self.write(&full).await?;
            }
            add(&mut writes, row);
        }
        self.write(&writes).await
    }

    async fn write(&self, writes: &Writes<'_>) -> Result<(), ImportError> {
        taken_over_unless(self.server.write(writes).await?)
    }

    async fn clients(&self, all: &[ClientImage]) -> Result<(), ImportError> {
        let placed: Vec<_> = all
            .iter()
            .map(|one| {
                let place = Place::client(&one.key);
                let n = i64::from(one.mark.writer.0);
                let writer = Place::new(kind::WRITER, n, (&place.a, &place.b));
                (one, place, writer)
            })
            .collect();
        self.all(&placed, |writes, (one, place, writer)| {
            let given = one.mark.given.as_deref();
            let count = given.map_or(0, |given| given.count as i64);
            let given = given.map(codec::encode_given);
            let last = one.mark.last.map(|last| last as i64);
            let mut values = at(self.space, place);
            values.extend([
                Value::Int(i64::from(one.mark.writer.0)),
                last.map_or(Value::Unset, Value::Int),
                Value::Int(one.used.to_stored()),
                given.map_or(Value::Unset, Value::Blob),
                Value::Int(count),
            ]);
            writes.push(Text::PutClient, values);
            writes.push(Text::PutPlace, at(self.space, writer));
        })
        .await
    }

    async fn verdicts(&self, all: &[VerdictImage]) -> Result<(), ImportError> {
        let place = |one: &VerdictImage| Place::verdict(one.writer, one.remembered.m);
        let placed: Vec<_> = all.iter().map(|one| (one, place(one))).collect();
        self.all(&placed, |writes, (one, place)| {
            let mut values = at(self.space, place);
            values.extend([
                Value::Int(one.remembered.m as i64),
                Value::Blob(one.remembered.hash.to_vec()),
                Value::Blob(codec::encode_verdict(&one.remembered.verdict)),
            ]);
            writes.push(Text::PutVerdict, values);
        })
        .await
    }

    async fn records(&self, all: &[RecordImage]) -> Result<(), ImportError> {
        let placed: Vec<_> = all
            .iter()
            .map(|one| {
                let names = (one.key.table.as_str(), one.key.id.as_str());
                let dead_at = one.dead.map_or(ALIVE, |since| since.to_stored());
                let record = Place::new(kind::RECORD, 0, names);
                let change = Place::new(kind::CHANGE, one.record.seq.0 as i64, names);
                let death = Place::new(kind::DEATH, dead_at, names);
                (one, dead_at, [record, change, death])
            })
            .collect();
        self.all(
            &placed,
            |writes, (one, dead_at, [record, change, death])| {
                let state = codec::encode_record(&one.record);
                let bytes = Value::Small(i32::try_from(state.len()).unwrap_or(i32::MAX));
                let mut values = at(self.space, record);
                values.extend([
                    Value::Int(one.record.seq.0 as i64),
                    bytes.clone(),
                    Value::Int(*dead_at),
                    Value::Int(one.committed_or_newest_ms() as i64),
                    Value::Blob(state),
                ]);
                writes.push(Text::PutRecord, values);
                let mut values = at(self.space, change);
                values.push(bytes);
                writes.push(Text::PutChange, values);
                // Nothing is left to be collected of one that is dead for ever.
                if *dead_at != ALIVE && !death.is_end() {
                    writes.push(Text::PutPlace, at(self.space, death));
                }
            },
        )
        .await
    }

    async fn jobs(&self, all: &[StoredJob]) -> Result<(), ImportError> {
        for some in all.chunks(JOBS_AT_ONCE) {
            let mut rows = Writes::default();
            let last = jobs::import(self.server, (&mut rows, self.space), some)?;
            let mut writes = Writes::default();
            let mut values = vec![Value::Int(random()? as i64), Value::Int(last.0 as i64)];
            values.extend(of(self.space));
            values.push(Value::Int(self.run.run as i64));
            writes.push(Text::ImportJobs, values);
            writes.extend(rows);
            self.write(&writes).await?;
        }
        Ok(())
    }

    /// Numbered on from the last one.
    async fn dead_letters(&self, all: &[DeadLetter]) -> Result<(), ImportError> {
        let (app, name) = (self.space.app.as_str(), self.space.space.as_str());
        let values = (app, name, kind::LETTER, 1i32);
        let rows = self.server.ask((Text::Last, Level::Serial), values).await?;
        let last = rows.all()?.first().map(|row| row.place()).transpose()?;
        let last = last.map_or(0, |place| place.n);
        let placed: Vec<_> = all
            .iter()
            .zip(last + 1..)
            .map(|(one, n)| {
                let client = Place::client(&one.client);
                (one, Place::new(kind::LETTER, n, (&client.a, &client.b)))
            })
            .collect();
        self.all(&placed, |writes, (one, place)| {
            let hash = Sha256::digest(one.change.as_bytes()).to_vec();
            let mut values = at(self.space, place);
            values.extend(letter_values(one, one.at_ms, hash));
            writes.push(Text::PutLetter, values);
        })
        .await
    }
}
