//! Jobs that came due while nobody claimed.

use super::super::jobs::leave_deletions;
use super::busy::{claim, put};
use super::server::Server;
use super::{CassandraStore, options, runtime};
use crate::JobStore;
use crate::conformance::jobs::desk::webhook;
use crate::conformance::space::{NOW, space_key};
use crate::jobs::Claim;

const HOUR_MS: u64 = 3_600_000;

/// More went before it and after it than the server steps over, and nobody opens its space.
#[test]
fn a_job_that_came_due_hours_ago_is_found_past_deletions_by_who_looks_for_the_first_time() {
    runtime().block_on(async {
        let options = options(&Server::shared().new_keyspace());
        let store = CassandraStore::open(&options).await.unwrap();
        let space = space_key("todo", "ada");
        put(&store, "ada", "a", NOW).await;
        for from_ms in [NOW - 3_000, NOW + HOUR_MS] {
            let went = (&space, from_ms, 2_100);
            leave_deletions(&store.server, &webhook(), went).await;
        }
        let after_hours = Claim {
            now_ms: NOW + 5 * HOUR_MS,
            ..claim(9)
        };
        let fresh = CassandraStore::open(&options).await.unwrap();
        let leased = fresh.claim(&after_hours).await.unwrap();
        assert_eq!(leased.len(), 1);
        assert_eq!(fresh.claim(&after_hours).await, Ok(Vec::new()));
        // Where nothing was is not looked at again.
        let [before, _] = fresh.server.counted.statements();
        assert_eq!(fresh.claim(&after_hours).await, Ok(Vec::new()));
        let [after, _] = fresh.server.counted.statements();
        assert_eq!(after - before, 8, "each part of turns once");
    });
}
