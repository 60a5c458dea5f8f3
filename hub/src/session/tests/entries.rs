//! The hand-over between a space's entry, its session and those who tell it things: nothing is
//! lost, nothing overtakes, whatever falls between what.
//!
//! The test is the session: an actor hands it what it hears, one by one, and it decides when to
//! sleep, to start and to fail. So every order is one the test chose, by hand or by a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::json;
use syncline_cluster::event::CommitEvent;
use syncline_protocol::ids::{Epoch, NodeId, Seq, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::stamp::Hlc;
use syncline_storage::faulty::Prng;
use tokio::sync::mpsc;

use super::desk::{Desk, space};
use crate::gateway::intake::Intake;
use crate::gateway::intake::tests::session;
use crate::gateway::outbox::Outbox;
use crate::session::actor::Message;
use crate::session::entry::{
    Asleep, Entry, HEARD_RUNNING_MAX, HEARD_WAITING_MAX, Leaving, Slept, Start, Told,
};
use crate::session::event::{ConnId, Event};
use crate::wheel::Wheel;

/// Two sockets of one space; the phone shows presence.
const PHONE: ConnId = ConnId(1);
const LAPTOP: ConnId = ConnId(2);

/// How the ear passes on a commit of another node, and that some were missed.
const HEARD: u64 = 1_001;
const MISSED: u64 = 1_002;

/// Passes on what it is told, and counts how often its alarm rings.
struct Ear(Arc<AtomicU64>);

impl Actor for Ear {
    type Msg = Message;
    type State = mpsc::UnboundedSender<u64>;
    type Arguments = mpsc::UnboundedSender<u64>;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        heard: mpsc::UnboundedSender<u64>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(heard)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        heard: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Event(Event::Drained(ConnId(no))) => heard.send(no)?,
            Message::Event(Event::Heard(_)) => heard.send(HEARD)?,
            Message::Event(Event::Missed) => heard.send(MISSED)?,
            Message::IdleDue => drop(self.0.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        Ok(())
    }
}

/// A session that runs.
struct Running {
    actor: ActorRef<Message>,
    mailbox: mpsc::UnboundedReceiver<u64>,
    heard: u64,
    rung: Arc<AtomicU64>,
}

impl Running {
    async fn start(entry: &Entry) -> Running {
        let (sender, mailbox) = mpsc::unbounded_channel();
        let rung = Arc::new(AtomicU64::new(0));
        let (actor, _) = Actor::spawn(None, Ear(rung.clone()), sender).await.unwrap();
        entry.started(actor.clone());
        Running {
            actor,
            mailbox,
            heard: 0,
            rung,
        }
    }

    async fn hear(&mut self) -> u64 {
        self.heard += 1;
        self.mailbox.recv().await.unwrap()
    }

    async fn stop(self) {
        self.actor.stop_and_wait(None, None).await.unwrap();
    }
}

fn intake() -> Intake {
    session(1 << 20)
}

/// Message number `no`.
fn message(no: u64) -> Message {
    Message::Event(Event::Drained(ConnId(no)))
}

fn no_of(message: &Message) -> u64 {
    match message {
        Message::Event(Event::Drained(ConnId(no))) => *no,
        other => panic!("not told by this test: {other:?}"),
    }
}

/// What a session of both sockets leaves when it falls asleep.
fn asleep() -> Asleep {
    let mut desk = Desk::new();
    for (conn, name) in [(PHONE, "phone"), (LAPTOP, "laptop")] {
        desk.hello(conn.0, name, None);
    }
    let state = Some(Json::trusted(&json!("here").to_string()));
    desk.step(Event::Presence { conn: PHONE, state });
    let outboxes = [PHONE, LAPTOP].map(|conn| Arc::new(Outbox::new(conn, 1_000)));
    Asleep {
        dormant: desk.state.sleep(),
        outboxes: outboxes.into_iter().collect(),
    }
}

fn starting() -> Entry {
    Entry::starting(space(), intake()).0
}

/// An entry whose session sleeps.
async fn sleeping() -> Entry {
    let entry = starting();
    let running = Running::start(&entry).await;
    assert_eq!(entry.sleep(0, || Some(asleep())), Slept::Asleep);
    running.stop().await;
    entry
}

fn tell(entry: &Entry, no: u64) -> Told {
    entry.tell(message(no), intake)
}

#[tokio::test]
async fn what_is_told_while_a_session_starts_reaches_it_first_and_in_order() {
    let entry = starting();
    for no in 0..3 {
        assert!(matches!(tell(&entry, no), Told::Done));
    }
    let mut running = Running::start(&entry).await;
    assert!(matches!(tell(&entry, 3), Told::Done));
    for no in 0..4 {
        assert_eq!(running.hear().await, no);
    }
    assert_eq!(entry.sleep(running.heard, || Some(asleep())), Slept::Asleep);
}

#[tokio::test]
async fn a_session_does_not_sleep_before_it_has_heard_all_it_was_told() {
    let entry = starting();
    assert_eq!(entry.sleep(0, || Some(asleep())), Slept::No);
    let mut running = Running::start(&entry).await;
    assert!(matches!(tell(&entry, 0), Told::Done));
    assert_eq!(
        entry.sleep(0, || panic!("there is more to hear")),
        Slept::No
    );
    assert_eq!(running.hear().await, 0);
    assert_eq!(entry.sleep(1, || Some(asleep())), Slept::Asleep);
    assert_eq!(entry.sleep(1, || panic!("it sleeps")), Slept::No);
}

#[tokio::test]
async fn the_first_word_wakes_a_sleeping_session_and_the_second_does_not_wake_it_again() {
    let entry = sleeping().await;
    let Told::Start(start) = tell(&entry, 0) else {
        panic!("it sleeps on")
    };
    assert_eq!(start.asleep.unwrap().outboxes.iter().count(), 2);
    assert!(matches!(tell(&entry, 1), Told::Done));
    let (_, again) = entry.intake(intake).unwrap();
    assert!(again.is_none());
    assert!(entry.asleep_at().is_none());
}

#[tokio::test]
async fn asking_for_room_wakes_it_too() {
    let entry = sleeping().await;
    let (_, start) = entry.intake(intake).unwrap();
    assert!(start.unwrap().asleep.is_some());
}

#[tokio::test]
async fn a_socket_leaves_a_sleeping_session_without_waking_it_unless_others_must_see_it() {
    let entry = sleeping().await;
    let told = entry.leave(PHONE);
    assert!(matches!(told, Leaving::Tell), "{told:?}");
    assert!(matches!(entry.leave(LAPTOP), Leaving::Done));
    assert!(entry.asleep_at().is_some());
    // Nobody is left to see it.
    assert!(matches!(entry.leave(PHONE), Leaving::Emptied));
    assert!(entry.is_gone());
    let Told::Gone(back) = tell(&entry, 7) else {
        panic!("it is gone")
    };
    assert_eq!(no_of(&back), 7);
    assert!(matches!(entry.leave(LAPTOP), Leaving::Done));
}

#[tokio::test]
async fn a_session_without_sockets_goes_when_it_would_sleep() {
    let entry = starting();
    let _running = Running::start(&entry).await;
    assert_eq!(entry.sleep(0, || None), Slept::Gone);
    assert!(matches!(tell(&entry, 0), Told::Gone(_)));
    assert!(entry.intake(intake).is_none());
}

#[tokio::test]
async fn what_waits_for_a_session_that_cannot_start_comes_back() {
    let entry = starting();
    for no in 0..2 {
        tell(&entry, no);
    }
    let waited: Vec<u64> = entry.end().iter().map(no_of).collect();
    assert_eq!(waited, [0, 1]);
    assert!(matches!(tell(&entry, 2), Told::Gone(_)));
}

#[tokio::test]
async fn what_is_told_to_a_session_that_stopped_comes_back() {
    let entry = starting();
    Running::start(&entry).await.stop().await;
    let Told::Gone(back) = tell(&entry, 5) else {
        panic!("nobody hears it")
    };
    assert_eq!(no_of(&back), 5);
    assert!(entry.is_gone());
}

/// A space under a seed: what was told, what was heard, and what the session does.
struct World {
    entry: Entry,
    start: Option<Start>,
    running: Option<Running>,
    /// Numbers of this entry's messages that are not heard.
    unheard: std::collections::VecDeque<u64>,
    next: u64,
    counts: Counts,
}

/// How often what happened, over all seeds.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sleeps: u64,
    refused: u64,
    wakes: u64,
    ends: u64,
}

