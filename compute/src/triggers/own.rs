//! Triggers that are the hub's own: of parts of it that an app's config turns on. They ask for jobs of
//! the hub alone, which cannot go round in circles with others, so no depth and no number cuts them.

use syncline_protocol::ids::{FieldName, TableName};
use syncline_storage::jobs::{IfThere, Job, JobArgs, JobKey, JobKind, JobMove, Origin, TriggerId};

use super::config::When;
use super::event::{Changed, Committed};

/// A trigger of the hub.
#[derive(Clone, Debug)]
pub struct OwnTrigger {
    /// What it is called: begins with `@`, as no trigger of a config may.
    pub id: TriggerId,
    /// The table it looks at.
    pub table: TableName,
    /// What must happen to a record.
    pub when: When,
    /// Only if one of these fields shows another value.
    pub fields: Option<Vec<FieldName>>,
    /// The kind of job.
    pub kind: JobKind,
    /// Of what there is one.
    pub one: One,
}

/// Of what there is one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    /// One for the space, which triggers of one id share. It is put anew by whatever fires it.
    Space,
    /// One for each record, of which it is told. One that is there stays.
    Record,
}

impl OwnTrigger {
    pub(super) fn fires(&self, changed: &Changed<'_>, when: When) -> bool {
        let field_changed = |name: &FieldName| changed.field_changed(name.as_str());
        let fields = self.fields.as_ref();
        (self.when == When::Any || self.when == when)
            && fields.is_none_or(|fields| fields.iter().any(field_changed))
    }

    pub(super) fn put(&self, committed: &Committed<'_>, changed: &Changed<'_>) -> JobMove {
        let key = changed.key;
        let (name, args, if_there) = match self.one {
            One::Space => (
                self.id.to_string(),
                r#"{"args":null}"#.to_owned(),
                IfThere::Replace,
            ),
            One::Record => {
                let args = serde_json::json!({
                    "table": key.table.as_str(), "id": key.id.as_str(), "when": "insert",
                    "who": changed.who, "args": null,
                });
                (
                    format!("{}/{key}", self.id),
                    args.to_string(),
                    IfThere::Keep,
                )
            }
        };
        JobMove::Put {
            job: Job {
                kind: self.kind.clone(),
                key: JobKey::trusted(&name),
                lane: None,
                due_at_ms: committed.now_ms,
                args: JobArgs::trusted(&args),
                depth: changed.depth,
                origin: Origin {
                    epoch: committed.epoch,
                    seq: committed.seq,
                    trigger: self.id.clone(),
                },
            },
            if_there,
        }
    }
}
