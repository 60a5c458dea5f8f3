//! `POST /v1/{app}/push`: a client's mutations, or a server's writes under keys.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientId, ClientKey, SpaceKey, UserId};
use syncline_protocol::mutation::{KEYED_CLIENT, Mutation};
use syncline_protocol::stamp::wall_text;
use syncline_protocol::wire::client::{HttpPush, Numbered};
use syncline_protocol::wire::hub::{self, Answer, ResetWhy};
use tokio::sync::oneshot;

use super::{caller, refused_with, reset};
use crate::gateway::Gateway;
use crate::gateway::access::{AppName, Caller};
use crate::gateway::pace::Load;
use crate::http::error::json;
use crate::http::query::Asking;
use crate::http::{HttpError, RawBody};
use crate::session::actor::Message;
use crate::session::event::{CallReply, Sender};

/// How long a push may wait for its verdicts. After that it must be repeated; the numbers see
/// to it that it takes effect once.
const PUSH_WITHIN: Duration = Duration::from_secs(30);

/// How often a session that stops at the very moment is looked for again.
const CALL_TRIES: usize = 5;

#[derive(Debug, Deserialize)]
pub(super) struct SpaceQuery {
    space: Option<String>,
}

pub(super) async fn push(
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
    let push = HttpPush::parse(text, &gateway.data)?;
    let bytes = body.bytes.len();
    if !caller.is_service() {
        let changes = push.change_count();
        gateway.take_pace(&caller.user, Load { changes, bytes })?;
    }
    let asked = Asked {
        user: caller.user,
        space: caller.space,
        bytes,
    };
    let _room = body.into_room();
    match push {
        HttpPush::Numbered(push) => {
            let reply = call(&gateway, &asked, push).await?;
            answered(
                reply,
                |out, results| hub::write_results(out, &results),
                &gateway,
            )
        }
        HttpPush::Keyed(writes) => keyed(&gateway, &asked, writes).await,
    }
}

/// Who pushes, and may push now; known before the body is read.
async fn pusher(
    gateway: &Gateway,
    headers: &HeaderMap,
    app: &str,
    space: Asking<SpaceQuery>,
) -> Result<Caller, HttpError> {
    let caller = caller(gateway, headers, app, space.read()?.space).await?;
    if !caller.is_service() {
        gateway.check_pace(&caller.user)?;
    }
    Ok(caller)
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
    Numbered {
        client,
        epoch,
        muts,
    }: Numbered,
) -> Result<CallReply, HttpError> {
    let user = asked.user.clone();
    let client = ClientKey { user, client };
    let sender = Sender { client, epoch };
    let mut muts = Some(muts);
    for _ in 0..CALL_TRIES {
        let entry = gateway.sessions.get(&asked.space);
        let Some(room) = gateway.sessions.room(&entry) else {
            continue;
        };
        let permit = room.permit(asked.user.as_str(), asked.bytes).await;
        let permit = permit.map_err(|_| Refusal::new(Code::Slow, "the session is loaded"))?;
        let (reply, answer) = oneshot::channel();
        let message = Message::Call {
            call: gateway.next_call(),
            sender: sender.clone(),
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
        let push = Numbered {
            client,
            epoch: None,
            muts: vec![mutation],
        };
        match call(gateway, asked, push).await? {
            CallReply::Results {
                epoch,
                head,
                results: answers,
            } => {
                results.extend(answers.into_iter().map(|(_, answer)| (key.clone(), answer)));
                last = Some((epoch, head));
            }
            other => return answered(other, |_, _| {}, gateway),
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
        gateway,
    )
}

fn ended() -> Refusal {
    Refusal::new(Code::Unavailable, "the session ended; repeat the push")
}

/// The response to a push; `write` appends its results.
fn answered(
    reply: CallReply,
    write: impl FnOnce(&mut String, Vec<(u64, Answer)>),
    gateway: &Gateway,
) -> Result<Response, HttpError> {
    match reply {
        CallReply::Refused(refusal) => Err(refusal.into()),
        CallReply::Synced(_) => Err(HttpError::new(Code::Internal, "a push is no changeset")),
        CallReply::Erased => Ok(reset(gateway, ResetWhy::Erased)),
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
            let now = wall_text(gateway.clock.now_ms());
            let mut body = format!(r#"{{"epoch":"{epoch}","head":{head},"now":"{now}","results":"#);
            write(&mut body, results);
            body.push('}');
            Ok(json(StatusCode::OK, body))
        }
    }
}
