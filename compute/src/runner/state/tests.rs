//! The state by itself, on a store in memory whose answers come at once or as a test wants them.

mod asking;
mod beginning;
mod desk;
mod ending;
mod fairness;
mod holding;
mod lanes;
mod schedules;
mod suspects;
mod world;
