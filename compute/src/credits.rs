//! Credits that work costs: [`cost`] says how many a job does, and what of the ledger is asked around a try of
//! it, as a step function; [`charged`] carries that out around a worker. The ledger itself is behind
//! [`CreditLedger`](charged::CreditLedger), and what credits are paid with is [`payments`](crate::payments).

pub mod charged;
pub mod cost;
