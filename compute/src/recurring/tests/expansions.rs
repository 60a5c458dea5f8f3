//! What expansions of jobs may take: steps.

use super::*;

/// Where nothing is in the window, whether anything comes later is a second expansion.
#[tokio::test]
async fn all_that_a_job_expands_is_counted_together() {
    let mut space = Space::open().await;
    let args = json!({"do": "occurrences", "into": "occurrences", "days": 7});
    let Ok(RecurringArgs::Occurrences(args)) = args::read(&args) else {
        panic!("they are of occurrences");
    };
    let mut spent = Vec::new();
    for rule in ["FREQ=YEARLY", "FREQ=YEARLY;UNTIL=20400101"] {
        let id = format!("e{}", spent.len());
        let data = json!({"startsAt": "2026-07-01T08:00:00.000Z", "repeat": rule});
        space.insert("events", &id, data).await;
        let key = RecordKey {
            table: TableName::trusted("events"),
            id: RecordId::trusted(&id),
        };
        let seen = Seen {
            event: space.record(&key).await,
            key,
            now_ms: NOW,
            changes_max: CHANGES_MAX,
        };
        let mut work = Work::default();
        let difference = Difference::of(&seen, &args, &mut work);
        assert!(difference.goes_on());
        spent.push(work.spent());
    }
    assert!(spent[1] > spent[0], "{spent:?}");
}
