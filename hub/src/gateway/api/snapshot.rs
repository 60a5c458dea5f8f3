//! `GET /v1/{app}/snapshot`: every live record, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use syncline_protocol::delta::{self, Shown};
use syncline_protocol::ids::{Epoch, Seq};
use syncline_protocol::wire::cursor::{Selection, SnapshotPlace, SnapshotSum};
use syncline_protocol::wire::hub::ResetWhy;
use syncline_storage::types::{SnapshotPage, SpaceView};

use super::{caller, page_limit, reset, view};
use crate::gateway::Gateway;
use crate::gateway::access::{AppName, Caller};
use crate::http::HttpError;
use crate::http::query::Asking;
use crate::session::entry_text;

#[derive(Debug, Deserialize)]
pub(super) struct SnapshotQuery {
    space: Option<String>,
    next: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn snapshot(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    asked: Asking<SnapshotQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let asked = asked.read()?;
    let Caller { user, space } = caller(&gateway, &headers, &app, asked.space).await?;
    let mut limit = page_limit(asked.limit)?;
    let place = asked
        .next
        .map(|next| SnapshotPlace::parse(&next))
        .transpose()?;
    let held = gateway.replies.begin(user.as_str(), limit.bytes).await?;
    limit.bytes = held.page_bytes();
    let opened = view(&gateway, &space).await?;
    let after = place.as_ref().map(|place| &place.after);
    let page = match opened {
        Some(_) => gateway.store.snapshot(&space, None, after, limit).await,
        None => Ok(SnapshotPage {
            view: SpaceView::NEVER_OPENED,
            records: Vec::new(),
            writers: Vec::new(),
            more: false,
        }),
    };
    let page = page.map_err(|error| gateway.store_failed(&error))?;
    let opened = opened.unwrap_or(SpaceView::NEVER_OPENED);
    let (at, mut done, mut sum) = match &place {
        None => (opened.head, 0, SnapshotSum::default()),
        Some(place) => (place.at, place.done, place.sum),
    };
    let epoch = place.as_ref().map_or(opened.epoch, |place| place.epoch);
    let selection = place
        .as_ref()
        .map_or(Selection::ALL, |place| place.selection);
    if let Some(why) = place_fault((epoch, at, selection), page.view) {
        return Ok(reset(&gateway, why));
    }
    let mut changes = String::new();
    for (key, record) in page
        .records
        .iter()
        .filter(|(key, _)| !key.table.is_private())
    {
        done += 1;
        let mut data = String::new();
        delta::write_data(&mut data, record);
        sum.add(key, &data);
        if !changes.is_empty() {
            changes.push(',');
        }
        changes.push_str(&entry_text(
            (key, record),
            Shown::Insert,
            Seq(0),
            &page.writers,
        ));
    }
    let last = page
        .records
        .last()
        .filter(|_| page.more)
        .map(|(key, _)| key.clone());
    let next = last.map(|after| {
        SnapshotPlace {
            epoch,
            at,
            after,
            done,
            sum,
            selection,
        }
        .to_text()
    });
    let end = match next {
        Some(next) => format!(r#""next":"{next}""#),
        None => format!(r#""next":null,"count":{done},"sum":"{sum}""#),
    };
    let of = page.view.live.max(done);
    let body = format!(
        r#"{{"epoch":"{epoch}","at":{at},"done":{done},"of":{of},"changes":[{changes}],{end}}}"#
    );
    held.json(body).await
}

/// Says why a snapshot cannot go on at a place.
fn place_fault((epoch, at, of): (Epoch, Seq, Selection), view: SpaceView) -> Option<ResetWhy> {
    if epoch != view.epoch && view.reset_from(Some(epoch)) == ResetWhy::Erased {
        return Some(ResetWhy::Erased);
    }
    // Over HTTP a snapshot is of all tables.
    if epoch != view.epoch || at > view.head || of != Selection::ALL {
        return Some(ResetWhy::Cursor);
    }
    (at < view.gc_seq).then_some(ResetWhy::Gc)
}
