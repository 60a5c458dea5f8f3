//! The clients of endpoints: one for each reach.

use std::sync::Arc;

use reqwest::Client;

use super::config::Checked;
use crate::outgoing::client::{Sends, client};
use crate::outgoing::guard::Reach;
use crate::outgoing::names::Names;

/// Connections to a host that are kept while nothing is sent.
const IDLE_CONNECTIONS_MAX: usize = 8;

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
            let sends = Sends {
                reach,
                is_plain: urls.all(|url| url.scheme() == "http"),
                idle_connections_max: IDLE_CONNECTIONS_MAX,
            };
            clients.push((reach, client(&sends, names)?));
        }
        Ok(Clients(clients))
    }

    /// The one of a reach.
    pub(super) fn of_reach(&self, reach: Reach) -> Option<&Client> {
        let found = self.0.iter().find(|(of, _)| *of == reach);
        found.map(|(_, client)| client)
    }
}
