//! What is read of every answer, within its bounds.

use std::error::Error;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use syncline_protocol::stamp::WallMs;

use super::hidden::Page;

/// The longest wait a server may ask for, in milliseconds: a day. A longer one counts as it.
pub const RETRY_AFTER_MS_MAX: u64 = 86_400_000;

/// What went wrong, all the way down, without the address.
pub(crate) fn said(error: reqwest::Error, timeout: Option<Duration>) -> String {
    if let (true, Some(timeout)) = (error.is_timeout(), timeout) {
        return format!("no answer within {} ms", timeout.as_millis());
    }
    let error = error.without_url();
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = format!("{said}: {cause}");
        next = cause.source();
    }
    said
}

/// As much as is needed of a refusal; what cannot be read is not.
pub(crate) async fn beginning(response: &mut Response, bytes_max: usize) -> Page {
    let mut begins = Vec::new();
    let mut is_whole = false;
    while begins.len() <= bytes_max {
        match response.chunk().await {
            Ok(Some(chunk)) => begins.extend_from_slice(&chunk),
            Ok(None) => {
                is_whole = true;
                break;
            }
            Err(_) => break,
        }
    }
    is_whole &= begins.len() <= bytes_max;
    begins.truncate(bytes_max);
    Page { begins, is_whole }
}

/// How long a server asks to be left alone (`Retry-After`); 0 if it does not.
pub(crate) fn retry_after_ms(headers: &HeaderMap, now_ms: WallMs) -> u64 {
    let written = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let wait_ms = written.map_or(0, |written| wait_ms(written.trim(), now_ms));
    wait_ms.min(RETRY_AFTER_MS_MAX)
}

/// Seconds, or a date of HTTP (RFC 9110 section 5.6.7, the form that is to be written).
fn wait_ms(written: &str, now_ms: WallMs) -> u64 {
    if !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = written.parse::<u64>().unwrap_or(u64::MAX);
        return seconds.saturating_mul(1_000);
    }
    let date = jiff::fmt::rfc2822::parse(written);
    let date_ms = date.map(|date| date.timestamp().as_millisecond());
    let date_ms = date_ms.ok().and_then(|ms| u64::try_from(ms).ok());
    date_ms.map_or(0, |ms| ms.saturating_sub(now_ms))
}
