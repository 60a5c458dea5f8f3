//! Batches of which the server says that it gave up. A way to a real one says so in its place, once:
//! of a batch that was done, or of one that never came.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::server::Server;
use super::{CassandraStore, options, runtime};
use crate::conformance::jobs::desk::{job, keep, webhook};
use crate::conformance::space::{NOW, Space, key, tombstone};
use crate::jobs::{Claim, Wanted};
use crate::types::{Collect, Keys};
use crate::{JobStore, Store};

/// What becomes of the next batch, whose answer is a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Next {
    Answered,
    Done,
    NotDone,
}

/// Bytes before what a frame holds: version, flags, stream, opcode, length.
const HEADER: usize = 9;
const BATCH: u8 = 0x0d;
const ERROR: u8 = 0x00;

async fn frame(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut frame = vec![0; HEADER];
    from.read_exact(&mut frame).await.ok()?;
    let length = u32::from_be_bytes(frame[5..HEADER].try_into().unwrap()) as usize;
    frame.resize(HEADER + length, 0);
    from.read_exact(&mut frame[HEADER..]).await.ok()?;
    Some(frame)
}

fn stream(frame: &[u8]) -> [u8; 2] {
    [frame[2], frame[3]]
}

/// That replicas did not agree in time (native protocol, version 4, section 9).
fn timed_out(stream: [u8; 2]) -> Vec<u8> {
    let mut body = 0x1100_u32.to_be_bytes().to_vec();
    let mut push = |text: &str| {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    };
    push("given up");
    // The level and how many of how many.
    body.extend([0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend([0, 3]);
    body.extend(b"CAS");
    let mut frame = vec![0x84, 0, stream[0], stream[1], ERROR];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    frame
}

/// A store, and what it is to be told next.
async fn behind_a_way() -> (CassandraStore, Arc<AtomicU8>) {
    let server = Server::shared();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let next = Arc::new(AtomicU8::new(Next::Answered as u8));
    let (to, told) = (server.address().to_owned(), next.clone());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if let Ok(server) = TcpStream::connect(&to).await {
                tokio::spawn(way(client, server, told.clone()));
            }
        }
    });
    let url = server.new_keyspace().replace(server.address(), &address);
    let store = CassandraStore::open(&options(&url)).await.unwrap();
    (store, next)
}

async fn way(client: TcpStream, server: TcpStream, next: Arc<AtomicU8>) {
    let (mut from_client, to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let to_client = Mutex::new(to_client);
    // Those whose answer is withheld.
    let withheld = Mutex::new(HashSet::new());
    let say = async |frame: &[u8]| to_client.lock().await.write_all(frame).await.ok();
    let requests = async {
        loop {
            let asked = frame(&mut from_client).await?;
            if asked[4] == BATCH {
                let told = next.swap(Next::Answered as u8, Ordering::SeqCst);
                if told == Next::NotDone as u8 {
                    say(&timed_out(stream(&asked))).await?;
                    continue;
                }
                if told == Next::Done as u8 {
                    withheld.lock().await.insert(stream(&asked));
                }
            }
            OwnedWriteHalf::write_all(&mut to_server, &asked)
                .await
                .ok()?;
        }
    };
    let answers = async {
        loop {
            let answer = frame(&mut from_server).await?;
            match withheld.lock().await.remove(&stream(&answer)) {
                true => say(&timed_out(stream(&answer))).await?,
                false => say(&answer).await?,
            }
        }
    };
    let ended: Option<()> = tokio::select! {
        ended = requests => ended,
        ended = answers => ended,
    };
    let () = ended.unwrap_or_default();
}

/// Does something while the server says that it gave up, and says how many batches it took.
async fn batches<T>(
    (store, next): (&CassandraStore, &AtomicU8),
    told: Next,
    doing: impl Future<Output = T>,
) -> (T, u64) {
    let before = store.attempts().totals().batches;
    next.store(told as u8, Ordering::SeqCst);
    let answer = doing.await;
    let after = store.attempts().totals().batches;
    assert_eq!(next.load(Ordering::SeqCst), Next::Answered as u8);
    (answer, after - before)
}

/// What was done is done once; what was not is made again.
const BOTH: [(Next, u64); 2] = [(Next::Done, 1), (Next::NotDone, 2)];

#[test]
fn a_commit_that_the_server_gave_up_is_done_once() {
    runtime().block_on(async {
        let (store, next) = behind_a_way().await;
        for (n, (told, expected)) in BOTH.into_iter().enumerate() {
            let mut space = Space::open(&store).await;
            let id = n.to_string();
            let names = [("t", id.as_str())];
            let put = space.put(&names);
            let ((), count) = batches((&store, &next), told, put).await;
            assert_eq!((count, space.now().await.head.0), (expected, n as u64 + 1));
        }
    });
}

#[test]
fn a_claim_that_the_server_gave_up_leases_once() {
    runtime().block_on(async {
        let (store, next) = behind_a_way().await;
        for (n, (told, expected)) in BOTH.into_iter().enumerate() {
            let space = Space::open(&store).await;
            let mut commit = space.draft(Vec::new());
            commit.jobs = vec![keep(job(&n.to_string()))];
            assert_eq!(space.commit(commit).await, Ok(()));
            let kind = webhook();
            let claim = Claim {
                wanted: vec![Wanted::of(kind, 9)],
                holder: syncline_protocol::ids::NodeId::trusted("n1"),
                now_ms: NOW + n as u64,
                lease_ms: 90_000,
                per_space: 9,
            };
            let (leased, count) = batches((&store, &next), told, store.claim(&claim)).await;
            assert_eq!((leased.unwrap().len(), count), (1, expected));
        }
    });
}

#[test]
fn a_collection_that_the_server_gave_up_says_what_it_removed() {
    runtime().block_on(async {
        let (store, next) = behind_a_way().await;
        let all = Collect {
            dead_before_ms: NOW + 1,
            marks_before_ms: 0,
            keys: Keys::Remove,
            limit: 9,
            bytes: usize::MAX,
        };
        for (told, expected) in BOTH {
            let mut space = Space::open(&store).await;
            space
                .accept(space.draft(vec![(key("t", "a"), tombstone(1))]))
                .await;
            let collecting = store.collect(&space.key, all);
            let (collected, count) = batches((&store, &next), told, collecting).await;
            assert_eq!((collected.unwrap().tombstones, count), (1, expected));
        }
    });
}

#[test]
fn an_erasure_that_the_server_gave_up_says_what_it_removed() {
    runtime().block_on(async {
        let (store, next) = behind_a_way().await;
        for (told, expected) in BOTH {
            let mut space = Space::open(&store).await;
            space.put(&[("t", "a"), ("t", "b")]).await;
            let erasing = store.erase(&space.key, NOW);
            let (erased, count) = batches((&store, &next), told, erasing).await;
            assert_eq!((erased.unwrap().records, count), (2, expected));
        }
    });
}
