//! Processor time that passes while something is measured: this process's, and that of all else on the machine,
//! which is the database's where nothing else runs.

use std::time::Duration;

use anyhow::Context;

/// A tick of `/proc`, on Linux everywhere.
const TICK: Duration = Duration::from_millis(10);

/// Since the machine, or the process, began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    ours: u64,
    all: u64,
}

/// What passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) ours: Duration,
    pub(crate) others: Duration,
}

impl Cpu {
    pub(crate) fn now() -> anyhow::Result<Cpu> {
        let own = std::fs::read_to_string("/proc/self/stat")?;
        // The name in parentheses may hold anything; utime and stime are the 14th and 15th of all.
        let (_, own) = own.rsplit_once(')').context("no name")?;
        let ours = numbers(own.split_whitespace().skip(12).take(2))?;
        let machine = std::fs::read_to_string("/proc/stat")?;
        let first = machine.lines().next().context("no line")?;
        let mut all = first.split_whitespace().skip(1);
        // user, nice, system; then idle and iowait are left out; irq, softirq.
        let busy = numbers(all.by_ref().take(3))?;
        let interrupts = numbers(all.skip(2).take(2))?;
        Ok(Cpu {
            ours,
            all: busy + interrupts,
        })
    }

    pub(crate) fn spent(self) -> anyhow::Result<Spent> {
        let now = Cpu::now()?;
        let ours = now.ours - self.ours;
        let others = (now.all - self.all).saturating_sub(ours);
        let time = |ticks: u64| TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        Ok(Spent {
            ours: time(ours),
            others: time(others),
        })
    }
}

fn numbers<'a>(texts: impl Iterator<Item = &'a str>) -> anyhow::Result<u64> {
    let mut sum = 0;
    for text in texts {
        sum += text.parse::<u64>()?;
    }
    Ok(sum)
}
