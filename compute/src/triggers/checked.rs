//! The triggers of an app, checked once, and what they make of a commit.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use syncline_protocol::ids::{FieldName, RecordKey, TableName};
use syncline_protocol::limits::NAME_BYTES_CEILING;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_storage::jobs::{
    IfThere, JOB_ARGS_BYTES_MAX, JOB_KEY_BYTES_MAX, Job, JobKey, JobKind, JobLane, JobMove, Origin,
    TriggerId,
};

use super::args::{About, Template};
use super::condition::{Condition, field};
use super::config::{Per, TriggerConfig, When};
use super::event::{Changed, Committed, Cut, CutWhy, Fired};
use super::own::{One, OwnTrigger};
use super::{
    ARGS_PER_COMMIT_BYTES_MAX, CONDITIONS_MAX, JOBS_PER_COMMIT_MAX, ORDERED_KIND, SMALL_ARGS_BYTES,
    TRIGGERS_MAX,
};
use crate::webhook;

/// Why triggers are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trigger {id}: {why}")]
pub struct TriggerError {
    /// Which.
    pub id: String,
    /// What does not fit, for people.
    pub why: String,
}

/// The triggers of an app.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    by_table: HashMap<TableName, Vec<Trigger>>,
    own: Vec<OwnTrigger>,
    depth_max: u8,
}

#[derive(Clone, Debug)]
struct Trigger {
    id: TriggerId,
    when: When,
    fields: Option<Vec<FieldName>>,
    conditions: Vec<Condition>,
    kind: JobKind,
    per: Per,
    is_ordered: bool,
    /// The endpoint of a webhook's jobs.
    to: Option<Template>,
    args: Template,
}

/// Bytes that the arguments of a commit's jobs may have yet.
struct Room(usize);

impl Room {
    /// What one job's may have. There is always room for what is small.
    fn of_one(&self) -> usize {
        self.0.clamp(SMALL_ARGS_BYTES, JOB_ARGS_BYTES_MAX)
    }

    fn take(&mut self, job: &Job) {
        self.0 = self.0.saturating_sub(job.args.as_str().len());
    }
}

impl Triggers {
    /// Checks the triggers of an app. `depth_max` is how deep a change may be whose jobs are made.
    /// Errors: the first that is none.
    pub fn of(configs: &[TriggerConfig], depth_max: u8) -> Result<Triggers, TriggerError> {
        let mut triggers = Triggers {
            by_table: HashMap::new(),
            own: Vec::new(),
            depth_max,
        };
        let mut ids = HashSet::new();
        for (n, config) in configs.iter().enumerate() {
            let wrong = |why| TriggerError {
                id: config.id.clone(),
                why,
            };
            if n >= TRIGGERS_MAX {
                return Err(wrong(format!("an app has at most {TRIGGERS_MAX}")));
            }
            if !ids.insert(&config.id) {
                return Err(wrong("there are two of this id".to_owned()));
            }
            let table = TableName::parse_within(&config.table, NAME_BYTES_CEILING);
            let table = table.map_err(|e| wrong(format!("table: {}", e.message)))?;
            if table.is_hubs() {
                return Err(wrong(
                    "table: the hub's own tables fire no triggers".to_owned(),
                ));
            }
            let trigger = Trigger::of(config).map_err(wrong)?;
            triggers.by_table.entry(table).or_default().push(trigger);
        }
        Ok(triggers)
    }

    /// The same, and triggers of the hub.
    #[must_use]
    pub fn with_own(mut self, own: Vec<OwnTrigger>) -> Triggers {
        self.own.extend(own);
        self
    }

    /// Whether anything looks at a table.
    pub fn look_at(&self, table: &TableName) -> bool {
        self.by_table.contains_key(table) || self.own.iter().any(|own| own.table == *table)
    }

    /// The jobs of a commit, in the order of its records and of the triggers in the config.
    pub fn jobs_of(&self, committed: &Committed<'_>) -> Fired {
        let mut fired = Fired::default();
        let mut room = Room(ARGS_PER_COMMIT_BYTES_MAX);
        let mut of_space: Vec<&TriggerId> = Vec::new();
        for changed in committed.changed {
            if !self.look_at(&changed.key.table) {
                continue;
            }
            let Some(when) = changed.what() else { continue };
            let about = About {
                committed,
                changed,
                when,
            };
            let own = self.own.iter().filter(|own| own.table == changed.key.table);
            for own in own.filter(|own| own.fires(changed, when)) {
                if own.one == One::Space {
                    if of_space.contains(&&own.id) {
                        continue;
                    }
                    of_space.push(&own.id);
                }
                fired.moves.push(own.put(committed, changed));
            }
            let triggers = self.by_table.get(&changed.key.table);
            let triggers = triggers.into_iter().flatten();
            for trigger in triggers.filter(|one| one.fires(changed, when)) {
                self.fire(trigger, about, (&mut fired, &mut room));
            }
        }
        fired
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_table.is_empty() && self.own.is_empty()
    }

