//! `GET /v1/{app}/changes`: what happened after a cursor, page by page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use syncline_protocol::delta;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{Epoch, Seq, SpaceKey};
use syncline_protocol::wire::cursor::ChangesPlace;
use syncline_protocol::wire::hub::ResetWhy;
use syncline_storage::types::{After, ChangesPage, SpaceView};

use super::{caller, page_limit, reset, view};
use crate::gateway::access::{AppName, Caller};
use crate::gateway::{Gateway, lost};
use crate::http::HttpError;
use crate::http::query::Asking;
use crate::session::entry_text;

#[derive(Debug, Deserialize)]
pub(super) struct ChangesQuery {
    space: Option<String>,
    epoch: Option<String>,
    after: Option<u64>,
    next: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn changes(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    asked: Asking<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let asked = asked.read()?;
    let Caller { user, space } = caller(&gateway, &headers, &app, asked.space).await?;
    let mut limit = page_limit(asked.limit)?;
    let (Some(epoch), Some(after)) = (asked.epoch, asked.after) else {
        let message = "epoch and after are needed; begin with a snapshot";
        return Err(Refusal::new(Code::CursorInvalid, message).into());
    };
    let after = Seq(after);
    let from = match &asked.next {
        Some(next) => place_inside(next, (&epoch, after))?,
        None => after.into(),
    };
    let held = gateway.replies.begin(user.as_str(), limit.bytes).await?;
    limit.bytes = held.page_bytes();
    let page = match view(&gateway, &space).await? {
        Some(_) => gateway.store.changes(&space, from.clone(), limit).await,
        None => Ok(ChangesPage {
            view: SpaceView::NEVER_OPENED,
            to: Seq(0),
            inside: None,
            records: Vec::new(),
            writers: Vec::new(),
        }),
    };
    let page = page.map_err(|error| gateway.store_failed(&error))?;
    let cursor = (epoch.as_str(), after, from.seq);
    if let Some(why) = cursor_fault(&gateway, &space, cursor, page.view).await? {
        return Ok(reset(&gateway, why));
    }
    gateway.metrics.catch_ups.inc();
    let next = next_inside(&page, after);
    let to = if next.is_some() { after } else { page.to };
    let mut body = format!(
        r#"{{"epoch":"{}","from":{after},"to":{to},"head":{},"changes":["#,
        page.view.epoch, page.view.head
    );
    let mut separator = "";
    for (key, record) in page
        .records
        .iter()
        .filter(|(key, _)| !key.table.is_private())
    {
        if let Some(shown) = delta::paged(record, after) {
            body.push_str(separator);
            body.push_str(&entry_text((key, record), shown, after, &page.writers));
            separator = ",";
        }
    }
    body.push(']');
    if let Some(next) = next {
        body.push_str(r#","more":true,"next":""#);
        body.push_str(&next);
        body.push('"');
    }
    body.push('}');
    held.json(body).await
}

/// Where reading goes on inside a commit, by the `next` of the answer before.
fn place_inside(next: &str, (epoch, after): (&str, Seq)) -> Result<After, Refusal> {
    let place = ChangesPlace::parse(next)?;
    if Some(place.epoch) != Epoch::parse(epoch) || place.from != after || place.seq <= after {
        let message = "next is of another cursor";
        return Err(Refusal::new(Code::CursorInvalid, message));
    }
    Ok(After {
        seq: place.seq,
        key: Some(place.after),
    })
}

/// The `next` of an answer that ends inside a commit. The client's cursor stays where it is
/// until it has the rest.
fn next_inside(page: &ChangesPage, from: Seq) -> Option<String> {
    let After { seq, key } = page.next();
    let place = ChangesPlace {
        epoch: page.view.epoch,
        from,
        seq,
        after: key?,
    };
    Some(place.to_text())
}

/// Says why changes cannot continue a cursor, by which something is known up to `known`. One
/// ahead of the store shows that the store has lost commits: then the epoch changes, as for a
/// socket.
async fn cursor_fault(
    gateway: &Gateway,
    space: &SpaceKey,
    (epoch, after, known): (&str, Seq, Seq),
    view: SpaceView,
) -> Result<Option<ResetWhy>, HttpError> {
    let epoch = Epoch::parse(epoch);
    if epoch != Some(view.epoch) {
        return Ok(Some(view.reset_from(epoch)));
    }
    if after < view.gc_seq {
        return Ok(Some(ResetWhy::Gc));
    }
    if known <= view.head {
        return Ok(None);
    }
    let is_there = view != SpaceView::NEVER_OPENED;
    let changed = is_there && lost::change_epoch(gateway, space, &view).await?;
    Ok(Some(match changed {
        true => ResetWhy::Epoch,
        false => ResetWhy::Cursor,
    }))
}
