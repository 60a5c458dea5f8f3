//! `POST /v1/{app}/push`: a client's mutations, or a server's writes under keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::ClientId;
use syncline_protocol::mutation::{KEYED_CLIENT, Mutation};
use syncline_protocol::stamp::wall_text;
use syncline_protocol::wire::client::HttpPush;
use syncline_protocol::wire::hub::{self, Answer, ResetWhy};

use super::{caller, refused_with, reset};
use crate::gateway::Gateway;
use crate::gateway::access::{AppName, Caller};
use crate::gateway::call::{Pusher, ended};
use crate::gateway::pace::Load;
use crate::http::error::json;
use crate::http::in_trace::InTrace;
use crate::http::query::Asking;
use crate::http::{HttpError, RawBody};
use crate::session::event::CallReply;

#[derive(Debug, Deserialize)]
pub(super) struct SpaceQuery {
    space: Option<String>,
}

pub(super) async fn push(
    State(gateway): State<Arc<Gateway>>,
    AppName(app): AppName,
    space: Asking<SpaceQuery>,
    (headers, InTrace(trace)): (HeaderMap, InTrace),
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
    let pusher = Pusher {
        user: caller.user,
        space: caller.space,
        bytes,
        trace,
    };
    let _room = body.into_room();
    match push {
        HttpPush::Numbered(push) => {
            let reply = gateway.call(&pusher, push).await?;
            answered(
                reply,
                |out, results| hub::write_results(out, &results),
                &gateway,
            )
        }
        HttpPush::Keyed(writes) => keyed(&gateway, &pusher, writes).await,
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

/// Has the session judge writes under keys, one after the other: each is a client of its own.
async fn keyed(
    gateway: &Gateway,
    pusher: &Pusher,
    writes: Vec<(ClientId, Mutation)>,
) -> Result<Response, HttpError> {
    let (mut results, mut last) = (Vec::with_capacity(writes.len()), None);
    for (client, mutation) in writes {
        let key = client.as_str()[KEYED_CLIENT.len()..].to_owned();
        match gateway.call_keyed(pusher, (client, mutation)).await? {
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

/// The response to a push; `write` appends its results.
fn answered(
    reply: CallReply,
    write: impl FnOnce(&mut String, Vec<(u64, Answer)>),
    gateway: &Gateway,
) -> Result<Response, HttpError> {
    match reply {
        CallReply::Refused(refusal) => Err(refusal.into()),
        CallReply::Synced(_) | CallReply::Job(_) => Err(HttpError::new(
            Code::Internal,
            "the session answered something else",
        )),
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
