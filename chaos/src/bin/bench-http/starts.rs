//! Cold start on an existing database, and memory at rest.

use std::path::Path;

use syncline_chaos::hub::Hub;
use syncline_chaos::quantile;

const STARTS: usize = 21;

pub(crate) async fn measure(program: &Path) -> anyhow::Result<()> {
    let mut hub = Hub::start(program).await?;
    let mut ms = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        hub = hub.restart(program).await?;
        ms.push(hub.started_in.as_secs_f64() * 1e3);
    }
    ms.sort_by(f64::total_cmp);
    let (p50, worst) = (quantile(&ms, 0.5), quantile(&ms, 1.0));
    println!("start to /ready, existing database: p50 {p50:.1} ms, max {worst:.1} ms");
    println!("resident at rest: {:.1} MB", hub.resident_mb()?);
    Ok(())
}
