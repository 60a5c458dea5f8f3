//! From HTTP to WebSocket.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
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
        match Link::open(gateway.clone(), (stream, &early), (from, P::SPEECH)) {
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
    if request.method() != Method::GET {
        let refusal = Refusal::new(Code::BadMessage, "a WebSocket begins with GET");
        let mut response = HttpError::from(refusal).into_response();
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let get = HeaderValue::from_static("GET");
        response.headers_mut().insert(header::ALLOW, get);
        return response;
    }
    if let Err(refusal) = check_handshake(request.version(), request.headers()) {
        return HttpError::from(refusal).into_response();
    }
    if request.headers().get(header::SEC_WEBSOCKET_VERSION) != Some(&SPOKEN) {
        // RFC 6455, 4.4: the client is told what it may come back with.
        let refusal = Refusal::new(Code::BadMessage, "only version 13 of WebSocket is spoken");
        let mut response = HttpError::from(refusal).into_response();
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_VERSION, SPOKEN);
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

/// The one version there is (RFC 6455).
const SPOKEN: HeaderValue = HeaderValue::from_static("13");

/// Bytes of a key as text: 16 in base64, padded.
const KEY_BYTES: usize = 24;

/// What RFC 6455 asks of a handshake (4.1 and 4.2.1) and neither hyper nor fastwebsockets looks
/// at. Of two `Origin` headers only the first would be judged.
fn check_handshake(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::new(Code::BadMessage, message));
    if version != Version::HTTP_11 {
        return refused("a WebSocket begins with HTTP/1.1");
    }
    let at_most_one = [
        header::HOST,
        header::ORIGIN,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
    ];
    for name in at_most_one {
        if headers.get_all(&name).iter().count() > 1 {
            return refused(&format!("more than one {name}"));
        }
    }
    if headers.get(header::HOST).is_none() {
        return refused("no host");
    }
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key.as_bytes()) => Ok(()),
        _ => refused("sec-websocket-key is not 16 bytes in base64"),
    }
}

/// 16 bytes are 21 digits and two bits, of which a last digit and padding are made.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == KEY_BYTES
        && key[..21].iter().all(is_digit)
        && b"AQgw".contains(&key[21])
        && key.ends_with(b"==")
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const HOST: (&str, &str) = ("host", "hub.example");
    const ORIGIN: (&str, &str) = ("origin", "https://hub.example");
    const VERSION: (&str, &str) = ("sec-websocket-version", "13");

    fn is_taken(version: Version, given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check_handshake(version, &headers).is_ok()
    }

    #[test]
    fn a_handshake_is_taken_with_each_header_once() {
        let whole = [HOST, KEY, VERSION, ORIGIN];
        assert!(is_taken(Version::HTTP_11, &whole));
        assert!(is_taken(Version::HTTP_11, &[HOST, KEY]));
        for twice in whole {
            let given = [HOST, KEY, VERSION, ORIGIN, twice];
            assert!(!is_taken(Version::HTTP_11, &given), "{twice:?}");
        }
        assert!(!is_taken(Version::HTTP_11, &[KEY]));
        assert!(!is_taken(Version::HTTP_11, &[HOST]));
        assert!(!is_taken(Version::HTTP_10, &whole));
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        for (key, taken) in [
            ("AAAAAAAAAAAAAAAAAAAAAA==", true),
            ("//////////////////////+w", false),
            ("/+/+/+/+/+/+/+/+/+/+/w==", true),
            ("AAAAAAAAAAAAAAAAAAAAAB==", false),
            ("AAAAAAAAAAAAAAAAAAAAA===", false),
            ("AAAAAAAAAAAAAAAAAAAAAA=", false),
            ("AAAAAAAAAAAAAAAAAAAAAAA=", false),
            ("!!!! not a key !!!!!!!==", false),
            ("abc", false),
            ("", false),
        ] {
            let given = [HOST, ("sec-websocket-key", key)];
            assert_eq!(is_taken(Version::HTTP_11, &given), taken, "{key}");
        }
    }
}
