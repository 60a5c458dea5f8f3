//! Everything of a store, read and written into another one.
//!
//! These behaviours get two empty stores, of one engine or of two.

pub(crate) mod interrupted;
pub(crate) mod stores;

use std::pin::Pin;

use syncline_protocol::ids::{Seq, WriterNo};
use syncline_protocol::wire::hub::ResetWhy;
use tokio::sync::mpsc;

use self::interrupted::Interrupted;
use self::stores::{
    SPACES, archive_of, bring, bring_paged, everything, fill, fill_jobs, gave, letter, numbered,
};
use super::racing::while_others_write;
use super::space::{NOW, Space, key, space_key, titled};
use crate::archive::{ArchiveWriter, ExportError, ImportFailure, Imported, PAGE, export};
use crate::transfer::{Counts, ImportError, JobTransfer, Part, Sent, Transfer};
use crate::types::{CommitError, EPOCH_APART_MS, Keys, PageLimit};

/// A behaviour, ready to be run on two stores.
pub type Behaviour =
    for<'a> fn(&'a dyn Transfer, &'a dyn Transfer) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One of stores that keep jobs.
pub type JobBehaviour = for<'a> fn(
    &'a dyn JobTransfer,
    &'a dyn JobTransfer,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// When the import happens.
const LATER: u64 = NOW + 1_000_000;

/// The space with everything in it, of a store.
async fn ada(store: &dyn Transfer) -> Space<'_> {
    Space::open_named(store, "todo", "ada").await
}

/// All that is known of every space but its epoch.
pub async fn everything_arrives_as_it_was(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    let imported = bring(&archive_of(from).await, to).await;
    let all = Imported {
        spaces_before: 0,
        spaces: SPACES,
    };
    assert_eq!(imported.expect("it is brought in"), all);
    assert_eq!(everything(to).await, everything(from).await);
}

/// Also when a space takes many of them.
pub async fn everything_arrives_in_pages_of_any_size(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    let page = PageLimit {
        records: 2,
        bytes: 300,
    };
    let imported = bring_paged(&archive_of(from).await, to, page).await;
    imported.expect("it is brought in");
    assert_eq!(everything(to).await, everything(from).await);
}

/// Nothing has nothing to bring, and ends.
pub async fn an_empty_store_travels(from: &dyn Transfer, to: &dyn Transfer) {
    let imported = bring(&archive_of(from).await, to).await;
    imported.expect("it is brought in");
    assert!(everything(to).await.is_empty());
    assert!(to.open_space(&space_key("todo", "new"), NOW).await.is_ok());
}

/// So devices with a cursor of before are reset; not more than that is asked of them.
pub async fn every_space_has_a_new_epoch(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    let before = ada(from).await.view;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let after = ada(to).await.view;
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(
        after.epoch_at_ms,
        LATER.max(before.epoch_at_ms + EPOCH_APART_MS)
    );
    assert_eq!(after.reset_from(Some(before.epoch)), ResetWhy::Epoch);
}

/// What was erased must not be offered back because the store is another one.
pub async fn an_erasure_is_still_told(from: &dyn Transfer, to: &dyn Transfer) {
    let mut space = Space::open_named(from, "todo", "gone").await;
    space.put(&[("tasks", "a")]).await;
    let of_before = space.view.epoch;
    from.erase(&space.key, NOW).await.expect("it is erased");
    space.refresh().await;
    let since = space.view.epoch;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let view = Space::open_named(to, "todo", "gone").await.view;
    assert_eq!(view.reset_from(Some(of_before)), ResetWhy::Erased);
    assert_eq!(view.reset_from(Some(since)), ResetWhy::Epoch);
}

/// A repeat finds its verdict, and does not apply again.
pub async fn what_was_decided_stays_decided(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let (before, after) = (ada(from).await, ada(to).await);
    let mark = before.mark(&numbered()).await.expect("it wrote");
    assert_eq!(after.mark(&numbered()).await, Some(mark.clone()));
    let verdicts = after.verdicts(mark.writer, &[1, 2, 3]).await;
    assert_eq!(verdicts, before.verdicts(mark.writer, &[1, 2, 3]).await);
    assert!(verdicts[0].is_some());
    let again = vec![(key("tasks", "twice"), titled("twice", 1))];
    after.conflict(after.marked(again, &numbered(), None)).await;
}

