//! The protocol of the first user's clients, without IO: what a request says ([`request`]),
//! what its cursor means ([`cursor`]), what a reply tells ([`reply`]).
//!
//! Those clients number nothing, clear their queue on any 2xx, write a reply's cursor to every
//! table, overwrite what they hold by what they are told, and send everything again after a
//! failure. So a repeat must be harmless, a reply complete, and every loser told the winner.

pub mod cursor;
pub mod reply;
pub mod request;
mod text;
