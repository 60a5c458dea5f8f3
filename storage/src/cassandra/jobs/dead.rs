//! The table `dead`: where the dead jobs of a kind are. A row is written before the batch by which a
//! job dies, and removed after the one by which it is dead no more, so what it names is looked up.

use std::collections::BTreeMap;

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};

use super::places::Name;
use crate::cassandra::failure::Failure;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::jobs::{DeadCursor, JobKey, JobKind, JobNo};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cassandra) struct Dead {
    pub(super) at_ms: u64,
    pub(super) no: JobNo,
    pub(super) space: SpaceKey,
    pub(super) name: Name,
}

impl Dead {
    pub(super) fn cursor(&self) -> DeadCursor {
        DeadCursor {
            at_ms: self.at_ms,
            no: self.no,
        }
    }

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            Value::Text(self.name.0.as_str()),
            Value::Int(self.at_ms as i64),
            Value::Int(self.no.0 as i64),
            Value::Text(self.space.app.as_str()),
            Value::Text(self.space.space.as_str()),
            Value::Text(self.name.1.as_str()),
        ]
    }
}

pub(super) async fn put(server: &Server, dead: &Dead) -> Result<(), Failure> {
    server.put(Text::PutDead, dead.values()).await
}

/// Removes what is no longer dead. If that fails, who forgets the dead finds it.
pub(super) async fn forget(server: &Server, dead: &Dead) {
    let removed = server.put(Text::RemoveDead, dead.values()).await;
    drop(removed);
}

/// Which way a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The newest first, before this place.
    Newest(i64, i64),
    /// The oldest first, after this place, up to this time.
    Oldest((i64, i64), i64),
}

pub(super) async fn list(
    server: &Server,
    kind: &JobKind,
    (from, limit): (From, usize),
) -> Result<Vec<Dead>, Failure> {
    let mut values = vec![Value::Text(kind.as_str())];
    let text = match from {
        From::Newest(at, no) => {
            values.extend([Value::Int(at), Value::Int(no)]);
            Text::DeadNewest
        }
        From::Oldest((at, no), to) => {
            let places = [at, no, to, i64::MAX];
            values.extend(places.map(Value::Int));
            Text::DeadOldest
        }
    };
    values.push(Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)));
    let rows = server.ask((text, Level::Hint), values).await?;
    let mut dead = Vec::new();
    for cells in rows.cells()? {
        dead.push(Dead {
            at_ms: cells.number_there(0)? as u64,
            no: JobNo(cells.number_there(1)? as u64),
            space: SpaceKey {
                app: AppId::trusted(cells.text(2)?),
                space: SpaceId::trusted(cells.text(3)?),
            },
            name: (kind.clone(), JobKey::trusted(cells.text(4)?)),
        });
    }
    Ok(dead)
}

/// By space.
pub(super) fn by_space(dead: &[Dead]) -> BTreeMap<&SpaceKey, Vec<&Dead>> {
    let mut spaces: BTreeMap<&SpaceKey, Vec<&Dead>> = BTreeMap::new();
    for one in dead {
        spaces.entry(&one.space).or_default().push(one);
    }
    spaces
}
