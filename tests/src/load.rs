//! A write load whose every commit can be checked afterwards.
//!
//! A client's mutation `m` writes records of its own, so many and with such content as follows
//! from (space, client, `m`) alone. So a store can be asked after any accident: is everything
//! acknowledged there, is everything there whole, and is nothing there twice?

mod check;
mod writer;

pub use check::{Loss, check};
pub use writer::SpaceWriter;

use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey, TableName,
    UserId, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};

/// Clients that write to a space in turn.
pub const CLIENTS: usize = 3;

/// The hub's clock of the load.
const NOW: WallMs = 1_795_514_400_000;

/// A commit that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The space's number in the load.
    pub space: usize,
    /// The client's number in the space.
    pub client: usize,
    /// The mutation.
    pub m: u64,
    /// Its commit.
    pub seq: u64,
}

impl Ack {
    /// One line, for a pipe.
    pub fn to_line(self) -> String {
        format!("{} {} {} {}", self.space, self.client, self.m, self.seq)
    }

    /// Reads [`Ack::to_line`]. `None` for a line cut short.
    pub fn from_line(line: &str) -> Option<Ack> {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Ack {
            space: usize::try_from(next()?).ok()?,
            client: usize::try_from(next()?).ok()?,
            m: next()?,
            seq: next()?,
        })
    }
}

/// The load's `n`-th space.
pub fn space_key(n: usize) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("load"),
        space: SpaceId::trusted(&format!("space{n}")),
    }
}

/// A space's `n`-th client.
pub fn client_key(n: usize) -> ClientKey {
    ClientKey {
        user: UserId::trusted(&format!("user{n}")),
        client: ClientId::trusted("c1"),
    }
}

/// How many records a mutation writes: every other one a single record.
pub fn records_of(m: u64) -> u64 {
    match m % 2 {
        1 => 1,
        _ => 2 + m % 7,
    }
}

/// Where a mutation's `at`-th record is.
fn record_key(client: usize, m: u64, at: u64) -> RecordKey {
    RecordKey {
        table: TableName::trusted(&format!("client{client}")),
        id: RecordId::trusted(&format!("{m}-{at}")),
    }
}

/// What its only field holds: 10 to 500 bytes.
fn content(space: usize, client: usize, (m, at): (u64, u64)) -> Json {
    let filler = "x".repeat((m.wrapping_mul(31) + at.wrapping_mul(97)) as usize % 490);
    Json::trusted(&format!("\"{space}/{client}/{m}/{at}{filler}\""))
}

/// A record as committed.
fn record(content: Json, seq: Seq, writer: WriterNo) -> Record {
    let stamp = Stamp {
        at: Hlc::new(NOW, 0),
        writer,
    };
    Record {
        inserted: Some(stamp),
        deleted: None,
        fields: vec![Field {
            name: FieldName::trusted("content"),
            value: content,
            stamp,
            seq,
        }],
        seq,
        by: writer,
        inserted_seq: seq,
        deleted_seq: Seq(0),
    }
}
