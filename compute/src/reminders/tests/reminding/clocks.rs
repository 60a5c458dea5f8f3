//! Clocks that jump, and worlds in which anything happens.

mod worlds;

use super::*;

#[tokio::test]
async fn a_clock_that_is_an_hour_ahead_tells_early_and_nothing_twice() {
    let mut world = World::open().await;
    world.remind("r1", NOW + 30 * MINUTE).await;
    world.remind("r2", NOW + 90 * MINUTE).await;
    world.settle().await;
    world.now_ms += HOUR;
    assert_eq!(world.settle().await, Some(NOW + 90 * MINUTE));
    assert_eq!(world.told_of().await, [of(60, &["r1"])]);
    world.now_ms -= HOUR;
    assert_eq!(world.settle().await, Some(NOW + 90 * MINUTE));
    assert_eq!(world.work().await, Some(NOW + 90 * MINUTE));
    assert_eq!(world.until(NOW + 2 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(60, &["r1"]), of(90, &["r2"])]);
}

/// What was only missed by it is waited for again, by the next look.
#[tokio::test]
async fn a_clock_that_is_a_day_ahead_tells_of_misses_until_it_is_back() {
    let mut world = World::open().await;
    world.remind("r1", NOW + 30 * MINUTE).await;
    world.settle().await;
    world.now_ms += DAY;
    assert_eq!(world.settle().await, None);
    assert_eq!(
        world.state("r1").await.unwrap().missed_ms,
        Some(NOW + 30 * MINUTE)
    );
    world.now_ms -= DAY;
    // A reminder that is set has all of them looked at; what the hub stamps is still of tomorrow.
    world.remind("r2", NOW + HOUR).await;
    assert_eq!(world.settle().await, Some(NOW + 30 * MINUTE));
    assert_eq!(world.until(NOW + 2 * HOUR).await, None);
    assert_eq!(world.told_of().await, [of(30, &["r1"]), of(60, &["r2"])]);
}

#[tokio::test]
async fn a_clock_that_goes_back_tells_nothing_twice_and_forgets_nothing() {
    for back in [HOUR, DAY] {
        let mut world = World::open().await;
        world.now_ms += DAY;
        let now_ms = world.now_ms;
        world.remind("r1", now_ms).await;
        world.remind("r2", now_ms + HOUR).await;
        world.settle().await;
        assert_eq!(world.told().await.len(), 1);
        world.now_ms -= back;
        assert_eq!(world.work().await, Some(now_ms + HOUR));
        assert_eq!(world.until(now_ms + 2 * HOUR).await, None);
        let told = world.told().await.into_iter();
        let ids: Vec<String> = told.map(|told| told.items[0].id.clone()).collect();
        assert_eq!(ids, ["r1", "r2"]);
    }
}
