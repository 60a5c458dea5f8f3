//! The kinds of metric: thin types over `prometheus` that make themselves and take their labels
//! as enums, so that counting is an array index and an atomic add.

use std::fmt;
use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::{Error, Registry};
use prometheus::{Histogram, HistogramOpts, HistogramVec};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use super::labels::Label;

/// A metric that can be made from its name and help.
pub trait Instrument: Sized {
    /// Makes it and shows it in `registry`. Errors: a bad or repeated name.
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error>;
}

fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> Result<M, Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

impl Instrument for IntGauge {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        register(registry, IntGauge::new(name, help)?)
    }
}

impl Instrument for IntCounter {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        register(registry, IntCounter::new(name, help)?)
    }
}

/// Durations in seconds, from 0.25 ms to 8 s in steps of two.
#[derive(Clone, Debug)]
pub struct Seconds(Histogram);

impl Seconds {
    /// Counts one duration.
    pub fn observe(&self, took: std::time::Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

impl Instrument for Seconds {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        let buckets = prometheus::exponential_buckets(0.000_25, 2.0, 16)?;
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        Ok(Seconds(register(registry, Histogram::with_opts(opts)?)?))
    }
}

/// Durations in seconds, from 1 ms to 65 s in steps of two, for each value of a label.
pub struct SecondsBy<L> {
    each: Vec<Histogram>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> SecondsBy<L> {
    /// Counts one duration.
    pub fn observe(&self, value: L, took: std::time::Duration) {
        self.each[index(value)].observe(took.as_secs_f64());
    }

    /// How many so far.
    pub fn count(&self, value: L) -> u64 {
        self.each[index(value)].get_sample_count()
    }
}

impl<L: Label> Instrument for SecondsBy<L> {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        let buckets = prometheus::exponential_buckets(0.001, 2.0, 17)?;
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        let all = register(registry, HistogramVec::new(opts, &[L::NAME])?)?;
        let each = L::ALL
            .iter()
            .map(|value| all.with_label_values(&[value.as_str()]));
        Ok(SecondsBy {
            each: each.collect(),
            label: PhantomData,
        })
    }
}

impl<L> fmt::Debug for SecondsBy<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.each).finish()
    }
}

/// How many tries something took.
#[derive(Clone, Debug)]
pub struct Attempts(Histogram);

impl Attempts {
    /// Counts one that took so many.
    pub fn observe(&self, attempts: u32) {
        self.0.observe(f64::from(attempts));
    }
}

impl Instrument for Attempts {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        let buckets = vec![1.0, 2.0, 3.0, 5.0, 10.0, 20.0];
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        Ok(Attempts(register(registry, Histogram::with_opts(opts)?)?))
    }
}

/// A counter for each value of a label.
pub struct Counters<L> {
    each: Vec<IntCounter>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Counters<L> {
    /// Counts one.
    pub fn inc(&self, value: L) {
        self.add(value, 1);
    }

    /// Counts many.
    pub fn add(&self, value: L, by: u64) {
        self.each[index(value)].inc_by(by);
    }

    /// How many so far.
    pub fn get(&self, value: L) -> u64 {
        self.each[index(value)].get()
    }
}

impl<L: Label> Instrument for Counters<L> {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        let opts = Opts::new(name, help);
        let all = register(registry, IntCounterVec::new(opts, &[L::NAME])?)?;
        let each = L::ALL
            .iter()
            .map(|value| all.with_label_values(&[value.as_str()]));
        Ok(Counters {
            each: each.collect(),
            label: PhantomData,
        })
    }
}

impl<L> fmt::Debug for Counters<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.each).finish()
    }
}

/// A counter for each pair of values of two labels. Pairs never counted are not shown.
pub struct PairCounters<A, B> {
    all: IntCounterVec,
    labels: PhantomData<fn(A, B)>,
}

impl<A: Label, B: Label> PairCounters<A, B> {
    /// Counts one.
    pub fn inc(&self, a: A, b: B) {
        self.all.with_label_values(&[a.as_str(), b.as_str()]).inc();
    }

    /// How many so far.
    pub fn get(&self, a: A, b: B) -> u64 {
        self.all.with_label_values(&[a.as_str(), b.as_str()]).get()
    }
}

impl<A: Label, B: Label> Instrument for PairCounters<A, B> {
    fn create(registry: &Registry, name: &str, help: &str) -> Result<Self, Error> {
        let opts = Opts::new(name, help);
        let all = IntCounterVec::new(opts, &[A::NAME, B::NAME])?;
        Ok(PairCounters {
            all: register(registry, all)?,
            labels: PhantomData,
        })
    }
}

impl<A, B> fmt::Debug for PairCounters<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

fn index<L: Label>(value: L) -> usize {
    let at = L::ALL.iter().position(|one| *one == value);
    at.expect("ALL holds every value")
}
