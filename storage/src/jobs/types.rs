//! The vocabulary of jobs: what is enqueued, what is leased, how it ends.

use std::fmt;

use syncline_protocol::ids::{Epoch, NodeId, Seq, SpaceKey};
use syncline_protocol::json::Json;
use syncline_protocol::stamp::WallMs;

use super::{
    CLAIM_FULL_MAX, JOB_ARGS_BYTES_MAX, JOB_ERROR_BYTES_MAX, JobKey, JobKind, JobLane, JobName,
    TriggerId,
};
use crate::types::StoreError;

/// A job as it is enqueued. Its space is the commit's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What is to be done.
    pub kind: JobKind,
    /// Which of these, unique in the space and kind.
    pub key: JobKey,
    /// Jobs of one space, kind and lane are done one after the other, in the order they were put:
    /// see [`JobStore`](super::JobStore). One without a lane waits for no other.
    pub lane: Option<JobLane>,
    /// Not before this, by the clock of who claims. Of a schedule: the time it is for.
    pub due_at_ms: WallMs,
    /// What it is about.
    pub args: JobArgs,
    /// How many jobs stand between it and somebody's own change: 0 if a device asked for it, one
    /// more for what a job's own writes ask for.
    pub depth: u8,
    /// Where it comes from.
    pub origin: Origin,
}

/// What asked for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The epoch of the commit.
    pub epoch: Epoch,
    /// The commit; of what no change asked for, the head it stood on.
    pub seq: Seq,
    /// The trigger or the schedule.
    pub trigger: TriggerId,
}

/// Arguments: JSON of at most [`JOB_ARGS_BYTES_MAX`].
#[derive(Clone, PartialEq, Eq)]
pub struct JobArgs(Json);

/// Arguments that no job may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job's arguments have {0} bytes, at most {JOB_ARGS_BYTES_MAX} are stored")]
pub struct ArgsTooLarge(pub usize);

impl JobArgs {
    /// Arguments, if they are not too large.
    pub fn new(args: Json) -> Result<JobArgs, ArgsTooLarge> {
        match args.as_str().len() {
            bytes if bytes > JOB_ARGS_BYTES_MAX => Err(ArgsTooLarge(bytes)),
            _ => Ok(JobArgs(args)),
        }
    }

    /// Arguments that were checked before they were stored.
    pub fn trusted(text: &str) -> JobArgs {
        JobArgs(Json::trusted(text))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for JobArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// What a commit does to the jobs of its space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobMove {
    /// Enqueues a job.
    Put {
        /// The job.
        job: Job,
        /// What becomes of one of the same name.
        if_there: IfThere,
    },
    /// Removes the job of this name, in whatever state it is. Who holds its lease has lost it.
    Cancel {
        /// What was to be done.
        kind: JobKind,
        /// Which of these.
        key: JobKey,
    },
}

/// What becomes of a job that is there when one of its name is put. A dead one is there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    /// It stays as it is, and what is put is left out.
    Keep,
    /// It becomes what is put, as if it had never been tried, at the end of its lane. Who holds its
    /// lease has lost it.
    Replace,
}

/// A request for jobs that are due.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Of which kinds, and how many; each kind at most once.
    pub wanted: Vec<Wanted>,
    /// Who asks, for people to see.
    pub holder: NodeId,
    /// The claimer's clock.
    pub now_ms: WallMs,
    /// How long the leases last, in milliseconds.
    pub lease_ms: u64,
    /// Jobs of one space and kind that one claim may take, at least 1. Where several spaces have
    /// jobs, each gives its share of what is wanted.
    pub per_space: usize,
}

/// How many jobs of a kind are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The kind.
    pub kind: JobKind,
    /// At most so many.
    pub jobs: usize,
    /// Spaces of which none is wanted, since who asks holds all that it may hold of them. The first
    /// [`CLAIM_FULL_MAX`] are passed over and keep their turn; jobs of those past them may come.
    pub full: Vec<SpaceKey>,
}

impl Wanted {
    /// So many of a kind, of whatever space.
    pub fn of(kind: JobKind, jobs: usize) -> Wanted {
        Wanted {
            kind,
            jobs,
            full: Vec::new(),
        }
    }

    /// The spaces that a claim passes over.
    pub fn passed_over(&self) -> &[SpaceKey] {
        &self.full[..self.full.len().min(CLAIM_FULL_MAX)]
    }
}

/// A job's number: never given twice in its space, whatever becomes of the job, nor in its store, but
/// that Cassandra has no counter and takes a time with 21 random bits. Those of one space
/// grow in the order in which its jobs were put: of commits, and of the moves of one. What is
/// replaced or due again is put anew; what is replayed keeps its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobNo(pub u64);

/// The right to do a job. It ends when the job is leased to somebody else, replaced, cancelled or
/// erased; that its time is over does not end it by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub name: JobName,
    /// Its number.
    pub no: JobNo,
    /// The fencing token: of two leases of a name, the pair of `no` and `number` of the later one is
    /// the greater.
    pub number: u64,
}

