//! The engine's tests on a real server, each on a keyspace of its own: the conformance suite,
//! plain, with two hubs and behind faults, and what is Cassandra's own.

mod bounded;
mod busy;
mod contention;
mod costs;
mod exports;
mod failures;
mod holds;
mod homes;
mod imports;
mod jobs;
mod kept;
mod ledger;
mod levels;
mod limits;
mod migrations;
mod moving;
mod overdue;
mod quiet;
mod shaken;
mod timeouts;
mod unused;
mod way;

#[path = "../../../tests/services/cassandra.rs"]
pub(crate) mod server;

/// Where the server's tests find how a script is run.
pub(crate) use crate::postgres::tests::server::script;

use std::sync::{LazyLock, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

use self::server::Server;
use super::server::tests::Told;
use super::{CassandraOptions, CassandraStore};
use crate::conformance::{Alternating, Behaviour, FAULTS, Patient, losing_answers, seed_of_test};
use crate::faulty::FaultyStore;
use crate::sqlite::{SqliteOptions, SqliteStore};

/// One for all: a connected store is used by many tests, and lives as long as its runtime.
pub(crate) fn runtime() -> &'static Runtime {
    static SHARED: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    });
    &SHARED
}

/// A keyspace and what two hubs have open of it.
struct Keyspace {
    url: String,
    store: CassandraStore,
    /// Opened by the first who asks.
    other: OnceCell<CassandraStore>,
}

/// Keyspaces that nobody uses now.
static FREE: Mutex<Vec<Keyspace>> = Mutex::new(Vec::new());

/// An empty keyspace, which goes back to the others last.
struct Lent(Option<Keyspace>);

impl Lent {
    fn keyspace(&self) -> &Keyspace {
        self.0.as_ref().expect("it is there until it is dropped")
    }

    fn store(&self) -> CassandraStore {
        self.keyspace().store.clone()
    }

    /// Another hub's.
    async fn other(&self) -> CassandraStore {
        let Keyspace { url, other, .. } = self.keyspace();
        let open = async || CassandraStore::open(&options(url)).await.unwrap();
        other.get_or_init(open).await.clone()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // What a failed test left may still be at work in it.
        if let Some(keyspace) = self.0.take().filter(|_| !std::thread::panicking()) {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(keyspace);
        }
    }
}

fn options(url: &str) -> CassandraOptions {
    CassandraOptions::parse(url).unwrap()
}

/// A store in an empty keyspace. Defining the tables takes a second, removing what a test left
/// some milliseconds.
async fn opened() -> (CassandraStore, Lent) {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let keyspace = match free {
        Some(keyspace) => {
            keyspace.store.server.empty().await;
            keyspace
        }
        None => {
            let url = Server::shared().new_keyspace();
            let store = CassandraStore::open(&options(&url)).await.unwrap();
            let other = OnceCell::new();
            Keyspace { url, store, other }
        }
    };
    let lent = Lent(Some(keyspace));
    (lent.store(), lent)
}

/// A store of another engine, in a directory that goes with it.
fn sqlite() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db")));
    (dir, store.unwrap())
}

mod conforms {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
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
            let (store, lent) = opened().await;
            let other = lent.other().await;
            behaviour(&Alternating::new([store, other])).await;
        });
    }

    crate::conformance_tests!(run);
    crate::racing_tests!(run);
}

mod conforms_when_told_how_records_stood {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
            store.server.tell(Told::Right);
            behaviour(&store).await;
        });
    }

    crate::conformance_tests!(run);
    crate::racing_tests!(run);
}

mod conforms_when_told_wrongly_how_records_stood {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
            store.server.tell(Told::Wrong);
            behaviour(&store).await;
        });
    }

    crate::conformance_tests!(run);
}

mod conforms_behind_faults {
    use super::*;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, lent) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            drop(lent);
            let (store, _lent) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
        });
    }

    crate::conformance_tests!(run);
}

mod jobs_conform {
    use super::*;
    use crate::conformance::jobs::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
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
            let (store, lent) = opened().await;
            let other = lent.other().await;
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
            let (store, lent) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            drop(lent);
            let (store, _lent) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
        });
    }

    crate::jobs_tests!(run);
}

mod moves_to_another_keyspace {
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
            let (to, _lent) = opened().await;
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
            let (from, _lent) = opened().await;
            let (_dir, to) = sqlite();
            behaviour(&from, &to).await;
        });
    }

    crate::transfer_tests!(run);
    crate::job_transfer_tests!(run);
}

mod ledger_conforms {
    use super::*;
    use crate::conformance::ledger::Behaviour;

    fn run(behaviour: Behaviour) {
        runtime().block_on(async {
            let (store, _lent) = opened().await;
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
            let (store, lent) = opened().await;
            let other = lent.other().await;
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
            let (store, lent) = opened().await;
            let store = FaultyStore::seeded(store, seed_of_test(), FAULTS);
            behaviour(&Patient(store)).await;
            drop(lent);
            let (store, _lent) = opened().await;
            behaviour(&Patient(losing_answers(store))).await;
        });
    }

    crate::ledger_tests!(run);
}
