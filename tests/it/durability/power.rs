//! Power loss: what was not synced is gone, at any operation on the disk.

use std::sync::{Arc, Mutex};

use syncline_storage::Store;
use syncline_storage::faulty::Prng;
use syncline_storage::group::{GroupCommit, GroupLimits};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use syncline_tests::load::{Ack, Loss, SpaceWriter};

use super::disk::{Disk, Survivors};
use super::vfs::PowerVfs;
use super::{FILE, check_left, runtime};

const SEED: u64 = 0x5eed_0002;
const POINTS: u64 = 200;
const SPACES: usize = 3;

/// Rounds of the load; each space commits once a round.
const ROUNDS: usize = 24;

/// What a run left behind.
struct Ended {
    acked: Vec<Ack>,
    disk: Arc<Mutex<Disk>>,
}

/// Runs the load until it ends or the power does.
fn run_until(fails_at: u64, synchronous: Synchronous) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Mutex::new(Disk::failing_at(fails_at)));
    let vfs = PowerVfs::register(disk.clone());
    let mut options = SqliteOptions::new(dir.path().join(FILE));
    options.vfs = Some(vfs.name());
    options.synchronous = synchronous;
    // Small, so that checkpoints happen and the WAL starts over several times.
    (options.checkpoint_pages, options.restart_pages) = (20, 60);
    let mut acked = Vec::new();
    if let Ok(store) = SqliteStore::open(&options) {
        runtime().block_on(load(Arc::new(store), &mut acked));
    }
    Ended { acked, disk }
}

/// Commits round by round, the spaces of a round at once, until something fails.
async fn load(store: Arc<dyn Store>, acked: &mut Vec<Ack>) {
    let (group, committers) = GroupCommit::start(&store, GroupLimits::default());
    let mut writers = Vec::new();
    for space in 0..SPACES {
        let Ok(writer) = SpaceWriter::open(&*store, space).await else {
            break;
        };
        writers.push(writer);
    }
    if let [one, two, three] = &mut writers[..] {
        for _ in 0..ROUNDS {
            let round = tokio::join!(one.step(&group), two.step(&group), three.step(&group));
            let round = [round.0, round.1, round.2];
            let failed = round.iter().any(Result::is_err);
            acked.extend(round.into_iter().flatten());
            if failed {
                break;
            }
        }
    }
    drop(group);
    committers.shut_down().await;
}

/// Checks what is on the platter.
fn check_platter(ended: &Ended, survivors: Survivors) -> Result<(), Loss> {
    let dir = tempfile::tempdir().unwrap();
    ended
        .disk
        .lock()
        .unwrap()
        .write_image(dir.path(), survivors);
    runtime().block_on(check_left(dir.path(), SPACES, &ended.acked))
}

/// Points spread over all operations of a whole run, opening and closing included.
fn points(count: u64, synchronous: Synchronous) -> impl Iterator<Item = u64> {
    let whole = run_until(u64::MAX, synchronous);
    let operations = whole.disk.lock().unwrap().operations();
    let mut random = Prng::new(SEED);
    let stride = (operations / count).max(1);
    (0..count).map(move |point| point * operations / count + random.below(stride))
}

#[test]
fn every_acknowledged_commit_survives_power_loss() {
    println!("seed {SEED}");
    for fails_at in points(POINTS, Synchronous::Full) {
        let ended = run_until(fails_at, Synchronous::Full);
        let seed = SEED ^ fails_at;
        for survivors in [Survivors::None, Survivors::Some { seed }] {
            let left = check_platter(&ended, survivors);
            let acked = ended.acked.len();
            assert_eq!(
                left,
                Ok(()),
                "operation {fails_at}, {survivors:?}, {acked} acks"
            );
        }
    }
}

#[test]
fn the_load_makes_the_wal_start_over() {
    let whole = run_until(u64::MAX, Synchronous::Full);
    assert_eq!(whole.acked.len(), SPACES * ROUNDS);
    let starts = whole.disk.lock().unwrap().wal_starts();
    assert!(starts >= 3, "the WAL began {starts} times");
}

#[test]
fn without_syncs_the_same_check_finds_acknowledged_commits_lost() {
    println!("seed {SEED}");
    let lost = points(POINTS, Synchronous::Off).filter(|fails_at| {
        let ended = run_until(*fails_at, Synchronous::Off);
        let seed = SEED ^ fails_at;
        let each = [Survivors::None, Survivors::Some { seed }];
        let mut left = each
            .into_iter()
            .map(|survivors| check_platter(&ended, survivors));
        left.any(|left| matches!(left, Err(Loss::Acknowledged(_))))
    });
    let lost = lost.count();
    println!("{lost} of {POINTS} points lost acknowledged commits");
    assert!(lost > 0, "seed {SEED}: a loss was not seen");
}
