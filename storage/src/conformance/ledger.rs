//! What every ledger must do: see [`crate::LedgerStore`].

pub mod auditing;
pub(crate) mod bank;
pub mod keys;
pub mod listing;
pub mod posting;
pub mod racing;
pub mod reserving;
pub mod transferring;

use std::pin::Pin;

use crate::LedgerStore;

/// A behaviour, ready to be run on an empty ledger.
pub type Behaviour =
    for<'a> fn(&'a dyn LedgerStore) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
