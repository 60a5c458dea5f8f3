//! What every route is wrapped in.

use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use futures_util::FutureExt;
use syncline_protocol::error::Code;
use tracing::error;

use super::HttpError;
use super::body::{self, BodyLimits};
use super::files::{Files, no_such_route};
use super::in_trace;
use super::shares::Shares;
use crate::config::GatewayConfig;
use crate::telemetry::labels::{Route, StatusClass};
use crate::telemetry::{Metrics, Traces};

#[derive(Clone, Debug)]
struct Guard {
    metrics: Arc<Metrics>,
    traces: Traces,
    limits: BodyLimits,
}

/// Puts the guard around a finished router: unknown routes are files, if there are any, else they
/// and unknown methods are answered in JSON; bodies too long with 413, faults with 500 and nothing of their inside; all are counted. The
/// routers of a node share one `room`.
pub fn guarded(
    router: Router,
    (config, room): (&GatewayConfig, Shares),
    (metrics, traces, files): (Arc<Metrics>, Traces, Option<Files>),
) -> Router {
    let limits = BodyLimits {
        bytes_max: usize::try_from(config.body_bytes_max).unwrap_or(usize::MAX),
        timeout: Duration::from_millis(config.body_timeout_ms),
        room,
    };
    router
        .fallback(async move |request: Request| match &files {
            Some(files) => files.answer(request).await,
            None => no_such_route(),
        })
        .method_not_allowed_fallback(async || {
            HttpError::new(
                Code::MethodNotAllowed,
                "the route does not take this method",
            )
        })
        .layer(from_fn_with_state(
            Guard {
                metrics,
                traces,
                limits,
            },
            guard,
        ))
}

/// Names a route for the metrics: its answers are counted under it.
pub fn counted<S: Clone + Send + Sync + 'static>(
    route: Route,
    handlers: MethodRouter<S>,
) -> MethodRouter<S> {
    handlers.layer(map_response(move |mut response: Response| {
        response.extensions_mut().insert(route);
        ready(response)
    }))
}

async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let announced = body::announced_bytes(request.headers()).unwrap_or(0);
    request.extensions_mut().insert(guard.limits.clone());
    let span = in_trace::begin(&guard.traces, &mut request);
    let response = if announced > guard.limits.bytes_max as u64 {
        refuse_body(request, guard.limits).await
    } else {
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            guard.metrics.handler_panics.inc();
            error!("a handler panicked");
            HttpError::new(Code::Internal, "a fault of the hub").into_response()
        })
    };
    let route = response.extensions().get().copied();
    let route = route.unwrap_or(Route::Other);
    let class = StatusClass::from(response.status().as_u16());
    guard.metrics.http_requests.inc(route, class);
    if let Some(span) = span {
        in_trace::end(span, route, &response);
    }
    response
}

async fn refuse_body(request: Request, limits: BodyLimits) -> Response {
    if !body::waits_for_continue(request.headers()) {
        let discard = body::discard(request.into_body(), limits.bytes_max);
        // Late or not, the answer is the same.
        let _ = tokio::time::timeout(limits.timeout, discard).await;
    }
    body::too_large(limits.bytes_max).into_response()
}
