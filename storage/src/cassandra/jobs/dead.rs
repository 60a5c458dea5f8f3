//! The table `dead_jobs`: where the dead jobs of a kind are. A row is written before the batch by which
//! a job dies, and removed after the one by which it is dead no more, so what it names is looked up.
//!
//! A row has a random id, which its job names, and is another one in each try: what was removed is
//! never written again, since of the two that whose clock is ahead would win. The rows of before there
//! were ids are in the table `dead`, where none is written any more.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};

use super::places::Name;
use super::seen::Asked;
use crate::cassandra::failure::Failure;
use crate::cassandra::row::SpaceRow;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::jobs::{DeadCursor, JobKey, JobKind, JobNo};

/// Jobs looked at at once, with their arguments.
const LOOKED_AT_MAX: usize = 200;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cassandra) struct Dead {
    pub(super) at_ms: u64,
    pub(super) no: JobNo,
    /// `None` of the table `dead`.
    pub(super) id: Option<i64>,
    pub(super) space: SpaceKey,
    pub(super) name: Name,
}

/// Where a row stands among those of its kind: the time, the job's number, the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place([i64; 3]);

impl Place {
    pub(super) const FIRST: Place = Place([-1; 3]);
    pub(super) const LAST: Place = Place([i64::MAX; 3]);

    /// Before every row of a job that was told.
    pub(super) fn of_cursor(cursor: DeadCursor) -> Place {
        Place([cursor.at_ms as i64, cursor.no.0 as i64, i64::MIN])
    }

    /// Behind every row of a time.
    fn end_of(at_ms: u64) -> Place {
        let at = i64::try_from(at_ms).unwrap_or(i64::MAX);
        Place([at, i64::MAX, i64::MAX])
    }

    fn values(self) -> [Value<'static>; 3] {
        self.0.map(Value::Int)
    }

    /// In the table whose rows have no ids.
    fn values_before(self) -> [Value<'static>; 2] {
        [Value::Int(self.0[0]), Value::Int(self.0[1])]
    }
}

impl Dead {
    pub(super) fn cursor(&self) -> DeadCursor {
        DeadCursor {
            at_ms: self.at_ms,
            no: self.no,
        }
    }

    pub(super) fn place(&self) -> Place {
        // One without an id is read by the first two.
        let id = self.id.unwrap_or(i64::MIN);
        Place([self.at_ms as i64, self.no.0 as i64, id])
    }

    fn begin(&self) -> Vec<Value<'_>> {
        vec![
            Value::Text(self.name.0.as_str()),
            Value::Int(self.at_ms as i64),
            Value::Int(self.no.0 as i64),
        ]
    }

    fn end(&self) -> [Value<'_>; 3] {
        [
            Value::Text(self.space.app.as_str()),
            Value::Text(self.space.space.as_str()),
            Value::Text(self.name.1.as_str()),
        ]
    }
}

pub(super) async fn put(server: &Server, dead: &Dead) -> Result<(), Failure> {
    let Some(id) = dead.id else {
        // It was there before, and nothing removes it while its job is dead.
        return Ok(());
    };
    let mut values = dead.begin();
    values.push(Value::Int(id));
    values.extend(dead.end());
    server.put(Text::PutDead, values).await
}

/// Removes what is no longer dead. If that fails, who forgets the dead finds it.
pub(super) async fn forget(server: &Server, dead: &Dead) {
    let mut values = dead.begin();
    let text = match dead.id {
        Some(id) => {
            values.push(Value::Int(id));
            Text::RemoveDead
        }
        None => {
            values.extend(dead.end());
            Text::RemoveDeadBefore
        }
    };
    let removed = server.put(text, values).await;
    drop(removed);
}

/// Which way a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The newest first, before this place.
    Newest(Place),
    /// The oldest first, after this place, up to this time.
    Oldest(Place, u64),
}

/// The first rows of both tables.
pub(super) async fn list(
    server: &Server,
    kind: &JobKind,
    (from, limit): (From, usize),
) -> Result<Vec<Dead>, Failure> {
    let of = || vec![Value::Text(kind.as_str())];
    let (mut now, mut before) = (of(), of());
    let texts = match from {
        From::Newest(place) => {
            now.extend(place.values());
            before.extend(place.values_before());
            [Text::DeadNewest, Text::DeadBeforeNewest]
        }
        From::Oldest(place, to_ms) => {
            for place in [place, Place::end_of(to_ms)] {
                now.extend(place.values());
                before.extend(place.values_before());
            }
            [Text::DeadOldest, Text::DeadBeforeOldest]
        }
    };
    let mut dead = Vec::new();
    for (text, mut values) in texts.into_iter().zip([now, before]) {
        values.push(Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)));
        let rows = server.ask((text, Level::Hint), values).await?;
        for cells in rows.cells()? {
            dead.push(Dead {
                at_ms: cells.number_there(0)? as u64,
                no: JobNo(cells.number_there(1)? as u64),
                id: cells.number(5)?,
                space: SpaceKey {
                    app: AppId::trusted(cells.text(2)?),
                    space: SpaceId::trusted(cells.text(3)?),
                },
                name: (kind.clone(), JobKey::trusted(cells.text(4)?)),
            });
        }
    }
    dead.sort_by_key(Dead::place);
    if matches!(from, From::Newest(_)) {
        dead.reverse();
    }
    dead.truncate(limit);
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

/// The rows of dead jobs of a space. `None` if something was written since the space was seen.
pub(in crate::cassandra) async fn dead_of(
    server: &Server,
    (space, row): (&SpaceKey, &SpaceRow),
    names: &BTreeSet<Name>,
) -> Result<Option<Vec<Dead>>, Failure> {
    let names: Vec<&Name> = names.iter().collect();
    let mut dead = Vec::new();
    for some in names.chunks(LOOKED_AT_MAX) {
        let asked = Asked {
            names: some.iter().map(|name| (*name).clone()).collect(),
            kinds: [].into(),
            puts: 0,
            now_ms: 0,
            space,
        };
        let looked = asked.look(server, Level::Serial).await?;
        let Some((_, plan)) = looked.filter(|(seen, _)| seen.last_commit == row.last_commit) else {
            return Ok(None);
        };
        for name in some {
            let kept = plan.job(name).filter(|kept| kept.is_dead());
            dead.extend(kept.map(|kept| Dead {
                at_ms: kept.at_ms,
                no: kept.no,
                id: kept.dead_id,
                space: space.clone(),
                name: (*name).clone(),
            }));
        }
    }
    Ok(Some(dead))
}
