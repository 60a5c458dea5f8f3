//! Real hub processes on one Cassandra, which all end or stand still in the middle of what they do:
//! what was acknowledged is there, nothing is there twice, every job is done, and all that look show the
//! same, by snapshots and by deltas.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::wall_text;
use syncline_tests::hub_process::HubProcess;
use syncline_tests::issuer::Issuer;
use syncline_tests::socket::{Got, Socket};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::exported::{ARCHIVE, Exported, read};
use super::server::Server;
use super::watcher::{Copy, Watcher, key};
use crate::archive;
use crate::cluster::KEY;
use crate::cluster::processes::{end, start_hub_of};
use crate::cluster::server::Server as Nats;

/// Two users, each with as many devices that write as there are hubs, and one more.
const USERS: usize = 2;
const DEVICES: usize = HUBS + 1;

/// Programs at once, beside the store and the bus.
const HUBS: usize = 3;

/// Which mutations of a device also put an event, of which a job makes two occurrences.
pub(super) const EVENT_EACH: u64 = 8;

/// Mutations that must be answered between two faults.
const BETWEEN: u64 = 40;

/// Ten times as long as that may take, a server's start included.
const HUNG: Duration = Duration::from_secs(120);

/// How long a device waits for an answer before it looks elsewhere.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What is done to them, in an order that the seed gives.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillHub(usize),
    /// For two seconds.
    PauseHub(usize),
    /// For longer than devices wait, and hubs less long than they do for an answer.
    PauseStore,
    CrashStore,
}

/// How long the store stands still.
const STORE_STANDS: Duration = Duration::from_secs(8);

const FAULTS: [Fault; 6] = [
    Fault::KillHub(0),
    Fault::PauseStore,
    Fault::PauseHub(1),
    Fault::KillHub(2),
    Fault::CrashStore,
    Fault::PauseHub(0),
];

/// Faults before everything is exported, while all write.
const BEFORE_EXPORT: usize = FAULTS.len() / 2;

/// What follows from events, done again soon where a hub ended over it; and walks through all spaces that
/// hardly ever end.
const CONFIG: &str = r#"
    [retention]
    interval_ms = 200
    pause_ms = 0

    [jobs]
    lease_ms = 5000
    retry_first_ms = 10

    [[app.todo.triggers]]
    id = "calendar"
    table = "events"
    when = "any"
    per = "record"
    job = "recurrence"
    args = { do = "occurrences", into = "occurrences", days = 30, rule = "rule" }
"#;

/// The same in another order for each seed.
fn shuffled(seed: u64) -> Vec<Fault> {
    let mut faults = FAULTS.to_vec();
    let mut random = seed;
    for at in (1..faults.len()).rev() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        faults.swap(at, usize::try_from(random >> 33).unwrap() % (at + 1));
    }
    faults
}

/// Where hubs are now.
pub(super) type Hubs = Arc<Mutex<Vec<SocketAddr>>>;