    fn fire(&self, trigger: &Trigger, about: About<'_>, (fired, room): (&mut Fired, &mut Room)) {
        let depth = about.changed.depth;
        let job = if depth >= self.depth_max && !mutant(Mutant::DeepForEver) {
            Err(CutWhy::TooDeep(depth))
        } else if fired.moves.len() >= JOBS_PER_COMMIT_MAX {
            Err(CutWhy::TooMany)
        } else {
            trigger.job(about, room.of_one())
        };
        match job {
            Ok(job) => {
                room.take(&job);
                fired.moves.push(JobMove::Put {
                    job,
                    if_there: match trigger.per {
                        Per::Commit => IfThere::Keep,
                        Per::Record => IfThere::Replace,
                    },
                });
            }
            Err(why) => fired.cut.push(Cut {
                trigger: trigger.id.clone(),
                record: about.changed.key.clone(),
                why,
            }),
        }
    }
}

impl Trigger {
    fn of(config: &TriggerConfig) -> Result<Trigger, String> {
        let id = TriggerId::parse(&config.id).map_err(|e| format!("id: {}", e.message))?;
        if config.id.starts_with('@') {
            return Err("id: those that begin with @ are the hub's own".to_owned());
        }
        if config.id.contains(['/', '#']) {
            return Err("id: / and # part it from what else is in its jobs' keys".to_owned());
        }
        let kind = JobKind::parse(&config.job).map_err(|e| format!("job: {}", e.message))?;
        if config.condition.len() > CONDITIONS_MAX {
            return Err(format!("condition: at most {CONDITIONS_MAX}"));
        }
        let fields = match &config.fields {
            Some(names) if names.is_empty() => {
                return Err("fields: none is named; leave it out for all".to_owned());
            }
            Some(names) => {
                let names = names
                    .iter()
                    .map(|name| field(name))
                    .collect::<Result<_, _>>();
                Some(names.map_err(|why| format!("fields: {why}"))?)
            }
            None => None,
        };
        let is_ordered = config.ordered.unwrap_or(config.job == ORDERED_KIND);
        if is_ordered && config.per == Per::Record {
            return Err(
                "per: a record's one job is put anew while the last is under way, and may overtake \
                 it: ordered = false, or per = \"commit\""
                    .to_owned(),
            );
        }
        let conditions = config.condition.iter().map(|one| {
            Condition::of(one).map_err(|why| format!("condition on {:?}: {why}", one.field))
        });
        Ok(Trigger {
            id,
            when: config.when,
            fields,
            conditions: conditions.collect::<Result<_, _>>()?,
            kind,
            per: config.per,
            is_ordered,
            to: match config.args.get("to").filter(|_| config.job == ORDERED_KIND) {
                Some(to) => Some(Template::of(to).map_err(|why| format!("args: {why}"))?),
                None => None,
            },
            args: Template::of(&config.args).map_err(|why| format!("args: {why}"))?,
        })
    }

    fn fires(&self, changed: &Changed<'_>, when: When) -> bool {
        let field_changed = |name: &FieldName| changed.field_changed(name.as_str());
        let fields = self.fields.as_ref();
        (self.when == When::Any || self.when == when)
            && fields.is_none_or(|fields| fields.iter().any(field_changed))
            && self.conditions.iter().all(|one| one.holds(changed))
    }

    fn job(&self, about: About<'_>, args_bytes_max: usize) -> Result<Job, CutWhy> {
        let args = self.args.filled(about, args_bytes_max);
        Ok(Job {
            kind: self.kind.clone(),
            key: self.key(about),
            lane: self.is_ordered.then(|| self.lane(about)),
            due_at_ms: about.committed.now_ms,
            args: args.map_err(|too_large| CutWhy::ArgsTooLarge(too_large.0))?,
            depth: about.changed.depth,
            origin: Origin {
                epoch: about.committed.epoch,
                seq: about.committed.seq,
                trigger: self.id.clone(),
            },
        })
    }

    /// Of the trigger, the record and, if there is one job for each, the commit: what the same commit
    /// makes when it is tried again is the same job. The space is the job's own.
    fn key(&self, about: About<'_>) -> JobKey {
        let (epoch, seq) = (about.committed.epoch, about.committed.seq.0);
        let begins = match self.per {
            Per::Commit => format!("{}/{epoch}/{seq}", self.id),
            Per::Record => self.id.to_string(),
        };
        JobKey::trusted(&of_record(&begins, about.changed.key))
    }

    /// Of the record and of who is told of it: a webhook's endpoint, whichever triggers post to it, else
    /// the trigger.
    fn lane(&self, about: About<'_>) -> JobLane {
        let endpoint = self.to.as_ref().and_then(|to| to.text_of(about));
        let endpoint = endpoint.filter(|name| is_an_endpoints(name));
        let begins = endpoint.as_deref().unwrap_or(self.id.as_str());
        JobLane::trusted(&of_record(begins, about.changed.key))
    }
}

/// Whether there can be an endpoint of this name: a record's field may say anything, and its job is
/// given up then.
fn is_an_endpoints(name: &str) -> bool {
    (1..=webhook::NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
}

/// A name for something of a record: as it is spelled, where that fits, else by a hash.
fn of_record(begins: &str, key: &RecordKey) -> String {
    let (table, id) = (key.table.as_str(), key.id.as_str());
    let plain = format!("{begins}/{table}/{id}");
    if plain.len() <= JOB_KEY_BYTES_MAX {
        return plain;
    }
    // A table's name holds no line feed.
    let digest = Sha256::digest(format!("{table}\n{id}").as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{begins}#{hex}")
}
