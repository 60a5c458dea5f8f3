//! Nothing is skipped while others write.

use serde_json::json;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::TestNode;

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
            device.insert(
                ("tasks", &id),
                &json!({"i": i}),
                &wall_text(SystemClock.now_ms()),
            );
            if (i + 1) % BATCH == 0 {
                assert_eq!(device.push().await, 200);
            }
        }
        device
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
    let (mut one, mut two, mut three, mut four, ()) =
        tokio::time::timeout(10 * syncline_tests::HUNG, all)
            .await
            .expect("a write was skipped");
    // What a changeset is answered skips nothing either.
    for writer in [&mut one, &mut two, &mut three, &mut four] {
        assert_eq!(writer.push().await, 200);
        assert_eq!(writer.shows().len(), WRITES);
    }
    assert!(pulls > 10, "the reader read {pulls} times only");
}
