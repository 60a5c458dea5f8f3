//! The development issuer's routes. They exist only with `--dev`, on a loopback listener.
//!
//! A web page of anyone can make its visitor's browser ask a loopback address, and by pointing
//! its own name there even read the answer. So the request must name this machine itself.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use syncline_protocol::error::Code;

use crate::auth::DevIssuer;
use crate::http::error::json;
use crate::http::{Context, HttpError, RawBody};

/// Seconds a token is valid if the request does not say.
const TTL_S: u64 = 3_600;

#[derive(Deserialize)]
struct Ask {
    user: String,
    #[serde(default = "ttl_s")]
    ttl_s: u64,
}

fn ttl_s() -> u64 {
    TTL_S
}

/// `{"user","ttl_s"}` → `{"token"}`.
pub(super) async fn token(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    #[derive(Serialize)]
    struct Given {
        token: String,
    }
    if !from_this_machine(&headers) {
        body.refuse();
        return Err(HttpError::new(
            Code::Forbidden,
            "the development issuer answers to localhost only",
        ));
    }
    let ask: Ask = body.read("").await?.json()?;
    let token = issuer(&context)?.token(&ask.user, ask.ttl_s, context.clock.now_ms())?;
    let text = serde_json::to_string(&Given { token }).expect("plain data");
    Ok(json(StatusCode::OK, text))
}

/// The issuer's public key.
pub(super) async fn jwks(State(context): State<Arc<Context>>) -> Result<Response, HttpError> {
    let jwks = issuer(&context)?.jwks().to_owned();
    Ok(json(StatusCode::OK, jwks))
}

fn issuer(context: &Context) -> Result<&DevIssuer, HttpError> {
    let none = || HttpError::new(Code::NotFound, "no such route");
    context.dev_issuer.as_deref().ok_or_else(none)
}

/// `Host`, and `Origin` if there is one, are names of this machine.
fn from_this_machine(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let origin_host = |origin: &str| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        is_loopback_host(host)
    };
    text(header::HOST).is_some_and(is_loopback_host) && text(header::ORIGIN).is_none_or(origin_host)
}

fn is_loopback_host(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback_host;

    #[test]
    fn only_names_of_this_machine_pass() {
        for host in [
            "localhost",
            "LOCALHOST:3010",
            "127.0.0.1:3010",
            "127.9.9.9",
            "[::1]:3010",
            "[::1]",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:3010",
            "127.0.0.1.evil.example",
            "10.0.0.1:3010",
            "null",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
