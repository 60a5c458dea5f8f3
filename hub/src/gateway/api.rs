//! The native protocol over HTTP, for clients without WebSocket and for servers.
//!
//! `POST /v1/{app}/push`, `GET /v1/{app}/changes`, `GET /v1/{app}/snapshot`. Pushes go through
//! the session; reads go to the store, since what it holds is what a session would say.
//!
//! An answer to `changes` ends after a commit. One that holds only a part of a commit, because
//! that is larger than a page, has `to` = `from`, `"more":true` and an opaque `next`: the client
//! asks again with the same cursor and `&next=`, and shows nothing before an answer without.

mod changes;
mod push;
mod snapshot;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::wire::hub::{self, ResetWhy};
use syncline_storage::types::{PageLimit, SpaceView};

use self::changes::changes;
use self::push::push;
use self::snapshot::snapshot;
use super::Gateway;
use super::access::Caller;
use crate::http::HttpError;
use crate::http::error::json;
use crate::http::guard::counted;
use crate::telemetry::labels::Route;

/// Records of one page if the client does not say, and at most.
const PAGE_RECORDS: usize = 1_000;
const PAGE_RECORDS_MAX: usize = 5_000;

/// Bytes of stored records of one page. A page takes its room before it is read.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// The routes.
pub fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/{app}/push", counted(Route::Push, post(push)))
        .route("/v1/{app}/changes", counted(Route::Changes, get(changes)))
        .route(
            "/v1/{app}/snapshot",
            counted(Route::Snapshot, get(snapshot)),
        )
}

async fn caller(
    gateway: &Gateway,
    headers: &HeaderMap,
    app: &str,
    space: Option<String>,
) -> Result<Caller, HttpError> {
    let app = AppId::parse(app)?;
    let space = space.map(|space| SpaceId::parse(&space)).transpose()?;
    let now_ms = gateway.clock.now_ms();
    Ok(gateway.access.caller(headers, &app, space, now_ms).await?)
}

fn page_limit(limit: Option<usize>) -> Result<PageLimit, Refusal> {
    let records = limit.unwrap_or(PAGE_RECORDS);
    if !(1..=PAGE_RECORDS_MAX).contains(&records) {
        let message = format!("limit is not in 1 to {PAGE_RECORDS_MAX}");
        return Err(Refusal::new(Code::CursorInvalid, message));
    }
    Ok(PageLimit {
        records,
        bytes: PAGE_BYTES_MAX,
    })
}

fn reset(gateway: &Gateway, why: ResetWhy) -> Response {
    gateway.metrics.resets.inc(why);
    let refusal = Refusal::new(Code::Reset, "take a snapshot from the start");
    refused_with(&refusal, &format!(r#""why":"{}""#, why.as_str()))
}

/// An error answer with more members, as `"name":value`.
fn refused_with(refusal: &Refusal, members: &str) -> Response {
    let status = StatusCode::from_u16(refusal.code.status());
    let mut body = hub::http_error(refusal);
    body.pop();
    json(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        format!("{body},{members}}}"),
    )
}

/// The space, if anybody ever wrote to it or connected. A read makes no space of it.
async fn view(gateway: &Gateway, space: &SpaceKey) -> Result<Option<SpaceView>, HttpError> {
    let view = gateway.store.space(space).await;
    view.map_err(|error| gateway.store_failed(&error))
}
