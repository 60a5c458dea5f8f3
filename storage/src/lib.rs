//! Durable stores for spaces: one contract, several engines.
//!
//! [`store`] is the contract and [`types`] its vocabulary; read those first.
//! [`dead_letter`] says what is kept of a change that is set aside. [`sqlite`] is the
//! embedded engine. [`group`] turns many sessions' commits into few transactions. [`faulty`]
//! is a store that fails on purpose, and [`conformance`] the suite that every engine must pass,
//! with or without faults.

pub mod conformance;
pub mod dead_letter;
pub mod faulty;
pub mod group;
pub mod model;
pub mod sqlite;
pub mod store;
pub mod types;

pub use store::Store;
