//! How engines of rows store where a job stands.

use syncline_protocol::ids::NodeId;

use super::{JobState, StoredJob};
use crate::types::StoreError;

/// `state` of [`JobState::Scheduled`].
pub(crate) const SCHEDULED: i64 = 0;
/// `state` of [`JobState::Leased`].
pub(crate) const LEASED: i64 = 1;
/// `state` of [`JobState::Retry`].
pub(crate) const RETRY: i64 = 2;
/// `state` of [`JobState::Dead`].
pub(crate) const DEAD: i64 = 3;

/// The columns of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateColumns {
    /// One of the four above.
    pub(crate) state: i64,
    /// When it may be claimed; null for a dead one.
    pub(crate) at: Option<i64>,
    /// When it died; null for the others.
    pub(crate) dead_at: Option<i64>,
    /// Who has it; null for what nobody has.
    pub(crate) holder: Option<String>,
}

impl StateColumns {
    /// Of a job that is to be stored.
    pub(crate) fn of(stored: &StoredJob) -> StateColumns {
        let (state, at, dead_at, holder) = match &stored.state {
            JobState::Scheduled => (SCHEDULED, Some(stored.job.due_at_ms), None, None),
            JobState::Leased { until_ms, holder } => (LEASED, Some(*until_ms), None, Some(holder)),
            JobState::Retry { at_ms } => (RETRY, Some(*at_ms), None, None),
            JobState::Dead { at_ms } => (DEAD, None, Some(*at_ms), None),
        };
        StateColumns {
            state,
            at: at.map(|at| at as i64),
            dead_at: dead_at.map(|at| at as i64),
            holder: holder.map(|holder| holder.as_str().to_owned()),
        }
    }

    /// What they say.
    pub(crate) fn read(self) -> Result<JobState, StoreError> {
        let ms = |at: i64| at as u64;
        match (self.state, self.at.map(ms), self.dead_at.map(ms)) {
            (SCHEDULED, Some(_), None) => Ok(JobState::Scheduled),
            (LEASED, Some(until_ms), None) => Ok(JobState::Leased {
                until_ms,
                holder: NodeId::trusted(&self.holder.unwrap_or_default()),
            }),
            (RETRY, Some(at_ms), None) => Ok(JobState::Retry { at_ms }),
            (DEAD, None, Some(at_ms)) => Ok(JobState::Dead { at_ms }),
            (state, ..) => Err(StoreError::Damaged(format!(
                "a job in the state {state}, which does not fit its times"
            ))),
        }
    }
}
