//! The two HTTP routes and the upgrade. Refusals are text, as those clients know them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncRequest;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, ClientId, ClientKey, SpaceKey, TableName, UserId};
use syncline_protocol::mutation::KEYED_CLIENT;
use syncline_storage::types::{ChangesPage, MarksRead, PageLimit, SpaceView};
use tokio::sync::oneshot;

use super::answer::{self, ALL, Answering, Next, Question};
use crate::gateway::access::AppName;
use crate::gateway::pace::Load;
use crate::gateway::{Gateway, lost, upgrade};
use crate::http::error::json;
use crate::http::guard::counted;
use crate::http::in_trace::InTrace;
use crate::http::query::Asking;
use crate::http::reply_room::{ReplyHeld, too_large};
use crate::http::{HttpError, RawBody};
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::{CallReply, Event, Sync};
use crate::session::synced::Synced;
use crate::telemetry::labels::Route;
use crate::telemetry::traces::span::Traced;

/// How long a changeset may wait. After that it must be sent again, which is harmless.
const SYNC_WITHIN: Duration = Duration::from_secs(30);

/// How often a session that stops at the very moment is looked for again.
const SYNC_TRIES: usize = 5;

/// Stored bytes that are read at first for a reply, of which nobody knows how long it gets. Few
/// are longer.
const FIRST_BYTES: usize = 32 << 10;

/// The header that names the device.
const CLIENT_HEADER: &str = "x-client-id";

/// What is told of such a header that no name can be read from.
const CLIENT_NO_ASCII: &str = "X-Client-Id holds other characters than printable ASCII";

/// The routes.
pub fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/sync/{app}", counted(Route::Sync, post(sync)))
        .route("/sync/{app}/pull", counted(Route::Pull, get(pull)))
        .route("/ws/{app}", counted(Route::CompatWs, get(socket)))
}

struct Caller {
    user: UserId,
    space: SpaceKey,
}

async fn caller(gateway: &Gateway, headers: &HeaderMap, app: &str) -> Result<Caller, HttpError> {
    let app = AppId::parse(app)?;
    let now_ms = gateway.clock.now_ms();
    let caller = gateway.access.user(headers, &app, now_ms).await?;
    Ok(Caller {
        user: caller.user,
        space: caller.space,
    })
}

/// The device: the header, else what the body says.
fn client(headers: &HeaderMap, user: UserId, body: Option<&str>) -> Result<ClientKey, HttpError> {
    let header = headers.get(CLIENT_HEADER).map(|value| value.to_str());
    let header = header.transpose().map_err(|_| bad(CLIENT_NO_ASCII))?;
    let name = header.filter(|name| !name.is_empty()).or(body);
    let name = name.ok_or_else(|| bad("X-Client-Id or clientId is missing"))?;
    if name.starts_with(KEYED_CLIENT) {
        return Err(bad("the client's name begins as those of writes under a key").into());
    }
    Ok(ClientKey {
        user,
        client: ClientId::parse(name)?,
    })
}

fn bad(message: &str) -> Refusal {
    Refusal::new(Code::BadMessage, message)
}

fn unavailable() -> Refusal {
    Refusal::new(Code::Unavailable, "the store does not answer; try again")
}

async fn sync(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    (headers, InTrace(trace)): (HeaderMap, InTrace),
    body: RawBody,
) -> Result<Response, HttpError> {
    let caller = caller(&gateway, &headers, &app).await;
    let paced = caller.and_then(|caller| gateway.check_pace(&caller.user).map(|()| caller));
    let caller = match paced {
        Ok(caller) => caller,
        Err(refused) => {
            body.refuse();
            return Err(refused);
        }
    };
    let body = body.read(caller.user.as_str()).await?;
    let text = std::str::from_utf8(&body.bytes).map_err(|_| bad("the body is not UTF-8"))?;
    let request = SyncRequest::parse(text, &gateway.data)?;
    let user = caller.user;
    let client = client(&headers, user.clone(), request.client.as_deref())?;
    let since = Since::parse(&request.since).map_err(|refusal| bad(&refusal.message))?;
    let bytes = body.bytes.len();
    let changes = request.changes.len();
    gateway.take_pace(&user, Load { changes, bytes })?;
    let asked = Asked {
        client,
        request,
        since,
        bytes,
        trace: gateway.traces.push_of(trace),
    };
    let _room = body.into_room();
    let (entry, synced) = merge(&gateway, &caller.space, asked).await?;
    // What the session committed is in the store; what others did since is told too.
    entry.touch();
    let question = Question {
        since,
        synced,
        table: None,
    };
    let asked = (question, Of::AllTables);
    reply(&gateway, (&caller.space, &entry), &user, asked).await
}

