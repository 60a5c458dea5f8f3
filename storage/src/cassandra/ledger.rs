//! The ledger in the keyspace: an account is one partition of `ledger`, under a random number.
//!
//! Its own values are static columns, its rows are of the kinds in [`row::kind`]. Every write of it is a
//! conditional batch that tests that nothing was written since it was looked at ([`partition`]), so an
//! order is decided as on every engine: what it sees is what it writes on. An answer that is lost costs
//! another look, which finds the order's key if it was written; and what was under way cannot be written any
//! more once something else was.
//!
//! All of an order is in the one partition, but for a transfer ([`transfer`]):
//!
//! 1. it leaves its sender's balance (`in_transit`), a row says where to, and its key is taken;
//! 2. its receiver gets a line, once, known by the posting;
//! 3. its sender gets a line, and the row goes. If the receiver does not take it, and it then never will,
//!    it goes back, and nothing of it is left.
//!
//! Who is gone in between has left a hint of it ([`hints`]), and [`relay`] goes on; so do they who hand the
//! order in again. `ledger_owners` says which number an owner's account has. Nothing else names an
//! owner, so one that is erased leaves a number.

mod audit;
mod erase;
mod expire;
mod hints;
mod owners;
mod partition;
mod post;
mod read;
mod relay;
mod row;
mod store;
mod transfer;

pub(super) use row::LEDGER_COLUMNS;

#[cfg(test)]
pub(super) use hints::shards_of_hints;
