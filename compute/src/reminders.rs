//! Reminders: when somebody is to be told of something.
//!
//! `due` says for when a reminder is, by its record and its task's. It is pure: records come in. Who
//! reads them is not here.

mod due;
mod fields;
#[cfg(test)]
mod tests;
mod times;

pub use due::{Asks, Due, MINUTES_MAX, NoDue};
pub use fields::ReminderFields;
