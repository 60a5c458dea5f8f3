//! The ledger: credits of users and of pools they share, in double entry.
//!
//! [`names`], [`credits`] and [`types`] are the vocabulary, [`account`] says what an account is made of,
//! [`decide`] what an order does to it, and [`store`] is the contract that every engine keeps. [`audit`]
//! compares what accounts say with the sums of their lines. Who may order what, and what it costs, is not
//! decided here.
//!
//! ```text
//!  granted ─┐                   ┌──► consumed      use, settle (a refund goes back)
//!           ├──► balance ───────┼──► expired       lapse
//! purchased ┘     ▲   │         └──► another       transfer
//!                 │   ▼              account
//!    release, run │  reserved ─────► consumed      settle
//!             out └───┘
//! ```
//!
//! Whole numbers only. A posting moves an amount from one place to another, so all entries together are
//! always 0: what users have is what the system accounts have given and not got back. A line is a posting as
//! an account sees it; lines are numbered without a gap and never change.
//!
//! **The system accounts have no row.** Each account keeps what it got from each of them and gave to each,
//! so a system account is spread over all others, and nobody waits for another at it. The audit adds it up.

mod account;
mod audit;
mod columns;
mod credits;
mod decide;
mod names;
mod store;
mod types;

pub use account::Account;
pub use audit::{AuditCursor, AuditPage, Audited, Books, Drift, DriftOf, Sums};
pub(crate) use columns::{
    ACCOUNT_NUMBERS, account_of, code_of, credits_of, kind_of, numbers_of, posting_of, state_code,
    state_of,
};
pub use credits::{CREDITS_MAX, Credits};
pub(crate) use decide::{Decided, Seen, Spent, decide, lapse, may_receive, receive, run_out, send};
pub use names::{AccountId, OrderKey, PoolId, PostingId};
pub use store::LedgerStore;
pub use types::{
    About, AboutError, Entry, LedgerError, LedgerRefusal, Line, LineKind, Operation, Order, Party,
    Reservation, ReservationState, Source, SystemAccount,
};

/// Bytes of an order's key.
pub const ORDER_KEY_BYTES_MAX: usize = 256;

/// Bytes of a pool's name.
pub const POOL_BYTES_MAX: usize = 128;

/// Bytes of a description.
pub const DESCRIPTION_BYTES_MAX: usize = 512;

/// Bytes of an order's metadata.
pub const METADATA_BYTES_MAX: usize = 4 << 10;

/// Lines that one call of [`LedgerStore::lines`] returns; who asks for more gets so many.
pub const LINES_MAX: usize = 500;
