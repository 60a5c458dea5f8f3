//! Many who write one space at once, on a server that soon gives up agreeing: the time-outs are its own.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use syncline_protocol::ids::{ClientKey, Seq};
use syncline_protocol::verdict::Mark;

use super::server::Server;
use super::way::way_to;
use super::{CassandraStore, options, runtime};
use crate::Store;
use crate::conformance::Patient;
use crate::conformance::space::{Space, UNLIMITED, client, key, space_key, titled};
use crate::types::{CommitError, StoreError};

const WRITERS: usize = 16;

/// Mutations of each writer.
const MUTATIONS: u64 = 6;

/// Tries to connect: what a store does then may be given up too.
const OPENINGS: usize = 50;

/// What a writer was told of what it handed in, each time under another name.
#[derive(Default)]
struct Told {
    done: Vec<String>,
    conflicting: Vec<String>,
    unknown: usize,
}

async fn open(url: &str) -> CassandraStore {
    for _ in 0..OPENINGS {
        match CassandraStore::open(&options(url)).await {
            Ok(store) => return store,
            Err(error) => println!("{error}"),
        }
    }
    panic!("it does not open");
}

/// The space as it is, and the writer's mark in it; `None` if that was given up.
async fn look<'s>(store: &'s dyn Store, ada: &ClientKey) -> Option<(Space<'s>, Option<Mark>)> {
    let key = space_key("todo", "ada");
    let marks = store.marks(&key, std::slice::from_ref(ada)).await.ok()?;
    let view = store.space(&key).await.ok()??;
    // One of before is refused by what it is handed in with.
    Some((Space { store, key, view }, marks.marks.into_iter().next()?))
}

/// Has every mutation be decided, as a hub does: after whatever was told the mark tells.
async fn write(store: &dyn Store, writer: &str) -> Told {
    let ada = client("ada", writer);
    let mut told = Told::default();
    let (mut m, mut tries) = (1, 0);
    while m <= MUTATIONS {
        let Some((space, mark)) = look(store, &ada).await else {
            continue;
        };
        let last = mark.as_ref().and_then(|mark| mark.last).unwrap_or(0);
        assert!(last == m || last + 1 == m, "{writer}: {last} before {m}");
        if last == m {
            m += 1;
            continue;
        }
        tries += 1;
        let name = format!("{writer}-{m}-{tries}");
        let commit = space.marked(vec![(key("t", &name), titled("a", 0))], &ada, mark);
        match space.commit(commit).await {
            Ok(()) => {
                told.done.push(name);
                m += 1;
            }
            Err(CommitError::Conflict) => told.conflicting.push(name),
            Err(CommitError::Store(StoreError::Unavailable(_))) => told.unknown += 1,
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    told
}

#[test]
fn what_a_server_gives_up_by_itself_is_done_once_or_not_at_all() {
    // It takes no less than ten.
    let server = Server::start(&["cas_contention_timeout=1ms"]);
    runtime().block_on(async {
        let (way, url) = way_to(&server).await;
        let stores = [open(&url).await, open(&url).await];
        let before = way.given_up();
        let patient = Patient(stores[0].clone());
        Space::open(&patient).await;
        let names: Vec<String> = (0..WRITERS).map(|n| format!("w{n}")).collect();
        let writing = names.iter().enumerate();
        let writing = writing.map(|(n, name)| write(&stores[n % stores.len()], name));
        let told = join_all(writing).await;
        let given_up = way.given_up() - before;
        let count = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
        println!(
            "{given_up} given up; told done {}, conflicting {}, unknown {}",
            count(|told| told.done.len()),
            count(|told| told.conflicting.len()),
            count(|told| told.unknown),
        );
        assert!(given_up > 0, "the server gave nothing up");

        let space = Space::open(&patient).await;
        let page = space.changes(Seq(0), UNLIMITED).await;
        let seqs = page.records.iter().map(|(_, record)| record.seq.0);
        assert!(seqs.eq(1..=WRITERS as u64 * MUTATIONS), "{:?}", page.view);
        let ids = page.records.iter().map(|(key, _)| key.id.as_str());
        let ids: BTreeSet<&str> = ids.collect();
        let mut writers = BTreeSet::new();
        for (name, told) in names.iter().zip(&told) {
            let is_there = |name: &&String| ids.contains(name.as_str());
            assert!(told.done.iter().all(|name| is_there(&name)), "{name}: lost");
            let applied = told.conflicting.iter().find(is_there);
            assert_eq!(applied, None, "it was told as conflicting");
            for m in 1..=MUTATIONS {
                let prefix = format!("{name}-{m}-");
                let times = ids.iter().filter(|id| id.starts_with(&prefix)).count();
                assert_eq!(times, 1, "{name}: {m}");
            }
            let mark = space.mark(&client("ada", name)).await.expect("it wrote");
            assert_eq!(mark.last, Some(MUTATIONS), "{name}");
            let ms: Vec<u64> = (1..=MUTATIONS).collect();
            let verdicts = space.verdicts(mark.writer, &ms).await;
            assert!(verdicts.iter().all(Option::is_some), "{name}: {verdicts:?}");
            writers.insert(mark.writer);
        }
        assert_eq!(writers.len(), WRITERS, "numbers were given twice");
    });
}
