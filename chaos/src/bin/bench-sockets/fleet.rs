//! Many clients, each a user of its own or all of one user.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use syncline_chaos::hub::Hub;
use syncline_chaos::quantile;

use crate::client::{Client, NOTHING, Seen, Who};

/// Sockets being opened at once.
pub(crate) const OPENING: usize = 64;

/// Sockets from one loopback address. A pair of addresses has some 28,000 ports, and those that
/// were used lately are not free yet.
const PER_ADDRESS: usize = 500;

/// Longest wait for something that must happen.
const HUNG: Duration = Duration::from_secs(120);

/// Attached sockets.
pub(crate) struct Fleet {
    pub(crate) clients: Vec<Client>,
    pub(crate) seen: Rc<Seen>,
}

/// Whose the sockets are.
#[derive(Clone, Copy)]
pub(crate) enum Users {
    /// Each socket has a user of its own.
    Distinct,
    /// All are one user's.
    One,
}

/// Tokens for sockets `range` of a fleet.
pub(crate) async fn tokens(
    hub: &Hub,
    users: Users,
    range: std::ops::Range<usize>,
) -> anyhow::Result<Vec<String>> {
    match users {
        Users::One => Ok(vec![hub.token("ada").await?; range.len()]),
        Users::Distinct => {
            let tokens = range.map(|i| async move { hub.token(&format!("user-{i:06}")).await });
            stream::iter(tokens).buffered(OPENING).try_collect().await
        }
    }
}

/// The loopback address of a fleet's socket.
pub(crate) fn address_of(at: usize) -> SocketAddr {
    let host = u8::try_from(at / PER_ADDRESS + 1).unwrap_or(u8::MAX);
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0))
}

/// Its client.
pub(crate) fn client_id(at: usize) -> String {
    format!("0b0f5c1e-5b1f-4a51-9b1f-{at:012x}")
}

impl Fleet {
    /// No sockets yet.
    pub(crate) fn new() -> Fleet {
        Fleet {
            clients: Vec::new(),
            seen: Rc::default(),
        }
    }

    /// Opens one more socket for each token, and waits until all have all there is.
    pub(crate) async fn open(&mut self, hub: &Hub, tokens: &[String]) -> anyhow::Result<Duration> {
        let address: SocketAddr = hub.address.parse()?;
        let first = self.clients.len();
        let began = Instant::now();
        let opening = tokens.iter().enumerate().map(|(i, token)| {
            let (at, seen) = (first + i, self.seen.clone());
            async move {
                let client = client_id(at);
                let who = Who {
                    token,
                    client: &client,
                    cursor: NOTHING,
                };
                Client::open(address, address_of(at), &who, &seen).await
            }
        });
        let opened: Vec<Client> = stream::iter(opening)
            .buffer_unordered(OPENING)
            .try_collect()
            .await?;
        self.clients.extend(opened);
        let all = self.clients.len() as u64;
        let seen = self.seen.clone();
        let ended = |seen: &Seen| seen.ready.get() + seen.closed.get() >= all;
        let waited = until("sockets to be ready", || ended(&seen)).await;
        if waited.is_err() || seen.closed.get() > 0 {
            let (ready, closed) = (seen.ready.get(), seen.closed.get());
            bail!("of {all} sockets {ready} are ready and {closed} were closed");
        }
        Ok(began.elapsed())
    }

    /// How long the timed changes took to those who were told them.
    pub(crate) fn told(&self) -> String {
        let mut ms = self.seen.delays_ms.borrow().clone();
        ms.sort_by(f64::total_cmp);
        let (p50, p99) = (quantile(&ms, 0.5), quantile(&ms, 0.99));
        format!("p50 {p50:.1} ms, p99 {p99:.1} ms")
    }

    /// Closes all but the first so many.
    pub(crate) fn keep(&mut self, count: usize) {
        self.clients.truncate(count);
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > HUNG {
            bail!("waited too long for {what}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Waits until a gauge of the hub has a value.
pub(crate) async fn until_gauge(hub: &Hub, name: &str, value: f64) -> anyhow::Result<()> {
    let began = Instant::now();
    while hub.metric(name).await? != value {
        if began.elapsed() > HUNG {
            bail!("waited too long for {name} to be {value}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
