//! Devices end equal, whatever they did, and nothing is skipped.

use serde_json::json;
use syncline_storage::faulty::Prng;
use syncline_tests::compat_device::{CompatDevice, TABLES};
use syncline_tests::node::TestNode;

/// A time of a device whose clock is off by so much, at a step of the run.
fn at(step: u64, skew_ms: i64) -> String {
    use syncline_hub::clock::{Clock, SystemClock};
    let base = SystemClock.now_ms() - 1_000_000;
    syncline_protocol::stamp::wall_text((base + step).saturating_add_signed(skew_ms))
}

/// A copy of an old request changes nothing: the head, which is in every cursor, stays. Whether
/// there was one.
async fn deliver_late(device: &CompatDevice, before_last: usize, eye: &mut CompatDevice) -> bool {
    eye.pull("tasks").await;
    let before = eye.cursor("tasks").to_owned();
    let was_sent = device.deliver_late(before_last).await;
    eye.pull("tasks").await;
    assert_eq!(eye.cursor("tasks"), before, "a late copy took effect");
    was_sent
}

/// Returns how many requests came late again.
async fn run(seed: u64) -> usize {
    let node = TestNode::start().await;
    let names = ["phone", "laptop", "tablet", "watch"];
    let mut devices = names.map(|name| CompatDevice::new(&node, "ada", name));
    let mut eye = CompatDevice::new(&node, "ada", "eye");
    let mut random = Prng::new(seed);
    let mut late = 0;
    for step in 0..160 {
        let device = &mut devices[random.below(4) as usize];
        let skew = [0, -3_600_000, 3_600_000, 30_000][random.below(4) as usize];
        let id = format!("k{}", random.below(5));
        let key = (TABLES[random.below(2) as usize], id.as_str());
        match random.below(13) {
            0 | 1 => device.insert(key, &json!({"a": step, "b": step}), &at(step, skew)),
            2..=4 => {
                let field = ["a", "b"][random.below(2) as usize];
                device.update(key, (field, json!(step)), &at(step, skew));
            }
            5 => device.delete(key, &at(step, skew)),
            6 | 7 => assert_eq!(device.push().await, 200),
            8 => device.push_in_vain().await,
            9 => {
                assert_eq!(device.push().await, 200);
                assert!(device.pending.is_empty());
                assert_eq!(device.push().await, 200);
            }
            10 | 11 => {
                let before_last = random.below(4) as usize;
                late += usize::from(deliver_late(device, before_last, &mut eye).await);
            }
            _ => assert_eq!(device.pull(key.0).await, 200),
        }
    }
    // Whatever a device pushes, another may have to hear; after two rounds all have.
    for _ in 0..2 {
        for device in &mut devices {
            device.sync().await;
        }
    }
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    fresh.sync().await;
    for device in &devices {
        assert_eq!(device.shows(), fresh.shows(), "seed {seed}");
    }
    node.app.shutdown().await;
    late
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_devices_converge_from_random_interleavings() {
    let mut late = 0;
    for seed in 0..24 {
        late += run(seed).await;
    }
    assert!(late > 200, "{late} late copies only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_skipped_while_others_write() {
    const WRITERS: usize = 4;
    const WRITES: usize = 10_000;
    const BATCH: usize = 10;
    let node = TestNode::start().await;
    let mut reader = CompatDevice::new(&node, "ada", "reader");
    reader.sync().await;
    let write = async |writer: usize| {
        let mut device = CompatDevice::new(&node, "ada", &format!("w{writer}"));
        for i in 0..WRITES / WRITERS {
            let id = format!("{writer}-{i}");
            device.insert(("tasks", &id), &json!({"i": i}), &at(i as u64, 0));
            if (i + 1) % BATCH == 0 {
                assert_eq!(device.push().await, 200);
            }
        }
    };
    let mut pulls = 0;
    let reading = async {
        let mut last = String::new();
        while reader.shows().len() < WRITES {
            reader.pull("tasks").await;
            assert!(
                reader.cursor("tasks") >= last.as_str(),
                "the cursor went back"
            );
            reader.cursor("tasks").clone_into(&mut last);
            pulls += 1;
        }
    };
    let all = async { tokio::join!(write(0), write(1), write(2), write(3), reading) };
    tokio::time::timeout(10 * syncline_tests::HUNG, all)
        .await
        .expect("a write was skipped");
    assert!(pulls > 10, "the reader read {pulls} times only");
}
