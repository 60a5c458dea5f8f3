//! Static files of one directory: a web app on the hub's own origin.

use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use syncline_protocol::error::Code;
use tower_http::services::ServeDir;
use tracing::warn;

use super::HttpError;

/// Names of files here change with what is in them.
const FOR_EVER: &str = "/assets/";

/// The files below one directory.
#[derive(Clone, Debug)]
pub struct Files {
    dir: ServeDir,
}

impl Files {
    /// Those of `dir`; its `index.html` stands for it.
    pub fn of(dir: &Path) -> Files {
        Files {
            dir: ServeDir::new(dir),
        }
    }

    /// The file that the path names, for GET and HEAD; 404 in JSON for everything else.
    pub async fn answer(&self, request: Request) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return no_such_route();
        }
        let cached = match request.uri().path().starts_with(FOR_EVER) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        match self.dir.clone().try_call(request).await {
            Ok(found) if found.status() == StatusCode::NOT_FOUND => no_such_route(),
            Ok(found) => {
                let mut response = found.map(Body::new);
                let headers = response.headers_mut();
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
                let nosniff = HeaderValue::from_static("nosniff");
                headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
                response
            }
            Err(error) => {
                warn!(%error, "a file could not be read");
                HttpError::new(Code::Internal, "the file cannot be read").into_response()
            }
        }
    }
}

/// What unknown routes are answered.
pub(super) fn no_such_route() -> Response {
    HttpError::new(Code::NotFound, "no such route").into_response()
}
