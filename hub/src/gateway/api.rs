//! The native protocol over HTTP, for clients without WebSocket and for servers.
//!
//! `POST /v1/{app}/push`, `GET /v1/{app}/changes`, `GET /v1/{app}/snapshot`. Pushes go through
//! the session; reads go to the store, since what it holds is what a session would say.
//!
//! An answer to `changes` ends after a commit. One that holds only a part of a commit, because
//! that is larger than a page, has `to` = `from`, `"more":true` and an opaque `next`: the client
//! asks again with the same cursor and `&next=`, and shows nothing before an answer without.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use syncline_protocol::delta::{self, Shown};
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, ClientId, ClientKey, Epoch, Seq, SpaceId, SpaceKey, UserId};
use syncline_protocol::mutation::{KEYED_CLIENT, Mutation};
use syncline_protocol::stamp::wall_text;
use syncline_protocol::wire::client::HttpPush;
use syncline_protocol::wire::cursor::{ChangesPlace, Selection, SnapshotPlace, SnapshotSum};
use syncline_protocol::wire::hub::{self, Answer, ResetWhy};
use syncline_storage::types::{After, ChangesPage, PageLimit, SnapshotPage, SpaceView};
use tokio::sync::oneshot;

use super::Gateway;
use super::access::{AppName, Caller};
use crate::http::error::json;
use crate::http::guard::counted;
use crate::http::{HttpError, RawBody};
use crate::session::actor::Message;
use crate::session::entry_text;
use crate::session::event::{CallReply, Event};
use crate::telemetry::labels::Route;

/// Records of one page if the client does not say, and at most.
const PAGE_RECORDS: usize = 1_000;
const PAGE_RECORDS_MAX: usize = 5_000;

/// Bytes of stored records of one page. A page takes its room before it is read.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// How long a push may wait for its verdicts. After that it must be repeated; the numbers see
/// to it that it takes effect once.
const PUSH_WITHIN: Duration = Duration::from_secs(30);

/// How often a session that stops at the very moment is looked for again.
const CALL_TRIES: usize = 5;

/// The routes.
pub fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/{app}/push", counted(Route::Push, post(push)))
        .route("/v1/{app}/changes", counted(Route::Changes, get(changes)))
        .route(
            "/v1/{app}/snapshot",
            counted(Route::Snapshot, get(snapshot)),
        )
}

