//! The engine's tests: the conformance suite, plain and behind faults, and what is SQLite's own.

mod beside;
mod costs;
mod erasing;
mod failures;
mod job_costs;
mod ledger;
mod migrations;
mod wal;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{SqliteOptions, SqliteStore};
use crate::conformance::{Alternating, Behaviour, FAULTS, Patient, losing_answers, seed_of_test};
use crate::faulty::FaultyStore;

const FILE: &str = "hub.db";

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
    let mut options = SqliteOptions::new(dir.path().join(FILE));
    set(&mut options);
    let store = SqliteStore::open(&options).unwrap();
    Opened { store, dir }
}

impl Opened {
    /// Another program's connection to the same file.
    fn raw(&self) -> Connection {
        Connection::open(self.dir.path().join(FILE)).unwrap()
    }
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
    crate::racing_tests!(run);
}

/// Not how it is meant to be used, but what is lost then is only what a hub is told.
mod conforms_with_two_stores_on_a_file {
    use super::*;

    fn run(behaviour: Behaviour) {
        let Opened { store, dir } = opened();
        let options = SqliteOptions::new(dir.path().join(FILE));
        let stores = Alternating::new([store, SqliteStore::open(&options).unwrap()]);
        runtime().block_on(behaviour(&stores));
    }

    crate::conformance_tests!(run);
    crate::racing_tests!(run);
}

mod jobs_conform {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        let opened = opened();
        runtime().block_on(behaviour(&opened.store));
    }

    crate::jobs_tests!(run);
    crate::racing_jobs_tests!(run);
}

mod jobs_conform_with_two_stores_on_a_file {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        let Opened { store, dir } = opened();
        let options = SqliteOptions::new(dir.path().join(FILE));
        let stores = Alternating::new([store, SqliteStore::open(&options).unwrap()]);
        runtime().block_on(behaviour(&stores));
    }

    crate::jobs_tests!(run);
    crate::racing_jobs_tests!(run);
}

mod moves_to_another_file {
    use super::*;
    use crate::conformance::transfer;

    fn run(behaviour: transfer::JobBehaviour) {
        let (from, to) = (opened(), opened());
        runtime().block_on(behaviour(&from.store, &to.store));
    }

    crate::transfer_tests!(run);
    crate::job_transfer_tests!(run);
}

mod conforms_behind_faults {
    use super::*;

    fn run(behaviour: Behaviour) {
        let first = opened();
        let store = Patient(FaultyStore::seeded(first.store, seed_of_test(), FAULTS));
        runtime().block_on(behaviour(&store));
        let second = opened();
        let store = Patient(losing_answers(second.store));
        runtime().block_on(behaviour(&store));
    }

    crate::conformance_tests!(run);
}

mod jobs_conform_behind_faults {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        let first = opened();
        let store = Patient(FaultyStore::seeded(first.store, seed_of_test(), FAULTS));
        runtime().block_on(behaviour(&store));
        let second = opened();
        let store = Patient(losing_answers(second.store));
        runtime().block_on(behaviour(&store));
    }

    crate::jobs_tests!(run);
}

mod ledger_conforms {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        let opened = opened();
        runtime().block_on(behaviour(&opened.store));
    }

    crate::ledger_tests!(run);
    crate::racing_ledger_tests!(run);
}

mod ledger_conforms_with_two_stores_on_a_file {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        let Opened { store, dir } = opened();
        let options = SqliteOptions::new(dir.path().join(FILE));
        let stores = Alternating::new([store, SqliteStore::open(&options).unwrap()]);
        runtime().block_on(behaviour(&stores));
    }

    crate::ledger_tests!(run);
    crate::racing_ledger_tests!(run);
}

mod ledger_conforms_behind_faults {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        let first = opened();
        let store = Patient(FaultyStore::seeded(first.store, seed_of_test(), FAULTS));
        runtime().block_on(behaviour(&store));
        let second = opened();
        let store = Patient(losing_answers(second.store));
        runtime().block_on(behaviour(&store));
    }

    crate::ledger_tests!(run);
}
