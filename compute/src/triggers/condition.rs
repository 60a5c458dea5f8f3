//! What must hold of a record for a trigger to fire: a small closed set, no language.

use syncline_protocol::ids::FieldName;
use syncline_protocol::json::Json;
use syncline_protocol::limits::{JSON_DEPTH_CEILING, NAME_BYTES_CEILING};

use super::config::{ConditionConfig, Is, Side};
use super::event::Changed;

/// A condition that was checked.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    field: FieldName,
    holds: Holds,
}

#[derive(Clone, Debug)]
enum Holds {
    Set(Side),
    Unset(Side),
    Changed,
    Equals(Side, Json),
}

/// A field's name. Errors: what is wrong with it.
pub(super) fn field(name: &str) -> Result<FieldName, String> {
    FieldName::parse_within(name, NAME_BYTES_CEILING).map_err(|refusal| refusal.message)
}

impl Condition {
    /// Checks a condition. Errors: what is wrong with it.
    pub(super) fn of(config: &ConditionConfig) -> Result<Condition, String> {
        let name = field(&config.field)?;
        let side = config.side.unwrap_or_default();
        let holds = match (config.is, &config.equals) {
            (Some(Is::Set), None) => Holds::Set(side),
            (Some(Is::Unset), None) => Holds::Unset(side),
            (Some(Is::Changed), None) if config.side.is_none() => Holds::Changed,
            (Some(Is::Changed), None) => {
                return Err("`changed` looks at both sides, so it has no `side`".to_owned());
            }
            (None, Some(value)) => {
                let value = Json::parse(&value.to_string(), JSON_DEPTH_CEILING);
                Holds::Equals(side, value.map_err(|refusal| refusal.message)?)
            }
            _ => return Err("either `is` or `equals` is needed, and not both".to_owned()),
        };
        Ok(Condition { field: name, holds })
    }

    /// Whether it holds.
    pub(super) fn holds(&self, changed: &Changed<'_>) -> bool {
        let value = |side| changed.value(side, self.field.as_str());
        let is_set = |side| value(side).is_some_and(|value| value.as_str() != "null");
        match &self.holds {
            Holds::Set(side) => is_set(*side),
            Holds::Unset(side) => !is_set(*side),
            Holds::Changed => changed.field_changed(self.field.as_str()),
            Holds::Equals(side, expected) => value(*side) == Some(expected),
        }
    }
}