/// What a reply is of.
#[derive(Clone, Copy)]
enum Of<'a> {
    Table(&'a TableName),
    /// It answers a changeset.
    AllTables,
}

/// A changeset on its way to the session.
struct Asked {
    client: ClientKey,
    request: SyncRequest,
    since: Since,
    bytes: usize,
    trace: Option<Arc<Traced>>,
}

/// Has the session merge a changeset.
async fn merge(
    gateway: &Gateway,
    space: &SpaceKey,
    asked: Asked,
) -> Result<(Arc<Entry>, Synced), HttpError> {
    let mut changes = Some(asked.request.changes);
    for _ in 0..SYNC_TRIES {
        let entry = gateway.sessions.get(space);
        let Some(room) = gateway.sessions.room(&entry) else {
            continue;
        };
        let user = asked.client.user.as_str();
        let permit = room.permit(user, asked.bytes).await;
        let permit = permit.map_err(|_| Refusal::new(Code::Slow, "the session is loaded"))?;
        let (reply, answer) = oneshot::channel();
        let sync = Sync {
            call: gateway.next_call(),
            client: asked.client.clone(),
            changes: changes.take().unwrap_or_default(),
            since: asked.since,
            permit: Some(permit),
            trace: asked.trace.clone(),
        };
        asked.trace.iter().for_each(|trace| trace.admitted());
        match gateway.sessions.tell(&entry, Message::Sync { sync, reply }) {
            Ok(()) => {
                let answer = tokio::time::timeout(SYNC_WITHIN, answer).await;
                return match answer {
                    Ok(Ok(CallReply::Synced(synced))) => Ok((entry, synced)),
                    Ok(Ok(CallReply::Refused(refusal))) => Err(refusal.into()),
                    _ => Err(unavailable().into()),
                };
            }
            // The message comes back whole from a session that had just ended.
            Err(message) => {
                if let Message::Sync { sync, .. } = *message {
                    changes = Some(sync.changes);
                }
            }
        }
    }
    Err(unavailable().into())
}

