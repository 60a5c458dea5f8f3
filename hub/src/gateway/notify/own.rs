//! Reading and writing records of a user's own space, for the user.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use syncline_protocol::delta::write_data;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, RecordId, RecordKey, SpaceKey, TableName, UserId};
use syncline_protocol::record::Record;
use syncline_storage::types::PageLimit;

use crate::gateway::Gateway;
use crate::gateway::call::Pusher;
use crate::gateway::pace::Load;
use crate::http::error::json as json_answer;
use crate::http::{HttpError, RawBody};
use crate::notify::Notify;

/// Records and bytes of one read.
const PAGE: PageLimit = PageLimit {
    records: 500,
    bytes: 1 << 20,
};

/// What the routes share.
pub(super) struct Desk {
    pub(super) gateway: Arc<Gateway>,
    pub(super) notify: Notify,
}

/// The query of a request that is about an app, and names it if there are several.
#[derive(Debug, Deserialize)]
pub(super) struct OfApp {
    pub(super) app: Option<String>,
}

/// Whose records are asked for.
pub(super) struct Owner {
    pub(super) user: UserId,
    pub(super) space: SpaceKey,
}

impl Desk {
    /// Who asks, of an app that has reminders. Errors: of who asks; `app_unknown`.
    pub(super) async fn owner(
        &self,
        headers: &HeaderMap,
        app: Option<&str>,
    ) -> Result<Owner, HttpError> {
        let named = app.map(AppId::parse).transpose()?;
        let app = named.as_ref().or(self.notify.only_app());
        let now_ms = self.gateway.clock.now_ms();
        let Some(app) = app else {
            // Who asks comes first: nobody else is told what there is.
            self.gateway.access.bearer(headers, now_ms).await?;
            let message = "app: several apps, or none, have reminders: name one";
            return Err(HttpError::new(Code::AppUnknown, message));
        };
        let caller = self.gateway.access.user(headers, app, now_ms).await?;
        if !self.notify.has(app) {
            let message = format!("app {app} has no reminders: see app.{app}.reminders");
            return Err(HttpError::new(Code::AppUnknown, message));
        }
        Ok(Owner {
            user: caller.user,
            space: caller.space,
        })
    }

    /// A body of who asks, as text, if the user may write now.
    pub(super) async fn body(&self, owner: &Owner, body: RawBody) -> Result<String, HttpError> {
        if let Err(refused) = self.gateway.check_pace(&owner.user) {
            body.refuse();
            return Err(refused);
        }
        let body = body.read(owner.user.as_str()).await?;
        let text = std::str::from_utf8(&body.bytes);
        let text = text.map_err(|_| Refusal::new(Code::BadMessage, "the body is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// A record, if it is live.
    pub(super) async fn record(
        &self,
        space: &SpaceKey,
        key: &RecordKey,
    ) -> Result<Option<Record>, HttpError> {
        let read = self.records(space, std::slice::from_ref(key)).await?;
        Ok(read.into_iter().next().flatten())
    }

    /// Records in the order asked, each if it is live.
    pub(super) async fn records(
        &self,
        space: &SpaceKey,
        keys: &[RecordKey],
    ) -> Result<Vec<Option<Record>>, HttpError> {
        if keys.is_empty() || !self.is_there(space).await? {
            return Ok(vec![None; keys.len()]);
        }
        let read = self.gateway.store.records(space, keys, usize::MAX).await;
        let read = read.map_err(|error| self.gateway.store_failed(&error))?;
        let records = read.records.into_iter();
        Ok(records
            .map(|record| record.filter(Record::is_live))
            .collect())
    }

    /// The live records of a table, in the order of their ids, until `take` wants no more.
    pub(super) async fn each(
        &self,
        space: &SpaceKey,
        table: &TableName,
        mut take: impl FnMut(&RecordId, &Record),
    ) -> Result<(), HttpError> {
        if !self.is_there(space).await? {
            return Ok(());
        }
        let tables = std::slice::from_ref(table);
        let mut after: Option<RecordKey> = None;
        loop {
            let read = self
                .gateway
                .store
                .snapshot(space, Some(tables), after.as_ref(), PAGE);
            let page = read
                .await
                .map_err(|error| self.gateway.store_failed(&error))?;
            for (key, record) in &page.records {
                take(&key.id, record);
            }
            match page.records.last().filter(|_| page.more) {
                Some((last, _)) => after = Some(last.clone()),
                None => return Ok(()),
            }
        }
    }

    /// Whether anybody ever wrote to a space or connected: of another nothing is read.
    async fn is_there(&self, space: &SpaceKey) -> Result<bool, HttpError> {
        let view = self.gateway.store.space(space).await;
        let view = view.map_err(|error| self.gateway.store_failed(&error))?;
        Ok(view.is_some())
    }

    /// Writes for a user. Errors: what a push is refused with.
    pub(super) async fn write(&self, owner: &Owner, changes: &[Value]) -> Result<(), HttpError> {
        let text = Value::from(changes).to_string();
        let load = Load {
            changes: changes.len(),
            bytes: text.len(),
        };
        self.gateway.take_pace(&owner.user, load)?;
        let pusher = Pusher {
            user: owner.user.clone(),
            space: owner.space.clone(),
            bytes: text.len(),
            trace: None,
        };
        Ok(self.gateway.write_own(&pusher, &text).await?)
    }
}

/// A record that is to be there, with these fields.
pub(super) fn insert(table: &str, id: &str, data: &Map<String, Value>) -> Value {
    json!({"table": table, "id": id, "op": "insert", "data": data})
}

/// Fields that are to be other ones.
pub(super) fn update(table: &str, id: &str, fields: Map<String, Value>) -> Value {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name, json!({"value": value})));
    let fields: Map<String, Value> = fields.collect();
    json!({"table": table, "id": id, "op": "update", "fields": fields})
}

/// A record that is to go.
pub(super) fn remove(table: &str, id: &str) -> Value {
    json!({"table": table, "id": id, "op": "delete"})
}

/// The fields of a record, by name.
pub(super) fn data_of(record: &Record) -> Map<String, Value> {
    let mut text = String::with_capacity(record.size_bytes());
    write_data(&mut text, record);
    serde_json::from_str(&text).unwrap_or_default()
}

pub(super) fn key(table: &str, id: &RecordId) -> RecordKey {
    RecordKey {
        table: TableName::trusted(table),
        id: id.clone(),
    }
}

pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("plain data");
    json_answer(status, text)
}

/// Nothing to say.
pub(super) fn done() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
