//! Jobs on this node: what follows from an app's changes ([`app_triggers`]), who is told that there
//! are some ([`bell`]), and how they have changes written ([`system_client`]).

pub mod app_triggers;
pub mod bell;
pub mod system_client;

pub use app_triggers::AppTriggers;
pub use bell::JobsBell;
