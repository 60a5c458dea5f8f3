//! What is told as bytes, and back.
//!
//! The structs stand apart from the inner types. The first byte is the version, of each kind its own:
//! what of a space a hub cannot read it knows to be newer, and reads the store instead, and how nodes
//! are all can read. So hubs of two versions may run beside each other, as in a rolling restart.
//! Whose event it is, is known by a
//! random number of the process, since a name may be given twice by mistake.

mod ephemeral;
mod nodes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncline_protocol::codec::{
    DecodeError, decode_given, decode_record, decode_versioned_as, encode_given, encode_record,
    encode_versioned_as,
};
use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, Epoch, NodeId, RecordId, RecordKey, Seq, SpaceId, SpaceKey,
    TableName, UserId, WriterNo,
};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::Hlc;

pub(super) use self::ephemeral::encode_ephemeral;
pub(super) use self::nodes::encode_heartbeat;
use super::subject::{self, Place};
use crate::bus::{HeadsWhy, Heard, Kind, MissedWhy, UnreadWhy};
use crate::event::{CommitEvent, Heads, MarkMoved, SpaceHead};

/// The versions this hub writes. Older ones must stay readable.
const COMMIT_VERSION: u8 = 1;
const HEADS_VERSION: u8 = 1;

/// Heads in one message; with the longest names it takes 60 KB.
const HEADS_MAX: usize = 200;

/// A claim that a client was given a stamp for takes at most so many: its hash, and a run of stamps
/// of its own.
const CLAIM_BYTES: usize = 18;

#[derive(Serialize, Deserialize)]
struct CommitV1<'a> {
    origin: u64,
    #[serde(borrow)]
    node: &'a str,
    epoch: u64,
    from: u64,
    to: u64,
    /// `None` if it would not fit into a message.
    content: Option<ContentV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ContentV1<'a> {
    clock: u64,
    live: u64,
    writers: u32,
    /// Table, id, and the record with a version of its own.
    #[serde(borrow)]
    records: Vec<(&'a str, &'a str, &'a [u8])>,
    marks: Vec<MarkV1<'a>>,
    jobs_due_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct MarkV1<'a> {
    #[serde(borrow)]
    user: &'a str,
    client: &'a str,
    writer: u32,
    last: Option<u64>,
    /// With a version of its own.
    given: Option<&'a [u8]>,
}

#[derive(Serialize, Deserialize)]
struct HeadsV1<'a> {
    origin: u64,
    /// App, space, epoch, head.
    #[serde(borrow)]
    heads: Vec<(&'a str, &'a str, u64, u64)>,
}

/// A commit, told by the process `origin`. What is longer than `bytes_max` with its content goes
/// without.
pub(super) fn encode_commit(event: &CommitEvent, origin: u64, bytes_max: usize) -> Vec<u8> {
    let bare = |content| {
        let told = CommitV1 {
            origin,
            node: event.node.as_str(),
            epoch: event.epoch.0,
            from: event.from.0,
            to: event.to.0,
            content,
        };
        encode_versioned_as(COMMIT_VERSION, &told)
    };
    if estimate(event) > bytes_max {
        return bare(None);
    }
    let records: Vec<Vec<u8>> = event
        .records
        .iter()
        .map(|(_, r)| encode_record(r))
        .collect();
    let given = |mark: &MarkMoved| mark.given.as_deref().map(encode_given);
    let given: Vec<Option<Vec<u8>>> = event.marks.iter().map(given).collect();
    let records = event.records.iter().zip(&records);
    let records =
        records.map(|((key, _), bytes)| (key.table.as_str(), key.id.as_str(), &bytes[..]));
    let marks = event.marks.iter().zip(&given);
    let marks = marks.map(|(mark, given)| MarkV1 {
        user: mark.client.user.as_str(),
        client: mark.client.client.as_str(),
        writer: mark.writer.0,
        last: mark.last,
        given: given.as_deref(),
    });
    let whole = bare(Some(ContentV1 {
        clock: event.clock.to_bits(),
        live: event.live,
        writers: event.writers.0,
        records: records.collect(),
        marks: marks.collect(),
        jobs_due_ms: event.jobs_due_ms,
    }));
    match whole.len() > bytes_max {
        true => bare(None),
        false => whole,
    }
}

/// About so many bytes it takes, without making them.
pub(super) fn estimate(event: &CommitEvent) -> usize {
    let record = |(key, record): &(RecordKey, Arc<Record>)| {
        key.table.as_str().len() + key.id.as_str().len() + record.size_bytes() + 32
    };
    let records: usize = event.records.iter().map(record).sum();
    let marks: usize = event.marks.iter().map(mark_bytes).sum();
    records + marks + 64
}

fn mark_bytes(mark: &MarkMoved) -> usize {
    let ClientKey { user, client } = &mark.client;
    let given = mark.given.as_ref().map_or(0, |given| {
        let claims = given.claims().count() + given.latest().claims().count();
        CLAIM_BYTES * claims + 32
    });
    user.as_str().len() + client.as_str().len() + given + 64
}