impl World {
    fn new(next: u64, counts: Counts) -> World {
        let (entry, start) = Entry::starting(space(), intake());
        World {
            entry,
            start: Some(start),
            running: None,
            unheard: Default::default(),
            next,
            counts,
        }
    }

    fn tell(&mut self) {
        let no = self.next;
        self.next += 1;
        match tell(&self.entry, no) {
            Told::Done => {}
            Told::Start(start) => {
                assert!(
                    start.asleep.is_some(),
                    "only a sleeper is started by a word"
                );
                assert!(
                    self.running.is_none() && self.start.is_none(),
                    "started twice"
                );
                self.counts.wakes += 1;
                self.start = Some(*start);
            }
            Told::Gone(_) => panic!("the entry is there"),
        }
        self.unheard.push_back(no);
    }

    async fn begin(&mut self) {
        if self.start.take().is_some() {
            self.running = Some(Running::start(&self.entry).await);
        }
    }

    async fn hear(&mut self) {
        if let Some(running) = &mut self.running
            && let Some(no) = self.unheard.pop_front()
        {
            assert_eq!(running.hear().await, no, "lost or overtaken");
        }
    }

    async fn sleep(&mut self) {
        let Some(running) = self.running.take() else {
            return assert_eq!(self.entry.sleep(0, || Some(asleep())), Slept::No);
        };
        let slept = self.entry.sleep(running.heard, || Some(asleep()));
        assert_eq!(slept == Slept::Asleep, self.unheard.is_empty());
        if slept == Slept::Asleep {
            self.counts.sleeps += 1;
            running.stop().await;
        } else {
            self.counts.refused += 1;
            self.running = Some(running);
        }
    }