/// A commit that stands on what was given is tested as before.
pub async fn what_was_given_is_tested(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let mut space = ada(to).await;
    let mark = space.mark(&gave()).await.expect("it was given something");
    let count = mark.given.as_ref().expect("given").count;
    let moved = |space: &Space<'_>, expected| {
        let mut commit = space.marked(Vec::new(), &gave(), Some(mark.clone()));
        commit.marks[0].expect_given = Some(expected);
        commit.marks[0].last = None;
        commit
    };
    space.conflict(moved(&space, count + 1)).await;
    space.accept(moved(&space, count)).await;
}

/// The head, the clock and the writers go on from where they were.
pub async fn the_space_goes_on(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let (before, mut space) = (ada(from).await.view, ada(to).await);
    let new = super::space::client("bob", "new");
    let records = vec![(key("tasks", "new"), titled("new", 9))];
    space.accept(space.marked(records, &new, None)).await;
    assert_eq!(space.view.head, before.head.next());
    let mark = space.mark(&new).await.expect("it wrote");
    assert_eq!(mark.writer, WriterNo(before.writers.0 + 1));
    assert_eq!(space.view.clock, before.clock);
}

/// A commit of the epoch of before finds another one.
pub async fn the_old_epoch_commits_no_more_here(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let late = ada(from)
        .await
        .draft(vec![(key("tasks", "late"), titled("late", 1))]);
    let answers = to.commit(vec![late]).await;
    assert_eq!(answers, [Err(CommitError::Conflict)]);
}

/// Of the age they had.
pub async fn tombstones_arrive_with_their_age(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let space = ada(to).await;
    assert!(space.record(&key("tasks", "dead")).await.is_some());
    let collected = |before| stores::collect(to, before, Keys::Remove);
    assert_eq!(collected(NOW).await.tombstones, 0, "younger than that");
    assert_eq!(collected(NOW + 1).await.tombstones, 1, "the kept key stays");
    assert_eq!(space.record(&key("tasks", "dead")).await, None);
    assert!(space.record(&key("tasks", "kept")).await.is_some());
}

/// The newest first, and the oldest are the first to go.
pub async fn dead_letters_keep_their_order(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    let mut space = ada(to).await;
    let mut commit = space.draft(vec![(key("tasks", "a"), titled("a", 1))]);
    commit.dead_letters = vec![letter("newest"), letter("{\"first\":1}")];
    space.accept(commit).await;
    let kept = to.dead_letters(&space.key, 2).await.expect("they are read");
    assert_eq!(kept, [letter("newest"), letter("second")]);
}

/// However often and wherever it is interrupted.
pub async fn an_interrupted_import_goes_on(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    bring_interrupted(from, to).await;
}

/// Brings everything in by runs of which each gets further than the one before, by one call.
async fn bring_interrupted(from: &dyn Transfer, to: &dyn Transfer) {
    let archive = archive_of(from).await;
    let mut whole = 0;
    for calls in 1.. {
        let run = bring(&archive, &Interrupted::after(to, calls)).await;
        match run {
            Ok(imported) => {
                assert_eq!(imported.spaces_before + imported.spaces, SPACES);
                assert!(imported.spaces_before > 0, "no run brought a space in");
                break;
            }
            Err(ImportFailure::Import(ImportError::Store(_))) => {}
            Err(other) => panic!("{other}"),
        }
        let there = to.spaces(None, usize::MAX).await.expect("listed").len();
        assert!(there >= whole, "what was whole is gone");
        whole = there;
    }
    assert_eq!(everything(to).await, everything(from).await);
}

