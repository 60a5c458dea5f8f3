//! The clients that events are posted with: one for each reach, however many endpoints there are.
//! Building one reads the machine's root certificates; connections are kept by host in any case.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};

use super::config::Checked;
use super::guard::Reach;
use super::names::{Guarded, Names};
use super::reply;

/// How long connecting may take, of the time an answer may take, in milliseconds.
const CONNECT_MS_MAX: u64 = 10_000;

/// Connections to a host that are kept while nothing is sent.
const IDLE_CONNECTIONS_MAX: usize = 8;

const USER_AGENT: &str = concat!("syncline/", env!("CARGO_PKG_VERSION"));

/// The clients of what was checked, those that are needed.
pub(super) struct Clients(Vec<(Reach, Client)>);

impl Clients {
    /// Errors: TLS cannot be set up, for want of root certificates.
    pub(super) fn of(
        checked: &[(String, Checked)],
        names: &Arc<dyn Names>,
    ) -> Result<Clients, String> {
        let mut clients = Vec::new();
        for reach in [Reach::Public, Reach::Cluster] {
            let mut urls = checked
                .iter()
                .filter(|(_, one)| one.reach == reach)
                .map(|(_, one)| &one.url)
                .peekable();
            if urls.peek().is_none() {
                continue;
            }
            let mut client = Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
                .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .dns_resolver(Guarded::new(names.clone(), reach));
            if urls.all(|url| url.scheme() == "http") {
                // No TLS, so no roots: a machine without any can still post.
                client = client.tls_certs_only([]);
            }
            let client = client.build().map_err(|error| reply::said(error, None))?;
            clients.push((reach, client));
        }
        Ok(Clients(clients))
    }

    /// The one of a reach.
    pub(super) fn of_reach(&self, reach: Reach) -> Option<&Client> {
        let found = self.0.iter().find(|(of, _)| *of == reach);
        found.map(|(_, client)| client)
    }
}
