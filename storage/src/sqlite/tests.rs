//! The engine's tests: the conformance suite, plain and behind faults, and what is SQLite's own.

mod costs;
mod damage;
mod migrations;
mod wal;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{SqliteOptions, SqliteStore};
use crate::conformance::{Behaviour, Patient};
use crate::faulty::{FaultRates, FaultyStore};

/// A store in a directory that goes with it.
struct Opened {
    store: SqliteStore,
    dir: TempDir,
}

fn opened() -> Opened {
    opened_with(|_| {})
}

fn opened_with(set: impl FnOnce(&mut SqliteOptions)) -> Opened {
    let dir = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::new(dir.path().join("hub.db"));
    set(&mut options);
    let store = SqliteStore::open(&options).unwrap();
    Opened { store, dir }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

mod conforms {
    use super::*;

    fn run(behaviour: Behaviour) {
        let opened = opened();
        runtime().block_on(behaviour(&opened.store));
    }

    crate::conformance_tests!(run);
}

mod conforms_behind_faults {
    use super::*;

    const SEED: u64 = 7;

    const RATES: FaultRates = FaultRates {
        refused: 150,
        answer_lost: 150,
        delayed: 0,
        delay: std::time::Duration::ZERO,
    };

    fn run(behaviour: Behaviour) {
        println!("seed {SEED}");
        let opened = opened();
        let store = Patient(FaultyStore::seeded(opened.store, SEED, RATES));
        runtime().block_on(behaviour(&store));
    }

    crate::conformance_tests!(run);
}
