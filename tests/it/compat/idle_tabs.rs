//! An idle tab that pulls without pause: it is held, nobody else is, and what changes it hears at
//! once.

use serde_json::json;
use syncline_tests::compat_device::CompatDevice;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::socket::Socket;
use syncline_tests::{HUNG, until};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::sockets::authed;
use super::two_devices::{K1, T};

/// A node that holds pulls for longer than any test lasts.
async fn node() -> TestNode {
    TestNode::start_with(held_for_long()).await
}

fn held_for_long() -> Setup {
    let mut setup = Setup::default();
    setup.config.compat.pull_held_ms = 100 * HUNG.as_millis() as u64;
    setup
}

/// The same where sessions soon sleep, and a tab of a user listens.
async fn sleepy_node(mut setup: Setup) -> (TestNode, Socket) {
    setup.config.session.idle_ms = 100;
    let node = TestNode::start_with(setup).await;
    let socket = authed(&node, "ada").await;
    (node, socket)
}

fn asleep(node: &TestNode) -> i64 {
    node.app.metrics().sessions_asleep.get()
}

/// How many pulls wait.
fn held(node: &TestNode) -> i64 {
    node.app.metrics().pulls_held.get()
}

/// A tab that has what there is and pulls without pause, until it is told of something else. It has
/// come to be held.
async fn storm(node: &TestNode, mut tab: CompatDevice) -> JoinHandle<CompatDevice> {
    let before = tab.shows();
    let pulling = tokio::spawn(async move {
        while tab.shows() == before {
            assert_eq!(tab.pull("tasks").await, 200);
        }
        tab
    });
    until("it is held", || held(node) == 1).await;
    pulling
}

/// A phone that wrote a task which the laptop knows.
async fn two_devices(node: &TestNode) -> [CompatDevice; 2] {
    let [mut phone, mut laptop] =
        ["phone", "laptop"].map(|name| CompatDevice::new(node, "ada", name));
    phone.insert(K1, &json!({"title": "a"}), T[0]);
    phone.sync().await;
    laptop.sync().await;
    [phone, laptop]
}

#[tokio::test]
async fn it_is_held_and_who_asks_anything_else_is_answered_meanwhile() {
    let node = node().await;
    let [mut phone, laptop] = two_devices(&node).await;
    let mut bob = CompatDevice::new(&node, "bob", "laptop");
    bob.sync().await;
    let storm = storm(&node, laptop).await;
    let asking = async {
        for device in [&mut phone, &mut bob] {
            assert_eq!(device.pull("tasks").await, 200);
            assert_eq!(device.pull("labels").await, 200);
        }
    };
    timeout(HUNG, asking).await.expect("others are held too");
    assert!(!storm.is_finished());
    assert_eq!(held(&node), 1);
}

#[tokio::test]
async fn a_change_is_told_to_the_pull_that_is_held() {
    let node = node().await;
    let [mut phone, laptop] = two_devices(&node).await;
    let storm = storm(&node, laptop).await;
    phone.update(K1, ("title", json!("b")), T[1]);
    assert_eq!(phone.push().await, 200);
    let laptop = timeout(HUNG, storm).await.expect("it is not told").unwrap();
    assert_eq!(laptop.field(K1, "title"), Some(json!("b")));
    assert_eq!(held(&node), 0);
}

#[tokio::test]
async fn a_session_whose_tabs_pull_again_and_again_sleeps() {
    let mut setup = Setup::default();
    setup.config.compat.pull_held_ms = 0;
    let (node, _listening) = sleepy_node(setup).await;
    let [_, mut laptop] = two_devices(&node).await;
    let pulling = tokio::spawn(async move {
        loop {
            assert_eq!(laptop.pull("tasks").await, 200);
        }
    });
    until("it sleeps", || asleep(&node) == 1).await;
    assert!(!pulling.is_finished());
    pulling.abort();
}

#[tokio::test]
async fn a_pull_that_is_held_leaves_its_session_asleep_and_is_told_what_wakes_it() {
    let (node, _listening) = sleepy_node(held_for_long()).await;
    let [mut phone, laptop] = two_devices(&node).await;
    until("it sleeps", || asleep(&node) == 1).await;
    let slept = node.app.metrics().session_sleeps.get();
    let storm = storm(&node, laptop).await;
    assert_eq!((asleep(&node), held(&node)), (1, 1));
    assert_eq!(node.app.metrics().session_sleeps.get(), slept);
    phone.update(K1, ("title", json!("b")), T[1]);
    assert_eq!(phone.push().await, 200);
    let laptop = timeout(HUNG, storm).await.expect("it is not told").unwrap();
    assert_eq!(laptop.field(K1, "title"), Some(json!("b")));
}

/// Its user has never written, so there is nothing yet that could change.
#[tokio::test]
async fn so_is_the_first_write_of_a_user() {
    let node = node().await;
    let [tab, mut phone] = ["tab", "phone"].map(|name| CompatDevice::new(&node, "ada", name));
    let storm = storm(&node, tab).await;
    phone.insert(K1, &json!({"title": "a"}), T[0]);
    assert_eq!(phone.push().await, 200);
    let tab = timeout(HUNG, storm).await.expect("it is not told").unwrap();
    assert_eq!(tab.field(K1, "title"), Some(json!("a")));
    assert_eq!(held(&node), 0);
}

/// Whoever it is that waits, no more wait than leave a browser some of its connections.
#[tokio::test]
async fn a_third_pull_of_a_user_is_answered() {
    let node = node().await;
    let [_, laptop] = two_devices(&node).await;
    let mut tablet = CompatDevice::new(&node, "ada", "tablet");
    let mut watch = CompatDevice::new(&node, "ada", "watch");
    tablet.sync().await;
    watch.sync().await;
    let _laptop = storm(&node, laptop).await;
    let tablet = tokio::spawn(async move {
        loop {
            assert_eq!(tablet.pull("tasks").await, 200);
        }
    });
    until("both are held", || held(&node) == 2).await;
    let asking = async {
        for _ in 0..20 {
            assert_eq!(watch.pull("tasks").await, 200);
        }
    };
    timeout(HUNG, asking).await.expect("a third is held");
    tablet.abort();
}
