//! An HTTP answer that refuses: `{"code","message","retry"}` with the code's status.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use syncline_protocol::error::{Code, Refusal, Retry};
use syncline_protocol::wire::hub::http_error;
use syncline_storage::types::StoreError;

use crate::telemetry::Metrics;

/// Seconds a client is asked to wait (`Retry-After`) where nothing better is known.
const RETRY_AFTER_S: u64 = 1;

/// What a handler returns to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError(
    pub Refusal,
    /// Seconds a client that may come again is asked to wait.
    u64,
);

impl HttpError {
    /// A refusal with a message for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Refusal::new(code, message).into()
    }

    /// `slow`, for so long.
    pub fn slow(message: &str, wait: Duration) -> Self {
        let wait_s = wait.as_millis().div_ceil(1_000);
        let wait_s = u64::try_from(wait_s).unwrap_or(u64::MAX);
        HttpError(Refusal::new(Code::Slow, message), wait_s.max(RETRY_AFTER_S))
    }

    /// The store did not answer a request: `unavailable`, whatever it was, since the client can
    /// only come again. The operator is told what it was.
    pub fn of_store(error: &StoreError, metrics: &Metrics) -> Self {
        match error {
            StoreError::Unavailable(_) => tracing::warn!(%error, "a request failed"),
            StoreError::Damaged(_) => metrics.note_damage(error),
        }
        HttpError::new(Code::Unavailable, "the store does not answer")
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        HttpError(refusal, RETRY_AFTER_S)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let status = StatusCode::from_u16(code.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, http_error(&self.0));
        // Whoever is around the route may tell it otherwise.
        response.extensions_mut().insert(self.0);
        if invites_later(code) {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.1));
        }
        response
    }
}

/// Whether a refusal says when to come again. A draining node is gone a moment later, and the
/// same request then finds another.
pub fn invites_later(code: Code) -> bool {
    let later = matches!(code.status(), 429 | 503) && code.retry() == Retry::After;
    later || code == Code::Draining
}

/// A JSON answer from text that is JSON already.
pub fn json(status: StatusCode, text: impl IntoResponse) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_come_again_is_told_when() {
        for (code, told) in [
            (Code::Draining, true),
            (Code::Slow, true),
            (Code::Unavailable, true),
            (Code::Gap, false),
            (Code::TokenInvalid, false),
        ] {
            let response = HttpError::new(code, "").into_response();
            let after = response.headers().get(header::RETRY_AFTER);
            assert_eq!(after.is_some_and(|after| after == "1"), told, "{code}");
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        for (ms, told) in [(1, "1"), (1_000, "1"), (1_001, "2"), (90_000, "90")] {
            let response = HttpError::slow("", Duration::from_millis(ms)).into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], told);
        }
    }
}
