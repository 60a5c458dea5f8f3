//! Messages from a client.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::cursor::{Cursor, SnapshotPlace};
use crate::error::{Code, Refusal};
use crate::ids::{AppId, ClientId, Epoch, SpaceId, TableName, check_name};
use crate::json::Json;
use crate::limits::{
    EPHEMERAL_BYTES_MAX, EPHEMERAL_TEXT_BYTES_MAX, Limits, MUTATIONS_IN_FLIGHT_MAX, NAME_BYTES_MAX,
    TABLES_PER_HELLO_MAX,
};
use crate::mutation::{KEYED_CLIENT, Mutation};
use crate::object::{self, Object};
use crate::trace::SaidTrace;

/// What a client may say.
#[derive(Debug)]
pub enum ClientMessage {
    /// The first message of a socket.
    Hello(Box<Hello>),
    /// Mutations, in order of number, and the trace that they are part of.
    Push(Vec<Mutation>, SaidTrace),
    /// A fresh token for the same user.
    Auth {
        /// The JWT.
        token: String,
    },
    /// Everything up to `seq` is applied and kept.
    Ack {
        /// The seq.
        seq: u64,
    },
    /// The client's ephemeral state, shown to the space's other clients; `None` clears it.
    Presence(Option<Json>),
    /// An ephemeral message to the space's other clients.
    Broadcast {
        /// A label of the sender's choice.
        room: String,
        /// Anything.
        data: Json,
    },
    /// Asks for a pong.
    Ping,
}

/// Who a client is and where it stands.
#[derive(Debug)]
pub struct Hello {
    /// The app.
    pub app: AppId,
    /// The space; `None` is the user's own.
    pub space: Option<SpaceId>,
    /// The client's id, made by the client and kept by it.
    pub client: ClientId,
    /// The JWT.
    pub token: String,
    /// What the client has applied; `None` starts from a snapshot.
    pub cursor: Option<Cursor>,
    /// The tables it wants; `None` is all.
    pub tables: Option<Vec<TableName>>,
    /// Tables of `tables` that the cursor does not cover yet.
    pub backfill: Vec<TableName>,
    /// Where a broken snapshot goes on.
    pub snapshot_next: Option<SnapshotPlace>,
    /// The last mutation it saw a verdict for.
    pub acked: Option<u64>,
    /// The first epoch that it was told of under this id. It tells of one without a cursor whether
    /// everything was erased since.
    pub epoch: Option<Epoch>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
}

#[derive(Deserialize)]
struct RawVersion {
    v: u32,
}

#[derive(Deserialize)]
struct RawHello<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    space: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client: Cow<'a, str>,
    token: String,
    #[serde(borrow)]
    cursor: Option<Object<RawCursor<'a>>>,
    #[serde(borrow)]
    tables: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    backfill: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    snapshot_next: Option<Cow<'a, str>>,
    acked: Option<u64>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawCursor<'a> {
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    seq: u64,
}

#[derive(Deserialize)]
struct RawPush<'a> {
    #[serde(borrow)]
    muts: Vec<&'a RawValue>,
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawAuth {
    token: String,
}

#[derive(Deserialize)]
struct RawAck {
    seq: u64,
}

