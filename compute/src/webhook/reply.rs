//! What an endpoint answers, and what becomes of the job.
//!
//! | answer | becomes of the job |
//! |---|---|
//! | 2xx | done, with the `changes` of its body |
//! | 400, 410, 413, 422 | hopeless: the same event gets it again |
//! | 3xx | hopeless: nothing is followed |
//! | other 4xx, 5xx, no answer in time, none at all | failed: tried again |
//!
//! A key that was changed, a route that is not there yet: most of 4xx is mended by somebody, and
//! then what was tried again is not lost.
//!
//! What answers a schedule's event holds no changes: they are of no space, and it is hopeless.
//!
//! A 2xx whose body is too long, late or no JSON where it says to be is a failure: who sent it
//! meant something by it.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_protocol::object;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

use crate::outgoing::answer::{self, beginning, said};
use crate::outgoing::hidden::Hidden;
use crate::worker::{Changes, Worked};

/// What an answer is held to.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// When the try began.
    pub(super) now_ms: WallMs,
    /// How long the whole answer may take.
    pub(super) timeout: Duration,
    /// Bytes of its body.
    pub(super) bytes_max: usize,
}

/// Reads an answer to its end, or as far as it matters, and says whether that came in time. `hidden` is
/// what is not shown of it.
pub(super) async fn read(
    mut response: Response,
    hidden: &Hidden,
    limits: Limits,
) -> (Worked, bool) {
    let status = response.status();
    if status.is_success() {
        let is_json = says_json(response.headers());
        return match body(&mut response, limits).await {
            Ok(body) => (done(&body, is_json), true),
            Err(Broken { why, is_late }) => (failed(format!("{status}: {why}"), 0), !is_late),
        };
    }
    let wait_ms = asked_wait_ms(status, response.headers(), limits.now_ms);
    if status.is_redirection() {
        let why = format!("webhook_redirected: {status}: redirects are not followed");
        return (Worked::Hopeless(JobError::new(&why)), true);
    }
    let page = beginning(&mut response, hidden.page_bytes_max()).await;
    let said = format!("{status}: {}", hidden.shown(&page));
    let worked = match status {
        StatusCode::BAD_REQUEST
        | StatusCode::GONE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            Worked::Hopeless(JobError::new(&format!("webhook_refused: {said}")))
        }
        _ => failed(said, wait_ms),
    };
    // Its page matters to people only.
    (worked, true)
}

/// A failure, for another try.
pub(super) fn failed(why: impl std::fmt::Display, wait_ms: u64) -> Worked {
    Worked::Failed {
        error: JobError::new(&format!("webhook_failed: {why}")),
        wait_ms,
    }
}

/// Why a body could not be read.
struct Broken {
    why: String,
    /// It was not there in time.
    is_late: bool,
}

async fn body(response: &mut Response, limits: Limits) -> Result<Vec<u8>, Broken> {
    let bytes_max = limits.bytes_max;
    let too_long = || Broken {
        why: format!("the answer is longer than {bytes_max} bytes"),
        is_late: false,
    };
    let said_bytes = response.content_length().unwrap_or(0);
    if usize::try_from(said_bytes).is_ok_and(|bytes| bytes > bytes_max) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => return Err(too_long()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => {
                let is_late = error.is_timeout();
                let why = said(error, Some(limits.timeout));
                return Err(Broken { why, is_late });
            }
        }
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let written = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = written
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
}

/// A job that is done, by what came with it.
fn done(body: &[u8], is_json: bool) -> Worked {
    let text = std::str::from_utf8(body).unwrap_or("\u{0}").trim();
    if text.is_empty() {
        return Worked::Done(None);
    }
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        return match is_json {
            true => failed(format!("the answer is no JSON: {error}"), 0),
            false => Worked::Done(None),
        };
    }
    let changes = match object::from_str::<Reply<'_>>(text) {
        Ok(reply) => reply.changes.map(RawValue::get),
        // No object, or one that says `changes` twice.
        Err(error) if text.starts_with('{') => {
            return failed(format!("the answer cannot be read: {error}"), 0);
        }
        Err(_) => None,
    };
    match changes {
        None | Some("null") => Worked::Done(None),
        Some(list) if list.starts_with('[') => match list[1..].trim_start().starts_with(']') {
            true => Worked::Done(None),
            false => Worked::Done(Some(Changes(list.to_owned()))),
        },
        Some(_) => failed("the answer's changes are no list", 0),
    }
}

/// How long an endpoint asks to be left alone; 0 if it does not.
fn asked_wait_ms(status: StatusCode, headers: &HeaderMap, now_ms: WallMs) -> u64 {
    let asks = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    match asks.contains(&status) {
        true => answer::retry_after_ms(headers, now_ms),
        false => 0,
    }
}