#[derive(Debug, Deserialize)]
struct SpaceQuery {
    space: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ChangesQuery {
    space: Option<String>,
    epoch: Option<String>,
    after: Option<u64>,
    next: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct SnapshotQuery {
    space: Option<String>,
    next: Option<String>,
    limit: Option<usize>,
}

/// A query as it came, which may be unreadable.
type Asking<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

async fn caller(
    gateway: &Gateway,
    headers: &HeaderMap,
    app: &str,
    space: Option<String>,
) -> Result<Caller, HttpError> {
    let app = AppId::parse(app)?;
    let space = space.map(|space| SpaceId::parse(&space)).transpose()?;
    let now_ms = gateway.clock.now_ms();
    Ok(gateway.access.caller(headers, &app, space, now_ms).await?)
}

fn query<T>(query: Asking<T>) -> Result<T, Refusal> {
    query
        .map(|Query(query)| query)
        .map_err(|e| Refusal::new(Code::BadMessage, e.body_text()))
}

async fn push(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    space: Asking<SpaceQuery>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let caller = match pusher(&gateway, &headers, &app, space).await {
        Ok(caller) => caller,
        Err(refused) => {
            body.refuse();
            return Err(refused);
        }
    };
    let body = body.read(caller.user.as_str()).await?;
    let text = std::str::from_utf8(&body.bytes)
        .map_err(|_| Refusal::new(Code::BadMessage, "the body is not UTF-8"))?;
    let asked = Asked {
        user: caller.user,
        space: caller.space,
        bytes: body.bytes.len(),
    };
    let push = HttpPush::parse(text, &gateway.data)?;
    let _room = body.into_room();
    match push {
        HttpPush::Numbered(client, muts) => {
            let reply = call(&gateway, &asked, (client, muts)).await?;
            answered(
                reply,
                |out, results| hub::write_results(out, &results),
                &now(&gateway),
            )
        }
        HttpPush::Keyed(writes) => keyed(&gateway, &asked, writes).await,
    }
}

/// Who pushes, known before the body is read.
async fn pusher(
    gateway: &Gateway,
    headers: &HeaderMap,
    app: &str,
    space: Asking<SpaceQuery>,
) -> Result<Caller, HttpError> {
    caller(gateway, headers, app, query(space)?.space).await
}

fn now(gateway: &Gateway) -> String {
    wall_text(gateway.clock.now_ms())
}

/// A push on its way to its session.
struct Asked {
    user: UserId,
    space: SpaceKey,
    bytes: usize,
}

/// Has the session judge one client's mutations.
async fn call(
    gateway: &Gateway,
    asked: &Asked,
    (client, muts): (ClientId, Vec<Mutation>),
) -> Result<CallReply, HttpError> {
    let user = asked.user.clone();
    let client = ClientKey { user, client };
    let mut muts = Some(muts);
    for _ in 0..CALL_TRIES {
        let entry = gateway.sessions.get(&asked.space);
        let Some(room) = gateway.sessions.room(&entry) else {
            continue;
        };
        let permit = room.permit(asked.bytes).await;
        let permit = permit.map_err(|_| Refusal::new(Code::Slow, "the session is loaded"))?;
        let (reply, answer) = oneshot::channel();
        let message = Message::Call {
            call: gateway.next_call(),
            client: client.clone(),
            muts: muts.take().unwrap_or_default(),
            permit: Some(permit),
            reply,
        };
        match gateway.sessions.tell(&entry, message) {
            Ok(()) => {
                let Ok(answer) = tokio::time::timeout(PUSH_WITHIN, answer).await else {
                    break;
                };
                // A session that ended has not answered: the client repeats, the marks tell.
                return Ok(answer.map_err(|_| ended())?);
            }
            // The message comes back whole from a session that had just ended.
            Err(message) => {
                if let Message::Call { muts: back, .. } = *message {
                    muts = Some(back);
                }
            }
        }
    }
    Err(Refusal::new(Code::Unavailable, "no verdict in time; repeat the push").into())
}

/// Has the session judge writes under keys, one after the other: each is a client of its own.
async fn keyed(
    gateway: &Gateway,
    asked: &Asked,
    writes: Vec<(ClientId, Mutation)>,
) -> Result<Response, HttpError> {
    let (mut results, mut last) = (Vec::with_capacity(writes.len()), None);
    for (client, mutation) in writes {
        let key = client.as_str()[KEYED_CLIENT.len()..].to_owned();
        match call(gateway, asked, (client, vec![mutation])).await? {
            CallReply::Results {
                epoch,
                head,
                results: answers,
            } => {
                results.extend(answers.into_iter().map(|(_, answer)| (key.clone(), answer)));
                last = Some((epoch, head));
            }
            other => return answered(other, |_, _| {}, &now(gateway)),
        }
    }
    let (epoch, head) = last.ok_or_else(ended)?;
    let reply = CallReply::Results {
        epoch,
        head,
        results: Vec::new(),
    };
    answered(
        reply,
        |out, _| hub::write_keyed_results(out, &results),
        &now(gateway),
    )
}

fn ended() -> Refusal {
    Refusal::new(Code::Unavailable, "the session ended; repeat the push")
}

/// The response to a push; `write` appends its results.
fn answered(
    reply: CallReply,
    write: impl FnOnce(&mut String, Vec<(u64, Answer)>),
    now: &str,
) -> Result<Response, HttpError> {
    match reply {
        CallReply::Refused(refusal) => Err(refusal.into()),
        CallReply::Synced(_) => Err(HttpError::new(Code::Internal, "a push is no changeset")),
        CallReply::Gap(acked) => {
            let acked = acked.map_or("null".into(), |m| m.to_string());
            let refusal = Refusal::new(Code::Gap, "mutation numbers must be consecutive");
            Ok(refused_with(&refusal, &format!(r#""acked":{acked}"#)))
        }
        CallReply::Results {
            epoch,
            head,
            results,
        } => {
            let mut body = format!(r#"{{"epoch":"{epoch}","head":{head},"now":"{now}","results":"#);
            write(&mut body, results);
            body.push('}');
            Ok(json(StatusCode::OK, body))
        }
    }
}

fn page_limit(limit: Option<usize>) -> Result<PageLimit, Refusal> {
    let records = limit.unwrap_or(PAGE_RECORDS);
    if !(1..=PAGE_RECORDS_MAX).contains(&records) {
        let message = format!("limit is not in 1 to {PAGE_RECORDS_MAX}");
        return Err(Refusal::new(Code::CursorInvalid, message));
    }
    Ok(PageLimit {
        records,
        bytes: PAGE_BYTES_MAX,
    })
}

async fn changes(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    asked: Asking<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let asked = query(asked)?;
    let Caller { user, space } = caller(&gateway, &headers, &app, asked.space).await?;
    let limit = page_limit(asked.limit)?;
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
    for (key, record) in &page.records {
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
    held.json(body)
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
    let now_ms = gateway.clock.now_ms();
    if view == SpaceView::NEVER_OPENED {
        return Ok(Some(ResetWhy::Cursor));
    }
    if !view.may_lose_epoch(now_ms, gateway.epoch_change_interval_ms) {
        return Ok(Some(ResetWhy::Cursor));
    }
    tracing::error!(%space, "the store has lost commits; epoch changed");
    gateway
        .store
        .new_epoch(space, view.epoch, now_ms)
        .await
        .map_err(|error| gateway.store_failed(&error))?;
    gateway.metrics.epoch_changes.inc();
    if let Some(entry) = gateway.sessions.find(space) {
        // One that ended meanwhile reads the epoch when it starts again.
        drop(gateway.sessions.tell(&entry, Message::Event(Event::Missed)));
    }
    Ok(Some(ResetWhy::Epoch))
}

fn reset(gateway: &Gateway, why: ResetWhy) -> Response {
    gateway.metrics.resets.inc(why);
    let refusal = Refusal::new(Code::Reset, "take a snapshot from the start");
    refused_with(&refusal, &format!(r#""why":"{}""#, why.as_str()))
}

/// An error answer with more members, as `"name":value`.
fn refused_with(refusal: &Refusal, members: &str) -> Response {
    let status = StatusCode::from_u16(refusal.code.status());
    let mut body = hub::http_error(refusal);
    body.pop();
    json(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        format!("{body},{members}}}"),
    )
}

/// The space, if anybody ever wrote to it or connected. A read makes no space of it.
async fn view(gateway: &Gateway, space: &SpaceKey) -> Result<Option<SpaceView>, HttpError> {
    let view = gateway.store.space(space).await;
    view.map_err(|error| gateway.store_failed(&error))
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

async fn snapshot(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    asked: Asking<SnapshotQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let asked = query(asked)?;
    let Caller { user, space } = caller(&gateway, &headers, &app, asked.space).await?;
    let limit = page_limit(asked.limit)?;
    let place = asked
        .next
        .map(|next| SnapshotPlace::parse(&next))
        .transpose()?;
    let held = gateway.replies.begin(user.as_str(), limit.bytes).await?;
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
    for (key, record) in &page.records {
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
    done += page.records.len() as u64;
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
    held.json(body)
}
