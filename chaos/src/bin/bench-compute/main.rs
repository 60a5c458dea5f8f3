//! Measures what follows from changes: `make bench-compute`.
//!
//! Jobs a second ([`jobs`]). The lag of reminders ([`reminders`]). Pushes a second, on a core and to a
//! push service ([`push`]). Expansions of recurrences on one core: typical rules a second, beside
//! the bare `rrule` crate and rrule.js; each reads the text and expands it, every time. Then what
//! the most that a hostile rule may take is in processor time.

#[path = "../../../../tests/services/cassandra.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod cassandra;
mod crate_rrule;
#[path = "../bench-storage/fill.rs"]
#[allow(dead_code, reason = "it is the other program's")]
mod fill;
mod jobs;
mod push;
mod reminders;
mod rrule_js;
mod rules;
#[path = "../../../../tests/services/postgres.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod server;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use syncline_compute::recurrence::{Expand, Work, expand};

use self::server::script;
use rules::{HOSTILE, TYPICAL, Typical};
use syncline_hub::memory::Allocator;

/// The hub's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Expansions,
    Jobs,
    Reminders,
    Push,
}

/// Measures what follows from changes.
#[derive(Debug, Parser)]
struct Args {
    /// Only this.
    #[arg(long)]
    only: Option<Part>,
    #[command(flatten)]
    load: jobs::Load,
    #[command(flatten)]
    reminders: reminders::Reminders,
    #[command(flatten)]
    push: push::Pushes,
    /// Seconds of each measurement on one core.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The script that runs rrule.js, its package installed beside it; left out without Node.
    #[arg(long)]
    rrule_js: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let is_asked = |part| args.only.is_none_or(|only| only == part);
    if is_asked(Part::Expansions) {
        expansions(&args)?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    if is_asked(Part::Jobs) {
        runtime.block_on(jobs::measure(&args.load))?;
    }
    if is_asked(Part::Reminders) {
        runtime.block_on(reminders::measure(&args.reminders))?;
    }
    if is_asked(Part::Push) {
        push::sealed(args.seconds)?;
        runtime.block_on(push::delivered(&args.push, &args.reminders.hub))?;
    }
    Ok(())
}

fn expansions(args: &Args) -> Result<()> {
    let theirs = match &args.rrule_js {
        Some(script) => rrule_js::measure(script, &TYPICAL, args.seconds)?,
        None => Vec::new(),
    };
    println!("expansions a second (occurrences found)");
    for (at, typical) in TYPICAL.iter().enumerate() {
        let ours = measured(args.seconds, || here(typical))?;
        let bare = measured(args.seconds, || crate_rrule::expand(typical))?;
        let js = theirs.get(at).copied();
        println!("{}", row(typical.name, [Some(ours), Some(bare), js]));
    }
    println!("\nhostile rules: steps, processor time");
    for (name, rule) in HOSTILE {
        println!("{}", hostile(name, rule)?);
    }
    Ok(())
}

/// Reads and expands a rule; how many occurrences.
fn here(typical: &Typical) -> Result<usize> {
    let ask = Expand {
        rrule: typical.rule,
        dtstart: typical.start,
        timezone: typical.zone,
        from: typical.from,
        to: typical.to,
        limit: 5_000,
    };
    let expansion = expand(&ask, &mut Work::default())?;
    Ok(black_box(expansion.occurrences).len())
}

/// A rule with its start, as the others want it.
fn text(typical: &Typical) -> String {
    let start = typical.start.replace(['-', ':'], "");
    let start = match typical.zone {
        "UTC" => format!(":{start}Z"),
        zone => format!(";TZID={zone}:{start}"),
    };
    format!("DTSTART{start}\nRRULE:{}", typical.rule)
}

/// How often a second, and what was found.
fn measured(seconds: f64, expand: impl Fn() -> Result<usize>) -> Result<(f64, usize)> {
    let found = expand()?;
    let begin = Instant::now();
    let mut times = 0_u32;
    while begin.elapsed().as_secs_f64() < seconds {
        expand()?;
        times += 1;
    }
    Ok((f64::from(times) / begin.elapsed().as_secs_f64(), found))
}

fn row(name: &str, measured: [Option<(f64, usize)>; 3]) -> String {
    let [ours, bare, js] = measured;
    let cell = |who: &str, measured: Option<(f64, usize)>| match (measured, ours) {
        (Some((rate, found)), Some((ours, _))) => {
            format!("  {who} {rate:>9.0} ({found}) x{:<6.1}", ours / rate)
        }
        _ => String::new(),
    };
    let (ours, bare, js) = (
        cell("here", ours),
        cell("crate", bare),
        cell("rrule.js", js),
    );
    format!("{name:<28}{ours}{bare}{js}")
}

/// The dearest of some expansions of a rule.
fn hostile(name: &str, rule: &str) -> Result<String> {
    let ask = Expand {
        rrule: rule,
        dtstart: "1970-01-01T00:00:00",
        timezone: "Europe/Berlin",
        from: "2016-01-01T00:00:00Z",
        to: "2026-01-01T00:00:00Z",
        limit: 5_000,
    };
    let (mut steps, mut dearest, mut told) = (0, 0.0_f64, String::new());
    for _ in 0..5 {
        let mut work = Work::default();
        let begin = processor_ms()?;
        let answer = expand(&ask, &mut work);
        dearest = dearest.max(processor_ms()? - begin);
        steps = work.spent();
        told = match answer {
            Ok(expansion) => format!("{} found", expansion.occurrences.len()),
            Err(refused) => refused.code().to_owned(),
        };
    }
    Ok(format!("{name:<28}  {steps:>7}  {dearest:>7.2} ms  {told}"))
}

/// The processor time of this thread, as Linux counts it.
fn processor_ms() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = stat.split(' ').next().context("no time")?;
    Ok(ns.parse::<f64>()? / 1e6)
}
