//! The first user's routes of reminders of a task, in the app of which the config says so (`rest`):
//!
//! - `GET /api/v1/tasks/{taskId}/reminders` → `[{"id","taskId","minutesBefore","type"…}]`
//! - `POST /api/v1/tasks/{taskId}/reminders {"minutesBefore","type"?: push|email|both}` → 201, the
//!   reminder; 404 without the task, 400 if it is due at no time.
//! - `DELETE /api/v1/reminders/{id}` → 204; 404 if there is none.
//!
//! Reminders are ordinary records of the app: devices are synced them, and may write them as well.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use syncline_compute::reminders::MINUTES_MAX;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{RecordId, RecordKey};
use syncline_protocol::object;
use syncline_protocol::record::Record;
use syncline_protocol::stamp::wall_text;

use super::own::{Desk, Owner, answer, data_of, done, insert, remove as gone};
use crate::http::{HttpError, RawBody};
use crate::notify::Reminded;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    minutes_before: f64,
    #[serde(rename = "type", default = "push")]
    told_by: String,
}

fn push() -> String {
    "push".to_owned()
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Path(task): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let (owner, reminded) = desk.rest(&headers).await?;
    let task = desk.task(&owner, reminded, &task).await?.0;
    let mut found: Vec<Map<String, Value>> = Vec::new();
    desk.each(&owner.space, &reminded.reminders, |id, record| {
        let about = record.field(reminded.task.as_str());
        let about =
            about.and_then(|field| serde_json::from_str::<String>(field.value.as_str()).ok());
        if about.as_deref() == Some(task.as_str()) {
            found.push(with_id(data_of(record), id));
        }
    })
    .await?;
    Ok(answer(StatusCode::OK, &found))
}

pub(super) async fn add(
    State(desk): State<Arc<Desk>>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let (owner, reminded) = match desk.rest(&headers).await {
        Ok(found) => found,
        Err(refused) => {
            body.refuse();
            return Err(refused);
        }
    };
    let text = desk.body(&owner, body).await?;
    let bad = |why: String| Refusal::new(Code::BadMessage, why);
    let wanted: Wanted = object::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let minutes = wanted.minutes_before;
    if minutes.fract() != 0.0 || !(0.0..=f64::from(MINUTES_MAX)).contains(&minutes) {
        return Err(bad(format!("minutesBefore: whole minutes, 0 to {MINUTES_MAX}")).into());
    }
    if !["push", "email", "both"].contains(&wanted.told_by.as_str()) {
        return Err(bad("type: push, email or both".to_owned()).into());
    }
    let (task, record) = desk.task(&owner, reminded, &task).await?;
    let due = record.field(reminded.due.as_str());
    if due.is_none_or(|due| matches!(due.value.as_str(), "null" | r#""""#)) {
        return Err(bad("the task has no due date".to_owned()).into());
    }
    let id = RecordId::trusted(&new_id()?);
    let mut data = Map::new();
    data.insert(reminded.task.to_string(), task.as_str().into());
    data.insert(reminded.minutes_before.to_string(), (minutes as u32).into());
    data.insert(reminded.told_by.to_string(), wanted.told_by.into());
    let now = wall_text(desk.gateway.clock.now_ms());
    data.insert("createdAt".to_owned(), now.into());
    let change = insert(reminded.reminders.as_str(), id.as_str(), &data);
    desk.write(&owner, &[change]).await?;
    Ok(answer(StatusCode::CREATED, &with_id(data, &id)))
}

pub(super) async fn remove(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let (owner, reminded) = desk.rest(&headers).await?;
    let unknown = || HttpError::new(Code::NotFound, "the user has no such reminder");
    let id = RecordId::parse(&id).map_err(|_| unknown())?;
    let key = RecordKey {
        table: reminded.reminders.clone(),
        id: id.clone(),
    };
    desk.record(&owner.space, &key).await?.ok_or_else(unknown)?;
    desk.write(&owner, &[gone(reminded.reminders.as_str(), id.as_str())])
        .await?;
    Ok(done())
}

impl Desk {
    /// Who asks, in the app that these routes are about. Errors: `not_found` if they are about none.
    async fn rest(&self, headers: &HeaderMap) -> Result<(Owner, &Reminded), HttpError> {
        let Some((app, reminded)) = self.notify.rest() else {
            return Err(HttpError::new(Code::NotFound, "no app has these routes"));
        };
        let owner = self.owner(headers, Some(app.as_str())).await?;
        Ok((owner, reminded))
    }

    /// A task of the user. Errors: `not_found`.
    async fn task(
        &self,
        owner: &Owner,
        reminded: &Reminded,
        id: &str,
    ) -> Result<(RecordId, Record), HttpError> {
        let unknown = || HttpError::new(Code::NotFound, "the user has no such task");
        let id = RecordId::parse(id).map_err(|_| unknown())?;
        let key = RecordKey {
            table: reminded.tasks.clone(),
            id: id.clone(),
        };
        let record = self.record(&owner.space, &key).await?.ok_or_else(unknown)?;
        Ok((id, record))
    }
}

fn with_id(mut data: Map<String, Value>, id: &RecordId) -> Map<String, Value> {
    data.insert("id".to_owned(), id.as_str().into());
    data
}

/// An id that nothing else has: 128 random bits. Errors: `internal`, without randomness.
fn new_id() -> Result<String, HttpError> {
    let mut bytes = [0; 16];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|_| HttpError::new(Code::Internal, "no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
