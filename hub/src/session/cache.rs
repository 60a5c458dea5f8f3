//! The node-wide cache of records, and the rule that makes it safe.
//!
//! A record may be merged onto only if it is proven current at the head the commit expects.
//! Entries carry the session's activation: a number never used twice on a node, taken anew
//! whenever the session cannot prove its view continuous (start, another epoch). A session that
//! sleeps keeps it, since its view does.
//! So old entries are orphans, not traps. Only the session's own state fills the cache, with
//! what it committed, applied in order, or read at its own head.

mod records;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use syncline_protocol::ids::RecordKey;
use syncline_protocol::record::Record;

use self::records::SpaceRecords;

/// What is known of a record: its state, or that there is none.
pub type Known = Option<Arc<Record>>;

/// A stretch of a session during which its view was continuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Activation(u64);

/// Gives activations. Clones share the count; one per node.
#[derive(Clone, Debug, Default)]
pub struct Activations(Arc<AtomicU64>);

impl Activations {
    /// One never given before.
    pub fn next(&self) -> Activation {
        Activation(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Records by activation. It may forget any entry at any moment.
pub trait RecordCache: Send + Sync {
    /// What is known, if it was not forgotten.
    fn get(&self, activation: Activation, key: &RecordKey) -> Option<Known>;

    /// Notes what is known.
    fn put(&self, activation: Activation, known: &mut dyn Iterator<Item = (&RecordKey, Known)>);
}

/// Bytes a field costs besides name and value.
const FIELD_OVERHEAD_BYTES: usize = 88;

/// Bytes the records of a space cost besides the records: moka's entry and the empty table.
const SPACE_OVERHEAD_BYTES: usize = 640;

/// One space may have this part of the cache.
const SPACE_PART: u64 = 4;

/// The cache of a node: moka, weighed in bytes, holds and forgets the records of a space as a
/// whole; a space with more than its part forgets some of its own. Clones share it.
#[derive(Clone)]
pub struct NodeCache {
    spaces: Cache<Activation, Arc<SpaceRecords>>,
    space_bytes_max: usize,
    records: Arc<AtomicU64>,
}

impl NodeCache {
    /// A cache of at most so many bytes, by estimate.
    pub fn new(bytes_max: u64) -> NodeCache {
        NodeCache {
            spaces: Cache::builder()
                .max_capacity(bytes_max)
                .weigher(weigh)
                .build(),
            space_bytes_max: usize::try_from(bytes_max / SPACE_PART).unwrap_or(usize::MAX),
            records: Arc::default(),
        }
    }

    /// Records and bytes now; does the cache's delayed housekeeping first.
    pub fn usage(&self) -> (u64, u64) {
        self.spaces.run_pending_tasks();
        let records = self.records.load(Ordering::Relaxed);
        (records, self.spaces.weighted_size())
    }

    fn space(&self, activation: Activation) -> Arc<SpaceRecords> {
        let known = self.spaces.get(&activation);
        known.unwrap_or_else(|| Arc::new(SpaceRecords::new(self.records.clone())))
    }
}

impl RecordCache for NodeCache {
    fn get(&self, activation: Activation, key: &RecordKey) -> Option<Known> {
        self.spaces.get(&activation)?.get(key)
    }

    fn put(&self, activation: Activation, known: &mut dyn Iterator<Item = (&RecordKey, Known)>) {
        let space = self.space(activation);
        for (key, known) in known {
            space.put(key, &known, self.space_bytes_max);
        }
        // Also of one that is there: it is weighed when it is put.
        self.spaces.insert(activation, space);
    }
}

impl fmt::Debug for NodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCache")
            .field("usage", &self.usage())
            .finish()
    }
}

/// Bytes a record takes in memory, by estimate; none if there is none.
pub(super) fn known_bytes(known: &Known) -> usize {
    known.as_ref().map_or(0, |r| {
        r.size_bytes() + r.fields.len() * FIELD_OVERHEAD_BYTES
    })
}

fn weigh(_: &Activation, space: &Arc<SpaceRecords>) -> u32 {
    u32::try_from(SPACE_OVERHEAD_BYTES + space.bytes()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use syncline_protocol::ids::{FieldName, RecordId, Seq, TableName};
    use syncline_protocol::json::Json;
    use syncline_protocol::record::Field;
    use syncline_protocol::stamp::Stamp;

    fn put(cache: &NodeCache, activation: Activation, id: &str, known: Known) {
        cache.put(activation, &mut iter::once((&key(id), known)));
    }

    fn key(id: &str) -> RecordKey {
        RecordKey {
            table: TableName::trusted("t"),
            id: RecordId::trusted(id),
        }
    }

    fn record(bytes: usize) -> Known {
        let value = Json::trusted(&format!("\"{}\"", "x".repeat(bytes)));
        let field = Field {
            name: FieldName::trusted("f"),
            value,
            stamp: Stamp::default(),
            seq: Seq(1),
        };
        Some(Arc::new(Record {
            fields: vec![field],
            ..Record::default()
        }))
    }

    #[test]
    fn an_entry_of_another_activation_is_unknown() {
        let (cache, activations) = (NodeCache::new(1 << 20), Activations::default());
        let (old, new) = (activations.next(), activations.next());
        put(&cache, old, "a", record(1));
        assert!(cache.get(old, &key("a")).is_some());
        assert_eq!(cache.get(new, &key("a")), None);
    }

    #[test]
    fn known_absence_is_knowledge() {
        let (cache, activation) = (NodeCache::new(1 << 20), Activations::default().next());
        put(&cache, activation, "a", None);
        assert_eq!(cache.get(activation, &key("a")), Some(None));
    }

    #[test]
    fn the_cache_holds_its_bytes() {
        let (cache, activations) = (NodeCache::new(64 << 10), Activations::default());
        for i in 0..200 {
            put(&cache, activations.next(), &i.to_string(), record(4 << 10));
        }
        let (records, bytes) = cache.usage();
        assert!(bytes <= 64 << 10, "{bytes}");
        // What moka forgot is counted until it is dropped, a little later.
        assert!((1..100).contains(&records), "{records}");
    }

    #[test]
    fn one_space_has_a_part_of_it_and_others_stay() {
        let (cache, activations) = (NodeCache::new(64 << 10), Activations::default());
        let (large, small) = (activations.next(), activations.next());
        put(&cache, small, "a", record(1));
        for i in 0..200 {
            put(&cache, large, &i.to_string(), record(1 << 10));
        }
        let (records, bytes) = cache.usage();
        assert!((8..=17).contains(&records), "{records}");
        assert!(
            bytes <= (16 << 10) + 2 * SPACE_OVERHEAD_BYTES as u64 + 200,
            "{bytes}"
        );
        assert_eq!(cache.get(small, &key("a")), Some(record(1)));
    }

    #[test]
    fn a_growing_space_is_weighed_again() {
        let (cache, activation) = (NodeCache::new(1 << 20), Activations::default().next());
        put(&cache, activation, "a", record(1 << 10));
        let (_, once) = cache.usage();
        let more = [key("b"), key("c")];
        cache.put(
            activation,
            &mut more.iter().map(|key| (key, record(1 << 10))),
        );
        let (records, bytes) = cache.usage();
        assert_eq!(records, 3);
        assert!(bytes > once + (2 << 10), "{once} {bytes}");
    }

    #[test]
    fn a_cache_of_no_bytes_knows_nothing() {
        let (cache, activation) = (NodeCache::new(0), Activations::default().next());
        put(&cache, activation, "a", record(1));
        assert_eq!(cache.usage(), (0, 0));
        assert_eq!(cache.get(activation, &key("a")), None);
    }
}
