//! Exports of spaces that are written meanwhile, and how much of them is held.

use std::collections::BTreeMap;

use syncline_protocol::ids::{RecordKey, Seq, SpaceKey};
use syncline_protocol::record::Record;
use syncline_protocol::verdict::Mark;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::super::export::Image;
use super::super::row::SpaceRow;
use super::super::space::opened as found;
use super::server::Server;
use super::{CassandraStore, opened, options, runtime};
use crate::Store;
use crate::conformance::space::{NOW, Space, UNLIMITED, client, key, records, titled, tombstone};
use crate::heap::most_held;
use crate::transfer::{Export, Part, Sent, SpaceImage};
use crate::types::{Collect, Keys, PageLimit, SpaceView};

/// What was sent of a space.
struct Received {
    image: SpaceImage,
    parts: Vec<Part>,
}

impl Received {
    async fn all(mut sent: mpsc::Receiver<Sent>) -> Received {
        let Some(Sent::Space(image)) = sent.recv().await else {
            panic!("the space comes first");
        };
        let mut parts = Vec::new();
        while let Some(Sent::Part(part)) = sent.recv().await {
            parts.push(part);
        }
        Received { image, parts }
    }

    fn records(&self) -> Vec<(RecordKey, Record)> {
        let mut all = Vec::new();
        for part in &self.parts {
            if let Part::Records(rows) = part {
                all.extend(rows.iter().map(|row| (row.key.clone(), row.record.clone())));
            }
        }
        all
    }

    /// The last mutation of the only client.
    fn last(&self) -> Option<u64> {
        let clients = self.parts.iter().find_map(|part| match part {
            Part::Clients(clients) => Some(clients),
            _ => None,
        });
        clients.and_then(|clients| clients[0].mark.last)
    }
}

async fn now(store: &CassandraStore, space: &SpaceKey) -> SpaceRow {
    found(&store.server, space).await.unwrap()
}

async fn received(image: &Image<'_>, row: SpaceRow) -> Received {
    let (to, sent) = mpsc::channel(1);
    let sending = async {
        image.send(row, &to).await.unwrap();
        drop(to);
    };
    tokio::join!(sending, Received::all(sent)).1
}

/// What the store has, as the image should have it.
async fn expected(space: &Space<'_>) -> (SpaceView, Vec<(RecordKey, Record)>) {
    let page = space.changes(Seq(0), UNLIMITED).await;
    let mut all = page.records;
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    (page.view, all)
}

async fn assert_same(image: &Image<'_>, row: SpaceRow, space: &Space<'_>) {
    let received = received(image, row).await;
    let (view, all) = expected(space).await;
    assert_eq!((received.image.view, received.records()), (view, all));
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("k{n:02}")).collect()
}

/// Forty records, some of two tables.
async fn filled(store: &CassandraStore) -> Space<'_> {
    let mut space = Space::open(store).await;
    let names = names(40);
    let keys: Vec<(&str, &str)> = names
        .iter()
        .enumerate()
        .map(|(n, id)| (["s", "t"][n / 20], id.as_str()))
        .collect();
    space.put(&keys).await;
    space
}

#[test]
fn only_what_was_changed_meanwhile_is_read_again() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = filled(&store).await;
        let name = space.key.clone();
        let mut image = Image::begin(&store.server, &name, records(4)).unwrap();
        assert!(image.follow(now(&store, &name).await).await.unwrap());
        let changed = vec![
            (key("s", "k01"), titled("changed", 0)),
            (key("s", "k02"), tombstone(0)),
            (key("s", "k02 and a half"), titled("new", 0)),
            (key("z", "last"), titled("new", 0)),
        ];
        space.accept(space.draft(changed)).await;
        space.put(&[("s", "k01")]).await;
        let before = store.server.counted.whole_rows();
        let row = now(&store, &name).await;
        assert!(image.follow(row).await.unwrap());
        let read = store.server.counted.whole_rows() - before;
        // The first piece with one more, the last one with one more and its end, and the end of each
        // of the other three kinds.
        assert!((6..=15).contains(&read), "{read} rows");
        assert_same(&image, row, &space).await;
    });
}

#[test]
fn an_image_that_something_came_between_is_of_no_state_until_it_follows() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = filled(&store).await;
        let name = space.key.clone();
        let mut image = Image::begin(&store.server, &name, records(7)).unwrap();
        for round in 0..3 {
            let row = now(&store, &name).await;
            let id = format!("k{round}");
            space.put(&[("s", "k20"), ("t", id.as_str())]).await;
            assert!(!image.follow(row).await.unwrap(), "round {round}");
        }
        // Marks alone leave the head.
        let row = now(&store, &name).await;
        space.introduce(&client("ada", "c1")).await;
        assert!(!image.follow(row).await.unwrap());
        let row = now(&store, &name).await;
        assert!(image.follow(row).await.unwrap());
        assert_same(&image, row, &space).await;
        assert_eq!(received(&image, row).await.last(), Some(1));
    });
}

