//! Devices end equal, whatever they did.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syncline_protocol::compat::cursor::STALE_FOREIGN;
use syncline_storage::faulty::Prng;
use syncline_tests::compat_device::{CompatDevice, InTab, TABLES};
use syncline_tests::node::{Setup, TestNode};

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

/// How much a reply may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replies {
    /// All there is.
    Whole,
    /// What a device of another server is told of a table, twice as much as it holds, but not of
    /// both: its changeset is answered alone.
    OfOneTable,
}

/// What devices do to records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edits {
    /// All they can.
    Any,
    /// They write single fields, each by a clock of its own that is believed. So the latest of each
    /// field is known without the hub.
    Timely,
}

/// What each field was written last, by the times that devices gave.
type Fields = BTreeMap<(String, String, &'static str), (String, Value)>;

/// `None` where that is not known.
struct Latest(Option<Fields>);

impl Latest {
    /// A device writes a field, if it has the record.
    fn update(
        &mut self,
        device: &mut CompatDevice,
        (table, id): (&str, &str),
        (field, step): (&'static str, u64),
        at: &str,
    ) {
        let queued = device.pending.len();
        device.update((table, id), (field, json!(step)), at);
        let Some(fields) = self.0.as_mut().filter(|_| device.pending.len() > queued) else {
            return;
        };
        let latest = fields.entry((table.into(), id.into(), field));
        let (latest_at, value) = latest.or_default();
        assert_ne!(latest_at, at, "two edits at once");
        if latest_at.as_str() < at {
            (*latest_at, *value) = (at.into(), json!(step));
        }
    }
}

/// The least a node may have for replies. One of them may have half of it.
const NARROW: u64 = 1 << 20;

/// What a table holds besides, which nobody changes.
const BALLAST: usize = 100 << 10;

/// What happened in all runs.
#[derive(Debug, Default)]
struct Tried {
    late: usize,
    timeless: usize,
    two_tabs: usize,
    late_in_tab: usize,
    near_a_minute: usize,
    came_with_data: usize,
    alone: usize,
    fields: usize,
}

/// A cursor of the server that devices had before.
const OF_ANOTHER_SERVER: &str = "2026-03-01T10:00:00.000Z";

/// Skews of clocks: right, slow, fast, believed, and about as fast as is believed.
const SKEWS_MS: [i64; 6] = [0, -3_600_000, 3_600_000, 30_000, 1_059_000, 1_061_000];

/// Of those the ones that are believed, one a device.
const BELIEVED_MS: [i64; 4] = [0, -3_600_000, 30_000, 1_059_000];

/// Every record had a life before the one that devices begin with, so that what is left of it on
/// a device of another server must go.
async fn prepare(node: &TestNode, replies: Replies) {
    let mut first = CompatDevice::new(node, "ada", "first");
    if replies == Replies::OfOneTable {
        for (table, id) in TABLES
            .iter()
            .flat_map(|table| [(*table, "x1"), (*table, "x2")])
        {
            let data = json!({"x": "y".repeat(BALLAST)});
            first.insert((table, id), &data, &at(0, -3_700_000));
        }
    }
    for (life, data) in [(0, json!({"old": 1})), (2, json!({"a": 0}))] {
        for key in all_keys() {
            let key = (key.0, key.1.as_str());
            if life > 0 {
                first.delete(key, &at(1, -3_700_000));
            }
            first.insert(key, &data, &at(life, -3_700_000));
        }
        assert_eq!(first.push().await, 200);
    }
}

fn all_keys() -> impl Iterator<Item = (&'static str, String)> {
    let ids = (0..5).map(|no| format!("k{no}"));
    ids.flat_map(|id| TABLES.map(|table| (table, id.clone())))
}

async fn run(seed: u64, (replies, edits): (Replies, Edits), tried: &mut Tried) {
    let mut setup = Setup::default();
    if replies == Replies::OfOneTable {
        setup.config.gateway.replies_bytes_max = NARROW;
    }
    let node = TestNode::start_with(setup).await;
    prepare(&node, replies).await;
    let names = ["phone", "laptop", "tablet", "watch"];
    let mut devices = names.map(|name| CompatDevice::new(&node, "ada", name));
    for device in &mut devices[2..] {
        tried.came_with_data += 1;
        device.set_cursors(OF_ANOTHER_SERVER);
        for (table, id) in all_keys() {
            device.hold((table, &id), &json!({"a": 0, "old": 1}));
        }
    }
    let mut latest = Latest((edits == Edits::Timely).then(Fields::new));
    let mut eye = CompatDevice::new(&node, "ada", "eye");
    let mut random = Prng::new(seed);
    // What each device's second tab was answered and has not taken. One at a time: the cursor of a
    // third would pass what the second wrote too late.
    let mut held: [Option<InTab>; 4] = Default::default();
    for step in 0..200 {
        let number = random.below(4) as usize;
        let (device, held) = (&mut devices[number], &mut held[number]);
        let skew = match edits {
            Edits::Any => SKEWS_MS[random.below(6) as usize],
            Edits::Timely => BELIEVED_MS[number],
        };
        tried.near_a_minute += usize::from(skew > 1_000_000 && skew < 3_600_000);
        let id = format!("k{}", random.below(5));
        let key = (TABLES[random.below(2) as usize], id.as_str());
        let field = ["a", "b"][random.below(2) as usize];
        let at = at(step, skew);
        let written = (field, step);
        match random.below(23) {
            0 | 1 | 5 | 13..=15 if edits == Edits::Timely => {
                latest.update(device, key, written, &at);
            }
            0 | 1 => device.insert(key, &json!({"a": step, "b": step, "deletedAt": null}), &at),
            2..=4 => latest.update(device, key, written, &at),
            5 => device.delete(key, &at),
            6 | 7 => {
                assert_eq!(device.push().await, 200);
                tried.alone += usize::from(device.cursor("tasks") == STALE_FOREIGN);
            }
            8 => device.push_in_vain().await,
            9 => {
                assert_eq!(device.push().await, 200);
                assert!(device.pending.is_empty());
                assert_eq!(device.push().await, 200);
            }
            10 | 11 => {
                let before_last = random.below(4) as usize;
                tried.late += usize::from(deliver_late(device, before_last, &mut eye).await);
            }
            12 => {
                tried.two_tabs += 1;
                let edit = |device: &mut CompatDevice| {
                    latest.update(device, key, written, &at);
                };
                device.push_in_two_tabs(edit).await;
            }
            timeless @ 13..=15 => {
                tried.timeless += 1;
                match timeless {
                    13 => device.insert_now(key, &json!({"a": step % 3})),
                    14 => device.update_now(key, (field, json!(step % 3))),
                    _ => device.delete_now(key),
                }
            }
            16 if held.is_none() => *held = Some(device.ask_in_tab(None).await),
            17 | 18 if held.is_none() => *held = Some(device.ask_in_tab(Some(key.0)).await),
            19 | 20 if held.is_some() => {
                tried.late_in_tab += 1;
                held.take().iter().for_each(|late| device.take_in_tab(late));
            }
            _ => assert_eq!(device.pull(key.0).await, 200),
        }
    }
    for (device, held) in devices.iter_mut().zip(&held) {
        held.iter().for_each(|late| device.take_in_tab(late));
    }
    // Whatever a device pushes, another may have to hear; after two rounds all have.
    for _ in 0..2 {
        for device in &mut devices {
            device.sync().await;
        }
    }
    let mut fresh = CompatDevice::new(&node, "ada", "fresh");
    fresh.sync().await;
    for ((table, id, field), (_, value)) in latest.0.into_iter().flatten() {
        let shown = fresh.field((&table, &id), field);
        assert_eq!(shown, Some(value), "seed {seed}: {field} of {table} {id}");
        tried.fields += 1;
    }
    for device in &mut devices {
        assert!(device.shows() == fresh.shows(), "seed {seed}");
        // Nobody is told for ever what it was told.
        assert_eq!(device.push().await, 200);
        assert_eq!(device.reply["serverChanges"], json!([]), "seed {seed}");
    }
    node.app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_devices_converge_from_random_interleavings() {
    let mut tried = Tried::default();
    for seed in 0..24 {
        run(seed, (Replies::Whole, Edits::Any), &mut tried).await;
    }
    assert_eq!(tried.alone, 0);
    let Tried {
        late,
        timeless,
        two_tabs,
        late_in_tab,
        near_a_minute,
        came_with_data,
        alone: _,
        fields: _,
    } = tried;
    let least = [
        (late, 200),
        (timeless, 400),
        (two_tabs, 150),
        (late_in_tab, 150),
    ];
    let least = least
        .into_iter()
        .chain([(near_a_minute, 800), (came_with_data, 48)]);
    for (times, least) in least {
        assert!(times >= least, "too little was tried: {tried:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_ends_as_it_was_written_last() {
    let mut tried = Tried::default();
    for seed in 200..208 {
        run(seed, (Replies::Whole, Edits::Timely), &mut tried).await;
    }
    assert!(tried.fields >= 100, "too little was tried: {tried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_another_server_converge_that_are_told_of_their_tables_one_by_one() {
    let mut tried = Tried::default();
    for seed in 100..108 {
        run(seed, (Replies::OfOneTable, Edits::Any), &mut tried).await;
    }
    assert!(tried.alone >= 20, "too little was tried: {tried:?}");
}
