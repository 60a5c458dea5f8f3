//! The routes that are not sync.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::Context;
use super::guard::counted;
use crate::config::MetricsConfig;
use crate::telemetry::labels::Route;

pub(crate) mod cluster;
pub mod compute;
mod dev;
mod health;
pub(crate) mod jobs;
mod page;
pub(crate) mod reminders;

/// The plain routes of the public listener. Sync routes are merged with them before
/// [`super::guarded`].
pub fn public(context: &Arc<Context>, (metrics, has_files): (&MetricsConfig, bool)) -> Router {
    let mut router = common();
    if !has_files {
        router = router.route("/", counted(Route::Root, get(page::root)));
    }
    if metrics.public {
        router = router.route("/metrics", counted(Route::Metrics, get(health::metrics)));
    }
    if context.dev_issuer.is_some() {
        router = router
            .route("/dev/token", counted(Route::DevToken, post(dev::token)))
            .route("/api/v1/auth/jwks", counted(Route::Jwks, get(dev::jwks)));
    }
    router.with_state(context.clone())
}

/// The plain routes of the admin listener.
pub fn admin(context: &Arc<Context>) -> Router {
    common()
        .route("/metrics", counted(Route::Metrics, get(health::metrics)))
        .with_state(context.clone())
}

fn common() -> Router<Arc<Context>> {
    Router::new()
        .route("/health", counted(Route::Health, get(health::health)))
        .route("/ready", counted(Route::Ready, get(health::ready)))
}
