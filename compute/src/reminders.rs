//! Reminders: when somebody is to be told of something, whether that is now, and what is said.
//!
//! `due` says for when a reminder is, by its record and its task's. `plan` says what to do about
//! that now: wait, fire, or tell that it was missed. `preferences` are a user's: by which channels,
//! how often, and when not (`quiet`). `batch` makes one notification of several, `template` its
//! words. All of it is pure: records, the time and what was done before come in.
//!
//! [`Reminding`] is the worker that does so for the space of a job, by a [`RemindersConfig`]: `read`
//! reads records, `look` says what each reminder asks for now, `tell` makes notifications of what
//! fires (`notice`, `words`), `history` says how many are kept. It writes them as records; who
//! delivers them is not here.

mod batch;
mod config;
mod due;
mod fields;
mod history;
mod look;
mod notice;
mod plan;
mod planned;
mod preferences;
mod quiet;
mod read;
mod reminding;
mod tell;
mod template;
#[cfg(test)]
mod tests;
mod times;
mod words;

pub use batch::{Batch, ITEMS_MAX, Item, batched};
pub use config::{BATCH_WINDOW_MS_MAX, CUT_OFF_S_MAX, RemindersConfig, Watched};
pub use due::{Asks, Due, MINUTES_MAX, NoDue};
pub use fields::ReminderFields;
pub use history::{HISTORY_MAX, HISTORY_MS};
pub use plan::{FIRED_MAX, FiringKey, Idle, Plan, PlanLimits, State, plan};
pub use planned::{Hears, Planned};
pub use preferences::{
    Asked, Channel, Dropped, InQuiet, KINDS_MAX, LANGUAGE_BYTES_MAX, LIMIT_MAX, LIMIT_MINUTES_MAX,
    Limit, Preferences, Verdict,
};
pub use quiet::Quiet;
pub use reminding::{CHANGES_MAX, GONE_KEPT_MS, REMINDERS_MAX, Reminding};
pub use tell::CHANGES_MIN;
pub use template::{
    BODY_CHARS_MAX, Form, LETTER_CHARS_MAX, MailText, MailWords, Rendered, TEMPLATE_BYTES_MAX,
    TITLE_CHARS_MAX, TemplateText, Templates,
};
pub(crate) use template::{plain as one_line, shortened};
pub use words::{KIND, MISSED, OVER_LIMIT, SEVERAL, TemplateTexts, VALUES, words_of};
