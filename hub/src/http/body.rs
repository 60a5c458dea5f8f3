//! Reading a request's body, bounded in bytes and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use syncline_protocol::error::Code;
use syncline_protocol::limits::HTTP_BODY_BYTES_MAX;
use syncline_protocol::object::Object;

use super::HttpError;

/// What a body may cost. The guard puts it on every request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes. One more is refused with `body_too_large`.
    pub bytes_max: usize,
    /// From the head to the body's end. After it the request is refused.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        BodyLimits {
            bytes_max: HTTP_BODY_BYTES_MAX,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A whole body. Refuses with `body_too_large`, and with `bad_message` one that was cut or did
/// not come in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBody(pub Bytes);

impl RawBody {
    /// The body as a JSON object. Errors: `bad_message`, with the place.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.0)
            .map(|Object(read)| read)
            .map_err(|error| HttpError::new(Code::BadMessage, format!("body: {error}")))
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &S) -> Result<Self, HttpError> {
        let limits = request.extensions().get::<BodyLimits>().copied();
        let limits = limits.unwrap_or_default();
        let read = read(request.into_body(), limits.bytes_max);
        match tokio::time::timeout(limits.timeout, read).await {
            Ok(read) => Ok(RawBody(read?)),
            Err(_) => Err(HttpError::new(
                Code::BadMessage,
                "the body did not come in time",
            )),
        }
    }
}

async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let cut = |_| HttpError::new(Code::BadMessage, "the body was cut off");
        let Ok(chunk) = frame.map_err(cut)?.into_data() else {
            continue;
        };
        if read.len() + chunk.len() > bytes_max {
            discard(body, bytes_max).await;
            return Err(too_large(bytes_max));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

pub(super) fn too_large(bytes_max: usize) -> HttpError {
    let message = format!("the body is larger than {bytes_max} bytes");
    HttpError::new(Code::BodyTooLarge, message)
}

/// Reads on for at most `bytes_max`, so that a client which sends before it reads sees the
/// refusal and not a reset connection.
pub(super) async fn discard(mut body: Body, bytes_max: usize) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > bytes_max {
            return;
        }
    }
}

/// The length the head announces, if it does.
pub(super) fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Does the client wait for our word before it sends the body?
pub(super) fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
}
