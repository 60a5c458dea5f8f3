//! What the whole-hub tests are made of: [`node`], a hub in this process on free ports;
//! [`socket`], one WebSocket seen from outside; [`device`], a device with a local replica and
//! an outbox, as an SDK has them; [`load`], the writers of the durability tests. [`sim`] needs
//! none of them: it has worlds of its own.

pub mod compat_device;
pub mod device;
pub mod load;
pub mod node;
pub mod sim;
pub mod socket;

use std::time::Duration;

/// Ten times what anything here may take: past it, it hangs.
pub const HUNG: Duration = Duration::from_secs(20);
