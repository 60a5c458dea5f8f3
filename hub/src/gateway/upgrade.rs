//! From HTTP to WebSocket.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fastwebsockets::WebSocketError;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use hyper_util::rt::TokioIo;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::AppId;
use syncline_protocol::wire::SUBPROTOCOL;

use super::Gateway;
use super::compat::socket::Compat;
use super::link::{Link, turn_away};
use super::socket::Native;
use super::stream::Stream;
use super::task::{Protocol, Task};
use crate::http::HttpError;
use crate::http::server::Peer;
use crate::http::watched::Watched;

/// A native client's upgrade: its stream becomes a socket task.
pub async fn native(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let subprotocol = match subprotocol(request.headers()) {
        Ok(subprotocol) => subprotocol,
        Err(refusal) => return HttpError::from(refusal).into_response(),
    };
    let mut response = upgraded(request, gateway, |link| Task::new(link, Native::new()));
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(subprotocol) = subprotocol
    {
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// A compatibility client's upgrade.
pub fn compat(gateway: Arc<Gateway>, app: AppId, request: Request) -> Response {
    upgraded(request, gateway, |link| Task::new(link, Compat::new(app)))
}

/// An upgrade from an origin that is allowed; its stream becomes a socket's task.
fn upgraded<P: Protocol>(
    request: Request,
    gateway: Arc<Gateway>,
    task: impl FnOnce(Link) -> Task<P> + Send + 'static,
) -> Response {
    if is_upgrade_request(&request)
        && let Err(refusal) = gateway.access.check_origin(request.headers())
    {
        return HttpError::from(refusal).into_response();
    }
    let from = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let from = from.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    accept(request, move |stream, early| async move {
        match Link::open(gateway.clone(), (stream, &early), from) {
            // A task of its own: this one holds the remains of HTTP.
            Ok(link) => drop(tokio::spawn(task(link))),
            Err(stream) => turn_away(&gateway, stream).await,
        }
    })
}

/// Answers a request that must be a WebSocket upgrade, and hands the stream to a task of its
/// own, with the bytes that came right behind the request.
pub fn accept<F>(
    mut request: Request,
    serve: impl FnOnce(Stream, Bytes) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    if !is_upgrade_request(&request) {
        let refusal = Refusal::new(Code::BadMessage, "this route is a WebSocket");
        let mut response = HttpError::from(refusal).into_response();
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        let websocket = HeaderValue::from_static("websocket");
        response.headers_mut().insert(header::UPGRADE, websocket);
        return response;
    }
    match upgrade(&mut request) {
        Ok((response, upgraded)) => {
            tokio::spawn(async move {
                match take_stream(upgraded).await {
                    Ok((stream, early)) => serve(stream, early).await,
                    Err(error) => tracing::debug!(%error, "upgrade failed"),
                }
            });
            response.map(Body::new)
        }
        Err(error) => HttpError::new(Code::BadMessage, error.to_string()).into_response(),
    }
}

/// Takes our subprotocol if any are offered. A browser that offered others only would refuse
/// the answer anyway.
fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut names = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(',').map(str::trim));
    if headers.get(header::SEC_WEBSOCKET_PROTOCOL).is_none() {
        return Ok(None);
    }
    if names.any(|name| name == SUBPROTOCOL) {
        return Ok(Some(HeaderValue::from_static(SUBPROTOCOL)));
    }
    let message = format!("only the subprotocol {SUBPROTOCOL} is spoken here");
    Err(Refusal::new(Code::VersionUnsupported, message))
}

/// Takes the stream out of hyper, with what the client sent right behind its request.
async fn take_stream(upgraded: UpgradeFut) -> Result<(Stream, Bytes), NoStream> {
    let upgraded = upgraded.await?.into_inner().into_inner();
    let parts = upgraded
        .downcast::<TokioIo<Watched>>()
        .map_err(|_| NoStream::Foreign)?;
    Ok((parts.io.into_inner().into_inner(), parts.read_buf))
}

/// The stream behind an upgrade cannot be had.
#[derive(Debug, thiserror::Error)]
enum NoStream {
    /// The client went before the upgrade.
    #[error(transparent)]
    Upgrade(#[from] WebSocketError),
    /// The listener serves other streams than the hub's.
    #[error("the connection is no stream of the gateway")]
    Foreign,
}
