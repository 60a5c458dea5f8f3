//! The engine's tests, each on a database of its own of a real server: the conformance suite,
//! plain and behind faults, and what is Postgres's own.

mod costs;
mod failures;
mod migrations;
mod proxy;
mod values;

#[path = "../../../tests/services/postgres.rs"]
mod server;

use tokio::runtime::{Builder, Runtime};

use self::server::{Database, Server};
use super::{PostgresOptions, PostgresStore};
use crate::conformance::{Alternating, Behaviour, Patient};
use crate::faulty::{FaultRates, FaultyStore};

fn runtime() -> Runtime {
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

mod conforms_behind_faults {
    use super::*;

    const SEED: u64 = 7;

    const RATES: FaultRates = FaultRates {
        refused: 150,
        answer_lost: 150,
    };

    fn run(behaviour: Behaviour) {
        println!("seed {SEED}");
        runtime().block_on(async {
            let (store, _database) = opened().await;
            behaviour(&Patient(FaultyStore::seeded(store, SEED, RATES))).await;
        });
    }

    crate::conformance_tests!(run);
}
