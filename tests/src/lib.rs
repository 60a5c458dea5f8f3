//! What the whole-hub tests are made of: [`node`], a hub in this process on free ports;
//! [`hub_process`], the real program; [`issuer`], who signs tokens; [`certificate`], two for TLS;
//! [`raw_http`], requests by hand; [`socket`], one WebSocket seen from outside, and
//! [`raw_socket`], one as bytes; [`device`], a device with a local replica and an outbox, as an
//! SDK has them; [`endpoint`], a server that webhooks are posted to; [`stripe`], Stripe's API; [`load`], the writers of the durability tests; [`race`], committers
//! that fight for spaces. [`sim`] needs none of them: it
//! has worlds of its own.

pub mod certificate;
pub mod collector;
pub mod compat_device;
pub mod device;
pub mod endpoint;
pub mod hub_process;
pub mod issuer;
pub mod load;
pub mod node;
pub mod race;
pub mod raw_http;
pub mod raw_socket;
pub mod sim;
pub mod socket;
pub mod stripe;

use std::time::Duration;

/// Ten times what anything here may take: past it, it hangs.
pub const HUNG: Duration = Duration::from_secs(20);

/// Waits until something is so; it hangs if it never is.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let found = tokio::time::timeout(HUNG, looking).await;
    assert!(found.is_ok(), "{what} never comes true");
}
