//! Durable stores for spaces: one contract, several engines.
//!
//! [`store`] is the contract and [`types`] its vocabulary; read those first.
//! [`dead_letter`] says what is kept of a change that is set aside, [`jobs`] what a commit may
//! enqueue and what becomes of it, [`ledger`] what users have of credits. [`sqlite`] is the embedded engine, [`postgres`] the one that several
//! hubs share, [`cassandra`] the one without a primary. [`group`] turns many sessions' commits
//! into few transactions. [`transfer`] is the contract of moving everything from one store into
//! another, [`archive`] the file it travels in, [`sync_log`] the way out of the first user's old
//! server. [`faulty`] is a store that fails on purpose, and [`conformance`] the suite that every engine must pass,
//! with or without faults.

pub mod archive;
pub mod cassandra;
pub mod conformance;
pub mod dead_letter;
pub mod faulty;
pub mod group;
#[cfg(test)]
mod heap;
pub mod jobs;
pub mod ledger;
pub mod model;
mod page;
pub mod postgres;
#[cfg(test)]
mod proxy;
pub mod sqlite;
pub mod store;
pub mod sync_log;
mod tls;
pub mod transfer;
pub mod types;

pub use dead_letter::DEAD_LETTER_BYTES_MAX;
pub use jobs::JobStore;
pub use ledger::LedgerStore;
pub use store::Store;

use syncline_protocol::ids::Epoch;

/// An epoch no space ever had, for a space that is new.
fn random_epoch() -> Result<Epoch, types::StoreError> {
    // 0 is no space's: see `SpaceView::NEVER_OPENED`.
    random().map(|random| Epoch(random.max(1)))
}

fn random() -> Result<u64, types::StoreError> {
    getrandom::u64()
        .map_err(|error| types::StoreError::Unavailable(format!("no randomness: {error}")))
}
