//! Connecting: which nodes are asked, and how.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
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

/// A session, and the datacenter that it asks.
pub(super) async fn connect(
    options: &CassandraOptions,
) -> Result<(Session, Option<String>), OpenError> {
    let mut handle = profile(options, options.datacenter.as_deref()).into_handle();
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.nodes)
        .connection_timeout(options.connect_timeout)
        .default_execution_profile_handle(handle.clone())
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
    let session = builder.build().await.map_err(|error| refused(&error))?;
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info().iter();
    let there = nodes.filter_map(|node| node.datacenter.clone()).collect();
    let home = home(options, there)?;
    handle.map_to_another_profile(profile(options, home.as_deref()));
    Ok((session, home))
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
