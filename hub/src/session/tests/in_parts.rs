//! Changesets that are merged in parts: what they say is remembered as of one request.

use serde_json::Value;
use syncline_protocol::given::{CLAIMS_KEPT, REQUESTS_KEPT};
use syncline_storage::model::ModelStore;

use super::desk::{Desk, MapCache};
use super::syncing::{SECOND, inserted, many, titled, titled_now};
use crate::session::state::SessionLimits;

/// A queue that is answered late grows with every request; it is merged in parts, and what is new
/// is in the last part or in the first.
#[test]
fn a_queue_that_grows_with_every_request_wins_nothing_again() {
    let limits = SessionLimits {
        commit_bytes_max: 4 << 10,
        ..SessionLimits::default()
    };
    for new in ["k0", "k99"] {
        let mut desk = Desk::on(ModelStore::new(1), limits.clone());
        let inserts: Vec<_> = (0..100)
            .map(|i| inserted(&format!("k{i}"), "a", 0))
            .collect();
        desk.sync("laptop", &inserts);
        let mut queue = many(3_000);
        desk.sync("phone", &queue);
        desk.after(SECOND);
        desk.sync(
            "laptop",
            &[
                titled("k7", "laptop", SECOND),
                titled("k70", "laptop", SECOND),
            ],
        );
        for i in 0..8 {
            desk.after((2 + i) * SECOND);
            queue.push(titled_now(new, &format!("later {i}")));
            desk.cache = MapCache::default();
            let reads = desk.record_reads;
            desk.sync("phone", &queue);
            assert!(desk.record_reads > reads + 100, "it was merged at once");
            assert_eq!(desk.title(new), Some(format!("later {i}")));
        }
        for id in ["k7", "k70"] {
            assert_eq!(desk.title(id).as_deref(), Some("laptop"), "{new}");
        }
    }
}

/// Records that are merged one by one, each with so many claims that they are not remembered for
/// their number.
const ONE_BY_ONE: usize = 10;

/// A request is remembered as long as its client may send it again, in however many parts it is
/// merged, and in whichever of them something is new.
#[test]
fn a_queue_that_is_merged_record_by_record_is_remembered_as_one_request() {
    let limits = SessionLimits {
        commit_bytes_max: 1,
        ..SessionLimits::default()
    };
    let queue: Vec<_> = (0..2 * CLAIMS_KEPT)
        .map(|i| titled_now(&format!("k{}", i % ONE_BY_ONE), &i.to_string()))
        .collect();
    let nothing = || titled("k11", "old", 1);
    let cases = [
        ("in the last part", vec![], vec![titled_now("k10", "new")]),
        ("in the first part", vec![titled_now("k10", "new")], vec![]),
        (
            "in the first part, beside what comes again",
            vec![],
            vec![titled("k0", "new", 2 * SECOND)],
        ),
        (
            "in the first part, with nothing in the second",
            vec![titled_now("k10", "new"), nothing()],
            vec![],
        ),
        (
            "in the first part, and by its time alone in the second",
            vec![titled_now("k10", "new"), titled("k11", "new", 2 * SECOND)],
            vec![],
        ),
        (
            "in the second part, with nothing in the first",
            vec![nothing(), titled_now("k10", "new")],
            vec![],
        ),
    ];
    for (new, before, behind) in cases {
        let mut desk = Desk::on(ModelStore::new(1), limits.clone());
        let inserts: Vec<_> = (0..14)
            .map(|i| inserted(&format!("k{i}"), "a", 0))
            .collect();
        desk.sync("laptop", &inserts);
        desk.sync("phone", &[titled("k12", "b", SECOND)]);
        let in_parts = |desk: &mut Desk, queue: &[Value]| {
            desk.cache = MapCache::default();
            let commits = desk.commits;
            desk.sync("phone", queue);
            desk.commits - commits
        };
        assert_eq!(in_parts(&mut desk, &queue), ONE_BY_ONE);
        let more = [before, queue.clone(), behind].concat();
        assert!(in_parts(&mut desk, &more) > 0, "something was new {new}");
        for i in 1..REQUESTS_KEPT {
            desk.sync("phone", &[titled_now("k13", &i.to_string())]);
        }
        desk.after(10 * SECOND);
        let won: Vec<_> = (1..ONE_BY_ONE)
            .map(|i| titled(&format!("k{i}"), "laptop", 10 * SECOND))
            .collect();
        desk.sync("laptop", &won);
        desk.after(20 * SECOND);
        in_parts(&mut desk, &queue);
        for i in 1..ONE_BY_ONE {
            let title = desk.title(&format!("k{i}"));
            assert_eq!(title.as_deref(), Some("laptop"), "k{i}: new {new}");
        }
    }
}
