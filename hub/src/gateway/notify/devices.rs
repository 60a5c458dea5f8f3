//! `/api/v1/devices`: where a user is told.
//!
//! - `POST {"app"?,"kind":"push","subscription":{"endpoint","keys":{"p256dh","auth"}},"name"?,
//!   "language"?}` registers a browser; `{"kind":"mail"}` the token's e-mail address;
//!   `{"kind":"webhook","to"}` an endpoint of the config that is there for it. The answer is the device.
//!   Who is registered already is seen again.
//! - `GET ?app=` → `{"devices":[{"id","kind","name","language","createdAt","seenAt"}],"forgotten":[id],
//!   "publicKey","kinds"}`: which the user removed, what a browser subscribes with, null where nobody
//!   sends pushes, and which kinds of devices may be registered.
//! - `DELETE /{id}?app=` → 204.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use syncline_compute::notify::{DEVICES, DEVICES_MAX, Device, NAME_CHARS_MAX, Reached};
use syncline_compute::push::SubscriptionText;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{RecordId, SpaceKey, TableName};
use syncline_protocol::object;
use syncline_protocol::stamp::{WallMs, wall_text};

use super::forgotten::Forgotten;
use super::own::{Desk, OfApp, Owner, answer, done, insert, key, remove, update};
use crate::auth::email;
use crate::http::query::Asking;
use crate::http::{HttpError, RawBody};

/// Characters of a language's tag.
const LANGUAGE_CHARS_MAX: usize = 35;

/// A device that comes again within this is not written again, in milliseconds.
const SEEN_MS: u64 = 3_600_000;

#[derive(Deserialize)]
struct Registration {
    app: Option<String>,
    kind: String,
    subscription: Option<SubscriptionText>,
    to: Option<String>,
    #[serde(default)]
    name: String,
    language: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    of: Asking<OfApp>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let owner = desk.owner(&headers, of.read()?.app.as_deref()).await?;
    let devices = devices(&desk, &owner.space).await?;
    let devices: Vec<Value> = devices.iter().map(shown).collect();
    let forgotten = Forgotten::of(&desk, &owner.space).await?;
    let notify = &desk.notify;
    let push = notify.push();
    let kinds = [
        ("push", push.is_some()),
        ("mail", notify.has_mail()),
        ("webhook", !notify.webhooks().is_empty()),
    ];
    let kinds = kinds.into_iter().filter(|(_, is_there)| *is_there);
    let kinds: Vec<&str> = kinds.map(|(kind, _)| kind).collect();
    let public_key = push.map(|push| push.public_key());
    let all = json!({"devices": devices, "forgotten": forgotten.ids(), "publicKey": public_key,
        "kinds": kinds});
    Ok(answer(StatusCode::OK, &all))
}

pub(super) async fn register(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let now_ms = desk.gateway.clock.now_ms();
    let asker = match desk.gateway.access.bearer(&headers, now_ms).await {
        Ok(asker) => asker,
        Err(refusal) => {
            body.refuse();
            return Err(refusal.into());
        }
    };
    let read = body.read(asker.user.as_str()).await?;
    let text = std::str::from_utf8(&read.bytes).unwrap_or_default();
    let asked: Registration = object::from_str(text)
        .map_err(|error| Refusal::new(Code::BadMessage, format!("the body: {error}")))?;
    let owner = desk.owner(&headers, asked.app.as_deref()).await?;
    desk.gateway.check_pace(&owner.user)?;
    let device = desk.device(&headers, asked, now_ms)?;
    let known = devices(&desk, &owner.space).await?;
    let id = device.id().to_string();
    let before = known.iter().find(|(known, _)| *known == id);
    let device = match before {
        None if known.len() >= DEVICES_MAX => {
            let message = format!("a user has {DEVICES_MAX} devices at most: forget one");
            return Err(HttpError::new(Code::TooManyDevices, message));
        }
        None => {
            let data: Map<String, Value> = device.fields().into_iter().collect();
            let forgotten = Forgotten::of(&desk, &owner.space).await?;
            let changes = [insert(DEVICES, &id, &data)].into_iter();
            let changes: Vec<Value> = changes.chain(forgotten.without(&id)).collect();
            desk.write(&owner, &changes).await?;
            device
        }
        Some((_, before)) => {
            let device = Device {
                created_ms: before.created_ms,
                ..device
            };
            desk.see_again(&owner, before, device).await?
        }
    };
    Ok(answer(StatusCode::OK, &shown(&(id, device))))
}

