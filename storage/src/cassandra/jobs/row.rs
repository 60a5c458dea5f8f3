//! Jobs and queues as rows.

use syncline_protocol::ids::{Epoch, NodeId, Seq};

use super::places::Name;
use super::{Kept, Queue};
use crate::cassandra::row::{Found, PLACE_COLUMNS, ROW_AT, place_of};
use crate::cassandra::row::{Place, kind};
use crate::cassandra::server::Rows;
use crate::cassandra::value::{Cells, Value};
use crate::jobs::{
    DEAD, Job, JobArgs, JobError, JobKey, JobKind, JobLane, JobNo, JobState, LEASED, Origin, RETRY,
    SCHEDULED, StoredJob, TriggerId,
};
use crate::types::StoreError;

/// What is read of a job or of a queue, behind its place.
pub(in crate::cassandra) const JOB_COLUMNS: &str = "no, lease, phase, moment, due, attempt, depth, \
     of_epoch, of_seq, trigger_id, holder, lane, args, error, turn, hint";

/// The bit of `phase` of what is behind others of its lane.
const BEHIND: i64 = 4;

const AT: usize = ROW_AT + PLACE_COLUMNS;

impl Kept {
    /// `phase` of its row and of that which orders it.
    pub(super) fn phase(&self) -> i64 {
        let state = match self.stored.state {
            JobState::Scheduled => SCHEDULED,
            JobState::Leased { .. } => LEASED,
            JobState::Retry { .. } => RETRY,
            JobState::Dead { .. } => DEAD,
        };
        state | if self.is_behind { BEHIND } else { 0 }
    }
}

/// The values of a job behind those of its place. What is `as_it_was` stays.
pub(super) fn values(kept: &Kept, before: Option<&Kept>) -> Vec<Value<'static>> {
    let (stored, job) = (&kept.stored, &kept.stored.job);
    let int = |number: u64| Value::Int(number as i64);
    let text = |text: &str| Value::Made(text.to_owned());
    let maybe = |some: Option<&str>| some.map_or(Value::Null, text);
    let mut values = vec![
        int(kept.no.0),
        int(kept.lease),
        Value::Int(kept.phase()),
        int(kept.at_ms),
        int(job.due_at_ms),
        int(u64::from(stored.attempt)),
        match &stored.state {
            JobState::Leased { holder, .. } => text(holder.as_str()),
            _ => text(""),
        },
        maybe(stored.error.as_ref().map(JobError::as_str)),
        match before.and_then(|before| before.dead_id) == kept.dead_id {
            true => Value::Unset,
            false => Value::maybe(kept.dead_id),
        },
    ];
    let same = before.is_some_and(|before| before.no == kept.no);
    let rest = [
        int(u64::from(job.depth)),
        int(job.origin.epoch.0),
        int(job.origin.seq.0),
        text(job.origin.trigger.as_str()),
        maybe(job.lane.as_ref().map(JobLane::as_str)),
        text(job.args.as_str()),
    ];
    match same {
        true => values.extend(rest.map(|_| Value::Unset)),
        false => values.extend(rest),
    }
    values
}

/// What a read of jobs and queues found.
pub(super) enum Read {
    Job(Name, Box<Kept>),
    Queue(JobKind, Queue),
    /// Of another kind, or nothing.
    Other,
}

pub(super) fn read(cells: &Cells<'_>) -> Result<Read, StoreError> {
    let place = place_of(cells)?;
    let number = |at: usize| cells.number_there(AT + at);
    match place.kind {
        kind::JOB => {
            let name = (JobKind::trusted(&place.a), JobKey::trusted(&place.b));
            let kept = kept(cells, &name)?;
            Ok(Read::Job(name, Box::new(kept)))
        }
        kind::QUEUE => {
            let queue = Queue {
                turn_at_ms: number(3)? as u64,
                turn: number(14)? as u64,
                hint: number(15)?,
            };
            Ok(Read::Queue(JobKind::trusted(&place.a), queue))
        }
        _ => Ok(Read::Other),
    }
}

fn kept(cells: &Cells<'_>, (of, key): &Name) -> Result<Kept, StoreError> {
    let number = |at: usize| cells.number_there(AT + at);
    let text = |at: usize| cells.text(AT + at);
    let some = |at: usize| -> Result<Option<&str>, StoreError> {
        match cells.bytes(AT + at) {
            Some(_) => Ok(Some(text(at)?)),
            None => Ok(None),
        }
    };
    let damaged = |_| StoreError::Damaged("a job's number is too large".to_owned());
    let at_ms = number(3)? as u64;
    let phase = number(2)?;
    let state = match state_of(phase) {
        SCHEDULED => JobState::Scheduled,
        LEASED => JobState::Leased {
            until_ms: at_ms,
            holder: NodeId::trusted(text(10)?),
        },
        RETRY => JobState::Retry { at_ms },
        DEAD => JobState::Dead { at_ms },
        state => return Err(StoreError::Damaged(format!("a job in the state {state}"))),
    };
    Ok(Kept {
        no: JobNo(number(0)? as u64),
        lease: number(1)? as u64,
        at_ms,
        is_behind: phase & BEHIND != 0,
        dead_id: cells.number(AT + 15)?,
        stored: StoredJob {
            job: Job {
                kind: of.clone(),
                key: key.clone(),
                lane: some(11)?.map(JobLane::trusted),
                due_at_ms: number(4)? as u64,
                args: JobArgs::trusted(text(12)?),
                depth: u8::try_from(number(6)?).map_err(damaged)?,
                origin: Origin {
                    epoch: Epoch(number(7)? as u64),
                    seq: Seq(number(8)? as u64),
                    trigger: TriggerId::trusted(text(9)?),
                },
            },
            state,
            attempt: u32::try_from(number(5)?).map_err(damaged)?,
            error: some(13)?.map(JobError::new),
        },
    })
}

/// The state that a `phase` says.
pub(super) fn state_of(phase: i64) -> i64 {
    phase & !BEHIND
}

/// A row of the order: where, and `phase`.
pub(super) fn ordered(
    rows: &Rows,
) -> Result<Vec<(Place, i64)>, crate::cassandra::failure::Failure> {
    let mut all = Vec::new();
    for cells in rows.cells()? {
        let place = place_of(&cells)?;
        if !place.is_end() {
            let phase = cells.number(AT)?.unwrap_or(SCHEDULED);
            all.push((place, phase));
        }
    }
    Ok(all)
}

/// The space that a row is beside.
pub(super) fn found(rows: &Rows) -> Result<Found, crate::cassandra::failure::Failure> {
    rows.found()
}
