//! The client that requests are sent with: one for each reach, however many servers there are.
//! Building one reads the machine's root certificates; connections are kept by host in any case.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};

use super::answer;
use super::guard::Reach;
use super::names::{Guarded, Names};

/// How long connecting may take, of the time an answer may take, in milliseconds.
const CONNECT_MS_MAX: u64 = 10_000;

const USER_AGENT: &str = concat!("syncline/", env!("CARGO_PKG_VERSION"));

/// What a client is for.
pub(crate) struct Sends {
    /// Where to.
    pub(crate) reach: Reach,
    /// Nothing over TLS: then no root certificates are needed, and a machine without any can send.
    pub(crate) is_plain: bool,
    /// Connections to a host that are kept while nothing is sent.
    pub(crate) idle_connections_max: usize,
}

/// A client. Errors: TLS cannot be set up, for want of root certificates.
pub(crate) fn client(sends: &Sends, names: &Arc<dyn Names>) -> Result<Client, String> {
    let mut client = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .pool_max_idle_per_host(sends.idle_connections_max)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(Guarded::new(names.clone(), sends.reach));
    if sends.is_plain {
        client = client.tls_certs_only([]);
    }
    client.build().map_err(|error| answer::said(error, None))
}