pub(super) async fn forget(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    of: Asking<OfApp>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let owner = desk.owner(&headers, of.read()?.app.as_deref()).await?;
    let unknown = || HttpError::new(Code::DeviceUnknown, "the user has no such device");
    let record = RecordId::parse(&id).map_err(|_| unknown())?;
    let there = desk.record(&owner.space, &key(DEVICES, &record)).await?;
    there.ok_or_else(unknown)?;
    let forgotten = Forgotten::of(&desk, &owner.space).await?;
    let mut changes = forgotten.with(&id, desk.gateway.clock.now_ms());
    changes.push(remove(DEVICES, &id));
    desk.write(&owner, &changes).await?;
    Ok(done())
}

impl Desk {
    /// What somebody registers, checked. Errors: `device_invalid`.
    fn device(
        &self,
        headers: &HeaderMap,
        asked: Registration,
        now_ms: WallMs,
    ) -> Result<Device, HttpError> {
        let invalid = |why: &str| HttpError::new(Code::DeviceInvalid, why);
        let reached = match asked.kind.as_str() {
            "push" => {
                let push = self.notify.push();
                let push =
                    push.ok_or_else(|| invalid("kind: nobody sends pushes here: see push"))?;
                let subscription = asked.subscription;
                let subscription =
                    subscription.ok_or_else(|| invalid("subscription is missing"))?;
                let checked = push.subscription(&subscription);
                checked.map_err(|why| invalid(&format!("subscription: {why}")))?;
                Reached::Push { subscription }
            }
            "mail" if !self.notify.has_mail() => {
                return Err(invalid("kind: nobody sends mail here: see mail"));
            }
            "mail" => {
                let address = email(headers);
                let address = address.ok_or_else(|| invalid("the token has no email"))?;
                Reached::Mail { address }
            }
            "webhook" => {
                let to = asked.to.ok_or_else(|| invalid("to is missing"))?;
                if !self.notify.webhooks().contains(&to) {
                    return Err(invalid("to: no endpoint for notifications is called so"));
                }
                Reached::Webhook { to }
            }
            _ => return Err(invalid("kind: push, mail or webhook")),
        };
        let is_tag = |tag: &str| {
            (1..=LANGUAGE_CHARS_MAX).contains(&tag.len())
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if asked.language.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid("language: a tag such as de or de-AT"));
        }
        let name = asked.name.chars().filter(|c| !c.is_control());
        Ok(Device {
            reached,
            name: name.take(NAME_CHARS_MAX).collect(),
            language: asked.language,
            created_ms: now_ms,
            seen_ms: now_ms,
        })
    }

    /// Writes what is new of a device that came again. Returns it as it is stored.
    async fn see_again(
        &self,
        owner: &Owner,
        before: &Device,
        now: Device,
    ) -> Result<Device, HttpError> {
        let is_recent = now.seen_ms.saturating_sub(before.seen_ms) < SEEN_MS;
        let is_same = Device {
            seen_ms: before.seen_ms,
            ..now.clone()
        } == *before;
        if is_recent && is_same {
            return Ok(before.clone());
        }
        let fields: Map<String, Value> = now.fields().into_iter().collect();
        let id = now.id().to_string();
        self.write(owner, &[update(DEVICES, &id, fields)]).await?;
        Ok(now)
    }
}

/// The user's devices, by id.
pub(super) async fn devices(
    desk: &Desk,
    space: &SpaceKey,
) -> Result<Vec<(String, Device)>, HttpError> {
    let mut devices = Vec::new();
    let table = TableName::trusted(DEVICES);
    let take = |id: &RecordId, record: &_| {
        let device = Device::of(record);
        devices.extend(device.map(|device| (id.to_string(), device)));
    };
    desk.each(space, &table, take).await?;
    Ok(devices)
}

/// A device as it is told: without what sends to it.
pub(super) fn shown((id, device): &(String, Device)) -> Value {
    json!({
        "id": id,
        "kind": device.reached.kind(),
        "name": device.name,
        "language": device.language,
        "createdAt": wall_text(device.created_ms),
        "seenAt": wall_text(device.seen_ms),
    })
}
