//! All that is stored of a user, in all apps: counted, and erased. For the operator's servers, by
//! the service key.
//!
//! The answer is `{"userId","counts":{table:n},"apps":{app:{"records","clients","deadLetters","jobs"}}}`:
//! live records by table over all apps, and everything by app. Of an erasure it is the receipt:
//! what there was. Nobody of that name is an empty answer. `"about":[app]` names apps whose numbers are of
//! several moments, or lower than what there is (Cassandra, beside writers that never rest). If the store failed at some of it, the
//! receipt comes with the refusal, and `"pending":[app]` names what is to be asked for again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Value};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{SpaceId, SpaceKey, UserId};
use syncline_protocol::wire::hub::http_error;
use syncline_storage::types::Holdings;
use tokio::sync::SemaphorePermit;

use super::Gateway;
use super::access::UserName;
use crate::http::HttpError;
use crate::http::error::json;
use crate::http::guard::counted;
use crate::telemetry::labels::Route;

/// The routes.
pub fn routes() -> Router<Arc<Gateway>> {
    let both = get(count).delete(erase);
    Router::new().route(
        "/api/v1/admin/user-data/{user}",
        counted(Route::UserData, both),
    )
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    user_id: String,
    counts: BTreeMap<String, u64>,
    apps: BTreeMap<String, OfApp>,
    /// Apps whose counts are of several moments, or of a part, since others wrote meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    about: Vec<String>,
    /// Apps whose erasure failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pending: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfApp {
    records: u64,
    clients: u64,
    dead_letters: u64,
    jobs: u64,
}

impl Answer {
    fn add(&mut self, space: &SpaceKey, held: &Holdings) {
        for (table, count) in &held.tables {
            *self.counts.entry(table.as_str().to_owned()).or_default() += count;
        }
        let of_app = OfApp {
            records: held.records,
            clients: held.clients,
            dead_letters: held.dead_letters,
            jobs: held.jobs,
        };
        let app = space.app.as_str().to_owned();
        if !held.is_exact {
            self.about.push(app.clone());
        }
        self.apps.insert(app, of_app);
    }

    fn into_response(self) -> Result<Response, HttpError> {
        let text = serde_json::to_string(&self).map_err(|_| no_answer())?;
        Ok(json(StatusCode::OK, text))
    }

    /// The refusal, and with it what was done.
    fn into_refusal(self, error: HttpError) -> Result<Response, HttpError> {
        let refusal = serde_json::from_str(&http_error(&error.0));
        let mut both: Map<String, Value> = refusal.map_err(|_| no_answer())?;
        if let Ok(Value::Object(done)) = serde_json::to_value(&self) {
            both.extend(done);
        }
        let mut response = error.into_response();
        *response.body_mut() = Value::Object(both).to_string().into();
        Ok(response)
    }
}

async fn count(
    State(gateway): State<Arc<Gateway>>,
    UserName(user): UserName,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let (mut answer, spaces) = spaces(&gateway, &user, &headers).await?;
    let _turn = turn(&gateway).await;
    for space in spaces {
        let held = gateway.store.holdings(&space).await;
        answer.add(&space, &held.map_err(|error| gateway.store_failed(&error))?);
    }
    answer.into_response()
}

/// Goes on if the caller leaves: what is erased is told to devices, whoever asked for it.
async fn erase(
    State(gateway): State<Arc<Gateway>>,
    UserName(user): UserName,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let (receipt, spaces) = spaces(&gateway, &user, &headers).await?;
    let erasing = tokio::spawn(erase_all(gateway, receipt, spaces));
    erasing.await.unwrap_or_else(|_| Err(no_answer()))
}

/// Space by space: one that fails leaves the others erased, and is named as pending.
async fn erase_all(
    gateway: Arc<Gateway>,
    mut receipt: Answer,
    spaces: Vec<SpaceKey>,
) -> Result<Response, HttpError> {
    let _turn = turn(&gateway).await;
    let mut failed = None;
    for space in spaces {
        let erased = gateway.store.erase(&space, gateway.clock.now_ms()).await;
        // Also if it failed: it may have taken effect all the same.
        gateway.sessions.history_changed(&space).await;
        match erased {
            Ok(held) => {
                gateway.metrics.erasures.inc();
                let (app, records) = (&space.app, held.records);
                tracing::info!(%app, records, "the data of a user was erased");
                receipt.add(&space, &held);
            }
            Err(error) => {
                receipt.pending.push(space.app.as_str().to_owned());
                failed = Some(gateway.store_failed(&error));
            }
        }
    }
    match failed {
        None => receipt.into_response(),
        Some(error) => receipt.into_refusal(error),
    }
}

/// Devices read on the same connections of the store.
async fn turn(gateway: &Gateway) -> SemaphorePermit<'_> {
    let turn = gateway.user_data.acquire().await;
    turn.expect("nobody closes it")
}

fn no_answer() -> HttpError {
    HttpError::new(Code::Unavailable, "no answer")
}

/// An answer without counts, and the user's spaces.
async fn spaces(
    gateway: &Gateway,
    user: &str,
    headers: &HeaderMap,
) -> Result<(Answer, Vec<SpaceKey>), HttpError> {
    gateway.access.service(headers)?;
    let user_id = UserId::parse(user)
        .map_err(|_| Refusal::new(Code::BadMessage, "the user's id is no name"))?;
    let name = SpaceId::personal(&user_id);
    let spaces = gateway.store.spaces_named(&name).await;
    let answer = Answer {
        user_id: user.to_owned(),
        ..Answer::default()
    };
    Ok((
        answer,
        spaces.map_err(|error| gateway.store_failed(&error))?,
    ))
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, TableName};
    use syncline_storage::types::SpaceView;

    use super::*;

    fn held(is_exact: bool) -> Holdings {
        Holdings {
            view: SpaceView::NEVER_OPENED,
            tables: vec![(TableName::trusted("tasks"), 2)],
            records: 3,
            clients: 1,
            dead_letters: 0,
            jobs: 0,
            is_exact,
        }
    }

    #[test]
    fn apps_whose_numbers_are_not_of_one_moment_are_named() {
        let of = |app: &str| SpaceKey {
            app: AppId::trusted(app),
            space: SpaceId::trusted("ada"),
        };
        let mut answer = Answer::default();
        answer.add(&of("notes"), &held(true));
        assert_eq!(serde_json::to_value(&answer).unwrap().get("about"), None);
        answer.add(&of("todo"), &held(false));
        let told = serde_json::to_value(&answer).unwrap();
        assert_eq!(told["about"], serde_json::json!(["todo"]));
        assert_eq!(told["counts"]["tasks"], 4);
    }
}
