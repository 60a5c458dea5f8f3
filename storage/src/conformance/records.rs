//! Records by key.

use syncline_protocol::ids::{FieldName, Seq, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::limits::Limits;
use syncline_protocol::record::{Field, Record};

use super::space::{Space, key, stamp, titled, tombstone};
use crate::Store;

/// Commits a record at seq 1 and reads it back, whole.
async fn round_trips(store: &dyn Store, record: Record) {
    let mut space = Space::open(store).await;
    let expected = Record {
        seq: Seq(1),
        ..record.clone()
    };
    space
        .accept(space.draft(vec![(key("tasks", "a"), record)]))
        .await;
    assert_eq!(space.record(&key("tasks", "a")).await, Some(expected));
}

/// A dead record keeps the fields newer than its delete, and all of its bookkeeping.
pub async fn records_round_trip_with_hidden_fields(store: &dyn Store) {
    let hidden = Field {
        name: FieldName::trusted("title"),
        value: Json::trusted("null"),
        stamp: stamp(9, 3),
        seq: Seq(1),
    };
    let record = Record {
        inserted: Some(stamp(1, 1)),
        deleted: Some(stamp(5, 2)),
        fields: vec![hidden],
        seq: Seq(1),
        by: WriterNo(u32::MAX),
        inserted_seq: Seq(0),
        deleted_seq: Seq(u64::MAX >> 1),
    };
    round_trips(store, record).await;
}

/// Beyond the basic plane, combining, right to left.
pub async fn unicode_round_trips(store: &dyn Store) {
    round_trips(store, titled("e\u{301} 👩‍👩‍👧 שלום \u{feff}", 1)).await;
}

/// 256 KiB.
pub async fn a_record_at_the_size_limit_round_trips(store: &dyn Store) {
    let mut record = titled("", 1);
    let room = Limits::DEFAULT.record_bytes_max - record.size_bytes();
    record.fields[0].value = Json::trusted(&format!("\"{}\"", "x".repeat(room)));
    assert_eq!(record.size_bytes(), Limits::DEFAULT.record_bytes_max);
    round_trips(store, record).await;
}

/// Never stored.
pub async fn an_unknown_record_is_none(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    assert_eq!(space.record(&key("tasks", "b")).await, None);
    assert_eq!(space.record(&key("other", "a")).await, None);
}

/// Unknown ones between known ones, and one asked twice.
pub async fn records_are_answered_in_the_order_asked(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a"), ("tasks", "b")]).await;
    let asked = ["b", "none", "a", "b"].map(|id| key("tasks", id));
    let read = store
        .records(&space.key, &asked, usize::MAX)
        .await
        .expect("records are read");
    let titles = read.records.iter().map(|record| {
        let field = record.as_ref()?.field("title")?;
        Some(field.value.as_str())
    });
    assert_eq!(read.view, space.view);
    assert_eq!(
        titles.collect::<Vec<_>>(),
        [Some("\"b\""), None, Some("\"a\""), Some("\"b\"")]
    );
}

/// The last commit's state, and nothing of the one before.
pub async fn a_changed_record_replaces_the_old(store: &dyn Store) {
    let mut space = Space::open(store).await;
    space.put(&[("tasks", "a")]).await;
    let changed = titled("other", 2);
    space
        .accept(space.draft(vec![(key("tasks", "a"), changed.clone())]))
        .await;
    let expected = Record {
        seq: Seq(2),
        ..changed
    };
    assert_eq!(space.record(&key("tasks", "a")).await, Some(expected));
}

/// A merge needs the tombstone.
pub async fn a_dead_record_is_read(store: &dyn Store) {
    round_trips(store, tombstone(1)).await;
}

/// No folding of case, accents or white space.
pub async fn names_are_compared_by_bytes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let ids = ["a", "A", "é", "e\u{301}", "a ", "ß", "ss"];
    space.put(&ids.map(|id| ("tasks", id))).await;
    for id in ids {
        let read = space.record(&key("tasks", id)).await.expect("it is there");
        assert_eq!(
            read.field("title").map(|f| f.value.as_str()),
            Some(&*format!("\"{id}\""))
        );
    }
}

/// What a caller can hold; at least one, or it would never have all.
pub async fn records_are_read_up_to_some_bytes(store: &dyn Store) {
    let mut space = Space::open(store).await;
    let long = "x".repeat(1_000);
    let ids = ["a", "b", "c"];
    let records = ids.map(|id| (key("t", id), titled(&long, 0)));
    space.accept(space.draft(records.to_vec())).await;
    let asked = ["none", "a", "b", "c"].map(|id| key("t", id));
    let read = async |from: usize, bytes_max| {
        let read = store.records(&space.key, &asked[from..], bytes_max).await;
        let records = read.expect("records are read").records;
        records.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 10).await, [false]);
    assert_eq!(read(1, 10).await, [true]);
    assert_eq!(read(0, 2_500).await, [false, true, true]);
    assert_eq!(read(0, 9_000).await, [false, true, true, true]);
}
