//! `/api/v1/notifications/preferences?app=`: how a user wants to be told. `GET` answers what was
//! written, `{}` before; `PUT` writes all of it anew.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use syncline_compute::notify::{OWN, PREFERENCES};
use syncline_compute::reminders::Preferences;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::RecordId;
use syncline_protocol::object;

use super::own::{Desk, OfApp, answer, insert, key};
use crate::http::query::Asking;
use crate::http::{HttpError, RawBody};

/// Bytes of what a user may write.
const BYTES_MAX: usize = 16 << 10;

pub(super) async fn read(
    State(desk): State<Arc<Desk>>,
    of: Asking<OfApp>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let owner = desk.owner(&headers, of.read()?.app.as_deref()).await?;
    let key = key(PREFERENCES, &RecordId::trusted(OWN));
    let record = desk.record(&owner.space, &key).await?;
    let field = record
        .as_ref()
        .and_then(|record| record.field("preferences"));
    let written = field.and_then(|field| serde_json::from_str(field.value.as_str()).ok());
    Ok(answer(StatusCode::OK, &written.unwrap_or(json!({}))))
}

pub(super) async fn write(
    State(desk): State<Arc<Desk>>,
    of: Asking<OfApp>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let owner = match of.read() {
        Ok(of) => desk.owner(&headers, of.app.as_deref()).await,
        Err(refusal) => Err(refusal.into()),
    };
    let owner = match owner {
        Ok(owner) => owner,
        Err(refused) => {
            body.refuse();
            return Err(refused);
        }
    };
    let text = desk.body(&owner, body).await?;
    let invalid = |why: String| Refusal::new(Code::PreferencesInvalid, why);
    if text.len() > BYTES_MAX {
        return Err(invalid(format!("they have more than {BYTES_MAX} bytes")).into());
    }
    Preferences::read(&text).map_err(invalid)?;
    let written: Map<String, Value> =
        object::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let data = Map::from_iter([("preferences".to_owned(), Value::Object(written.clone()))]);
    desk.write(&owner, &[insert(PREFERENCES, OWN, &data)])
        .await?;
    Ok(answer(StatusCode::OK, &written))
}
