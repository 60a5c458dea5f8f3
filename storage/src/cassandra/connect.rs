//! Connecting: which nodes are asked, and how.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::DefaultRetryPolicy;

use super::failure::short;
use super::options::{CassandraOptions, Encryption, OpenError, Serial};
use crate::tls;

pub(super) fn refused(error: &impl ToString) -> OpenError {
    OpenError::Server(short(&error.to_string()).to_owned())
}

/// A session, and where it is.
pub(super) struct Connected {
    pub(super) session: Session,
    /// The datacenter that it asks; `None` for any.
    pub(super) home: Option<String>,
    /// All there are.
    pub(super) datacenters: BTreeSet<String>,
}

impl Connected {
    /// Where copies are whose datacenter is not named: at home, or in the only one.
    pub(super) fn place_of_copies(&self) -> Option<&str> {
        let only = self
            .datacenters
            .first()
            .filter(|_| self.datacenters.len() == 1);
        self.home.as_ref().or(only).map(String::as_str)
    }
}

/// Connects, and finds out where the hub is at home.
pub(super) async fn connect(options: &CassandraOptions) -> Result<Connected, OpenError> {
    let mut handle = profile(options, options.datacenter.as_deref()).into_handle();
    let session = session(options, handle.clone()).await?;
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info().iter();
    let datacenters: BTreeSet<String> = nodes.filter_map(|node| node.datacenter.clone()).collect();
    let home = home(options, datacenters.clone())?;
    handle.map_to_another_profile(profile(options, home.as_deref()));
    Ok(Connected {
        session,
        home,
        datacenters,
    })
}

async fn session(
    options: &CassandraOptions,
    handle: ExecutionProfileHandle,
) -> Result<Session, OpenError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.nodes)
        .connection_timeout(options.connect_timeout)
        .default_execution_profile_handle(handle)
        .fetch_schema_metadata(false)
        .keepalive_interval(Duration::from_secs(5))
        .keepalive_timeout(Duration::from_secs(10))
        .schema_agreement_timeout(Duration::from_secs(30));
    if let Some((user, password)) = &options.user {
        builder = builder.user(user, password);
    }
    if let Encryption::On(root_cert) = &options.encryption {
        let config = tls::client_config(root_cert.as_deref()).map_err(OpenError::Tls)?;
        builder = builder.tls_context(Some(config));
    }
    builder.build().await.map_err(|error| refused(&error))
}

/// How is asked, and whom.
fn profile(options: &CassandraOptions, home: Option<&str>) -> ExecutionProfile {
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = home {
        // What is agreed on in one datacenter is not known in another.
        policy = policy
            .prefer_datacenter(datacenter.to_owned())
            .permit_dc_failover(false);
    }
    ExecutionProfile::builder()
        .consistency(options.quorum())
        .serial_consistency(Some(options.serial_write()))
        .request_timeout(Some(options.answer_timeout))
        .retry_policy(Arc::new(DefaultRetryPolicy::new()))
        .load_balancing_policy(policy.build())
        .build()
}

/// The datacenter that is asked; `None` for any. What is agreed on by the nodes of one is not known in
/// another: a space that is written through both would have two histories. So where there is only one it
/// stays the one, also when another is added.
pub(super) fn home(
    options: &CassandraOptions,
    there: BTreeSet<String>,
) -> Result<Option<String>, OpenError> {
    let home = match &options.datacenter {
        Some(named) => there.get(named),
        None if options.serial == Serial::Global => return Ok(None),
        None if there.len() < 2 => return Ok(there.into_iter().next()),
        None => None,
    };
    match home {
        Some(home) => Ok(Some(home.clone())),
        None => Err(OpenError::Datacenter(
            there.into_iter().collect::<Vec<_>>().join(", "),
        )),
    }
}

/// As if its home were there.
#[cfg(test)]
pub(super) async fn session_of(options: &CassandraOptions, home: &str) -> Session {
    let handle = profile(options, Some(home)).into_handle();
    session(options, handle).await.expect("it connects")
}
