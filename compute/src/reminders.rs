//! Reminders: when somebody is to be told of something, whether that is now, and what is said.
//!
//! `due` says for when a reminder is, by its record and its task's. `plan` says what to do about
//! that now: wait, fire, or tell that it was missed. `preferences` are a user's: by which channels,
//! how often, and when not (`quiet`). `batch` makes one notification of several, `template` its
//! words. All of it is pure: records, the time and what was done before come in. Who reads and
//! writes those, and who delivers, is not here.

mod batch;
mod due;
mod fields;
mod plan;
mod preferences;
mod quiet;
mod template;
#[cfg(test)]
mod tests;
mod times;

pub use batch::{Batch, ITEMS_MAX, Item, batched};
pub use due::{Asks, Due, MINUTES_MAX, NoDue};
pub use fields::ReminderFields;
pub use plan::{FIRED_MAX, FiringKey, Idle, Plan, PlanLimits, State, plan};
pub use preferences::{
    Asked, Channel, Dropped, InQuiet, KINDS_MAX, LIMIT_MAX, LIMIT_MINUTES_MAX, Preferences, Verdict,
};
pub use quiet::Quiet;
pub use template::{
    BODY_CHARS_MAX, Form, Rendered, TEMPLATE_BYTES_MAX, TITLE_CHARS_MAX, TemplateText, Templates,
};
pub(crate) use template::{plain as one_line, shortened};
