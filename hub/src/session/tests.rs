//! The session's behaviour, event by event, against the model store.

mod batching;
mod catching_up;
mod desk;
mod failing;
mod hearing;
mod losing;
mod paging;
mod pushing;
mod replying;
mod syncing;
mod telling;
mod welcoming;
