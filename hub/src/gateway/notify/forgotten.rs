//! Which devices the user has removed, as records of `@@forgotten`: `{"at"}`. A browser whose device is
//! gone otherwise, since a push service said so, registers again; one that was removed does not.

use serde_json::{Map, Value};
use syncline_protocol::ids::{RecordId, SpaceKey, TableName};
use syncline_protocol::stamp::{WallMs, wall_text};

use super::own::{Desk, data_of, insert, remove};
use crate::http::HttpError;

/// By the device's id.
const FORGOTTEN: &str = "@@forgotten";

/// The last that are known; the oldest makes room.
const FORGOTTEN_MAX: usize = 20;

/// The devices, by when they were removed.
pub(super) struct Forgotten(Vec<(String, String)>);

impl Forgotten {
    /// Of a user.
    pub(super) async fn of(desk: &Desk, space: &SpaceKey) -> Result<Forgotten, HttpError> {
        let mut all = Vec::new();
        let table = TableName::trusted(FORGOTTEN);
        let take = |id: &RecordId, record: &_| {
            let at = data_of(record).remove("at");
            let at = at.as_ref().and_then(Value::as_str).unwrap_or_default();
            all.push((at.to_owned(), id.to_string()));
        };
        desk.each(space, &table, take).await?;
        all.sort();
        Ok(Forgotten(all))
    }

    /// Their ids.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.0.iter().map(|(_, id)| id.as_str()).collect()
    }

    /// What is written when one more is removed.
    pub(super) fn with(&self, id: &str, now_ms: WallMs) -> Vec<Value> {
        let data = Map::from_iter([("at".to_owned(), wall_text(now_ms).into())]);
        let over = (self.0.len() + 1).saturating_sub(FORGOTTEN_MAX);
        let oldest = self.0.iter().take(over);
        let oldest = oldest.map(|(_, id)| remove(FORGOTTEN, id));
        oldest.chain([insert(FORGOTTEN, id, &data)]).collect()
    }

    /// What is written when one is registered: it is wanted after all.
    pub(super) fn without(&self, id: &str) -> Option<Value> {
        let is_there = self.0.iter().any(|(_, one)| one == id);
        is_there.then(|| remove(FORGOTTEN, id))
    }
}
