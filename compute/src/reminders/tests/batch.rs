//! What is told as one.

use proptest::prelude::*;

use super::*;

fn item(id: &str, due_ms: u64, is_late: bool) -> Item {
    Item {
        key: FiringKey::of(&key(id), due_ms),
        due_ms,
        is_late,
    }
}

fn sizes(items: Vec<Item>) -> Vec<(usize, bool)> {
    let batches = batched(items, MINUTE);
    batches
        .iter()
        .map(|batch| (batch.items.len(), batch.is_late))
        .collect()
}

#[test]
fn what_is_due_within_the_window_of_the_first_is_one() {
    let at = |after_ms: u64| item("r", NOW + after_ms, false);
    assert_eq!(sizes(Vec::new()), []);
    assert_eq!(sizes(vec![at(0)]), [(1, false)]);
    assert_eq!(sizes(vec![at(MINUTE), at(0), at(30_000)]), [(3, false)]);
    assert_eq!(sizes(vec![at(0), at(MINUTE + 1)]), [(1, false), (1, false)]);
    let rolling = vec![at(0), at(40_000), at(80_000), at(120_000)];
    assert_eq!(sizes(rolling), [(2, false), (2, false)]);
}

#[test]
fn all_that_is_late_is_one_however_long_ago() {
    let mut items: Vec<Item> = (0..50).map(|n| item("r", NOW + n * HOUR, true)).collect();
    items.push(item("r", NOW + 100 * HOUR, false));
    assert_eq!(sizes(items.clone()), [(50, true), (1, false)]);
    let batches = batched(items, MINUTE);
    assert_eq!((batches[0].named().len(), batches[0].more()), (20, 30));
    assert_eq!((batches[1].named().len(), batches[1].more()), (1, 0));
}

#[test]
fn what_is_there_twice_is_told_once() {
    let twice = vec![
        item("r1", NOW, false),
        item("r2", NOW, false),
        item("r1", NOW, false),
    ];
    assert_eq!(sizes(twice), [(2, false)]);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_the_order_it_came_in_says_nothing(
        dues in prop::collection::vec((0..500_u64, any::<bool>()), 0..40),
    ) {
        let items: Vec<Item> = dues
            .iter()
            .enumerate()
            .map(|(n, (at, is_late))| item(&n.to_string(), NOW + at * 1_000, *is_late))
            .collect();
        let batches = batched(items.clone(), MINUTE);
        let told: usize = batches.iter().map(|batch| batch.items.len()).sum();
        prop_assert_eq!(told, items.len());
        for batch in &batches {
            let (first, last) = (&batch.items[0], &batch.items[batch.items.len() - 1]);
            prop_assert!(batch.is_late || last.due_ms - first.due_ms <= MINUTE);
            prop_assert!(batch.items.iter().all(|item| item.is_late == batch.is_late));
        }
        let backwards = items.into_iter().rev().collect();
        prop_assert_eq!(batched(backwards, MINUTE), batches);
    }
}