/// Of those nothing is told by what was changed.
#[test]
fn what_was_removed_or_stripped_meanwhile_is_not_in_the_image() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let mut space = filled(&store).await;
        let name = space.key.clone();
        let mut image = Image::begin(&store.server, &name, records(4)).unwrap();
        let collect = |keys| Collect {
            dead_before_ms: NOW + 1,
            marks_before_ms: 0,
            keys,
            limit: 100,
            bytes: usize::MAX,
        };
        for (id, keys) in [("k03", Keys::Remove), ("k07", Keys::Keep)] {
            let dead = Record {
                fields: titled("hidden", 0).fields,
                ..tombstone(0)
            };
            space.accept(space.draft(vec![(key("s", id), dead)])).await;
            assert!(image.follow(now(&store, &name).await).await.unwrap());
            let collected = store.collect(&name, collect(keys)).await.unwrap();
            assert_eq!(collected.tombstones, 1);
            let row = now(&store, &name).await;
            assert!(image.follow(row).await.unwrap());
            space.refresh().await;
            assert_same(&image, row, &space).await;
        }
        store.erase(&name, NOW).await.unwrap();
        let row = now(&store, &name).await;
        assert!(image.follow(row).await.unwrap());
        let received = received(&image, row).await;
        assert_eq!((received.image.view, received.parts.len()), (row.view, 0));
    });
}

/// More than the tries in which others may write.
const COMMITS: u64 = 12;

/// Records by key with their seqs, and the last mutation.
type State = (BTreeMap<String, Seq>, Option<u64>);

/// Commits, each of the first record, the last one and one more, and a mutation. Returns the state at
/// each head.
async fn write(mut space: Space<'_>, mut states: BTreeMap<Seq, State>) -> BTreeMap<Seq, State> {
    let ada = client("ada", "c1");
    let mut mark = None::<Mark>;
    let (mut seqs, _) = states.last_key_value().unwrap().1.clone();
    for n in 1..=COMMITS {
        let other = format!("k{:02}", n * 7 % 40);
        let keys = [key("a", "first"), key("m", &other), key("z", "last")];
        let changed = keys.iter().map(|key| (key.clone(), titled("a", 0)));
        let commit = space.marked(changed.collect(), &ada, mark);
        let writer = commit.marks[0].writer;
        space.accept(commit).await;
        mark = Some(Mark {
            writer,
            last: Some(n),
            given: None,
        });
        let head = space.view.head;
        seqs.extend(keys.iter().map(|key| (key.to_string(), head)));
        states.insert(head, (seqs.clone(), Some(n)));
    }
    states
}

#[test]
fn an_export_under_commits_is_of_the_head_it_says() {
    runtime().block_on(async {
        for limit in [records(1), records(9)] {
            let (store, _lent) = opened().await;
            let mut space = Space::open(&store).await;
            let names = names(40);
            let keys: Vec<(&str, &str)> = names.iter().map(|id| ("m", id.as_str())).collect();
            space.put(&keys).await;
            let head = space.view.head;
            let seqs = keys
                .iter()
                .map(|(table, id)| (format!("{table}/{id}"), head));
            let states = BTreeMap::from([(head, (seqs.collect(), None))]);
            let name = space.key.clone();
            let (to, sent) = mpsc::channel(1);
            let exporting = store.export_space(&name, limit, to);
            let (ended, received, states) =
                tokio::join!(exporting, Received::all(sent), write(space, states));
            ended.unwrap();
            let seqs = received.records().into_iter();
            let seqs = seqs.map(|(key, record)| (key.to_string(), record.seq));
            let head = received.image.view.head;
            assert_eq!((seqs.collect(), received.last()), states[&head]);
        }
    });
}

/// The driver's part included: everything is on the thread of the test.
#[test]
fn an_export_holds_a_few_pages_however_large_the_space_is() {
    let page = PageLimit {
        records: 100,
        bytes: 64 << 10,
    };
    let url = Server::shared().new_keyspace();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = CassandraStore::open(&options(&url)).await.unwrap();
        let mut space = Space::open(&store).await;
        let text = "x".repeat(4 << 10);
        let mut bytes = 0;
        for commit in 0..20 {
            let ids = (0..100).map(|n| key("t", &format!("{commit}/{n}")));
            let commit = space.draft(ids.map(|key| (key, titled(&text, 0))).collect());
            bytes += commit.records.len() * text.len();
            space.accept(commit).await;
        }
        let (to, mut sent) = mpsc::channel(1);
        let receiving = async {
            let mut count = 0;
            while let Some(sent) = sent.recv().await {
                if let Sent::Part(part) = sent {
                    assert!(part.len() <= page.records);
                    count += part.len();
                }
            }
            assert_eq!(count, 2_000);
        };
        let exporting = async {
            store.export_space(&space.key, page, to).await.unwrap();
        };
        let held = most_held(async {
            tokio::join!(exporting, receiving);
        });
        let held = held.await;
        println!("held {held} bytes of {bytes}");
        assert!(held > page.bytes, "{held} bytes were counted");
        assert!(
            held < 16 * page.bytes && held < bytes / 4,
            "{held} bytes of {bytes}"
        );
    });
}
