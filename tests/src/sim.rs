//! The simulation: seeded worlds of devices, nodes and a store, in which the real session state
//! meets everything that can go wrong, one step at a time, and what must hold is checked at
//! every step.
//!
//! In reading order: [`plan`] (how a world is built), [`world`] (what can happen, picked by the
//! seed), [`node`] (the real `SessionState` and a shell around it), [`timers`] (what it does by the clock), [`store`], [`cache`],
//! [`bus`], [`network`], [`calls`] and [`exchange`] (what lies between, with its faults), [`device`] (who
//! syncs, by which protocol), [`jobs`] (what follows from changes, in some worlds),
//! [`checker`] (the invariants, their names, the history), [`reference`] (what a space must
//! hold, computed a second way), [`campaign`] (many seeds on all cores). [`rng`], [`clock`],
//! [`count`] and [`trace`] serve them all.
//!
//! A seed is a whole history: `SIM_SEED=n SIM_TRACE=1 make sim` tells it line by line.

pub mod bus;
pub mod cache;
pub mod calls;
pub mod campaign;
pub mod checker;
pub mod clock;
pub mod count;
pub mod device;
pub mod exchange;
pub mod jobs;
pub mod network;
pub mod node;
pub mod plan;
pub mod reference;
pub mod rng;
pub mod store;
pub mod timers;
pub mod trace;
pub mod world;
