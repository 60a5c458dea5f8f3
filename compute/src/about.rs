//! What a job is about, as its arguments say: the one reader of what triggers and schedules write.
//!
//! A trigger's job has `{"table","id","when","who","args"}`, a schedule's `{"args"}`; `args` is what
//! the config says there. Members that are not known here are passed over, since a newer node may
//! have put the job.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use syncline_protocol::ids::{RecordId, RecordKey, TableName};
use syncline_protocol::limits::NAME_BYTES_CEILING;
use syncline_protocol::object;
use syncline_storage::jobs::{JobArgs, JobError};

/// What a job is about.
#[derive(Clone, Debug)]
pub struct About {
    /// The record that a trigger looked at; `None` for a schedule's job.
    pub record: Option<AboutRecord>,
    args: Box<RawValue>,
}

/// What happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutRecord {
    /// The record.
    pub key: RecordKey,
    /// `insert`, `update` or `delete`.
    pub when: String,
    /// Who changed it.
    pub who: String,
}

#[derive(Deserialize)]
struct Written {
    table: Option<String>,
    id: Option<String>,
    when: Option<String>,
    who: Option<String>,
    #[serde(default, deserialize_with = "given")]
    args: Option<Box<RawValue>>,
}

/// What is null is given too.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(from).map(Some)
}

impl About {
    /// Reads a job's arguments. Errors: they are of no trigger and of no schedule, which no other
    /// try mends.
    pub fn of(args: &JobArgs) -> Result<About, JobError> {
        let written: Written = object::from_str(args.as_str()).map_err(unreadable)?;
        let Written {
            table,
            id,
            when,
            who,
            args,
        } = written;
        let record = match (table, id, when, who) {
            (None, None, None, None) => None,
            (Some(table), Some(id), Some(when), Some(who)) => {
                let table = TableName::parse_within(&table, NAME_BYTES_CEILING);
                let id = RecordId::parse_within(&id, NAME_BYTES_CEILING);
                let key = RecordKey {
                    table: table.map_err(|refusal| unreadable(refusal.message))?,
                    id: id.map_err(|refusal| unreadable(refusal.message))?,
                };
                Some(AboutRecord { key, when, who })
            }
            _ => return Err(unreadable("a record has a table, an id, when and who")),
        };
        let args = args.ok_or_else(|| unreadable("there are no args"))?;
        Ok(About { record, args })
    }

    /// What the config says, as a worker reads it. Errors: it cannot be read so.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        object::from_str(self.args.get()).map_err(unreadable)
    }
}

fn unreadable(why: impl std::fmt::Display) -> JobError {
    JobError::new(&format!("args_invalid: the job's arguments: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct To {
        to: String,
    }

    fn about(args: &str) -> Result<About, JobError> {
        About::of(&JobArgs::trusted(args))
    }

    #[test]
    fn a_triggers_job_is_about_a_record() {
        let args = r#"{"args":{"to":"llm"},"id":"k1","table":"tasks","when":"update","who":"ada"}"#;
        let about = about(args).unwrap();
        let record = about.record.clone().unwrap();
        assert_eq!(record.key.to_string(), "tasks/k1");
        assert_eq!((&*record.when, &*record.who), ("update", "ada"));
        assert_eq!(about.args::<To>().unwrap().to, "llm");
    }

    #[test]
    fn a_schedules_job_is_about_none() {
        let about = about(r#"{"args":{"to":"llm"}}"#).unwrap();
        assert_eq!(about.record, None);
    }

    /// So do triggers of the hub's own.
    #[test]
    fn args_may_be_null() {
        let args = r#"{"args":null,"id":"k1","table":"tasks","when":"insert","who":"ada"}"#;
        let record = about(args).unwrap().record.unwrap();
        assert_eq!(record.key.to_string(), "tasks/k1");
        assert!(about(r#"{"args":null}"#).is_ok());
    }

    #[test]
    fn members_of_a_newer_node_are_passed_over() {
        assert!(about(r#"{"args":{},"lane":"x"}"#).is_ok());
    }

    #[test]
    fn what_is_of_nobody_is_refused_and_why() {
        for (args, why) in [
            ("null", "expected an object"),
            ("[]", "expected an object"),
            (r#"{"table":"tasks","args":{}}"#, "a record has"),
            ("{}", "there are no args"),
            (
                r#"{"args":{},"id":"","table":"t","when":"insert","who":"a"}"#,
                "id is empty",
            ),
        ] {
            let refused = about(args).unwrap_err();
            assert!(refused.as_str().starts_with("args_invalid: "));
            assert!(refused.as_str().contains(why), "{}", refused.as_str());
        }
        let about = about(r#"{"args":{"to":"llm","two":1}}"#).unwrap();
        let refused = about.args::<To>().unwrap_err();
        assert!(refused.as_str().contains("unknown field `two`"));
    }
}
