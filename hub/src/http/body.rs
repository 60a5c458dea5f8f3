//! Reading a request's body, bounded in bytes and time.
//!
//! A body is read when a handler asks for it, which is after it knows who sends it. What is
//! read is counted against the node's room ([`Shares`]) until the request is answered.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use syncline_protocol::error::Code;
use syncline_protocol::limits::HTTP_BODY_BYTES_MAX;
use syncline_protocol::object::Object;
use tokio::time::{Instant, timeout_at};

use super::HttpError;
use super::room::NoRoom;
use super::shares::{Share, Shares};

/// Bytes a second at which a body must come, beside its time: who has a slow line gets a long queue
/// through, and who sends nothing holds no room.
const LEAST_BYTES_PER_S: u64 = 4 << 10;

/// What a body may cost. The guard puts it on every request.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    /// Bytes. One more is refused with `body_too_large`.
    pub bytes_max: usize,
    /// For the body to find room; from then to its end as much, and a second for each 4 KiB of it
    /// that came. After it the request is refused.
    pub timeout: Duration,
    /// What the bodies of all requests share.
    pub room: Shares,
}

impl Default for BodyLimits {
    fn default() -> Self {
        BodyLimits {
            bytes_max: HTTP_BODY_BYTES_MAX,
            timeout: Duration::from_secs(30),
            room: Shares::new(HTTP_BODY_BYTES_MAX, HTTP_BODY_BYTES_MAX),
        }
    }
}

/// A body of which nothing was read yet.
#[derive(Debug)]
pub struct RawBody {
    body: Body,
    limits: BodyLimits,
    /// What its head says, if it does.
    announced: Option<usize>,
    waits_for_continue: bool,
}

/// A whole body. Its bytes count against the node's room until it is dropped.
#[derive(Debug)]
pub struct ReadBody {
    /// The bytes.
    pub bytes: Bytes,
    room: Share,
}

impl RawBody {
    /// Reads all of it, in the share of who sends it. Errors: `body_too_large`; `bad_message` for one
    /// that was cut; `slow` for one that did not come in time, or if the node, or the sender's share,
    /// has no room for it.
    pub async fn read(self, owner: &str) -> Result<ReadBody, HttpError> {
        let limits = &self.limits;
        let announced = self.announced.unwrap_or(0).min(limits.bytes_max);
        let due = Instant::now() + limits.timeout;
        let room = limits.room.take(owner, announced, due).await;
        let mut room = room.map_err(no_room)?;
        let began = Instant::now();
        let mut due = began + limits.timeout;
        // Memory that was not written to costs nothing, so a length alone holds none.
        let mut read = BytesMut::with_capacity(announced);
        let mut body = self.body;
        while let Some(chunk) = next_chunk(&mut body, due).await? {
            let bytes = read.len() + chunk.len();
            if bytes > limits.bytes_max {
                drop((read, room));
                let _ = timeout_at(due, discard(body, limits.bytes_max)).await;
                return Err(too_large(limits.bytes_max));
            }
            room.grow(bytes, due).await.map_err(no_room)?;
            read.extend_from_slice(&chunk);
            due = began + limits.timeout + time_for(read.len());
        }
        let bytes = read.freeze();
        Ok(ReadBody { bytes, room })
    }

    /// Gives the body up without keeping any of it. A client that sends before it reads is read
    /// from beside the answer for a while, or it would see a reset connection instead.
    pub fn refuse(self) {
        if self.announced != Some(0) && !self.waits_for_continue {
            let (bytes_max, within) = (self.limits.bytes_max, self.limits.timeout);
            let discard = discard(self.body, bytes_max);
            // It ends with the connection, so there are no more of these than connections.
            tokio::spawn(tokio::time::timeout(within, discard));
        }
    }
}

impl ReadBody {
    /// The body as a JSON object. Errors: `bad_message`, with the place.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, HttpError> {
        let bad = |error: &dyn Display| HttpError::new(Code::BadMessage, format!("body: {error}"));
        // What is passed over must be a text too, which the parser alone does not look at.
        let text = std::str::from_utf8(&self.bytes).map_err(|error| bad(&error))?;
        let read = serde_json::from_str(text).map_err(|error| bad(&error))?;
        let Object(read) = read;
        Ok(read)
    }

    /// Lets go of the bytes and keeps their room: what was made of them takes as much.
    pub fn into_room(self) -> Share {
        self.room
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let limits = request.extensions().get::<BodyLimits>().cloned();
        let announced = announced_bytes(request.headers());
        Ok(RawBody {
            limits: limits.unwrap_or_default(),
            announced: announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            waits_for_continue: waits_for_continue(request.headers()),
            body: request.into_body(),
        })
    }
}

/// What so many bytes may take at the least rate: of a body, and of a message on a socket.
pub(crate) fn time_for(bytes: usize) -> Duration {
    Duration::from_millis(bytes as u64 * 1_000 / LEAST_BYTES_PER_S)
}

/// The next bytes, none at the end.
async fn next_chunk(body: &mut Body, due: Instant) -> Result<Option<Bytes>, HttpError> {
    let late = |_| HttpError::new(Code::Slow, "the body did not come in time");
    let cut = |_| HttpError::new(Code::BadMessage, "the body was cut off");
    loop {
        let frame = timeout_at(due, body.frame()).await.map_err(late)?;
        let Some(frame) = frame else {
            return Ok(None);
        };
        if let Ok(chunk) = frame.map_err(cut)?.into_data() {
            return Ok(Some(chunk));
        }
    }
}

fn no_room(_: NoRoom) -> HttpError {
    HttpError::new(Code::Slow, "the node has no room for the body now")
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
