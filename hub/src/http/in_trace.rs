//! Which trace a request is part of.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use syncline_protocol::trace::{SaidTrace, TraceParent};

use crate::telemetry::Traces;
use crate::telemetry::labels::{Label, Route};
use crate::telemetry::traces::span::OpenSpan;

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The span of a request, if it is traced; for handlers whose work is to be part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InTrace(pub(crate) Option<TraceParent>);

impl<S: Sync> FromRequestParts<S> for InTrace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<InTrace, Infallible> {
        let found = parts.extensions.get::<InTrace>().copied();
        Ok(found.unwrap_or(InTrace(None)))
    }
}

/// Begins the span of a request, and lets its handler find it.
pub(super) fn begin(traces: &Traces, request: &mut Request) -> Option<OpenSpan> {
    if !traces.is_on() {
        return None;
    }
    let mut span = traces.request(said(request.headers()))?;
    // Methods that others invent are no words of ours.
    let method = request.method();
    let is_known = matches!(
        method.as_str(),
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS"
    );
    span.word(
        "http.request.method",
        if is_known { method.as_str() } else { "_OTHER" },
    );
    request
        .extensions_mut()
        .insert(InTrace(Some(span.context())));
    Some(span)
}

/// Ends it.
pub(super) fn end(mut span: OpenSpan, route: Route, response: &Response) {
    let status = response.status();
    span.word("syncline.route", route.as_str());
    span.count("http.response.status_code", u64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str());
    }
    drop(span);
}

/// A header that is there and no text is unreadable, as is one that is there twice.
fn said(headers: &HeaderMap) -> SaidTrace {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let Some(first) = all.next() else {
        return SaidTrace::Nothing;
    };
    match (first.to_str(), all.next()) {
        (Ok(text), None) => SaidTrace::from(Some(text)),
        _ => SaidTrace::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_says_it_once_or_not_at_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(said(&headers), SaidTrace::Nothing);
        headers.append(TRACEPARENT, TEXT.parse().unwrap());
        assert_eq!(said(&headers), SaidTrace::from(Some(TEXT)));
        headers.append(TRACEPARENT, TEXT.parse().unwrap());
        assert_eq!(said(&headers), SaidTrace::Unreadable);
    }
}
