//! `GET /api/v1/admin/cluster`: the nodes that this one hears of. For the operator's servers, by
//! the service key; on the admin listener alone.
//!
//! The answer is `{"node","nodes":[{"node","instance","isSelf","version","startedAt","standing",
//! "sockets","sessions","commitsPerSecond","heardMsAgo","sharesName"}]}`, by name.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use syncline_cluster::directory::Listed;
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::stamp::wall_text;

use crate::cluster::nodes::Nodes;
use crate::gateway::Gateway;
use crate::http::HttpError;
use crate::http::error::json;
use crate::http::guard::counted;
use crate::telemetry::labels::Route;

/// What the route needs.
struct Seen {
    gateway: Arc<Gateway>,
    nodes: Nodes,
    node: String,
}

/// The route, of a node of this name.
pub(crate) fn routes(gateway: Arc<Gateway>, nodes: Nodes, node: &str) -> Router {
    let node = node.to_owned();
    let seen = Seen {
        gateway,
        nodes,
        node,
    };
    let listing = counted(Route::Cluster, get(list));
    Router::new()
        .route("/api/v1/admin/cluster", listing)
        .with_state(Arc::new(seen))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    node: &'a str,
    nodes: Vec<Node>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    node: String,
    instance: String,
    is_self: bool,
    version: String,
    started_at: String,
    standing: &'static str,
    sockets: u64,
    sessions: u64,
    commits_per_second: u64,
    heard_ms_ago: u64,
    shares_name: bool,
}

impl Node {
    fn of(listed: Listed, own: Instance) -> Node {
        let said = listed.said;
        Node {
            node: said.node.to_string(),
            instance: said.instance.to_string(),
            is_self: said.instance == own,
            version: said.version,
            started_at: wall_text(said.started_at_ms),
            standing: said.standing.as_str(),
            sockets: said.sockets,
            sessions: said.sessions,
            commits_per_second: said.commits_per_s,
            heard_ms_ago: u64::try_from(listed.ago.as_millis()).unwrap_or(u64::MAX),
            shares_name: listed.shares_name,
        }
    }
}

async fn list(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> Result<Response, HttpError> {
    seen.gateway.access.service(&headers)?;
    let own = seen.nodes.own();
    let nodes = seen.nodes.list().into_iter();
    let answer = Answer {
        node: &seen.node,
        nodes: nodes.map(|listed| Node::of(listed, own)).collect(),
    };
    let text = serde_json::to_string(&answer).expect("plain data");
    Ok(json(StatusCode::OK, text))
}
