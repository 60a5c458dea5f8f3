//! A space as a whole: finding, making, forgetting, a new epoch, the list of them.

use futures_util::future::join_all;
use syncline_protocol::ids::{AppId, Epoch, SpaceId, SpaceKey};
use syncline_protocol::stamp::{Hlc, WallMs};

use super::failure::{Failure, contended};
use super::row::{Found, Place, SpaceRow, kind, ordered_clock};
use super::server::{Columns, Level, Server, Writes, of};
use super::statements::Text;
use super::tries::RACES_MAX;
use super::value::{Cells, Value};
use crate::types::{EPOCH_APART_MS, SpaceView, StoreError, epoch_after};
use crate::{random, random_epoch};

/// Spaces looked up at once.
const VIEWS_AT_ONCE: usize = 64;

/// Spaces listed by one read.
const LIST_PAGE: usize = 5_000;

/// The space as it is.
pub(super) async fn find(server: &Server, space: &SpaceKey) -> Result<Found, Failure> {
    find_at(server, space, Level::Serial).await
}

/// The space as it is now, or as a hint: then with all that was acknowledged before.
pub(super) async fn find_at(
    server: &Server,
    space: &SpaceKey,
    level: Level,
) -> Result<Found, Failure> {
    let values = (space.app.as_str(), space.space.as_str());
    match server.ask((Text::Space, level), values).await {
        // Its first row is behind much that was removed. One that was opened has rows that end kinds.
        Err(Failure::Tombstones(_)) => {
            let end = [Place::end(kind::RECORD)];
            server
                .at(space, &end, (Columns::Light, level))
                .await?
                .found()
        }
        rows => rows?.found(),
    }
}

/// The space, which the caller opened before.
pub(super) async fn opened(server: &Server, space: &SpaceKey) -> Result<SpaceRow, Failure> {
    Ok(find(server, space).await?.opened()?)
}

/// [`crate::Store::views`]. What was acknowledged is seen by a quorum, and whoever asks for many spaces again
/// and again would have replicas agree on what nobody writes.
pub(super) async fn views(
    server: &Server,
    spaces: &[SpaceKey],
) -> Result<Vec<Option<SpaceView>>, StoreError> {
    let mut views = Vec::with_capacity(spaces.len());
    for some in spaces.chunks(VIEWS_AT_ONCE) {
        let found = some.iter().map(|space| find_at(server, space, Level::Hint));
        let found = join_all(found).await;
        for found in found {
            views.push(found?.space().map(|row| row.view));
        }
    }
    Ok(views)
}

/// The rows that end the kinds.
pub(super) fn push_ends<'a>(writes: &mut Writes<'a>, space: &'a SpaceKey, ends: &'a [Place]) {
    for place in ends {
        push_place(writes, space, place);
    }
}

/// A row without content.
pub(super) fn push_place<'a>(writes: &mut Writes<'a>, space: &'a SpaceKey, place: &'a Place) {
    writes.push(Text::PutPlace, at(space, place));
}

/// The first values of a statement that names a row.
pub(super) fn at<'a>(space: &'a SpaceKey, place: &'a Place) -> Vec<Value<'a>> {
    let mut values = of(space);
    values.extend([
        Value::Kind(place.kind),
        Value::Int(place.n),
        Value::Text(&place.a),
        Value::Text(&place.b),
    ]);
    values
}

pub(super) fn ends() -> Vec<Place> {
    kind::ENDED.iter().map(|kind| Place::end(*kind)).collect()
}

/// The name by which a space is found in all apps. It comes before the space, so that no space is
/// without.
pub(super) async fn put_name(server: &Server, space: &SpaceKey) -> Result<(), Failure> {
    let name = vec![
        Value::Text(space.space.as_str()),
        Value::Text(space.app.as_str()),
    ];
    server.put(Text::PutName, name).await
}

/// Makes a space unless another was faster. `false` if it is not there afterwards, because an
/// import writes it.
pub(super) async fn create(
    server: &Server,
    space: &SpaceKey,
    now_ms: WallMs,
) -> Result<Option<SpaceView>, Failure> {
    put_name(server, space).await?;
    let mut writes = Writes::default();
    let mut values = vec![
        Value::Int(random_epoch()?.0 as i64),
        Value::Int(now_ms as i64),
        Value::Int(ordered_clock(Hlc::default())),
        Value::Int(random()? as i64),
    ];
    values.extend(of(space));
    writes.push(Text::Open, values);
    let ends = ends();
    push_ends(&mut writes, space, &ends);
    let written = server.write(&writes).await;
    match (find(server, space).await?, written) {
        (Found::Space(row), _) => Ok(Some(row.view)),
        (Found::Nothing { .. }, Ok(_)) => Ok(None),
        (Found::Nothing { .. }, Err(failure)) => Err(failure),
    }
}

