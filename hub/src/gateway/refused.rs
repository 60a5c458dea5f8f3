//! A refusal as an HTTP response: `{"code","message","retry"}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use syncline_protocol::error::{Refusal, Retry};
use syncline_protocol::wire::hub;

/// Seconds a client should wait after an answer that says `retry: after`.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// An HTTP error answer.
#[derive(Debug)]
pub struct Refused {
    refusal: Refusal,
    body: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let body = hub::http_error(&refusal);
        Refused { refusal, body }
    }
}

impl Refused {
    /// With more members in the body, as `"name":value`.
    pub fn with(refusal: Refusal, members: &str) -> Refused {
        let mut body = hub::http_error(&refusal);
        body.pop();
        Refused { refusal, body: format!("{body},{members}}}") }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let code = self.refusal.code;
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, self.body);
        if code.retry() == Retry::After {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}

/// A JSON response.
pub fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
