//! The suite on a server that stands still, ends and starts again while a behaviour runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::server::Server;
use super::{CassandraStore, options, runtime};
use crate::Store;
use crate::conformance::space::space_key;
use crate::conformance::{Behaviour, Patient, UNHURRIED, Unhurried};
use crate::faulty::Prng;

/// Every behaviour of one caller, with the group it is of.
const BEHAVIOURS: &[(&str, &str, Behaviour)] = crate::conformance_tests! { @list @behaviours };

/// Those that write most, and the group of those whose claim is what a call counts. Of a collection that was
/// done and not told the next one finds nothing left: so beside them no answer is lost.
const GROUPS: [&str; 3] = ["commits", "marks", COUNTING];
const COUNTING: &str = "retention";

/// Its claim is that the store stays unavailable, which a patient caller waits for.
const LEFT_OUT: &str = "collecting_needs_an_opened_space";

/// How long an answer is waited for, less than the server stands still at times.
const SHORT: Duration = Duration::from_millis(700);

/// What happens beside every fourth behaviour, in this order and again from the beginning.
const FAULTS: [Fault; 6] = [
    Fault::Pause(300),
    Fault::Pause(1_000),
    Fault::Crash,
    Fault::Pause(1_000),
    Fault::Pause(300),
    Fault::Pause(1_000),
];
const EACH: usize = 4;

/// The first milliseconds of a behaviour, in which a fault begins.
const BEGINS_WITHIN_MS: u64 = 40;

/// The driver connects again by itself, after some while.
const HUNG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// For so many milliseconds.
    Pause(u64),
    Crash,
}

async fn shake(server: &Arc<Server>, fault: Fault) {
    let tell = async |command: &'static str| {
        let server = server.clone();
        let told = tokio::task::spawn_blocking(move || server.tell(command));
        told.await.expect("it is done");
    };
    match fault {
        Fault::Pause(ms) => {
            tell("pause").await;
            sleep(Duration::from_millis(ms)).await;
            tell("resume").await;
        }
        Fault::Crash => {
            tell("crash").await;
            tell("start").await;
        }
    }
}

async fn until_answered(store: &CassandraStore) {
    let asking = async {
        while store.space(&space_key("todo", "ada")).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HUNG, asking).await.expect("it does not answer");
}

/// Whatever a call is told, the state is as if nothing had happened.
#[test]
fn commits_marks_and_collections_conform_while_the_server_stands_still_and_ends() {
    let server = Arc::new(Server::start(&["commitlog_sync=batch"]));
    runtime().block_on(async {
        let options = options(&server.new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let unhurried = Arc::new(Unhurried {
            pause: Duration::from_millis(400),
            asked_again: AtomicUsize::new(0),
        });
        let behaviours = BEHAVIOURS
            .iter()
            .filter(|(group, name, _)| GROUPS.contains(group) && *name != LEFT_OUT);
        let mut random = Prng::new(17);
        for (n, (group, name, behaviour)) in behaviours.enumerate() {
            store.server.empty().await;
            let is_counting = *group == COUNTING;
            let fault = (n % EACH == 0).then(|| match FAULTS[n / EACH % FAULTS.len()] {
                Fault::Crash if is_counting => Fault::Pause(1_000),
                fault => fault,
            });
            let begins_ms = random.below(BEGINS_WITHIN_MS);
            if let Some(fault) = fault {
                println!("{group}: {name}, {fault:?} after {begins_ms} ms");
            }
            let shaking = async {
                if let Some(fault) = fault {
                    sleep(Duration::from_millis(begins_ms)).await;
                    shake(&server, fault).await;
                }
            };
            let waits = if is_counting { HUNG } else { SHORT };
            store.server.wait_for_answers(waits);
            let patient = Patient(store.clone());
            let running = UNHURRIED.scope(unhurried.clone(), behaviour(&patient));
            tokio::join!(running, shaking);
            store.server.wait_for_answers(HUNG);
            until_answered(&store).await;
        }
        let asked_again = unhurried.asked_again.load(Ordering::Relaxed);
        assert!(asked_again > 0, "nothing was in anybody's way");
    });
}
