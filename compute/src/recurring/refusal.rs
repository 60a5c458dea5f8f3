//! What is told of a record whose rule, zone or dates are refused.
//!
//! Whoever may write the record may write any of these, so it is the record's fault and nobody's who
//! runs the hub: its job is done, and is put again by the change that mends it.

use std::sync::Arc;

use syncline_storage::jobs::JobName;

use crate::recurrence::Refused;

/// A record of which nothing is kept and nothing follows, since what it says of when it repeats is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The job that found it.
    pub name: JobName,
    /// Why. [`Refused::code`] is one of a dozen; the sentence may hold words of the record.
    pub refused: Refused,
}

/// Is told of each, once a job of it is done. It is called where jobs are done, so it is quick.
pub type ToldRefusal = Arc<dyn Fn(Refusal) + Send + Sync>;