/// What waits is done here, what was leased too; the dead can be replayed.
pub async fn jobs_arrive_and_are_done(from: &dyn JobTransfer, to: &dyn JobTransfer) {
    fill(from).await;
    fill_jobs(from).await;
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    // One after the other, since they are of one lane.
    let keys = async |to: &dyn JobTransfer| {
        let mut keys = Vec::new();
        loop {
            let leases = stores::leases(to, 9).await;
            if leases.is_empty() {
                return keys;
            }
            for lease in leases {
                keys.push(lease.name.key.to_string());
                stores::done(to, lease).await;
            }
        }
    };
    assert_eq!(keys(to).await, ["leased", "new"]);
    let dead = to.dead_jobs(&stores::webhook(), None, 9).await;
    let dead = dead.expect("they are read");
    assert_eq!(dead.len(), 1);
    assert_eq!(to.replay(&dead[0].name(), NOW).await, Ok(true));
    assert_eq!(keys(to).await, ["dead"]);
}

/// That in which they were put, whatever their names and when they are due. One that was replayed was
/// put before those that waited meanwhile.
pub async fn lanes_keep_their_order(from: &dyn JobTransfer, to: &dyn JobTransfer) {
    let order = ["b", "c", "a", "d"];
    let mut space = ada(from).await;
    stores::put_in_lane(&mut space, &order).await;
    let dead = stores::leases(from, 9).await.remove(0);
    stores::dead(from, dead.clone()).await;
    assert_eq!(stores::leases(from, 9).await.len(), 1);
    assert_eq!(from.replay(&dead.name, NOW).await, Ok(true));
    bring(&archive_of(from).await, to)
        .await
        .expect("brought in");
    for key in order {
        let mut leases = stores::leases(to, 9).await;
        assert_eq!(leases.len(), 1, "before {key}");
        assert_eq!(leases[0].name.key.as_str(), key);
        stores::done(to, leases.remove(0)).await;
    }
    assert_eq!(stores::leases(to, 9).await, []);
}

/// The same of a store that keeps jobs.
pub async fn an_interrupted_import_of_jobs_goes_on(from: &dyn JobTransfer, to: &dyn JobTransfer) {
    fill(from).await;
    fill_jobs(from).await;
    bring_interrupted(from, to).await;
}

/// Nobody sees half of it, nor can anybody make another one in its place.
pub async fn a_half_written_space_is_not_there(from: &dyn Transfer, to: &dyn Transfer) {
    let mut space = ada(from).await;
    space.put(&[("tasks", "a"), ("tasks", "b")]).await;
    let archive = archive_of(from).await;
    // Its beginning, that of the space, and its records.
    let run = bring(&archive, &Interrupted::after(to, 3)).await;
    assert!(run.is_err());
    assert_eq!(to.space(&space.key).await, Ok(None));
    assert_eq!(to.spaces(None, 10).await, Ok(Vec::new()));
    assert!(to.open_space(&space.key, NOW).await.is_err());
    assert!(to.open_space(&space_key("chat", "b"), NOW).await.is_err());
    assert_eq!(to.is_half_imported().await, Ok(true));
    // An archive of it would look like a whole one.
    let half = export(
        to,
        ArchiveWriter::begin(Vec::new(), NOW).expect("memory takes it"),
        PAGE,
    );
    assert!(matches!(half.await, Err(ExportError::HalfImported)));
    bring(&archive, to).await.expect("it goes on");
    assert_eq!(to.is_half_imported().await, Ok(false));
    assert_eq!(everything(to).await, everything(from).await);
}

/// One that is whole is there at once, and is not written again.
pub async fn spaces_already_whole_are_skipped(from: &dyn Transfer, to: &dyn Transfer) {
    for name in ["a", "b", "c"] {
        let mut space = Space::open_named(from, "todo", name).await;
        space.put(&[("tasks", name)]).await;
    }
    let archive = archive_of(from).await;
    // Its beginning, and three calls for each of two spaces.
    let run = bring(&archive, &Interrupted::after(to, 7)).await;
    assert!(run.is_err());
    let first = to.space(&space_key("todo", "a")).await;
    assert!(matches!(first, Ok(Some(_))), "{first:?}");
    let rest = bring(&archive, to).await.expect("it goes on");
    let expected = Imported {
        spaces_before: 2,
        spaces: 1,
    };
    assert_eq!(rest, expected);
    assert_eq!(to.space(&space_key("todo", "a")).await, first);
}

