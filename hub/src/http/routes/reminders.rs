//! `POST /api/v1/admin/reminders/plan {"app"}` → `{"planned": n}`: has the reminders of every user of an
//! app looked at again, after its config changed, or a clock was ahead. For the operator's servers, by
//! the service key; on the admin listener alone.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use syncline_protocol::error::Code;
use syncline_protocol::ids::AppId;

use crate::gateway::Gateway;
use crate::http::error::json;
use crate::http::guard::counted;
use crate::http::{HttpError, RawBody};
use crate::jobs::Replanning;
use crate::notify::Notify;
use crate::telemetry::labels::Route;

/// What the route needs.
struct Desk {
    gateway: Arc<Gateway>,
    notify: Notify,
    replanning: Replanning,
}

/// The route.
pub(crate) fn routes(gateway: Arc<Gateway>, notify: Notify, replanning: Replanning) -> Router {
    let desk = Desk {
        gateway,
        notify,
        replanning,
    };
    let route = counted(Route::Jobs, post(plan));
    Router::new()
        .route("/api/v1/admin/reminders/plan", route)
        .with_state(Arc::new(desk))
}

#[derive(Deserialize)]
struct Of {
    app: String,
}

async fn plan(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    if let Err(refusal) = desk.gateway.access.service(&headers) {
        body.refuse();
        return Err(refusal.into());
    }
    let of: Of = body.read("@service").await?.json()?;
    let app = AppId::parse(&of.app)?;
    if !desk.notify.has(&app) {
        let message = format!("app {app} has no reminders: see app.{app}.reminders");
        return Err(HttpError::new(Code::AppUnknown, message));
    }
    let replanning = desk.replanning.clone();
    // It goes on if the caller leaves: half of it would be no use.
    let planned = tokio::spawn(async move { replanning.of_app(&app).await });
    let planned = planned
        .await
        .map_err(|_| HttpError::new(Code::Internal, "no answer"))?;
    let planned = planned.map_err(|error| {
        tracing::warn!(%error, "reminders could not be planned anew");
        HttpError::new(Code::Unavailable, "the store does not answer; ask again")
    })?;
    Ok(json(StatusCode::OK, format!(r#"{{"planned":{planned}}}"#)))
}