/// Changes the epoch if it is the expected one, and returns the space as it is then.
pub(super) async fn change_epoch(
    server: &Server,
    space: &SpaceKey,
    (expected, now_ms): (Epoch, WallMs),
) -> Result<SpaceView, Failure> {
    let epoch = epoch_after(expected, random()?);
    let id = random()? as i64;
    for _ in 0..RACES_MAX {
        let row = opened(server, space).await?;
        if row.view.epoch != expected {
            return Ok(row.view);
        }
        let mut writes = Writes::default();
        let at_ms = now_ms.max(row.view.epoch_at_ms + EPOCH_APART_MS);
        let mut values = vec![
            Value::Int(epoch.0 as i64),
            Value::Int(at_ms as i64),
            Value::Int(now_ms as i64),
            Value::Int(id),
        ];
        values.extend(of(space));
        values.push(Value::Int(row.view.epoch.0 as i64));
        writes.push(Text::ChangeEpoch, values);
        // Whatever came of it, the next look shows the new epoch, or that it has to be tried again.
        match server.write(&writes).await {
            Ok(_) | Err(Failure::GivenUp(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(contended().into())
}

/// The values of a condition that nothing was written since.
pub(super) fn unmoved(row: &SpaceRow) -> [Value<'static>; 2] {
    [
        Value::Int(row.view.epoch.0 as i64),
        Value::Int(row.last_commit),
    ]
}

/// [`crate::Store::forget_unwritten`].
pub(super) async fn forget_unwritten(
    server: &Server,
    space: &SpaceKey,
    before_ms: WallMs,
) -> Result<bool, Failure> {
    let last = (space.app.as_str(), space.space.as_str(), kind::LETTER, 2i32);
    let rows = server.ask((Text::Last, Level::Serial), last).await?;
    let all = rows.all()?;
    let Some(row) = rows.found()?.space() else {
        return Ok(false);
    };
    let letters = all.len() - 1;
    // Whoever puts a job writes, and then it is not removed.
    let has_jobs = row.job_no.is_some() && has_jobs(server, space).await?;
    if !row.view.is_unwritten() || letters > 0 || has_jobs || row.view.epoch_at_ms >= before_ms {
        return Ok(false);
    }
    remove(server, space, &row).await
}

async fn has_jobs(server: &Server, space: &SpaceKey) -> Result<bool, Failure> {
    let (from, to) = (Place::begin(kind::ORDER), Place::end(kind::ORDER));
    let asked = (Columns::Light, Level::Serial, 1);
    let rows = server.range(space, (&from, &to), asked).await?;
    let first = rows.all()?.first().map(|row| row.place()).transpose()?;
    Ok(first.is_some_and(|place| !place.is_end()))
}

/// Removes a space if nothing was written since. `false` if something was.
pub(super) async fn remove(
    server: &Server,
    space: &SpaceKey,
    row: &SpaceRow,
) -> Result<bool, Failure> {
    let mut writes = Writes::default();
    let mut values = of(space);
    values.extend(unmoved(row));
    writes.push(Text::Forget, values);
    writes.push(Text::RemoveAll, of(space));
    server.write(&writes).await
}

/// [`crate::Store::spaces`]: in the order of the partitions' tokens.
pub(super) async fn list(
    server: &Server,
    after: Option<&SpaceKey>,
    limit: usize,
) -> Result<Vec<SpaceKey>, Failure> {
    let mut spaces = Vec::new();
    let mut after = after.cloned();
    while spaces.len() < limit {
        let rows_max = (limit - spaces.len()).clamp(1, LIST_PAGE);
        let (some, last) = page(server, after.as_ref(), rows_max).await?;
        spaces.extend(some);
        match last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(spaces)
}

/// Opened spaces among the next partitions, and the last of these; `None` behind all.
async fn page(
    server: &Server,
    after: Option<&SpaceKey>,
    rows_max: usize,
) -> Result<(Vec<SpaceKey>, Option<SpaceKey>), Failure> {
    let limit = rows_max as i32;
    let rows = match after {
        Some(after) => {
            let values = (after.app.as_str(), after.space.as_str(), limit);
            server.ask((Text::SpacesAfter, Level::Hint), values).await?
        }
        None => {
            server
                .ask((Text::SpacesFirst, Level::Hint), (limit,))
                .await?
        }
    };
    let (mut spaces, mut last) = (Vec::new(), None);
    for cells in rows.cells()? {
        let key = SpaceKey {
            app: AppId::trusted(cells.text(0)?),
            space: SpaceId::trusted(cells.text(1)?),
        };
        if cells.number(2)?.is_some() {
            spaces.push(key.clone());
        }
        last = Some(key);
    }
    Ok((spaces, last))
}

/// [`crate::Store::spaces_named`].
pub(super) async fn named(server: &Server, name: &SpaceId) -> Result<Vec<SpaceKey>, StoreError> {
    let rows = server
        .ask((Text::Named, Level::Hint), (name.as_str(),))
        .await?;
    let key = |cells: Cells<'_>| {
        Ok(SpaceKey {
            app: AppId::trusted(cells.text(0)?),
            space: name.clone(),
        })
    };
    let keys = rows.cells()?.into_iter().map(key);
    let keys: Vec<SpaceKey> = keys.collect::<Result<_, StoreError>>()?;
    // A name stays when its space was forgotten.
    let views = views(server, &keys).await?;
    let there = keys
        .into_iter()
        .zip(views)
        .filter(|(_, view)| view.is_some());
    Ok(there.map(|(key, _)| key).collect())
}
