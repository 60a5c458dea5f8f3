//! How a user is told, over HTTP: where ([`devices`]), when and by what ([`preferences`]), and what
//! the user was told ([`history`]). [`reminders`] are the first user's routes; [`operator`] has what
//! people of the operator's see of it.
//!
//! All of it is of a user in an app: `app` may be left out where only one app has reminders. What is
//! kept are records of the hub in the user's own space, written by its session.

mod devices;
mod forgotten;
mod history;
mod operator;
mod own;
mod preferences;
mod reminders;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get};

use self::own::Desk;
use super::Gateway;
use crate::http::guard::counted;
use crate::notify::Notify;
use crate::telemetry::labels::Route;

pub(crate) use self::operator::routes as admin_routes;

/// The routes.
pub fn routes(gateway: Arc<Gateway>, notify: Notify) -> Router {
    let told = |act| counted(Route::Notify, act);
    Router::new()
        .route(
            "/api/v1/devices",
            told(get(devices::list).post(devices::register)),
        )
        .route("/api/v1/devices/{id}", told(delete(devices::forget)))
        .route(
            "/api/v1/notifications/preferences",
            told(get(preferences::read).put(preferences::write)),
        )
        .route("/api/v1/notifications", told(get(history::list)))
        .route(
            "/api/v1/tasks/{task}/reminders",
            told(get(reminders::list).post(reminders::add)),
        )
        .route("/api/v1/reminders/{id}", told(delete(reminders::remove)))
        .with_state(Arc::new(Desk { gateway, notify }))
}
