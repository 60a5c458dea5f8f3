//! Those clients are refused in sentences. Whoever refuses on their routes (the guard, the
//! upgrade, the route itself), the answer leaves as text.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use syncline_protocol::error::Refusal;

/// Where their routes begin.
const PREFIXES: [&str; 2] = ["/sync/", "/ws/"];

/// Goes around the guard.
pub async fn in_sentences(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let theirs = PREFIXES.iter().any(|prefix| path.starts_with(prefix));
    let response = next.run(request).await;
    if theirs { told(response) } else { response }
}

fn told(mut response: Response) -> Response {
    let Some(Refusal { message, .. }) = response.extensions_mut().remove() else {
        return response;
    };
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
        // Those clients know one status for a request that cannot be read.
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, text);
    headers.remove(header::CONTENT_LENGTH);
    response.map(|_| Body::from(message))
}
