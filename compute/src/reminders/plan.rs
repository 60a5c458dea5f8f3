//! What to do about a reminder now, by when it is due and what was done before.
//!
//! A reminder fires once for each time it is due, also when it is looked at twice, when its record is
//! edited meanwhile, and when the clock jumps. A clock that is ahead fires early or tells of misses;
//! when it comes back, what fired does not fire again, and what was only missed is waited for.
//!
//! That a reminder is waited for is kept nowhere, since it would be a write for each that is set. So
//! one that is written again after its time has passed counts as set in the past, even if it was set
//! in time before and nobody had looked at it yet.

use serde::{Deserialize, Serialize};
use syncline_protocol::ids::RecordKey;
use syncline_protocol::stamp::WallMs;

use super::due::Due;

/// Times that a reminder keeps of those it fired for, the newest. Who sets a reminder back to one
/// that is older, with a clock that says it is still to come, has it fire again.
pub const FIRED_MAX: usize = 16;

/// How late is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// What fires later than this is marked late, in milliseconds.
    pub late_ms: u64,
    /// What is later than this does not fire any more, in milliseconds.
    pub cut_off_ms: u64,
    /// A reminder that was set for a time that had passed by more than this does not fire: who set it
    /// knew. In milliseconds.
    pub past_ms: u64,
}

impl Default for PlanLimits {
    /// Late after a minute, too late after twelve hours, set in the past by a minute.
    fn default() -> Self {
        PlanLimits {
            late_ms: 60_000,
            cut_off_ms: 12 * 3_600_000,
            past_ms: 60_000,
        }
    }
}

/// What was done about a reminder before. Who carries out a plan keeps what [`State::after`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The times it fired for, the newest last, [`FIRED_MAX`] of them at most.
    #[serde(rename = "fired")]
    pub fired_ms: Vec<WallMs>,
    /// The time of which it was last told that it was missed.
    #[serde(rename = "missed")]
    pub missed_ms: Option<WallMs>,
    /// The time of which it was put off: its user is told when quiet hours end, or when there is room.
    #[serde(rename = "putOff")]
    pub put_off_ms: Option<WallMs>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Look again at that time.
    Arm {
        /// When it is due.
        due_ms: WallMs,
    },
    /// Tell the user.
    Fire {
        /// When it was due.
        due_ms: WallMs,
        /// It is told so late that this should be said.
        is_late: bool,
    },
    /// It is too late to tell.
    Missed {
        /// When it was due.
        due_ms: WallMs,
    },
    /// Nothing.
    Nothing(Idle),
}

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It is for no time.
    NotDue,
    /// It fired for this time.
    Fired,
    /// It was told that this time was missed.
    Told,
    /// Its time had passed when it was set.
    SetInPast,
}

/// What to do about a reminder at `now_ms`.
pub fn plan(now_ms: WallMs, state: &State, due: Option<Due>, limits: &PlanLimits) -> Plan {
    let Some(Due { at_ms, set_ms }) = due else {
        return Plan::Nothing(Idle::NotDue);
    };
    if state.fired_ms.contains(&at_ms) {
        return Plan::Nothing(Idle::Fired);
    }
    if at_ms > now_ms {
        return Plan::Arm { due_ms: at_ms };
    }
    // What is here was not written later than now: a stamp that says so is by a clock that was ahead.
    let set_ms = set_ms.min(now_ms);
    // What was put off is waited for, however it is written again meanwhile.
    let is_put_off = state.put_off_ms == Some(at_ms);
    if !is_put_off && set_ms > at_ms.saturating_add(limits.past_ms) {
        return Plan::Nothing(Idle::SetInPast);
    }
    let late_ms = now_ms - at_ms;
    if late_ms > limits.cut_off_ms {
        return match state.missed_ms == Some(at_ms) {
            true => Plan::Nothing(Idle::Told),
            false => Plan::Missed { due_ms: at_ms },
        };
    }
    Plan::Fire {
        due_ms: at_ms,
        is_late: late_ms > limits.late_ms,
    }
}

impl State {
    /// The state when a plan was carried out.
    #[must_use]
    pub fn after(mut self, plan: Plan) -> State {
        match plan {
            Plan::Fire { due_ms, .. } => {
                self.fired_ms.push(due_ms);
                let more = self.fired_ms.len().saturating_sub(FIRED_MAX);
                self.fired_ms.drain(..more);
            }
            Plan::Missed { due_ms } => self.missed_ms = Some(due_ms),
            Plan::Arm { .. } | Plan::Nothing(_) => {}
        }
        if matches!(plan, Plan::Fire { .. } | Plan::Missed { .. }) {
            self.put_off_ms = None;
        }
        self
    }

    /// The state when what was to fire is put off; `None` if it says so already.
    #[must_use]
    pub fn put_off(&self, due_ms: WallMs) -> Option<State> {
        let is_new = self.put_off_ms != Some(due_ms);
        is_new.then(|| State {
            put_off_ms: Some(due_ms),
            ..self.clone()
        })
    }

    /// The first time of which somebody was told, or was to be told later.
    pub(super) fn first_ms(&self) -> Option<WallMs> {
        let times = self.fired_ms.iter().copied();
        times.chain(self.put_off_ms).min()
    }

    /// The latest time that it says anything of.
    pub fn newest_ms(&self) -> Option<WallMs> {
        let times = self.fired_ms.iter().copied();
        times.chain(self.missed_ms).chain(self.put_off_ms).max()
    }
}

/// What a firing is known by, in every try of it: its reminder and the time it is for. A device that
/// has shown one does not show it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiringKey(String);

impl FiringKey {
    /// Of a reminder, and when it is due.
    pub fn of(reminder: &RecordKey, due_ms: WallMs) -> FiringKey {
        FiringKey(format!("{reminder}@{due_ms}"))
    }

    /// The same of one that was missed: a device which has shown that shows the reminder itself, should
    /// its time be yet to come.
    pub fn of_missed(reminder: &RecordKey, due_ms: WallMs) -> FiringKey {
        FiringKey(format!("{reminder}@{due_ms}/missed"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
