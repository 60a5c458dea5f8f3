//! The ledger in the database: accounts, their lines, and what is reserved of them.
//!
//! An order is one transaction. It locks the accounts it is about, in the order of their numbers, and looks
//! at them in statements after that one, so what it sees is what the last one left. Two orders of one account
//! wait for each other, others do not: there is no row that all of them write. An account is begun before
//! it is locked; what an order that is refused has begun is taken back with it.
//!
//! A call may be made twice, and the first time to an end that nobody knows: the second finds the key.

mod audit;
mod erase;
mod expire;
mod post;
mod rows;
mod store;

#[cfg(test)]
pub(super) use post::Post;
pub(super) use rows::LedgerStatements;
