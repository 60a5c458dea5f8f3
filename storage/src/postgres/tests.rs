//! The engine's tests, each on a database of its own of a real server: the conformance suite,
//! plain and behind faults, and what is Postgres's own.

mod costs;
mod failures;
mod hosts;
mod job_costs;
mod job_races;
mod ledger;
mod migrations;
mod races;
mod transfer;
mod values;

#[path = "../../../tests/services/postgres.rs"]
pub(crate) mod server;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use self::server::{Database, Server};
use super::{PostgresOptions, PostgresStore};
use crate::conformance::{
    Accompanied, Alternating, Behaviour, FAULTS, Patient, losing_answers, seed_of_test,
};
use crate::faulty::FaultyStore;
use crate::sqlite::{SqliteOptions, SqliteStore};

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn options(database: &Database) -> PostgresOptions {
    PostgresOptions::parse(&database.url()).unwrap()
}

/// A store in an empty database, which goes last.
async fn opened() -> (PostgresStore, Database) {
    let database = Server::shared().database().await;
    let store = PostgresStore::open(&options(&database)).await.unwrap();
    (store, database)
}

/// A store of the other engine, in a directory that goes with it.
fn sqlite() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db")));
    (dir, store.unwrap())
}

mod conforms {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            behaviour(&store).await;
        });
    }

    crate::conformance_tests!(run);
    crate::racing_tests!(run);
}

/// A commit that is alone has statements of its own, so these are others.
mod conforms_in_groups {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            behaviour(&Accompanied::new(store)).await;
        });
    }

    crate::conformance_tests!(run);
}

mod conforms_with_two_hubs {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, database) = opened().await;
            let other = PostgresStore::open(&options(&database)).await.unwrap();
            behaviour(&Alternating::new([store, other])).await;
        });
    }

    crate::conformance_tests!(run);
    crate::racing_tests!(run);
}

mod jobs_conform {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            behaviour(&store).await;
        });
    }

    crate::jobs_tests!(run);
    crate::racing_jobs_tests!(run);
}

mod jobs_conform_with_two_hubs {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, database) = opened().await;
            let other = PostgresStore::open(&options(&database)).await.unwrap();
            behaviour(&Alternating::new([store, other])).await;
        });
    }

    crate::jobs_tests!(run);
    crate::racing_jobs_tests!(run);
}

mod jobs_conform_behind_faults {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            let (store, _database) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
        });
    }

    crate::jobs_tests!(run);
}

mod moves_to_another_database {
    use super::*;
    use crate::conformance::transfer;

    fn run(behaviour: transfer::JobBehaviour) {
        runtime().block_on(async {
            let ((from, _from), (to, _to)) = (opened().await, opened().await);
            behaviour(&from, &to).await;
        });
    }

    crate::transfer_tests!(run);
    crate::job_transfer_tests!(run);
}

mod moves_from_sqlite {
    use super::*;
    use crate::conformance::transfer;

    fn run(behaviour: transfer::JobBehaviour) {
        runtime().block_on(async {
            let (_dir, from) = sqlite();
            let (to, _database) = opened().await;
            behaviour(&from, &to).await;
        });
    }

    crate::transfer_tests!(run);
    crate::job_transfer_tests!(run);
}

mod moves_to_sqlite {
    use super::*;
    use crate::conformance::transfer;

    fn run(behaviour: transfer::JobBehaviour) {
        runtime().block_on(async {
            let (from, _database) = opened().await;
            let (_dir, to) = sqlite();
            behaviour(&from, &to).await;
        });
    }

    crate::transfer_tests!(run);
    crate::job_transfer_tests!(run);
}

mod conforms_behind_faults {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            let (store, _database) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
            let (store, _database) = opened().await;
            behaviour(&Accompanied::new(Patient(losing_answers(store)))).await;
        });
    }

    crate::conformance_tests!(run);
}

mod ledger_conforms {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            behaviour(&store).await;
        });
    }

    crate::ledger_tests!(run);
    crate::racing_ledger_tests!(run);
}

mod ledger_conforms_with_two_hubs {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, database) = opened().await;
            let other = PostgresStore::open(&options(&database)).await.unwrap();
            behaviour(&Alternating::new([store, other])).await;
        });
    }

    crate::ledger_tests!(run);
    crate::racing_ledger_tests!(run);
}

mod ledger_conforms_behind_faults {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _database) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            let (store, _database) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
        });
    }

    crate::ledger_tests!(run);
}
