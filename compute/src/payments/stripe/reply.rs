//! What Stripe answers, and what follows (Stripe's docs, "Errors" and "Advanced error handling").
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx | a checkout, if it can be read |
//! | 400 of the type `idempotency_error` | the key was used for something else |
//! | 401, 403 | the config's key is not taken |
//! | 409, 429, 5xx, none in time, none at all | tried again with the same key |
//! | everything else | refused for ever |
//!
//! `Stripe-Should-Retry` decides where it is there, and `Retry-After` how long is waited. What Stripe says in
//! words may quote what was sent, so people are shown its words for machines alone, and the request's id.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use syncline_protocol::object;

use crate::outgoing::answer::{self, said};
use crate::payments::gateway::{Begun, GatewayError};

/// Bytes of an answer. A longer one cannot be read.
pub(super) const REPLY_BYTES_MAX: usize = 256 << 10;

/// Bytes of a word of Stripe's that is shown.
const WORD_BYTES_MAX: usize = 64;

/// What became of a try.
pub(super) enum Answered {
    Begun(Begun),
    /// The same again will not help.
    Never(GatewayError),
    /// The same again may; not before so many milliseconds.
    Again {
        error: GatewayError,
        wait_ms: u64,
    },
}

impl Answered {
    /// Nobody knows whether it was done.
    pub(super) fn unknown(error: reqwest::Error, timeout: Duration) -> Answered {
        Answered::again(said(error, Some(timeout)), 0)
    }

    fn again(why: String, wait_ms: u64) -> Answered {
        let error = GatewayError::Unavailable { why, wait_ms };
        Answered::Again { error, wait_ms }
    }

    fn unreadable(why: &str) -> Answered {
        Answered::Never(GatewayError::Unreadable(why.to_owned()))
    }
}

#[derive(Deserialize)]
struct Session {
    id: String,
    url: Option<String>,
    #[serde(default)]
    expires_at: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    error: Error,
}

#[derive(Default, Deserialize)]
struct Error {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    param: Option<String>,
}

/// Reads an answer to its end.
pub(super) async fn read(mut response: Response, timeout: Duration) -> Answered {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match body(&mut response, timeout).await {
        Ok(body) => body,
        // Nobody knows what it says; the same key is told it once more.
        Err(why) => return Answered::again(format!("{}: {why}", status.as_u16()), 0),
    };
    match status.is_success() {
        true => begun(&body),
        false => refused(status, &headers, &body),
    }
}

async fn body(response: &mut Response, timeout: Duration) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > REPLY_BYTES_MAX => {
                return Err(format!("the answer is longer than {REPLY_BYTES_MAX} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(said(error, Some(timeout))),
        }
    }
}

fn begun(body: &[u8]) -> Answered {
    let session: Option<Session> = parsed(body);
    let Some(session) = session else {
        return Answered::unreadable("the answer is no checkout");
    };
    let is_page = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
    match session.url.filter(is_page) {
        Some(url) => Answered::Begun(Begun {
            id: session.id,
            url,
            expires_at_s: session.expires_at.unwrap_or_default(),
        }),
        None => Answered::unreadable("the checkout has no page"),
    }
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answered {
    let error = parsed::<Refused>(body).map(|refused| refused.error);
    let error = error.unwrap_or_default();
    let shown = shown(status, headers, &error);
    if error.kind.as_deref() == Some("idempotency_error") && status == StatusCode::BAD_REQUEST {
        return Answered::Never(GatewayError::KeyReused);
    }
    let is_unsure = matches!(status.as_u16(), 409 | 429 | 500..=599);
    let is_again = match text(headers, "stripe-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => is_unsure,
    };
    if is_again {
        // A date would need a clock; Stripe writes seconds.
        return Answered::again(shown, answer::retry_after_ms(headers, u64::MAX));
    }
    Answered::Never(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => GatewayError::Unauthorized(shown),
        _ if is_unsure => GatewayError::Unavailable {
            why: shown,
            wait_ms: 0,
        },
        _ => GatewayError::Refused(shown),
    })
}

/// `400 invalid_request_error resource_missing line_items[0][price] req_1`.
fn shown(status: StatusCode, headers: &HeaderMap, error: &Error) -> String {
    let id = text(headers, "request-id").map(str::to_owned);
    let words = [&error.kind, &error.code, &error.param, &id];
    let mut shown = status.as_u16().to_string();
    for word in words.into_iter().flatten().filter(|word| is_word(word)) {
        shown.push(' ');
        shown.push_str(word);
    }
    shown
}

/// Of machines for machines.
fn is_word(text: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-[].".contains(&byte);
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(of_word)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn parsed<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    object::from_str(std::str::from_utf8(body).ok()?).ok()
}
