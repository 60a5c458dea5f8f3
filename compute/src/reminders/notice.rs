//! The notification of a batch.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use syncline_protocol::stamp::WallMs;

use super::batch::Batch;
use super::look::Firing;
use super::plan::FiringKey;
use super::preferences::Channel;
use super::tell::To;
use super::words::{self, KIND, Reader};
use crate::notify::{self, Notification, Receipts};

/// What fires, by its key.
pub(super) type Firings = HashMap<FiringKey, Firing>;

/// What somebody is told of a batch, by these channels; without any it only stands in the history.
/// `allowed_ms` is from when on it could be told.
pub(super) fn notification(
    to: To<'_>,
    batch: &Batch,
    ((kind, channels), allowed_ms): ((&str, &[Channel]), WallMs),
    by_key: &Firings,
) -> Notification {
    let To {
        config,
        preferences,
        devices,
        now_ms,
        ..
    } = to;
    let fallback = || TimeZone::get(&config.fields.zone).unwrap_or(TimeZone::UTC);
    let reader = Reader {
        zone: &preferences.zone().cloned().unwrap_or_else(fallback),
        language: preferences.language(),
        now_ms,
    };
    let title = |key: &FiringKey| by_key.get(key).map_or("", |firing| firing.title.as_str());
    let said = words::said((kind, batch), title, &config.templates, reader);
    let due = batch.items.iter().map(|item| item.due_ms);
    let latest_ms = match kind {
        KIND => due.clone().max(),
        // It is of use from now on.
        _ => None,
    };
    let expires = latest_ms.unwrap_or(now_ms);
    let expires = expires.saturating_add(config.limits.cut_off_ms);
    let is_delivered = channels.iter().any(|channel| *channel != Channel::Notice);
    let has_device = channels.iter().any(|channel| devices.contains(channel));
    let named = batch
        .named()
        .iter()
        .filter_map(|item| by_key.get(&item.key));
    Notification {
        kind: kind.to_owned(),
        at: now_ms,
        since: due.min().map(|due_ms| due_ms.max(allowed_ms)),
        expires,
        late: batch.is_late,
        title: said.words.title,
        body: said.words.body,
        language: said.words.language,
        items: named.map(|firing| item(firing, to)).collect(),
        more: batch.more(),
        values: said.values,
        channels: channels.to_vec(),
        receipts: (is_delivered && !has_device).then(Receipts::nobody),
    }
}

fn item(firing: &Firing, to: To<'_>) -> notify::Item {
    notify::Item {
        key: firing.item.key.as_str().to_owned(),
        table: to.config.table.as_str().to_owned(),
        id: firing.id.as_str().to_owned(),
        task: firing.task.as_ref().map(|id| id.as_str().to_owned()),
        due: firing.item.due_ms,
        title: firing.title.clone(),
    }
}