#[derive(Deserialize)]
struct RawPresence<'a> {
    #[serde(borrow)]
    state: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawBroadcast<'a> {
    room: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl ClientMessage {
    /// Reads one message. Unknown members are ignored. Errors: `bad_message`, `unknown_type`,
    /// and those of the parts.
    pub fn parse(text: &str, limits: &Limits) -> Result<ClientMessage, Refusal> {
        let head: Head<'_> = read(text)?;
        match &*head.t {
            "push" => {
                let RawPush { muts, traceparent } = read(text)?;
                let trace = SaidTrace::from(traceparent.map(unquoted));
                parse_muts(muts, limits).map(|muts| ClientMessage::Push(muts, trace))
            }
            "ping" => Ok(ClientMessage::Ping),
            "ack" => Ok(ClientMessage::Ack {
                seq: read::<RawAck>(text)?.seq,
            }),
            "hello" => {
                // Before anything else: another version's hello may have another shape.
                check_version(read::<RawVersion>(text)?.v)?;
                Hello::parse(read(text)?, limits)
                    .map(Box::new)
                    .map(ClientMessage::Hello)
            }
            "auth" => Ok(ClientMessage::Auth {
                token: read::<RawAuth>(text)?.token,
            }),
            "presence" => {
                let state = read::<RawPresence<'_>>(text)?.state;
                Ok(ClientMessage::Presence(
                    state.map(|state| ephemeral(state, limits)).transpose()?,
                ))
            }
            "broadcast" => {
                let RawBroadcast { room, data } = read(text)?;
                check_name("room", &room, NAME_BYTES_MAX)?;
                Ok(ClientMessage::Broadcast {
                    room,
                    data: ephemeral(data, limits)?,
                })
            }
            other => {
                let shown: String = other.chars().take(32).collect();
                Err(Refusal::new(
                    Code::UnknownType,
                    format!("message type {shown:?} is unknown"),
                ))
            }
        }
    }
}

impl Hello {
    fn parse(raw: RawHello<'_>, limits: &Limits) -> Result<Hello, Refusal> {
        let named = raw.tables.as_ref().map_or(0, Vec::len);
        if named.max(raw.backfill.as_ref().map_or(0, Vec::len)) > TABLES_PER_HELLO_MAX {
            let message = format!("more than {TABLES_PER_HELLO_MAX} tables");
            return Err(Refusal::new(Code::TooManyTables, message));
        }
        Ok(Hello {
            app: AppId::parse(&raw.app)?,
            space: raw.space.map(|space| SpaceId::parse(&space)).transpose()?,
            client: client_id(&raw.client)?,
            token: raw.token,
            cursor: raw.cursor.map(|Object(c)| Cursor {
                epoch: c.epoch.into_owned(),
                seq: c.seq,
            }),
            tables: raw
                .tables
                .map(|names| table_names(&names, limits))
                .transpose()?,
            backfill: raw
                .backfill
                .map(|names| table_names(&names, limits))
                .transpose()?
                .unwrap_or_default(),
            snapshot_next: raw
                .snapshot_next
                .map(|next| SnapshotPlace::parse(&next))
                .transpose()?,
            acked: raw.acked,
            epoch: raw.epoch.and_then(|epoch| Epoch::parse(&epoch)),
        })
    }
}

/// What an HTTP push asks for.
#[derive(Debug)]
pub enum HttpPush {
    /// Mutations of one client, in order of number.
    Numbered(Numbered),
    /// Writes of a server, each under a key that makes it take effect once.
    Keyed(Vec<(ClientId, Mutation)>),
}

/// Mutations of one client, in order of number.
#[derive(Debug)]
pub struct Numbered {
    /// Whose.
    pub client: ClientId,
    /// The first epoch that it was told of under this id. If everything was erased since, nothing
    /// is taken.
    pub epoch: Option<Epoch>,
    /// What it asks for.
    pub muts: Vec<Mutation>,
}

impl HttpPush {
    /// How many changes it holds.
    pub fn change_count(&self) -> usize {
        match self {
            HttpPush::Numbered(push) => push.muts.iter().map(Mutation::change_count).sum(),
            HttpPush::Keyed(writes) => writes.iter().map(|(_, one)| one.change_count()).sum(),
        }
    }