/// A device that writes without a pause, on whichever hub takes it.
struct Writer {
    token: String,
    client: String,
    hubs: Hubs,
    /// When its events begin: a job makes the two occurrences of each.
    starts_at_ms: u64,
    /// The next number.
    m: u64,
    tries: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until it is stopped; the last number that is known to be decided.
    async fn write(mut self) -> u64 {
        while !self.stop.load(Relaxed) {
            if self.connection().await.is_none() {
                sleep(Duration::from_millis(20)).await;
            }
        }
        // What was sent last may have been taken.
        loop {
            if let Some((_, decided)) = self.connect().await {
                return decided;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// One connection, to its end.
    async fn connection(&mut self) -> Option<()> {
        let (mut socket, decided) = self.connect().await?;
        // Nothing that was answered is lost, and nothing is decided that was not sent.
        assert!(
            decided + 1 == self.m || decided == self.m,
            "{}: {decided} of {}",
            self.client,
            self.m
        );
        self.m = decided + 1;
        while !self.stop.load(Relaxed) {
            let m = self.m;
            let own = format!("{}-{m}", self.client);
            let field = format!("of {}", self.client);
            // What it alone writes, and what all do.
            let fields = json!({field: {"value": m}, "of all": {"value": own}});
            let mut changes = vec![
                json!({"table": "tasks", "id": own, "op": "insert", "data": {"m": m}}),
                json!({"table": "tasks", "id": "shared", "op": "insert", "data": {}}),
                json!({"table": "tasks", "id": "shared", "op": "update", "fields": fields}),
            ];
            if m.is_multiple_of(EVENT_EACH) {
                changes.push(json!({"table": "events", "id": own, "op": "insert", "data":
                    {"rule": "FREQ=DAILY;COUNT=2", "startsAt": wall_text(self.starts_at_ms)}}));
            }
            let push = json!({"t": "push", "muts": [{"m": m, "changes": changes}]});
            socket.send(&push).await;
            let verdicts = answer(&mut socket, "verdicts").await?;
            let result = &verdicts["results"][0];
            assert_eq!(
                (&result["m"], &result["status"]),
                (&json!(m), &json!("applied"))
            );
            self.m += 1;
            self.answered.fetch_add(1, Relaxed);
        }
        Some(())
    }

    /// A socket with its welcome, and which number the hub says is the last decided.
    async fn connect(&mut self) -> Option<(Socket, u64)> {
        self.tries += 1;
        let address = {
            let hubs = self.hubs.lock().unwrap();
            hubs[self.tries % hubs.len()]
        };
        // One that stands still takes the connection, and nothing else.
        let connecting = timeout(PATIENCE, Socket::try_connect_at(address));
        let mut socket = connecting.await.ok().flatten()?;
        let acked = (self.m > 1).then(|| self.m - 1);
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": self.client,
            "token": self.token, "cursor": null, "acked": acked});
        socket.send(&hello).await;
        let welcome = answer(&mut socket, "welcome").await?;
        Some((socket, welcome["acked"].as_u64().unwrap_or(0)))
    }
}

/// The answer of this type; `None` if it does not come: the hub is gone, or its store is.
async fn answer(socket: &mut Socket, t: &str) -> Option<Value> {
    loop {
        match timeout(PATIENCE, socket.next()).await {
            Ok(Got::Message(message)) if message["t"] == t => return Some(message),
            Ok(Got::Message(message)) => match message["t"].as_str() {
                Some("delta" | "snapshot" | "snapshot_end") => {}
                Some("slow" | "reconnect") => return None,
                Some("error") => {
                    assert_ne!(message["retry"], "never", "{message}");
                    return None;
                }
                _ => panic!("unexpected: {message}"),
            },
            Ok(Got::Closed(_)) | Err(_) => return None,
        }
    }
}

/// Everything of a user, as a hub shows it. Asked until the store is there.
async fn shown(hub: SocketAddr, token: &str) -> Copy {
    let client = reqwest::Client::new();
    let (mut all, mut next) = (Copy::new(), String::new());
    loop {
        let url = format!("http://{hub}/v1/todo/snapshot{next}");
        let asked = client.get(url).bearer_auth(token).send().await.unwrap();
        if asked.status() == 503 {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        let page: Value = asked.json().await.unwrap();
        for change in page["changes"].as_array().expect("changes") {
            let before = all.insert(key(change), change["data"].clone());
            assert!(before.is_none(), "twice: {change}");
        }
        match page["next"].as_str() {
            Some(place) => next = format!("?next={place}"),
            None => return all,
        }
    }
}

struct World {
    store: Server,
    url: String,
    bus: Nats,
    issuer: Issuer,
    dirs: [tempfile::TempDir; HUBS],
    hubs: Vec<Option<HubProcess>>,
    addresses: Hubs,
}

impl World {
    async fn start() -> World {
        let store = Server::start(&["commitlog_sync=batch"]);
        let mut world = World {
            url: store.new_keyspace(),
            store,
            bus: Nats::start(),
            issuer: Issuer::start().await,
            dirs: [(); HUBS].map(|()| tempfile::tempdir().unwrap()),
            hubs: Vec::new(),
            addresses: Arc::default(),
        };
        // All make the schema at once.
        let hubs = join_all((0..HUBS).map(|at| world.hub(at))).await;
        *world.addresses.lock().unwrap() = hubs.iter().map(|hub| hub.public).collect();
        world.hubs = hubs.into_iter().map(Some).collect();
        world
    }

    async fn hub(&self, at: usize) -> HubProcess {
        let dir: &Path = self.dirs[at].path();
        std::fs::write(dir.join("hub.toml"), CONFIG).unwrap();
        let name = format!("n{at}");
        start_hub_of(&self.issuer, (&self.url, self.bus.url()), (&name, dir)).await
    }

    /// Everything of the store, read while all write. Asked for again where the store is away.
    async fn export(&self) -> Vec<Exported> {
        let dir = tempfile::tempdir().unwrap();
        let exporting = async {
            loop {
                let (url, at) = (self.url.clone(), dir.path().to_owned());
                let ran = tokio::task::spawn_blocking(move || {
                    let _ = std::fs::remove_file(at.join(ARCHIVE));
                    archive::run(&at, &url, &["export", "--out", ARCHIVE])
                });
                let output = ran.await.unwrap();
                if output.status.success() {
                    return;
                }
                println!("{}", String::from_utf8_lossy(&output.stderr));
                sleep(Duration::from_millis(200)).await;
            }
        };
        timeout(HUNG, exporting).await.expect("it is exported");
        read(&dir.path().join(ARCHIVE))
    }

    async fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::KillHub(at) => {
                let hub = self.hubs[at].take().expect("it runs");
                end(hub, "KILL").await;
                let hub = self.hub(at).await;
                self.addresses.lock().unwrap()[at] = hub.public;
                self.hubs[at] = Some(hub);
            }
            Fault::PauseHub(at) => {
                let hub = self.hubs[at].as_ref().expect("it runs");
                hub.signal("STOP");
                sleep(Duration::from_secs(2)).await;
                hub.signal("CONT");
            }
            Fault::PauseStore => {
                self.store.tell("pause");
                sleep(STORE_STANDS).await;
                self.store.tell("resume");
            }
            Fault::CrashStore => {
                self.store.tell("crash");
                self.store.tell("start");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_that_end_and_a_store_that_ends_lose_nothing_and_do_nothing_twice() {
    let given = std::env::var("HUBS_SEED").ok();
    let seed = match given {
        Some(seed) => seed.parse().expect("HUBS_SEED is a number"),
        None => SystemClock.now_ms(),
    };
    println!("HUBS_SEED={seed}");
    let mut world = World::start().await;
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let tokens: Vec<String> = (0..USERS)
        .map(|user| world.issuer.token(&format!("u{user}")))
        .collect();
    let starts_at_ms = SystemClock.now_ms() + 86_400_000;
    let mut writing: Vec<(usize, String, JoinHandle<u64>)> = Vec::new();
    for (user, token) in tokens.iter().enumerate() {
        for device in 0..DEVICES {
            let client = format!("w{device}");
            let writer = Writer {
                token: token.clone(),
                client: client.clone(),
                hubs: world.addresses.clone(),
                starts_at_ms,
                m: 1,
                tries: device,
                stop: stop.clone(),
                answered: answered.clone(),
            };
            writing.push((user, client, tokio::spawn(writer.write())));
        }
    }
    let looked = Arc::new(AtomicBool::new(false));
    let mut looking: Vec<(usize, JoinHandle<Watcher>)> = Vec::new();
    for (user, token) in tokens.iter().enumerate() {
        for first in 0..HUBS {
            let watcher = Watcher::new(token, &format!("l{first}"), (&world.addresses, first));
            looking.push((user, tokio::spawn(watcher.watch(looked.clone()))));
        }
    }
    let mut exported = Vec::new();
    for (n, fault) in shuffled(seed).into_iter().enumerate() {
        goes_on(&answered).await;
        if n == BEFORE_EXPORT {
            exported = world.export().await;
        }
        println!("{fault:?}");
        world.suffer(fault).await;
    }
    goes_on(&answered).await;
    stop.store(true, Relaxed);
    let mut decided: Vec<BTreeMap<String, u64>> = vec![BTreeMap::new(); USERS];
    for (user, client, writer) in writing {
        let last = timeout(HUNG, writer)
            .await
            .expect("it hangs")
            .expect("a writer failed");
        decided[user].insert(client, last);
    }
    let hubs = world.addresses.lock().unwrap().clone();
    let mut copies = Vec::new();
    for (token, decided) in tokens.iter().zip(&decided) {
        copies.push(all_done(&hubs, token, decided).await);
    }
    assert_eq!(exported.len(), USERS);
    for space in &exported {
        let user = (0..USERS).find(|user| space.user == format!("u{user}"));
        let user = user.expect("a user that writes");
        space.check(&copies[user], &decided[user]);
    }
    looked.store(true, Relaxed);
    let mut watchers = Vec::new();
    for (user, watcher) in looking {
        let watcher = timeout(HUNG, watcher).await.expect("it hangs");
        let watcher = watcher.expect("a watcher failed");
        assert_eq!(
            *watcher.copy(),
            copies[user],
            "what deltas lead to is what there is"
        );
        assert!(watcher.deltas > 10, "{} deltas", watcher.deltas);
        watchers.push((user, watcher));
    }
    erase(hubs[1], "u0").await;
    for (user, watcher) in &mut watchers {
        let expected = if *user == 0 {
            &Copy::new()
        } else {
            &copies[*user]
        };
        timeout(HUNG, async {
            while watcher.catch_up().await.is_none() || watcher.copy() != expected {}
        })
        .await
        .expect("it shows what is left");
    }
    for hub in &hubs {
        assert_eq!(
            shown(*hub, &tokens[0]).await,
            Copy::new(),
            "what was erased"
        );
        assert_eq!(
            shown(*hub, &tokens[1]).await,
            copies[1],
            "another user's stays"
        );
    }
    for hub in world.hubs.into_iter().flatten() {
        end(hub, "TERM").await;
    }
}

/// What all hubs show of a user when all jobs are done, which is what was decided and what follows.
async fn all_done(hubs: &[SocketAddr], token: &str, decided: &BTreeMap<String, u64>) -> Copy {
    let sum = decided.values().sum::<u64>();
    let events: u64 = decided.values().map(|last| last / EVENT_EACH).sum();
    let of = |shows: &Copy, name: &str| {
        let of_table = shows.keys().filter(|(table, _)| table == name);
        of_table.count() as u64
    };
    let doing = async {
        loop {
            let shows = shown(hubs[0], token).await;
            if of(&shows, "occurrences") >= 2 * events {
                return shows;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let shows = timeout(HUNG, doing).await.expect("every job is done");
    for hub in &hubs[1..] {
        assert_eq!(shown(*hub, token).await, shows, "all show the same");
    }
    for (client, last) in decided {
        let prefix = format!("{client}-");
        let own = |(table, id): &&(String, String)| table == "tasks" && id.starts_with(&prefix);
        let own = shows.keys().filter(own).count();
        assert_eq!(own as u64, *last, "{client}: each mutation once");
        let shared = ("tasks".to_owned(), "shared".to_owned());
        let told = &shows[&shared][format!("of {client}")];
        assert_eq!(told, last, "{client}: what it wrote last is what there is");
    }
    // Whoever wrote last, it is the last that it wrote: nobody's own edits overtake each other.
    let shared = ("tasks".to_owned(), "shared".to_owned());
    let last = &shows[&shared]["of all"];
    let mut lasts = decided
        .iter()
        .map(|(client, last)| format!("{client}-{last}"));
    assert!(lasts.any(|one| *last == one), "{last} of {decided:?}");
    let counts = ["tasks", "events", "occurrences"].map(|table| of(&shows, table));
    assert_eq!(counts, [1 + sum, events, 2 * events]);
    assert_eq!(shows.len() as u64, counts.iter().sum::<u64>());
    shows
}

/// Everything of a user goes, as an operator asks for it, until the store has done it.
async fn erase(hub: SocketAddr, user: &str) {
    let client = reqwest::Client::new();
    let url = format!("http://{hub}/api/v1/admin/user-data/{user}");
    let erasing = async {
        loop {
            let asked = client
                .delete(&url)
                .header("X-Service-Key", KEY)
                .send()
                .await;
            let answer = asked.unwrap();
            match answer.status().as_u16() {
                200 => return,
                503 => sleep(Duration::from_millis(50)).await,
                other => panic!("{other}: {}", answer.text().await.unwrap()),
            }
        }
    };
    timeout(HUNG, erasing).await.expect("it is erased");
}

/// Waits until so many more were answered.
async fn goes_on(answered: &AtomicU64) {
    let before = answered.load(Relaxed);
    let going = async {
        while answered.load(Relaxed) < before + BETWEEN {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(HUNG, going)
        .await
        .expect("nothing is answered any more");
}