/// A job that was leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedJob {
    /// What to show when it ends.
    pub lease: Lease,
    /// The job.
    pub job: Job,
    /// Which try this is, from 1. Tries whose lease ran out count: a job that kills its worker is
    /// known by it.
    pub attempt: u32,
    /// A try of it failed and said why. Of one that is tried again and never failed no try has said how it
    /// ended.
    pub has_failed: bool,
    /// After this somebody else may claim it.
    pub until_ms: WallMs,
}

/// How a leased job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The lease.
    pub lease: Lease,
    /// How.
    pub outcome: Outcome,
}

/// What becomes of a leased job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is removed, and its key is free.
    Done,
    /// It is tried again, not before `at_ms`.
    Retry {
        /// When.
        at_ms: WallMs,
        /// Why.
        error: JobError,
    },
    /// It did what it had to, and is due once more: as if it were put again, at the end of its
    /// lane, but never free meanwhile. So a schedule fires once, whoever puts it however often.
    Again {
        /// When.
        due_at_ms: WallMs,
    },
    /// It is given back untried, because who does it is busy: the try is not counted, and it is not
    /// claimed before `at_ms`. It is scheduled, or if it was tried before waits for its next try.
    Wait {
        /// When.
        at_ms: WallMs,
    },
    /// It is given up and kept for people.
    Dead {
        /// Why.
        error: JobError,
    },
}

/// What went wrong, for people: at most [`JOB_ERROR_BYTES_MAX`], without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError(String);

impl JobError {
    /// A text, cut at a character where it is too long.
    pub fn new(text: &str) -> JobError {
        let kept = &text[..text.floor_char_boundary(JOB_ERROR_BYTES_MAX)];
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        // What replaces a character is never longer than it.
        JobError(kept.chars().map(plain).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Somebody else has the job, or nobody: it was leased again, replaced, cancelled, erased, or
/// finished by an earlier call. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost")]
pub struct LeaseLost;

/// Why a lease was not extended or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// [`LeaseLost`].
    #[error(transparent)]
    Lost(#[from] LeaseLost),
    /// The store failed at this one, and nobody knows whether it was done: it may be asked again. Of
    /// the others of the call this says nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits until it is due.
    Scheduled,
    /// Somebody has it.
    Leased {
        /// After this it may be claimed again.
        until_ms: WallMs,
        /// Who.
        holder: NodeId,
    },
    /// It failed, or was replayed, and waits for its next try.
    Retry {
        /// Not before this.
        at_ms: WallMs,
    },
    /// It was given up.
    Dead {
        /// When.
        at_ms: WallMs,
    },
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredJob {
    /// The job.
    pub job: Job,
    /// Where it stands.
    pub state: JobState,
    /// Tries so far.
    pub attempt: u32,
    /// Why the last one failed.
    pub error: Option<JobError>,
}

impl StoredJob {
    /// As it is in another store, where nobody has a lease: it is tried again.
    pub(crate) fn unleased(self) -> StoredJob {
        let state = match self.state {
            JobState::Leased { .. } => JobState::Retry {
                at_ms: self.job.due_at_ms,
            },
            state => state,
        };
        StoredJob { state, ..self }
    }

    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        let Job {
            kind,
            key,
            lane,
            args,
            ..
        } = &self.job;
        let lane = lane.as_ref().map_or(0, |lane| lane.as_str().len());
        let error = self.error.as_ref().map_or(0, |error| error.as_str().len());
        kind.as_str().len() + key.as_str().len() + lane + args.as_str().len() + error
    }
}

/// A place among the dead jobs of a kind, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadCursor {
    /// When it was given up.
    pub at_ms: WallMs,
    /// Its number.
    pub no: JobNo,
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// Whose it is.
    pub space: SpaceKey,
    /// Its place among the others.
    pub cursor: DeadCursor,
    /// The job, why it failed and how often.
    pub stored: StoredJob,
}

impl DeadJob {
    /// What it is called.
    pub fn name(&self) -> JobName {
        JobName {
            space: self.space.clone(),
            kind: self.stored.job.kind.clone(),
            key: self.stored.job.key.clone(),
        }
    }
}

/// Jobs of a kind by state, counted up to [`super::JOBS_COUNTED_MAX`] of the dead and of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// [`JobState::Scheduled`].
    pub scheduled: u64,
    /// [`JobState::Leased`].
    pub leased: u64,
    /// [`JobState::Retry`].
    pub retry: u64,
    /// [`JobState::Dead`].
    pub dead: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_64_kib_and_no_more() {
        let of =
            |bytes: usize| JobArgs::new(Json::trusted(&format!("\"{}\"", "x".repeat(bytes - 2))));
        assert!(of(JOB_ARGS_BYTES_MAX).is_ok());
        let refused = of(JOB_ARGS_BYTES_MAX + 1);
        assert_eq!(refused, Err(ArgsTooLarge(JOB_ARGS_BYTES_MAX + 1)));
    }

    #[test]
    fn an_error_is_cut_at_a_character_and_holds_no_control_characters() {
        assert_eq!(JobError::new("a\n\0b").as_str(), "a  b");
        let long = JobError::new(&format!("x{}", "é".repeat(JOB_ERROR_BYTES_MAX)));
        assert_eq!(long.as_str().len(), JOB_ERROR_BYTES_MAX - 1);
        assert!(long.as_str().ends_with('é'));
    }
}
