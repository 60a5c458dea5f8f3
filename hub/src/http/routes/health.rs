//! Is the node alive, does it take work, what has it done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use syncline_protocol::error::Code;
use syncline_protocol::stamp::wall_text;

use crate::http::error::json;
use crate::http::{Context, HttpError};
use crate::lifecycle::Stage;

/// What the first user's monitoring expects to read as the service's name.
const SERVICE: &str = "mana-sync";

/// Always 200 while the process answers. The fields are those of the compatibility protocol.
pub(super) async fn health(State(context): State<Arc<Context>>) -> Response {
    #[derive(Serialize)]
    struct Health<'a> {
        status: &'a str,
        service: &'a str,
        timestamp: String,
        node: &'a str,
        connections: i64,
        users: i64,
    }
    let health = Health {
        status: "ok",
        service: SERVICE,
        timestamp: wall_text(context.clock.now_ms()),
        node: context.node.as_str(),
        connections: context.metrics.compat_connections.get(),
        users: context.metrics.compat_users.get(),
    };
    let text = serde_json::to_string(&health).expect("plain data");
    json(StatusCode::OK, text)
}

/// 200 while the node takes work, else 503 with the reason.
pub(super) async fn ready(State(context): State<Arc<Context>>) -> Response {
    match context.lifecycle.stage() {
        Stage::Ready if !context.verifier.has_keys() => {
            let why = "the issuer's keys were not read yet, see auth.jwks_url and the log";
            HttpError::new(Code::IssuerUnavailable, why).into_response()
        }
        Stage::Ready => match context.lifecycle.store_trouble() {
            Some(trouble) => HttpError::new(Code::Unavailable, trouble.to_string()).into_response(),
            None => json(StatusCode::OK, r#"{"status":"ready"}"#),
        },
        Stage::Starting => {
            HttpError::new(Code::Unavailable, "the node is starting").into_response()
        }
        Stage::Draining => HttpError::new(Code::Draining, "the node is going down").into_response(),
    }
}

pub(super) async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let content_type = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
    ([content_type], context.metrics.render())
}