    /// Reads the body of an HTTP push: `{"client","epoch","muts":[{"m","changes"}…]}`, or
    /// `{"muts":[{"key","changes"}…]}`.
    pub fn parse(text: &str, limits: &Limits) -> Result<HttpPush, Refusal> {
        #[derive(Deserialize)]
        struct RawBody<'a> {
            #[serde(borrow)]
            client: Option<Cow<'a, str>>,
            #[serde(borrow)]
            epoch: Option<Cow<'a, str>>,
            #[serde(borrow)]
            muts: Vec<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Kind {
            key: Option<serde::de::IgnoredAny>,
        }
        let body: RawBody<'_> = read(text)?;
        let is_keyed = |mutation: &&RawValue| read::<Kind>(mutation.get()).map(|k| k.key.is_some());
        if !body
            .muts
            .first()
            .map(is_keyed)
            .transpose()?
            .unwrap_or(false)
        {
            let missing = || Refusal::new(Code::BadMessage, "client is missing");
            let client = body.client.ok_or_else(missing)?;
            return Ok(HttpPush::Numbered(Numbered {
                client: client_id(&client)?,
                epoch: body.epoch.and_then(|epoch| Epoch::parse(&epoch)),
                muts: parse_muts(body.muts, limits)?,
            }));
        }
        check_count(body.muts.len())?;
        let keyed = body
            .muts
            .iter()
            .map(|mutation| Mutation::parse_keyed(mutation.get(), limits));
        let keyed = keyed.collect::<Result<Vec<_>, _>>()?;
        check_changes(keyed.iter().map(|(_, mutation)| mutation), limits)?;
        Ok(HttpPush::Keyed(keyed))
    }
}

/// A client's own id: not one that stands for a key.
fn client_id(text: &str) -> Result<ClientId, Refusal> {
    if text.starts_with(KEYED_CLIENT) {
        let message = format!("client may not begin with {KEYED_CLIENT}");
        return Err(Refusal::new(Code::NameInvalid, message));
    }
    ClientId::parse(text)
}

fn check_count(muts: usize) -> Result<(), Refusal> {
    if muts > MUTATIONS_IN_FLIGHT_MAX {
        let message =
            format!("more than {MUTATIONS_IN_FLIGHT_MAX} mutations in one push: split it");
        return Err(Refusal::new(Code::TooManyMutations, message));
    }
    Ok(())
}

fn check_changes<'a>(
    muts: impl Iterator<Item = &'a Mutation>,
    limits: &Limits,
) -> Result<(), Refusal> {
    let most = limits.changes_per_push_max;
    if muts.map(Mutation::change_count).sum::<usize>() > most {
        let message = format!("more than {most} changes in one push: split it");
        return Err(Refusal::new(Code::TooManyChanges, message));
    }
    Ok(())
}

fn parse_muts(muts: Vec<&RawValue>, limits: &Limits) -> Result<Vec<Mutation>, Refusal> {
    check_count(muts.len())?;
    let muts = muts
        .into_iter()
        .map(|m| Mutation::parse(m.get(), limits))
        .collect::<Result<Vec<_>, _>>()?;
    check_changes(muts.iter(), limits)?;
    Ok(muts)
}

/// The text of a value that is a string without escapes; of any other what cannot be meant.
fn unquoted(value: &RawValue) -> &str {
    let inner = value.get().strip_prefix('"');
    inner.and_then(|text| text.strip_suffix('"')).unwrap_or("")
}

fn check_version(v: u32) -> Result<(), Refusal> {
    if v == super::VERSION {
        return Ok(());
    }
    let message = format!("version {v} is not spoken here, only {}", super::VERSION);
    Err(Refusal::new(Code::VersionUnsupported, message))
}

fn table_names(names: &[Cow<'_, str>], limits: &Limits) -> Result<Vec<TableName>, Refusal> {
    let parse = |name: &Cow<'_, str>| TableName::parse_within(name, limits.name_bytes_max);
    names.iter().map(parse).collect()
}

/// Reads a value that is passed on and not kept. What counts is the text that is passed on,
/// which may be longer than what came: `1e20` is written with 21 digits.
fn ephemeral(value: &RawValue, limits: &Limits) -> Result<Json, Refusal> {
    let too_large = || {
        let message = format!("more than {EPHEMERAL_BYTES_MAX} bytes");
        Refusal::new(Code::EphemeralTooLarge, message)
    };
    if value.get().len() > EPHEMERAL_TEXT_BYTES_MAX {
        return Err(too_large());
    }
    let value = Json::parse(value.get(), limits.json_depth_max)?;
    if value.as_str().len() > EPHEMERAL_BYTES_MAX {
        return Err(too_large());
    }
    Ok(value)
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    object::from_str(text).map_err(|e| Refusal::new(Code::BadMessage, e.to_string()))
}

#[cfg(test)]
mod tests;
