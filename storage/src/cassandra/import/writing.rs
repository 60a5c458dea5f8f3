//! The rows of a space that is brought in, in bounded batches.

use sha2::{Digest, Sha256};
use syncline_protocol::codec;
use syncline_protocol::ids::SpaceKey;

use super::taken_over_unless;
use crate::cassandra::commit::letter_values;
use crate::cassandra::jobs;
use crate::cassandra::row::{ALIVE, Place, kind};
use crate::cassandra::server::{Level, Server, Writes, of};
use crate::cassandra::space::at;
use crate::cassandra::statements::Text;
use crate::cassandra::used;
use crate::cassandra::value::Value;
use crate::jobs::StoredJob;
use crate::random;
use crate::transfer::{ClientImage, ImportError, ImportRun, RecordImage, Since, VerdictImage};
use crate::types::DeadLetter;

/// Bytes written at once, about; one row more than fits is in.
const BATCH_BYTES: usize = 1 << 20;

/// Rows written at once.
const BATCH_ROWS: usize = 1_000;

/// Jobs written at once: their arguments have 64 KiB at most.
const JOBS_AT_ONCE: usize = 64;

/// A part of a space as it is written, in bounded batches. A part that is cut off is written again
/// from the beginning of its space.
pub(super) struct Writing<'a> {
    pub(super) server: &'a Server,
    pub(super) space: &'a SpaceKey,
    pub(super) run: ImportRun,
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

    pub(super) async fn clients(&self, all: &[ClientImage]) -> Result<(), ImportError> {
        let placed: Vec<_> = all
            .iter()
            .map(|one| {
                let place = Place::client(&one.key);
                let n = i64::from(one.mark.writer.0);
                let writer = Place::new(kind::WRITER, n, (&place.a, &place.b));
                let is_to_be_found = one.mark.last.is_some() && one.used != Since::Never;
                let used = used::place(one.used.to_stored(), (&place.a, &place.b));
                (one, place, writer, is_to_be_found.then_some(used))
            })
            .collect();
        self.all(&placed, |writes, (one, place, writer, used)| {
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
            if let Some(used) = used {
                writes.push(Text::PutPlace, at(self.space, used));
            }
        })
        .await
    }

    pub(super) async fn verdicts(&self, all: &[VerdictImage]) -> Result<(), ImportError> {
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

    pub(super) async fn records(&self, all: &[RecordImage]) -> Result<(), ImportError> {
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

    pub(super) async fn jobs(&self, all: &[StoredJob]) -> Result<(), ImportError> {
        for some in all.chunks(JOBS_AT_ONCE) {
            let mut rows = Writes::default();
            let lanes = jobs::lanes_there(self.server, self.space, some).await?;
            let last = jobs::import(self.server, (&mut rows, self.space), (some, lanes))?;
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
    pub(super) async fn dead_letters(&self, all: &[DeadLetter]) -> Result<(), ImportError> {
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
