//! Triggers that are the hub's own: of parts of it that an app's config turns on. They ask for jobs of
//! the hub alone, which cannot go round in circles with others, so no depth and no number cuts them.

use syncline_protocol::ids::{Epoch, FieldName, Seq, TableName};
use syncline_protocol::stamp::WallMs;
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
        let of = (committed.epoch, committed.seq);
        match self.one {
            One::Space => self.put_for_space(of, committed.now_ms, changed.depth),
            One::Record => {
                let key = changed.key;
                let args = serde_json::json!({
                    "table": key.table.as_str(), "id": key.id.as_str(), "when": "insert",
                    "who": changed.who, "args": null,
                });
                let name = format!("{}/{key}", self.id);
                let (named, at) = ((name.as_str(), args.to_string()), committed.now_ms);
                self.job(named, of, (at, changed.depth, IfThere::Keep))
            }
        }
    }

    /// The job that a space has of it, put anew and due at once, as of a commit.
    pub fn put_for_space(&self, of: (Epoch, Seq), now_ms: WallMs, depth: u8) -> JobMove {
        let named = (self.id.as_str(), r#"{"args":null}"#.to_owned());
        self.job(named, of, (now_ms, depth, IfThere::Replace))
    }

    fn job(
        &self,
        (name, args): (&str, String),
        (epoch, seq): (Epoch, Seq),
        (due_at_ms, depth, if_there): (WallMs, u8, IfThere),
    ) -> JobMove {
        JobMove::Put {
            job: Job {
                kind: self.kind.clone(),
                key: JobKey::trusted(name),
                lane: None,
                due_at_ms,
                args: JobArgs::trusted(&args),
                depth,
                origin: Origin {
                    epoch,
                    seq,
                    trigger: self.id.clone(),
                },
            },
            if_there,
        }
    }
}
