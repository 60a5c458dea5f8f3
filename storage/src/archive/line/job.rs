//! A job as a line.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use syncline_protocol::ids::{Epoch, Seq};

use super::{Text, Unreadable};
use crate::jobs::{
    Job, JobArgs, JobError, JobKey, JobKind, JobLane, JobState, Origin, StoredJob, TriggerId,
};

/// At most one of `retry_ms` and `dead_ms`; neither of a job that was not tried yet.
#[derive(Serialize, Deserialize)]
pub(in crate::archive) struct JobLine<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    key: Text<'a>,
    /// None in the formats before the third.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    lane: Option<Text<'a>>,
    due_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_ms: Option<u64>,
    attempt: u32,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
    depth: u8,
    #[serde(borrow)]
    epoch: Text<'a>,
    seq: u64,
    #[serde(borrow)]
    trigger: Text<'a>,
    #[serde(borrow)]
    args: &'a RawValue,
}

impl<'a> JobLine<'a> {
    /// Errors: stored arguments are no JSON.
    pub(in crate::archive) fn of(stored: &'a StoredJob) -> Result<JobLine<'a>, Unreadable> {
        let job = &stored.job;
        let (retry_ms, dead_ms) = match stored.state {
            JobState::Scheduled => (None, None),
            JobState::Retry { at_ms } => (Some(at_ms), None),
            JobState::Leased { .. } => (Some(job.due_at_ms), None),
            JobState::Dead { at_ms } => (None, Some(at_ms)),
        };
        let args = serde_json::from_str(job.args.as_str());
        Ok(JobLine {
            kind: job.kind.as_str().into(),
            key: job.key.as_str().into(),
            lane: job.lane.as_ref().map(|lane| lane.as_str().into()),
            due_ms: job.due_at_ms,
            retry_ms,
            dead_ms,
            attempt: stored.attempt,
            error: stored.error.as_ref().map(|error| error.as_str().into()),
            depth: job.depth,
            epoch: job.origin.epoch.to_string().into(),
            seq: job.origin.seq.0,
            trigger: job.origin.trigger.as_str().into(),
            args: args.map_err(|error| format!("a job's arguments: {error}"))?,
        })
    }

    pub(in crate::archive) fn stored(self) -> Result<StoredJob, Unreadable> {
        let state = match (self.retry_ms, self.dead_ms) {
            (None, None) => JobState::Scheduled,
            (Some(at_ms), None) => JobState::Retry { at_ms },
            (None, Some(at_ms)) => JobState::Dead { at_ms },
            (Some(_), Some(_)) => return Err("a job that is dead and not".to_owned()),
        };
        Ok(StoredJob {
            job: Job {
                kind: JobKind::trusted(&self.kind),
                key: JobKey::trusted(&self.key),
                lane: self.lane.map(|lane| JobLane::trusted(&lane)),
                due_at_ms: self.due_ms,
                args: JobArgs::trusted(self.args.get()),
                depth: self.depth,
                origin: Origin {
                    epoch: Epoch::parse(&self.epoch).ok_or("an epoch that is none")?,
                    seq: Seq(self.seq),
                    trigger: TriggerId::trusted(&self.trigger),
                },
            },
            state,
            attempt: self.attempt,
            error: self.error.map(|error| JobError::new(&error)),
        })
    }
}
