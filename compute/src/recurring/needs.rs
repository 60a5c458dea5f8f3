//! What the jobs of a trigger need of the limits of records, for whoever checks a config.

use super::args::{self, RecurringArgs};
use super::{NEXT_ID_BYTES, OCCURRENCE_ID_BYTES_MAX};
use crate::triggers::TriggerConfig;

/// The least that limits must allow. Below it every such job would be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Changes of one push.
    pub changes: usize,
    /// Bytes of a name: what is written has an id that follows from its record.
    pub name_bytes: usize,
}

/// What a trigger of this worker needs; `None` if it is none.
pub fn needs(trigger: &TriggerConfig) -> Option<Needs> {
    Some(match args::read(&trigger.args).ok()? {
        RecurringArgs::Next(args) => Needs {
            changes: 1 + usize::from(!args.old.is_empty()),
            name_bytes: NEXT_ID_BYTES,
        },
        RecurringArgs::Occurrences(args) => Needs {
            changes: 1,
            name_bytes: OCCURRENCE_ID_BYTES_MAX.max(args.into.as_str().len()),
        },
    })
}