    /// The session fails, and its space gets a new entry, as the registry makes one.
    async fn fail(&mut self) {
        let waited = self.entry.end().len();
        if let Some(running) = self.running.take() {
            running.stop().await;
        } else if self.start.is_some() {
            assert_eq!(waited, self.unheard.len());
        }
        assert!(matches!(tell(&self.entry, 0), Told::Gone(_)));
        self.counts.ends += 1;
        *self = World::new(self.next, self.counts);
    }
}

#[tokio::test]
async fn nothing_is_lost_or_overtakes_whatever_falls_between_what() {
    let mut counts = Counts::default();
    for seed in 0..200 {
        let (mut prng, mut world) = (Prng::new(seed), World::new(0, counts));
        for _ in 0..200 {
            match prng.below(100) {
                0..35 => world.tell(),
                35..50 => world.begin().await,
                50..80 => world.hear().await,
                80..98 => world.sleep().await,
                _ => world.fail().await,
            }
        }
        world.begin().await;
        while !world.unheard.is_empty() {
            world.hear().await;
        }
        counts = world.counts;
    }
    let Counts {
        sleeps,
        refused,
        wakes,
        ends,
    } = counts;
    assert!(
        sleeps > 200 && refused > 200 && wakes > 200 && ends > 200,
        "{counts:?}"
    );
}

/// A store that is slow to start a session must not fill the memory with what others write.
#[tokio::test]
async fn while_a_session_is_started_so_many_commits_wait_for_it_and_then_it_reads() {
    let (entry, start) = Entry::starting(space(), intake());
    let commit = commit();
    for _ in 0..HEARD_WAITING_MAX + 100 {
        assert!(matches!(
            entry.hear(commit.clone(), || unreachable!()),
            Told::Done
        ));
    }
    let mut session = Running::start(&entry).await;
    for _ in 0..HEARD_WAITING_MAX {
        assert_eq!(session.hear().await, HEARD);
    }
    assert_eq!(session.hear().await, MISSED);
    start.shown.hears(129, &Message::Event(Event::Missed));
    // It runs: each is told.
    assert!(matches!(entry.hear(commit, || unreachable!()), Told::Done));
    assert_eq!(session.hear().await, HEARD);
    session.stop().await;
}

#[tokio::test]
async fn a_session_that_is_slow_hears_that_it_missed_commits_and_then_of_the_next() {
    let (entry, start) = Entry::starting(space(), intake());
    let mut session = Running::start(&entry).await;
    let commit = commit();
    let tell = |times: u64| {
        for _ in 0..times {
            drop(entry.hear(commit.clone(), || unreachable!()));
        }
    };
    // It looks as if the session took none of them yet.
    tell(HEARD_RUNNING_MAX + 100);
    for _ in 0..HEARD_RUNNING_MAX {
        assert_eq!(session.hear().await, HEARD);
    }
    assert_eq!(session.hear().await, MISSED);
    tell(1);
    let heard = HEARD_RUNNING_MAX + 1;
    start.shown.hears(heard, &Message::Event(Event::Missed));
    tell(HEARD_RUNNING_MAX);
    for _ in 0..HEARD_RUNNING_MAX {
        assert_eq!(session.hear().await, HEARD);
    }
    tell(1);
    assert_eq!(session.hear().await, MISSED);
    session.stop().await;
}

/// One of another node.
fn commit() -> Arc<CommitEvent> {
    Arc::new(CommitEvent {
        node: NodeId::trusted("n2"),
        space: space(),
        epoch: Epoch(1),
        from: Seq(1),
        to: Seq(2),
        clock: Hlc::default(),
        live: 1,
        writers: WriterNo::default(),
        records: Vec::new(),
        marks: Vec::new(),
        jobs_due_ms: None,
        followed: None,
    })
}

/// The wheel turned between the session's first look at it and the moment it can be reached.
#[tokio::test]
async fn an_alarm_that_rang_too_early_is_heard_when_the_session_can_be_reached() {
    let wheel = Wheel::new(1, Duration::from_secs(1));
    for is_set in [false, true] {
        let (entry, start) = Entry::starting(space(), intake());
        if is_set {
            let at = wheel.after(wheel.now(), Duration::from_secs(9));
            wheel.wake_at(start.shown.clone(), at);
        }
        let mut session = Running::start(&entry).await;
        drop(entry.tell(message(1), || unreachable!()));
        assert_eq!(session.hear().await, 1);
        let rung = session.rung.load(Ordering::Relaxed);
        assert_eq!(rung, u64::from(!is_set));
        session.stop().await;
    }
}
