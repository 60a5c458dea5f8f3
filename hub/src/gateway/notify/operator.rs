//! `/api/v1/admin/notifications/{user}…`: where a user is told and what became of it, for people who
//! help one who says that nothing comes. For the operator's servers, by the service key; on the admin
//! listener alone. What a notification says is not in it, nor how a device is reached; that somebody
//! looked is logged.
//!
//! - `GET /api/v1/admin/notifications/{user}?app=&before=&limit=` → `{"notifications":[{"id","kind",
//!   "at","expires","late","channels","keys","more","receipts","deliveries"}],"next"}`, the newest
//!   first; `next` is what `before` is for those before, null at the end. `keys` are of what it is about.
//!   `deliveries` are of one that is under way: `[{"device","channel","state","tries","at"}]`, where
//!   `at` is when one that is `waiting` is tried again, null of the others.
//! - `GET /api/v1/admin/notifications/{user}/devices?app=` → `{"devices":[…],"forgotten":[id]}`, as the
//!   user is told of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_compute::notify::DELIVERIES;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{AppId, RecordId, SpaceId, SpaceKey, UserId};
use syncline_protocol::stamp::wall_text;

use super::devices::{devices, shown};
use super::forgotten::Forgotten;
use super::history::{Page, page};
use super::own::{Desk, OfApp, answer, data_of, key};
use crate::gateway::Gateway;
use crate::gateway::access::UserName;
use crate::http::HttpError;
use crate::http::guard::counted;
use crate::http::query::Asking;
use crate::notify::Notify;
use crate::telemetry::labels::Route;

/// What is told of a notification as it is: nothing that it says.
const TOLD: [&str; 8] = [
    "id", "kind", "at", "expires", "late", "channels", "more", "receipts",
];

/// The routes.
pub(crate) fn routes(gateway: Arc<Gateway>, notify: Notify) -> Router {
    let told = |act| counted(Route::Notify, act);
    Router::new()
        .route(
            "/api/v1/admin/notifications/{user}",
            told(get(list_deliveries)),
        )
        .route(
            "/api/v1/admin/notifications/{user}/devices",
            told(get(list_devices)),
        )
        .with_state(Arc::new(Desk { gateway, notify }))
}

#[derive(Debug, Deserialize)]
struct Asked {
    app: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

async fn list_deliveries(
    State(desk): State<Arc<Desk>>,
    UserName(user): UserName,
    asked: Asking<Asked>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    desk.gateway.access.service(&headers)?;
    let asked = asked.read()?;
    let space = desk.space_of(&user, asked.app.as_deref())?;
    let part = (asked.before.as_deref(), asked.limit);
    let Page { mut told, next } = page(&desk, &space, part).await?;
    let deliveries = under_way(&desk, &space, &told).await?;
    let told = told.iter_mut().map(|one| of_operator(one, &deliveries));
    let page = json!({"notifications": told.collect::<Vec<_>>(), "next": next});
    tracing::info!(%space, what = "deliveries", "an operator looked at a user's notifications");
    Ok(answer(StatusCode::OK, &page))
}

async fn list_devices(
    State(desk): State<Arc<Desk>>,
    UserName(user): UserName,
    of: Asking<OfApp>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    desk.gateway.access.service(&headers)?;
    let space = desk.space_of(&user, of.read()?.app.as_deref())?;
    let devices = devices(&desk, &space).await?;
    let devices: Vec<Value> = devices.iter().map(shown).collect();
    let forgotten = Forgotten::of(&desk, &space).await?;
    tracing::info!(%space, what = "devices", "an operator looked at a user's notifications");
    let all = json!({"devices": devices, "forgotten": forgotten.ids()});
    Ok(answer(StatusCode::OK, &all))
}

impl Desk {
    /// A user's own space in an app that has reminders. Errors: `name_invalid`, `app_unknown`.
    fn space_of(&self, user: &str, app: Option<&str>) -> Result<SpaceKey, HttpError> {
        let user = UserId::parse(user)?;
        let named = app.map(AppId::parse).transpose()?;
        let app = named.as_ref().or(self.notify.only_app());
        let app = app.filter(|app| self.notify.has(app)).ok_or_else(|| {
            let message = "app: none, or not one that has reminders: see app.NAME.reminders";
            HttpError::new(Code::AppUnknown, message)
        })?;
        Ok(SpaceKey {
            app: app.clone(),
            space: SpaceId::personal(&user),
        })
    }
}

/// How far those notifications are delivered that are under way, by their ids.
async fn under_way(
    desk: &Desk,
    space: &SpaceKey,
    told: &[Map<String, Value>],
) -> Result<BTreeMap<String, Value>, HttpError> {
    let ids = told.iter().filter_map(|one| one.get("id")?.as_str());
    let ids: Vec<RecordId> = ids.map(RecordId::trusted).collect();
    let keys: Vec<_> = ids.iter().map(|id| key(DELIVERIES, id)).collect();
    let mut by_id = BTreeMap::new();
    for (id, record) in ids.iter().zip(desk.records(space, &keys).await?) {
        let to = record.and_then(|record| data_of(&record).remove("to"));
        by_id.extend(to.map(|to| (id.to_string(), to)));
    }
    Ok(by_id)
}

/// A notification as an operator is told of it.
fn of_operator(one: &mut Map<String, Value>, deliveries: &BTreeMap<String, Value>) -> Value {
    let members = TOLD.iter().map(|name| {
        let value = one.remove(*name).unwrap_or_default();
        ((*name).to_owned(), value)
    });
    let mut told: Map<String, Value> = members.collect();
    let items = one.get("items").and_then(Value::as_array);
    let keys = items.into_iter().flatten().map(|item| item["key"].clone());
    told.insert("keys".to_owned(), keys.collect());
    let id = told["id"].as_str().unwrap_or_default();
    let to = deliveries.get(id).and_then(Value::as_object);
    let deliveries = to.into_iter().flatten().map(delivery);
    told.insert("deliveries".to_owned(), deliveries.collect());
    Value::Object(told)
}

/// How far it is with a device.
fn delivery((device, how): (&String, &Value)) -> Value {
    json!({
        "device": device,
        "channel": how["channel"],
        "state": how["state"],
        "tries": how["tries"],
        "at": how["at"].as_u64().map(wall_text),
    })
}
