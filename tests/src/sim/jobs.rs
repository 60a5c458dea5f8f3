//! The app of worlds that have jobs: which jobs follow from which changes, and what they write.
//!
//! The rules stand here once, as plain as they are. The hub gets them as triggers of a config; the
//! checker reads them as they stand and asks the hub's own code nothing.

use std::sync::Arc;

use serde_json::Value;
use syncline_compute::jobs::retry::RetryPolicy;
use syncline_compute::triggers::{Per, TriggerConfig, Triggers, When};
use syncline_compute::worker::Changes;
use syncline_storage::jobs::{Job, JobKind};

/// How deep a change may be whose jobs are made: a circle of the rules is two jobs long.
pub const DEPTH_MAX: u8 = 2;

/// Of a thousand worlds, how many have jobs.
pub const SHARE: u64 = 130;

/// How long a lease lasts: some long steps outlast it, short ones do not.
pub const LEASE_MS: u64 = 90_000;

/// How long a try waits for the answer to what it writes.
pub const WRITE_MS: u64 = 300_000;

/// When what failed is tried again, and when it is given up.
pub const RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 5,
    first_ms: 100,
    longest_ms: 2_000,
};

/// What follows from any change of a table that shows.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, which is the kind of its jobs too.
    pub id: &'static str,
    /// The table it looks at.
    pub table: &'static str,
    /// How many jobs there are of a record.
    pub per: Per,
    /// Those of a record are done in order.
    pub is_ordered: bool,
    /// The table its jobs write to: the record of the same id.
    writes: &'static str,
}

/// The rules: what the jobs of the first two write fires the other one.
pub const RULES: [Rule; 3] = [
    Rule {
        id: "copy",
        table: "notes",
        per: Per::Commit,
        is_ordered: false,
        writes: "tasks",
    },
    Rule {
        id: "line",
        table: "tasks",
        per: Per::Commit,
        is_ordered: true,
        writes: "notes",
    },
    Rule {
        id: "last",
        table: "pairs",
        per: Per::Record,
        is_ordered: false,
        writes: "tasks",
    },
];

/// The rules as an app's config has them.
pub fn triggers() -> Arc<Triggers> {
    let config = |rule: &Rule| TriggerConfig {
        id: rule.id.to_owned(),
        table: rule.table.to_owned(),
        when: When::Any,
        fields: None,
        condition: Vec::new(),
        job: rule.id.to_owned(),
        per: rule.per,
        ordered: Some(rule.is_ordered),
        args: Value::Null,
    };
    let configs = RULES.each_ref().map(config);
    Arc::new(Triggers::of(&configs, DEPTH_MAX).expect("they are triggers"))
}

/// All kinds.
pub fn kinds() -> Vec<JobKind> {
    RULES.iter().map(|rule| JobKind::trusted(rule.id)).collect()
}

/// What a job writes, the same in every try. Of one in four commits it is an update, which is refused
/// where there is no record. Few values, so that some show nothing new.
pub fn work(job: &Job) -> Changes {
    let rule = RULES.iter().find(|rule| rule.id == job.kind.as_str());
    let rule = rule.expect("only these are claimed");
    let args: Value = serde_json::from_str(job.args.as_str()).expect("arguments are JSON");
    let id = args["id"].as_str().expect("a job is about a record");
    let (table, seq) = (rule.writes, job.origin.seq.0);
    let n = seq % 3;
    Changes(match seq % 4 {
        0 => format!(
            r#"[{{"table":"{table}","id":"{id}","op":"update","fields":{{"n":{{"value":{n}}}}}}}]"#
        ),
        _ => format!(r#"[{{"table":"{table}","id":"{id}","op":"insert","data":{{"n":{n}}}}}]"#),
    })
}
