//! What is slow or dead leaves others their places.

use std::collections::VecDeque;

use tokio::task::{AbortHandle, JoinSet};

use super::*;
use crate::outgoing::tests::server::{Answer, Server};

/// One endpoint that never answers and one that does.
struct Site {
    dead: Server,
    _alive: Server,
    webhooks: Arc<Webhooks>,
    working: JoinSet<Worked>,
}

impl Site {
    async fn start(pool: usize) -> Site {
        let dead = Server::answering(Answer::Stuck("")).await;
        let alive = Server::saying("200 OK", "").await;
        let mut configs = BTreeMap::new();
        for (name, server) in [("dead", &dead), ("llm", &alive)] {
            let members = json!({"url": server.url, "private": true, "timeout_ms": 120_000});
            configs.insert(name.to_owned(), config(members));
        }
        Site {
            dead,
            _alive: alive,
            webhooks: Arc::new(Webhooks::of(&configs, pool).unwrap()),
            working: JoinSet::new(),
        }
    }

    fn begin(&mut self, space: &str, to: &str) -> AbortHandle {
        let (webhooks, task) = (self.webhooks.clone(), of(space, to));
        self.working
            .spawn(async move { webhooks.work(&task).await })
    }

    /// A post that hangs.
    async fn hang(&mut self, space: &str) -> AbortHandle {
        let post = self.begin(space, "dead");
        let (_, body) = self.dead.request().await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["space"], space, "it is another's turn");
        post
    }

    async fn work(&self, space: &str, to: &str) -> Worked {
        self.webhooks.work(&of(space, to)).await
    }
}

fn of(space: &str, to: &str) -> Task {
    let mut task = with_args(&json!({"args": {"to": to}}));
    task.lease.name.space.space = SpaceId::trusted(space);
    task
}

/// Both bounds: a dead endpoint has half of a space's workers, and a space has half of an endpoint's
/// places. A pool of 32 gives a space 8 workers and an endpoint 8 places.
#[tokio::test]
async fn a_dead_endpoint_keeps_neither_its_spaces_other_events_nor_other_spaces_events() {
    let mut site = Site::start(32).await;
    let mut of_ada = VecDeque::new();
    for _ in 0..4 {
        of_ada.push_back(site.hang("ada").await);
    }
    let busy = Worked::Busy { wait_ms: 1_000 };
    assert_eq!(site.work("ada", "dead").await, busy, "it has half");
    assert_eq!(site.work("ada", "llm").await, Worked::Done(None));
    for _ in 0..4 {
        site.hang("bob").await;
    }
    assert_eq!(site.work("eve", "dead").await, busy, "there is none");
    assert_eq!(site.dead.waiting(), 0, "nothing was posted");
    for space in ["ada", "bob", "eve"] {
        assert_eq!(site.work(space, "llm").await, Worked::Done(None));
    }
    // Who is stopped gives its place back.
    of_ada.pop_front().unwrap().abort();
    site.hang("eve").await;
}

/// However much one has to do.
#[tokio::test]
async fn spaces_take_turns_at_an_endpoint_of_one_place() {
    let mut site = Site::start(4).await;
    let mut now = site.hang("ada").await;
    for next in ["bob", "ada", "bob"] {
        let waiting = site.begin(next, "dead");
        // It is asked in the order in which it was begun, and stands in line before anybody else.
        tokio::task::yield_now().await;
        now.abort();
        let (_, body) = site.dead.request().await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["space"], next);
        now = waiting;
    }
}

/// Twelve were posted and had no answer: the events that wait are not looked at all the time.
#[tokio::test]
async fn who_waits_for_an_endpoint_that_is_dead_for_long_comes_again_later() {
    for (posts, is_dead) in [(11, false), (12, true)] {
        let mut site = Site::start(4).await;
        for _ in 0..posts {
            // It is dropped when its time is over.
            site.hang("ada").await.abort();
            while site.working.join_next().await.is_some() {}
        }
        site.hang("ada").await;
        let _in_line = site.begin("bob", "dead");
        tokio::task::yield_now().await;
        let mut longest_ms = 0;
        for _ in 0..60 {
            match site.work("bob", "dead").await {
                Worked::Busy { wait_ms } => longest_ms = longest_ms.max(wait_ms),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(longest_ms > 30_000, is_dead, "{posts}: {longest_ms}");
    }
}
