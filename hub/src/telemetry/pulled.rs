//! Metrics that are read where they are kept, when somebody looks.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use prometheus::{Error, PullingGauge};
use syncline_storage::cassandra::{AttemptTotals, CassandraStore};
use syncline_storage::group::{Buckets, GroupCommit};

use super::{Metrics, logs};
use crate::session::cache::NodeCache;

const CACHE_ENTRIES: (&str, &str) = ("syncline_cache_entries", "Records in the node's cache.");
const CACHE_BYTES: (&str, &str) = (
    "syncline_cache_bytes",
    "Bytes of records in the node's cache, by estimate.",
);
const LOG_LINES_DROPPED: (&str, &str) = (
    "syncline_log_lines_dropped",
    "Lines of the log that were not written since the start, since nobody took those before.",
);
const OUTBOX_BYTES: (&str, &str) = (
    "syncline_outbox_bytes",
    "Bytes of messages that wait for devices to take them, of all sockets.",
);
const BUS_CONNECTED: (&str, &str) = (
    "syncline_bus_connected",
    "1 while all connections to NATS are there. Not shown without NATS.",
);
const NODES: (&str, &str) = (
    "syncline_nodes",
    "Nodes that this one knows to be there, itself included.",
);
const NODES_SHARING_NAME: (&str, &str) = (
    "syncline_nodes_sharing_name",
    "Nodes with the name of another one that is there: a mistake in their config.",
);
const CASSANDRA_COMMITS: (&str, &str) = (
    "syncline_cassandra_commits",
    "Commits that Cassandra was asked for since the start.",
);
const CASSANDRA_COMMIT_BATCHES: (&str, &str) = (
    "syncline_cassandra_commit_batches",
    "Conditional batches for these commits since the start: one each, and more where somebody else \
     was faster.",
);
const CASSANDRA_BATCHES: (&str, &str) = (
    "syncline_cassandra_batches",
    "All conditional batches since the start, those of jobs, collections and erasures among them.",
);
const GROUP_SIZE: (&str, &str) = (
    "syncline_commit_group_size",
    "Commits in one transaction of the store.",
);

/// Shows the node's cache. Errors: it is shown already.
pub fn show_cache(metrics: &Metrics, cache: &NodeCache) -> Result<(), Error> {
    let (entries, bytes) = (cache.clone(), cache.clone());
    metrics.show(gauge(CACHE_ENTRIES, move || entries.usage().0)?)?;
    metrics.show(gauge(CACHE_BYTES, move || bytes.usage().1)?)
}

/// Shows what the log lacks. Errors: it is shown already.
pub fn show_log(metrics: &Metrics) -> Result<(), Error> {
    metrics.show(gauge(LOG_LINES_DROPPED, logs::dropped)?)
}

/// Shows what waits for devices. Errors: it is shown already.
pub fn show_outboxes(
    metrics: &Metrics,
    held: impl Fn() -> u64 + Send + Sync + 'static,
) -> Result<(), Error> {
    metrics.show(gauge(OUTBOX_BYTES, held)?)
}

/// Shows whether the bus is there. Errors: it is shown already.
pub fn show_bus(
    metrics: &Metrics,
    is_there: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<(), Error> {
    metrics.show(gauge(BUS_CONNECTED, move || u64::from(is_there()))?)
}

/// Shows how many nodes are there, and how many of them have another's name. Errors: it is shown
/// already.
pub fn show_nodes(
    metrics: &Metrics,
    counts: impl Fn() -> (usize, usize) + Clone + Send + Sync + 'static,
) -> Result<(), Error> {
    let all = counts.clone();
    metrics.show(gauge(NODES, move || all().0 as u64)?)?;
    metrics.show(gauge(NODES_SHARING_NAME, move || counts().1 as u64)?)
}

/// Shows how often Cassandra is asked for what it takes once. Errors: it is shown already.
pub fn show_cassandra(metrics: &Metrics, store: &Arc<CassandraStore>) -> Result<(), Error> {
    let totals = |read: fn(AttemptTotals) -> u64| {
        let store = store.clone();
        move || read(store.attempts().totals())
    };
    let commits = totals(|totals| totals.commits);
    metrics.show(gauge(CASSANDRA_COMMITS, commits)?)?;
    let commit_batches = totals(|totals| totals.commit_batches);
    metrics.show(gauge(CASSANDRA_COMMIT_BATCHES, commit_batches)?)?;
    let batches = totals(|totals| totals.batches);
    metrics.show(gauge(CASSANDRA_BATCHES, batches)?)
}

/// Shows how commits are grouped. Errors: it is shown already.
pub fn show_groups(metrics: &Metrics, group: GroupCommit) -> Result<(), Error> {
    let (name, help) = GROUP_SIZE;
    let desc = Desc::new(name.into(), help.into(), Vec::new(), Default::default())?;
    metrics.show(Box::new(GroupSizes { group, desc }))
}

/// A gauge that is read when somebody looks.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
pub(crate) fn gauge(
    (name, help): (&str, &str),
    read: impl Fn() -> u64 + Send + Sync + 'static,
) -> Result<Box<dyn Collector>, Error> {
    Ok(Box::new(PullingGauge::new(
        name,
        help,
        Box::new(move || read() as f64),
    )?))
}

struct GroupSizes {
    group: GroupCommit,
    desc: Desc,
}

impl Collector for GroupSizes {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut metric = Metric::default();
        metric.set_histogram(histogram(&self.group.stats().totals().sizes));
        let mut family = MetricFamily::default();
        family.set_name(GROUP_SIZE.0.into());
        family.set_help(GROUP_SIZE.1.into());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        vec![family]
    }
}

/// Powers of two up to 4,096, the most a group may hold and beyond.
const GROUP_BUCKETS: usize = 13;

#[expect(clippy::cast_precision_loss, reason = "a histogram is of doubles")]
fn histogram(sizes: &Buckets) -> Histogram {
    let mut cumulative = 0;
    let buckets = sizes
        .counts
        .iter()
        .take(GROUP_BUCKETS)
        .enumerate()
        .map(|(at, count)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound((1u64 << at) as f64);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(sizes.counts.iter().sum());
    histogram.set_sample_sum(sizes.sum as f64);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_shown_as_it_is() {
        let metrics = Metrics::new();
        show_cache(&metrics, &NodeCache::new(1 << 20)).unwrap();
        assert!(metrics.render().contains("\nsyncline_cache_entries 0\n"));
        assert!(show_cache(&metrics, &NodeCache::new(1)).is_err());
    }

    #[test]
    fn group_sizes_are_cumulative() {
        let mut sizes = Buckets::default();
        (sizes.counts[0], sizes.counts[2], sizes.sum) = (3, 2, 11);
        let shown = histogram(&sizes);
        let counts: Vec<u64> = shown
            .get_bucket()
            .iter()
            .map(|bucket| bucket.cumulative_count())
            .collect();
        assert_eq!(counts[..4], [3, 3, 5, 5]);
        assert_eq!(
            (shown.get_sample_count(), shown.get_sample_sum()),
            (5, 11.0)
        );
    }
}
