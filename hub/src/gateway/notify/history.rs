//! `GET /api/v1/notifications?app=&before=&limit=` → `{"notifications":[{"id",…}],"next"}`: what a user
//! was told, the newest first. `next` is what `before` is for those before, null at the end.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_compute::notify::NOTIFICATIONS;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{SpaceKey, TableName};

use super::own::{Desk, answer, data_of};
use crate::http::HttpError;
use crate::http::query::Asking;

/// Notifications of one answer, unless fewer are asked for.
const LISTED_MAX: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    app: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

/// Part of a history, the newest first.
pub(super) struct Page {
    pub(super) told: Vec<Map<String, Value>>,
    /// What `before` is for those before; `None`: there are none.
    pub(super) next: Option<Value>,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    asked: Asking<Asked>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let asked = asked.read()?;
    let owner = desk.owner(&headers, asked.app.as_deref()).await?;
    let part = (asked.before.as_deref(), asked.limit);
    let Page { told, next } = page(&desk, &owner.space, part).await?;
    let page = json!({"notifications": told, "next": next});
    Ok(answer(StatusCode::OK, &page))
}

/// Reads a part: before a notification, if one is said, and at most so many. Errors: `cursor_invalid`.
pub(super) async fn page(
    desk: &Desk,
    space: &SpaceKey,
    (before, limit): (Option<&str>, Option<usize>),
) -> Result<Page, HttpError> {
    let limit = limit.unwrap_or(LISTED_MAX);
    if !(1..=LISTED_MAX).contains(&limit) {
        let message = format!("limit is not in 1 to {LISTED_MAX}");
        return Err(HttpError::new(Code::CursorInvalid, message));
    }
    // Their ids are in the order of time, and few are kept.
    let mut told: Vec<Map<String, Value>> = Vec::new();
    let mut has_more = false;
    let table = TableName::trusted(NOTIFICATIONS);
    desk.each(space, &table, |id, record| {
        if before.is_some_and(|before| id.as_str() >= before) {
            return;
        }
        let mut data = data_of(record);
        data.insert("id".to_owned(), id.as_str().into());
        told.push(data);
        if told.len() > limit {
            told.remove(0);
            has_more = true;
        }
    })
    .await?;
    told.reverse();
    let next = told.last().filter(|_| has_more);
    let next = next.and_then(|last| last.get("id")).cloned();
    Ok(Page { told, next })
}
