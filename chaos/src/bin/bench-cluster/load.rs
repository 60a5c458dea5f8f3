//! Devices that write again as soon as they are answered.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::pusher::{Pusher, RECORDS};

/// Fills the records that are written to then.
pub(crate) async fn fill(pushers: &mut [Pusher]) -> anyhow::Result<()> {
    let filling = pushers.iter_mut().map(|pusher| pusher.until(RECORDS, 16));
    try_join_all(filling).await?;
    Ok(())
}

/// Writes for so long. Returns how many writes of each were decided, and in how many seconds.
pub(crate) async fn write(
    pushers: &mut [Pusher],
    lasts: Duration,
) -> anyhow::Result<(Vec<u64>, f64)> {
    let began = Instant::now();
    let writing = pushers.iter_mut().map(async |pusher| {
        let first = pusher.decided;
        while began.elapsed() < lasts {
            pusher.round(1).await?;
        }
        anyhow::Ok(pusher.decided - first)
    });
    let decided = try_join_all(writing).await?;
    Ok((decided, began.elapsed().as_secs_f64()))
}
