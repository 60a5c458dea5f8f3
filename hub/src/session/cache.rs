//! The node-wide cache of records, and the rule that makes it safe.
//!
//! A record may be merged onto only if it is proven current at the head the commit expects.
//! Entries carry the session's activation: a number never used twice on a node, taken anew
//! whenever the session cannot prove its view continuous (start, another epoch). A session that
//! sleeps keeps it, since its view does.
//! So old entries are orphans, not traps. Only the session's own state fills the cache, with
//! what it committed, applied in order, or read at its own head.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use syncline_protocol::ids::RecordKey;
use syncline_protocol::record::Record;

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
    fn put(&self, activation: Activation, key: RecordKey, known: Known);
}

/// Bytes an entry costs besides names and values: map node, key, counters.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// Bytes a field costs besides name and value.
const FIELD_OVERHEAD_BYTES: usize = 88;

/// The cache of a node: moka, weighed in bytes. Clones share it.
#[derive(Clone)]
pub struct NodeCache(Cache<(Activation, RecordKey), Known>);

impl NodeCache {
    /// A cache of at most so many bytes, by estimate.
    pub fn new(bytes_max: u64) -> NodeCache {
        NodeCache(
            Cache::builder()
                .max_capacity(bytes_max)
                .weigher(weigh)
                .build(),
        )
    }

    /// Entries and bytes now; does the cache's delayed housekeeping first.
    pub fn usage(&self) -> (u64, u64) {
        self.0.run_pending_tasks();
        (self.0.entry_count(), self.0.weighted_size())
    }
}

impl RecordCache for NodeCache {
    fn get(&self, activation: Activation, key: &RecordKey) -> Option<Known> {
        self.0.get(&(activation, key.clone()))
    }

    fn put(&self, activation: Activation, key: RecordKey, known: Known) {
        self.0.insert((activation, key), known);
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

fn weigh((_, key): &(Activation, RecordKey), known: &Known) -> u32 {
    let names = key.table.as_str().len() + key.id.as_str().len();
    let record = known_bytes(known);
    u32::try_from(ENTRY_OVERHEAD_BYTES + names + record).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncline_protocol::ids::{FieldName, RecordId, Seq, TableName};
    use syncline_protocol::json::Json;
    use syncline_protocol::record::Field;
    use syncline_protocol::stamp::Stamp;

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
        cache.put(old, key("a"), record(1));
        assert!(cache.get(old, &key("a")).is_some());
        assert_eq!(cache.get(new, &key("a")), None);
    }

    #[test]
    fn known_absence_is_knowledge() {
        let (cache, activation) = (NodeCache::new(1 << 20), Activations::default().next());
        cache.put(activation, key("a"), None);
        assert_eq!(cache.get(activation, &key("a")), Some(None));
    }

    #[test]
    fn the_cache_holds_its_bytes() {
        let (cache, activation) = (NodeCache::new(64 << 10), Activations::default().next());
        for i in 0..200 {
            cache.put(activation, key(&i.to_string()), record(4 << 10));
        }
        let (entries, bytes) = cache.usage();
        assert!(bytes <= 64 << 10, "{bytes}");
        assert!((1..=16).contains(&entries), "{entries}");
    }
}