/// Heads, told by the process `origin`.
pub(super) fn encode_heads(heads: &[SpaceHead], origin: u64) -> Vec<u8> {
    let heads = heads.iter().map(|at| {
        let SpaceKey { app, space } = &at.space;
        (app.as_str(), space.as_str(), at.epoch.0, at.head.0)
    });
    let heads = heads.collect();
    encode_versioned_as(HEADS_VERSION, &HeadsV1 { origin, heads })
}

/// Reads what any process but `own` told. `None` if it is its own, or is nothing to be heard.
pub(super) fn decode(told_in: Place, bytes: &[u8], own: u64) -> Option<(Kind, Heard)> {
    match told_in {
        Place::Commit(space) => {
            let heard = match decode_commit(&space, bytes, own) {
                Ok(heard) => heard?,
                Err(DecodeError::Version(_)) => Heard::Unread(space, UnreadWhy::Newer),
                Err(_) => Heard::Unread(space, UnreadWhy::Damaged),
            };
            Some((Kind::Commit, heard))
        }
        // Of heads that cannot be read nobody knows which spaces they are of.
        Place::Heads => {
            let heard = match decode_heads(bytes, own) {
                Ok(heads) => Heard::Heads(heads?, HeadsWhy::Again),
                Err(DecodeError::Version(_)) => Heard::Missed(MissedWhy::Newer),
                // They are said again, and were told before.
                Err(_) => return None,
            };
            Some((Kind::Heads, heard))
        }
        Place::Ephemeral(space) => {
            let told = ephemeral::decode_ephemeral(space, bytes, own)?;
            Some((Kind::Ephemeral, Heard::Ephemeral(Arc::new(told))))
        }
        // It will say more in a moment.
        Place::Node => {
            let said = nodes::decode_heartbeat(bytes, own)?;
            Some((Kind::Node, Heard::Heartbeat(Arc::new(said))))
        }
    }
}

fn decode_heads(bytes: &[u8], own: u64) -> Result<Option<Vec<SpaceHead>>, DecodeError> {
    let told: HeadsV1<'_> = decode_versioned_as(HEADS_VERSION, bytes)?;
    let is_others = told.origin != own;
    Ok(is_others.then(|| told.heads.iter().map(head_of).collect()))
}

fn head_of((app, space, epoch, head): &(&str, &str, u64, u64)) -> SpaceHead {
    SpaceHead {
        space: SpaceKey {
            app: AppId::trusted(app),
            space: SpaceId::trusted(space),
        },
        epoch: Epoch(*epoch),
        head: Seq(*head),
    }
}

fn decode_commit(space: &SpaceKey, bytes: &[u8], own: u64) -> Result<Option<Heard>, DecodeError> {
    let told: CommitV1<'_> = decode_versioned_as(COMMIT_VERSION, bytes)?;
    if told.origin == own {
        return Ok(None);
    }
    let (epoch, from, to) = (Epoch(told.epoch), Seq(told.from), Seq(told.to));
    let Some(content) = told.content else {
        let space = space.clone();
        let head = SpaceHead {
            space,
            epoch,
            head: to,
        };
        return Ok(Some(Heard::Heads(vec![head], HeadsWhy::TooLarge)));
    };
    let record = |(table, id, bytes): &(&str, &str, &[u8])| {
        let key = RecordKey {
            table: TableName::trusted(table),
            id: RecordId::trusted(id),
        };
        Ok((key, Arc::new(decode_record(bytes)?)))
    };
    let records: Result<Vec<_>, DecodeError> = content.records.iter().map(record).collect();
    let marks: Result<Vec<_>, DecodeError> = content.marks.iter().map(mark_of).collect();
    Ok(Some(Heard::Commit(Arc::new(CommitEvent {
        node: NodeId::trusted(told.node),
        space: space.clone(),
        epoch,
        from,
        to,
        clock: Hlc::from_bits(content.clock),
        live: content.live,
        writers: WriterNo(content.writers),
        records: records?,
        marks: marks?,
        jobs_due_ms: content.jobs_due_ms,
        followed: None,
    }))))
}

fn mark_of(mark: &MarkV1<'_>) -> Result<MarkMoved, DecodeError> {
    Ok(MarkMoved {
        client: ClientKey {
            user: UserId::trusted(mark.user),
            client: ClientId::trusted(mark.client),
        },
        writer: WriterNo(mark.writer),
        last: mark.last,
        given: mark.given.map(decode_given).transpose()?.map(Arc::new),
    })
}

/// Heads of a node by their shard, in pieces of which each fits into a message.
pub(super) fn by_shard(told: &Heads) -> Vec<(u64, Vec<SpaceHead>)> {
    let mut shards = vec![Vec::new(); subject::SHARDS as usize];
    for head in &told.heads {
        shards[subject::shard(&head.space) as usize].push(head.clone());
    }
    let mut pieces = Vec::new();
    for (shard, heads) in (0..).zip(&shards) {
        let of_shard = heads.chunks(HEADS_MAX).map(|piece| (shard, piece.to_vec()));
        pieces.extend(of_shard);
    }
    pieces
}

#[cfg(test)]
mod tests;
