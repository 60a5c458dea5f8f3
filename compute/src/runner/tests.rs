//! Runners with real pools on SQLite: what the state decides is carried out.

mod faults;
mod schedules;
mod site;
mod tries;