/// It stays as it is.
pub async fn a_store_with_data_is_refused(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    let mut other = Space::open_named(to, "todo", "other").await;
    other.put(&[("tasks", "a")]).await;
    let before = everything(to).await;
    let refused = bring(&archive_of(from).await, to).await;
    let refused = refused.expect_err("it is not empty");
    assert!(
        matches!(refused, ImportFailure::Import(ImportError::NotEmpty(1))),
        "{refused}"
    );
    assert_eq!(everything(to).await, before);
    assert_eq!(to.is_half_imported().await, Ok(false));
}

/// Half of one store and half of another are none.
pub async fn another_archive_is_refused_while_one_is_unfinished(
    from: &dyn Transfer,
    to: &dyn Transfer,
) {
    fill(from).await;
    let archive = archive_of(from).await;
    let run = bring(&archive, &Interrupted::after(to, 9)).await;
    assert!(run.is_err());
    ada(from).await.put(&[("tasks", "since")]).await;
    let refused = bring(&archive_of(from).await, to).await;
    let refused = refused.expect_err("it is another one");
    assert!(
        matches!(refused, ImportFailure::Import(ImportError::Other(_))),
        "{refused}"
    );
    bring(&archive, to).await.expect("the first one goes on");
}

/// What was written since would be lost without a word.
pub async fn an_archive_imported_whole_is_refused(from: &dyn Transfer, to: &dyn Transfer) {
    fill(from).await;
    let archive = archive_of(from).await;
    bring(&archive, to).await.expect("brought in");
    ada(to).await.put(&[("tasks", "since")]).await;
    let before = everything(to).await;
    let refused = bring(&archive, to).await.expect_err("it is there");
    assert!(
        matches!(refused, ImportFailure::Import(ImportError::Imported)),
        "{refused}"
    );
    assert_eq!(everything(to).await, before);
}

/// Two at once would write a space twice.
pub async fn an_earlier_run_is_locked_out(from: &dyn Transfer, to: &dyn Transfer) {
    let mut space = ada(from).await;
    space.put(&[("tasks", "a")]).await;
    let first = to.begin_import([7; 32], NOW).await.expect("it begins").run;
    assert_eq!(to.begin_space(first, &space.key).await, Ok(None));
    let second = to.begin_import([7; 32], NOW).await.expect("it goes on").run;
    let part = || Part::DeadLetters(vec![letter("x")]);
    let late = to.import_part(first, part()).await;
    assert_eq!(late, Err(ImportError::TakenOver));
    assert_eq!(to.end_import(first, NOW).await, Err(ImportError::TakenOver));
    assert_eq!(to.begin_space(second, &space.key).await, Ok(None));
    assert_eq!(to.import_part(second, part()).await, Ok(()));
}

/// Whatever went wrong on the way.
pub async fn a_space_that_lacks_something_is_not_taken(_: &dyn Transfer, to: &dyn Transfer) {
    let run = to.begin_import([7; 32], NOW).await.expect("it begins").run;
    let key = space_key("todo", "ada");
    assert_eq!(to.begin_space(run, &key).await, Ok(None));
    let part = Part::DeadLetters(vec![letter("x")]);
    assert_eq!(to.import_part(run, part).await, Ok(()));
    let expected = Counts {
        dead_letters: 2,
        ..Counts::default()
    };
    let image = stores::image(&key);
    let ended = to.end_space(run, image, (expected, NOW)).await;
    assert!(
        matches!(ended, Err(ImportError::Differs { .. })),
        "{ended:?}"
    );
    assert_eq!(to.space(&key).await, Ok(None));
}

/// An import cannot end inside a space, nor can a part be of none.
pub async fn the_calls_of_an_import_follow_each_other(_: &dyn Transfer, to: &dyn Transfer) {
    let run = to.begin_import([7; 32], NOW).await.expect("it begins").run;
    let part = Part::DeadLetters(vec![letter("x")]);
    assert!(to.import_part(run, part).await.is_err());
    let key = space_key("todo", "ada");
    assert_eq!(to.begin_space(run, &key).await, Ok(None));
    assert!(to.end_import(run, NOW).await.is_err());
    assert_eq!(to.is_half_imported().await, Ok(true));
}

