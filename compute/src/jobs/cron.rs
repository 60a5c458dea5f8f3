//! Schedules: jobs that are due again and again, by a cron pattern in a time zone, once in the
//! cluster.
//!
//! A schedule is one job under one key, which whoever comes may put ([`Schedule::put`]): a job that
//! is there is kept. Its due time is the time it fires for. When it was done it is not removed but
//! due again ([`Schedule::after`]), so its key is never free and no time fires twice, however many
//! nodes put it and whatever their clocks show. The pattern is part of the key: one that was changed is
//! another job, and the old one ends ([`Schedule::is_of`]).

mod zoned;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::json::Json;
use syncline_protocol::limits::JSON_DEPTH_CEILING;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{
    IfThere, Job, JobArgs, JobKey, JobKind, JobMove, JobName, Origin, Outcome, TriggerId,
};
use syncline_storage::types::SpaceView;

use self::zoned::Moment;

/// Bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 256;

/// A schedule as the config has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// What it is called, unique among the schedules of its space.
    pub id: String,
    /// Five fields, from minutes to weekdays, or six with seconds before them; `@daily` and the like.
    pub cron: String,
    /// A zone of the tz database, `UTC` by default.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The kind of its jobs.
    pub job: String,
    /// What its jobs are about.
    #[serde(default)]
    pub args: serde_json::Value,
    /// What becomes of times at which nothing ran.
    #[serde(default)]
    pub missed: Missed,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What becomes of times that passed while nobody ran the schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The last of them is made up for.
    #[default]
    Last,
    /// Each is made up for, one after the other.
    Each,
}

/// Why a schedule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule {id}: {why}")]
pub struct ScheduleError {
    /// Which.
    pub id: String,
    /// What does not fit, for people.
    pub why: String,
}

/// A schedule that was checked.
#[derive(Clone, Debug)]
pub struct Schedule {
    id: TriggerId,
    key: JobKey,
    cron: Cron,
    zone: TimeZone,
    kind: JobKind,
    args: JobArgs,
    missed: Missed,
}

impl Schedule {
    /// Checks a schedule. Errors: a name, pattern, zone or arguments that are none; a pattern that
    /// never fires after `now_ms`.
    pub fn of(config: &ScheduleConfig, now_ms: WallMs) -> Result<Schedule, ScheduleError> {
        let wrong = |why: String| ScheduleError {
            id: config.id.clone(),
            why,
        };
        let id = TriggerId::parse(&config.id).map_err(|e| wrong(format!("id: {}", e.message)))?;
        let kind = JobKind::parse(&config.job).map_err(|e| wrong(format!("job: {}", e.message)))?;
        if config.cron.len() > PATTERN_BYTES_MAX {
            return Err(wrong(format!(
                "cron: longer than {PATTERN_BYTES_MAX} bytes"
            )));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(&config.cron);
        let cron = cron.map_err(|error| wrong(format!("cron {:?}: {error}", config.cron)))?;
        let zone = TimeZone::get(&config.timezone);
        let zone = zone.map_err(|_| {
            wrong(format!(
                "timezone {:?}: not in the tz database",
                config.timezone
            ))
        })?;
        // As triggers' jobs have theirs, beside what those are about.
        let args = format!("{{\"args\":{}}}", config.args);
        let args = Json::parse(&args, JSON_DEPTH_CEILING);
        let args = args.map_err(|e| wrong(format!("args: {}", e.message)))?;
        let args = JobArgs::new(args).map_err(|error| wrong(format!("args: {error}")))?;
        let said = format!("{}\n{}", config.cron, config.timezone);
        let digest = Sha256::digest(said.as_bytes());
        let first: [u8; 8] = *digest.first_chunk().expect("SHA-256 has 32 bytes");
        let key = format!("{id}@{:016x}", u64::from_be_bytes(first));
        let schedule = Schedule {
            id,
            key: JobKey::trusted(&key),
            cron,
            zone,
            kind,
            args,
            missed: config.missed,
        };
        match schedule.next_after(now_ms) {
            Some(_) => Ok(schedule),
            None => Err(wrong(format!("cron {:?}: never again", config.cron))),
        }
    }

    /// The kind of its jobs.
    pub fn kind(&self) -> &JobKind {
        &self.kind
    }

    /// What its jobs are about: each firing has what the schedule says now.
    pub fn args(&self) -> &JobArgs {
        &self.args
    }

    /// Whether a job is of this schedule as it is now.
    pub fn is_of(&self, job: &Job) -> bool {
        (&job.kind, &job.key) == (&self.kind, &self.key)
    }

    /// What its job is called in a space.
    pub fn name(&self, space: SpaceKey) -> JobName {
        JobName {
            space,
            kind: self.kind.clone(),
            key: self.key.clone(),
        }
    }

    /// Puts its job into a space where it is not there yet.
    pub fn put(&self, view: &SpaceView, now_ms: WallMs) -> Option<JobMove> {
        let job = Job {
            kind: self.kind.clone(),
            key: self.key.clone(),
            lane: None,
            due_at_ms: self.next_after(now_ms)?,
            args: self.args.clone(),
            depth: 0,
            origin: Origin {
                epoch: view.epoch,
                seq: view.head,
                trigger: self.id.clone(),
            },
        };
        let if_there = IfThere::Keep;
        Some(JobMove::Put { job, if_there })
    }

    /// What becomes of its job when the firing for `due_at_ms` was done.
    pub fn after(&self, due_at_ms: WallMs, now_ms: WallMs) -> Outcome {
        let next = match self.missed {
            Missed::Each => self.next_after(due_at_ms),
            Missed::Skip => self.next_after(due_at_ms.max(now_ms)),
            Missed::Last => {
                let last = self.last_by(now_ms).filter(|last| *last > due_at_ms);
                last.or_else(|| self.next_after(due_at_ms.max(now_ms)))
            }
        };
        match next {
            Some(due_at_ms) => Outcome::Again { due_at_ms },
            None => Outcome::Done,
        }
    }

    /// When it fires instead of a time of which nothing was begun until now; `None` if that one is to
    /// be made up for.
    pub fn instead_of(&self, due_at_ms: WallMs, now_ms: WallMs) -> Option<WallMs> {
        match self.missed {
            Missed::Each => None,
            Missed::Skip => {
                let later = self.next_after(due_at_ms).filter(|later| *later <= now_ms);
                later.and_then(|_| self.next_after(now_ms))
            }
            Missed::Last => self.last_by(now_ms).filter(|last| *last > due_at_ms),
        }
    }

    /// The first time it fires after a moment.
    pub fn next_after(&self, after_ms: WallMs) -> Option<WallMs> {
        let found = self.cron.find_next_occurrence(&self.at(after_ms)?, false);
        found.ok()?.wall_ms()
    }

    /// The last time it fires until a moment, that included.
    fn last_by(&self, by_ms: WallMs) -> Option<WallMs> {
        let found = self.cron.find_previous_occurrence(&self.at(by_ms)?, true);
        found.ok()?.wall_ms()
    }

    fn at(&self, ms: WallMs) -> Option<Moment> {
        // Patterns know whole seconds only.
        let second = i64::try_from(ms / 1_000).ok()?;
        let at = Timestamp::from_second(second).ok()?;
        let zone = self.zone.clone();
        Some(Moment { at, zone })
    }
}

#[cfg(test)]
mod tests;
