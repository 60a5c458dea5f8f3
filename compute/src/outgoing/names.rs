//! From a host's name to the addresses that are connected to: the guard stands between, so what was
//! looked at is what is reached, whatever the name stands for a moment later.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::Reach;

/// Addresses of a name that are tried; the rest is left out.
const ADDRESSES_MAX: usize = 8;

/// Says which addresses a name has.
#[async_trait]
pub(crate) trait Names: Send + Sync + 'static {
    /// Asks afresh, each time. Ports say nothing.
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's.
pub(crate) struct System;

#[async_trait]
impl Names for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// Names whose addresses are looked at before anybody gets them.
pub(crate) struct Guarded {
    names: Arc<dyn Names>,
    reach: Reach,
}

impl Guarded {
    pub(crate) fn new(names: Arc<dyn Names>, reach: Reach) -> Guarded {
        Guarded { names, reach }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, reach) = (self.names.clone(), self.reach);
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            let allowed = allowed(found, reach)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Those that may be reached. Errors: none may.
pub(crate) fn allowed(found: Vec<SocketAddr>, reach: Reach) -> io::Result<Vec<SocketAddr>> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found {
        match reach.check(address.ip()) {
            Ok(()) => allowed.push(address),
            Err(refusal) => refused = Some(refusal),
        }
    }
    allowed.truncate(ADDRESSES_MAX);
    match refused {
        Some(refusal) if allowed.is_empty() => Err(io::Error::other(refusal)),
        _ if allowed.is_empty() => Err(io::Error::other("the name has no address")),
        _ => Ok(allowed),
    }
}