/// What is committed while a space is read is not in it, not even half.
pub async fn a_space_is_read_of_one_snapshot(from: &dyn Transfer, _: &dyn Transfer) {
    let mut space = ada(from).await;
    let keys: Vec<(&str, String)> = (0..40).map(|i| ("tasks", format!("k{i:02}"))).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(t, id)| (*t, id.as_str())).collect();
    space.put(&keys).await;
    let head = space.view.head;
    let (to, mut sent) = mpsc::channel(1);
    let page = super::space::records(4);
    let name = space.key.clone();
    let receiving = async {
        let first = sent.recv().await;
        assert!(matches!(&first, Some(Sent::Space(image)) if image.view.head == head));
        space.put(&keys).await;
        let mut seqs = Vec::new();
        while let Some(sent) = sent.recv().await {
            if let Sent::Part(Part::Records(rows)) = sent {
                seqs.extend(rows.iter().map(|row| row.record.seq));
            }
        }
        seqs
    };
    let (ended, seqs) = tokio::join!(from.export_space(&name, page, to), receiving);
    assert_eq!((ended, seqs), (Ok(()), vec![head; 40]));
}

/// One that is busy does not have the others left out.
pub async fn a_space_is_read_while_others_write(from: &dyn Transfer, _: &dyn Transfer) {
    let mut space = ada(from).await;
    let keys: Vec<String> = (0..40).map(|i| format!("k{i:02}")).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|id| ("tasks", id.as_str())).collect();
    space.put(&keys).await;
    let reading = stores::parts(from, &space.key, super::space::records(7));
    let parts = while_others_write(from, reading).await;
    let records = parts.iter().flat_map(|part| match part {
        Part::Records(rows) => rows.as_slice(),
        _ => &[],
    });
    let of_before = records.filter(|row| row.key.table.as_str() == "tasks");
    assert_eq!(of_before.count(), keys.len());
}

/// However large the space is: no part holds more than was asked for.
pub async fn a_part_is_never_larger_than_the_page(from: &dyn Transfer, _: &dyn Transfer) {
    fill(from).await;
    let mut space = ada(from).await;
    let keys: Vec<String> = (0..500).map(|i| format!("k{i}")).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|id| ("many", id.as_str())).collect();
    space.put(&keys).await;
    for (page, largest) in [
        (super::space::records(7), 7),
        (
            PageLimit {
                records: 100,
                bytes: 1,
            },
            1,
        ),
    ] {
        let parts = stores::parts(from, &space.key, page).await;
        assert_eq!(parts.iter().map(Part::len).max(), Some(largest));
        assert!(parts.iter().all(|part| !part.is_empty()));
    }
}

/// The store goes on without them.
pub async fn who_stops_receiving_ends_the_reading(from: &dyn Transfer, _: &dyn Transfer) {
    let mut space = ada(from).await;
    let keys: Vec<String> = (0..200).map(|i| format!("k{i}")).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|id| ("many", id.as_str())).collect();
    space.put(&keys).await;
    for received in 0..4 {
        let (to, mut sent) = mpsc::channel(1);
        let receiving = async {
            for _ in 0..received {
                assert!(sent.recv().await.is_some());
            }
            drop(sent);
        };
        let page = super::space::records(5);
        let (ended, ()) = tokio::join!(from.export_space(&space.key, page, to), receiving);
        assert_eq!(ended, Ok(()));
    }
    space.put(&[("tasks", "after")]).await;
    assert_eq!(space.view.head, Seq(2));
}

/// Nothing is sent, and it is not made.
pub async fn a_space_never_opened_sends_nothing(from: &dyn Transfer, _: &dyn Transfer) {
    let nobody = space_key("todo", "nobody");
    let (to, mut sent) = mpsc::channel(1);
    let page = super::space::UNLIMITED;
    let (ended, first) = tokio::join!(from.export_space(&nobody, page, to), sent.recv());
    assert_eq!((ended, first), (Ok(()), None));
    assert_eq!(from.space(&nobody).await, Ok(None));
}
