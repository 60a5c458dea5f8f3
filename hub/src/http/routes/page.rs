//! `GET /`: what this is, until the demo stands here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::http::Context;

const PAGE: &str = "\
Syncline: a realtime sync hub for local-first apps.

  /health    is the node alive
  /ready     does it take work
  /v1/ws     the sync protocol, over WebSocket
";

const DEV: &str = "
Development issuer: a token for any user, valid for an hour:

  curl -s -d '{\"user\":\"ada\",\"ttl_s\":3600}' http://HOST:PORT/dev/token
";

pub(super) async fn root(State(context): State<Arc<Context>>) -> impl IntoResponse {
    let dev = if context.dev_issuer.is_some() {
        DEV
    } else {
        ""
    };
    let content_type = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    ([content_type], format!("{PAGE}{dev}"))
}
