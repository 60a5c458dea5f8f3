//! The session's behaviour, event by event, against the model store.

mod absent;
mod backing_off;
mod batching;
mod catching_up;
mod collecting;
mod contention;
mod desk;
mod elsewhere;
mod ended_tokens;
mod entries;
mod erasing;
mod failing;
mod foreign;
mod hearing;
mod in_parts;
mod losing;
mod ordering;
mod paging;
mod presence;
mod pushing;
mod registry;
mod repeating;
mod replying;
mod syncing;
mod telling;
mod welcoming;