/// Reads what the device lacks, of one table or of all, and writes the reply.
async fn reply(
    gateway: &Gateway,
    (space, entry): (&SpaceKey, &Arc<Entry>),
    user: &UserId,
    (question, of): (Question, Of<'_>),
) -> Result<Response, HttpError> {
    // Where to begin; what is read decides whether that was right. The session's view may be
    // behind, and all would be read for a cursor that is ahead of it: then the store is asked.
    let view = entry.view().await;
    let view = match view.filter(|view| answer::goes_on(question.since, view)) {
        Some(view) => view,
        None => {
            let read = gateway.store.space(space).await;
            let read = read.map_err(|error| gateway.store_failed(&error))?;
            read.ok_or_else(unavailable)?
        }
    };
    let bytes_max = gateway.replies.reply_bytes_max();
    let mut answering = Answering::new(question, &view);
    let mut held = gateway.replies.begin(user.as_str(), FIRST_BYTES).await?;
    loop {
        let next = if answering.needs_no_page() {
            answering.unread(&view, bytes_max)
        } else {
            let page = read(gateway, (space, of), (&answering, &held)).await?;
            if page.is_complete() {
                answering.page(page, bytes_max)
            } else if held.is_largest() {
                let view = page.view;
                drop(page);
                answering.unread(&view, bytes_max)
            } else {
                drop(page);
                // A reply is of one moment: it is read again as a whole.
                held.grow().await?;
                continue;
            }
        };
        match next {
            Next::Read(again) => answering = again,
            Next::Reply(reply) => {
                held.hold(reply.bytes()).await?;
                return held.json(reply.into_text()).await;
            }
            Next::TooLarge => {
                gateway.metrics.replies_too_large.inc();
                tracing::warn!(%space, bytes_max, "a pull is more than gateway.replies_bytes_max lets a reply hold");
                return Err(too_large());
            }
            Next::Elsewhere => {
                // Its view may be of another history: it looks at the store.
                drop(gateway.sessions.tell(entry, Message::Event(Event::Missed)));
                return Err(unavailable().into());
            }
        }
    }
}

/// The changes that are asked for, as far as there is room for them.
async fn read(
    gateway: &Gateway,
    (space, of): (&SpaceKey, Of<'_>),
    (answering, held): (&Answering, &ReplyHeld),
) -> Result<ChangesPage, HttpError> {
    let limit = PageLimit {
        bytes: held.page_bytes(),
        ..ALL
    };
    let from = answering.from().into();
    let page = match of {
        Of::AllTables => gateway.store.changes(space, from, limit).await,
        Of::Table(table) => gateway.store.changes_of(space, table, from, limit).await,
    };
    page.map_err(|error| gateway.store_failed(&error))
}

#[derive(Debug, Deserialize)]
struct PullQuery {
    collection: Option<String>,
    since: Option<String>,
}

async fn pull(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    query: Asking<PullQuery>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let caller = caller(&gateway, &headers, &app).await?;
    let client = client(&headers, caller.user, None)?;
    let query = query.read().map_err(|_| bad("the query cannot be read"))?;
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let collection = given(query.collection).ok_or_else(|| bad("collection is missing"))?;
    let collection = TableName::parse_within(&collection, gateway.data.name_bytes_max)
        .map_err(|refusal| bad(&format!("collection: {}", refusal.message)))?;
    let cursor = given(query.since).ok_or_else(|| bad("since is missing"))?;
    let since = Since::parse(&cursor).map_err(|refusal| bad(&refusal.message))?;
    let question = (&caller.space, &client, &collection, &cursor);
    let mut entry = known(&gateway, &caller.space).await?;
    // A browser has its six connections for all apps of a host.
    let user = &client.user;
    if entry.is_none() {
        let over = gateway
            .sessions
            .appears(&caller.space, gateway.storm.held_at_most());
        if gateway.storm.held(question, user, over).await {
            entry = known(&gateway, &caller.space).await?;
        }
    }
    let Some(mut entry) = entry else {
        return Ok(json(StatusCode::OK, answer::from_nothing(since)));
    };
    entry.touch();
    if let (Some(text), seen) = from_memory(&entry, since).await? {
        let over = (gateway.sessions).changed(&entry, seen, gateway.storm.held_at_most());
        if !gateway.storm.held(question, user, over).await {
            return Ok(json(StatusCode::OK, text));
        }
        // Its session may have ended meanwhile.
        let Some(again) = known(&gateway, &caller.space).await? else {
            return Ok(json(StatusCode::OK, answer::from_nothing(since)));
        };
        entry = again;
        if let (Some(text), _) = from_memory(&entry, since).await? {
            return Ok(json(StatusCode::OK, text));
        }
    }
    let mut marks = marks(&gateway, &caller.space, &client).await?;
    if answer::shows_loss(since, &marks.view)
        && lost::change_epoch(&gateway, &caller.space, &marks.view).await?
    {
        marks = self::marks(&gateway, &caller.space, &client).await?;
    }
    let question = Question {
        since,
        synced: answer::asker(marks),
        table: Some(collection.as_str().to_owned()),
    };
    let asked = (question, Of::Table(&collection));
    reply(&gateway, (&caller.space, &entry), &client.user, asked).await
}

/// The mark of who asks, and the space as it is now.
async fn marks(
    gateway: &Gateway,
    space: &SpaceKey,
    client: &ClientKey,
) -> Result<MarksRead, HttpError> {
    let read = gateway.store.marks(space, std::slice::from_ref(client));
    read.await.map_err(|error| gateway.store_failed(&error))
}

/// The entry of a space that is there: a pull makes none.
async fn known(gateway: &Gateway, space: &SpaceKey) -> Result<Option<Arc<Entry>>, HttpError> {
    let entry = gateway.sessions.known(space).await;
    entry.map_err(|error| gateway.store_failed(&error))
}

/// The reply of a device that has everything this node knows of, and what it was judged by.
async fn from_memory(
    entry: &Entry,
    since: Since,
) -> Result<(Option<String>, SpaceView), HttpError> {
    let view = entry.view().await.ok_or_else(unavailable)?;
    Ok((answer::from_memory(since, &view), view))
}

async fn socket(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    request: Request,
) -> Response {
    match AppId::parse(&app) {
        Ok(app) => upgrade::compat(gateway, app, request),
        Err(refusal) => HttpError::from(refusal).into_response(),
    }
}
