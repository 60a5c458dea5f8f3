//! Triggers as the config has them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::Template;

/// One trigger of an app.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// What it is called, unique in its app, without `/` and `#`. It is part of its jobs' keys.
    pub id: String,
    /// The table it looks at.
    pub table: String,
    /// What must happen to a record.
    pub when: When,
    /// Only if one of these fields changed. Of a record that appears or goes, all it has or had did.
    #[serde(default)]
    pub fields: Option<Vec<String>>,
    /// Only if all of these hold.
    #[serde(default)]
    pub condition: Vec<ConditionConfig>,
    /// The kind of job.
    pub job: String,
    /// How many jobs there are of a record at once.
    #[serde(default)]
    pub per: Per,
    /// Whether the jobs of a record are done one after the other, in the order of its commits. Of
    /// webhooks they are, unless this says otherwise, and with them those of other triggers that are
    /// posted to the same endpoint. Not with one job for each record.
    #[serde(default)]
    pub ordered: Option<bool>,
    /// What the job is told besides the record's place: JSON, in which a text that begins with `$`
    /// stands for something else.
    ///
    /// | text | stands for |
    /// |---|---|
    /// | `$app` `$space` `$table` `$id` | the record's place |
    /// | `$who` | who changed it |
    /// | `$when` | `insert`, `update` or `delete` |
    /// | `$seq` | the commit's number |
    /// | `$after.NAME` | the field's value afterwards, null if it is not there, or too large for a job |
    /// | `$before.NAME` | the field's value before, likewise |
    /// | `$after` | the whole record afterwards, null if it is gone, or too large for a job |
    /// | `$before` | the whole record before, likewise |
    /// | `$$…` | the text without its first `$` |
    #[serde(default)]
    pub args: Value,
}

impl TriggerConfig {
    /// What its jobs are told of every record alike; `None` if that says something of the record.
    pub fn fixed_args(&self) -> Option<Value> {
        let template = Template::of(&self.args).ok()?;
        serde_json::from_str(template.fixed()?).ok()
    }
}

/// What must happen to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It appears.
    Insert,
    /// A value of it changes.
    Update,
    /// It goes.
    Delete,
    /// Any of these.
    Any,
}

/// How many jobs of a trigger there are for one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One for each commit that fires it.
    #[default]
    Commit,
    /// One, which is put anew by each commit that fires it: what was not done yet is done once, of
    /// the record as it is then.
    Record,
}

/// What must hold of a field: either `is` or `equals`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionConfig {
    /// The field.
    pub field: String,
    /// How it must be.
    #[serde(default)]
    pub is: Option<Is>,
    /// What its value must be.
    #[serde(default, deserialize_with = "there")]
    pub equals: Option<Value>,
    /// In which of the two states, afterwards by default. Not for `changed`, which looks at both.
    #[serde(default)]
    pub side: Option<Side>,
}

/// Null is a value to be equal to, which serde would take for nothing.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// How a field must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// There, with a value other than null.
    Set,
    /// Not there, or null.
    Unset,
    /// Another than before.
    Changed,
}

/// One of the two states of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before the commit.
    Before,
    /// After it.
    #[default]
    After,
}
