//! Seeded worlds: reminders and tasks are edited at random, clocks jump, hubs go away, commits are
//! lost. What each try tells is compared with what a few lines say that it should, by the records as
//! they are in the store.

use std::collections::BTreeSet;

use syncline_protocol::stamp::wall_text;
use syncline_storage::faulty::Prng;

use super::*;

/// Worlds that are looked at.
const SEEDS: u64 = 160;

/// Things that happen in each.
const EVENTS: usize = 60;

const CUT_OFF_MS: u64 = 12 * HOUR;

/// A world, and what is known of it.
struct Watched {
    world: World,
    random: Prng,
    /// How far the hub's clock is off, in minutes.
    off: i64,
    /// The keys of all that was told.
    told: BTreeSet<String>,
    /// What happened, for whoever reads a failure.
    trace: Vec<String>,
}

fn key((id, due_ms): &(String, u64)) -> String {
    format!("reminders/{id}@{due_ms}")
}

impl Watched {
    async fn open(seed: u64) -> Watched {
        let mut world = World::open().await;
        let mut random = Prng::new(seed);
        world.changes_max = [CHANGES_MAX, 2, 5][random.below(3) as usize];
        Watched {
            world,
            random,
            off: 0,
            told: BTreeSet::new(),
            trace: vec![format!("seed {seed}")],
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// One of six times in the two days that come.
    fn time(&mut self) -> String {
        wall_text(NOW + (self.below(6) + 1) * 7 * HOUR)
    }

    async fn happens(&mut self) {
        let reminder = format!("r{}", self.below(4));
        let task = format!("k{}", self.below(2));
        let time = self.time();
        let kind = self.below(16);
        self.trace.push(format!(
            "{} kind {kind} {reminder} {task} {time}",
            wall_text(self.world.now_ms)
        ));
        match kind {
            0..4 => {
                let minutes = self.below(400);
                self.pass(self.world.now_ms + minutes * MINUTE).await;
            }
            4 => self.world.now_ms += self.below(1_200) * MINUTE,
            5..7 => self.jump(),
            7..10 => {
                self.set("reminders", &reminder, json!({"remindAt": time}))
                    .await;
            }
            10..12 => {
                let of_task = json!({"remindAt": null, "taskId": task, "minutesBefore": 30});
                self.set("reminders", &reminder, of_task).await;
            }
            12 | 13 => {
                let done = self.below(3) == 0;
                self.set("tasks", &task, json!({"due": time, "done": done}))
                    .await;
            }
            14 => self.remove("reminders", &reminder).await,
            _ => self.remove("tasks", &task).await,
        }
        self.settle().await;
    }

    fn jump(&mut self) {
        let minutes = [-1_440, -60, 60, 1_440][self.below(4) as usize];
        if (self.off + minutes).abs() <= 1_440 {
            self.off += minutes;
            self.world.now_ms = self.world.now_ms.saturating_add_signed(minutes * 60_000);
        }
    }

    async fn is_live(&self, table: &str, id: &str) -> Option<bool> {
        let record = self.record(table, id).await?;
        Some(record.is_live())
    }

    async fn record(&self, table: &str, id: &str) -> Option<Record> {
        let key = RecordKey {
            table: TableName::trusted(table),
            id: RecordId::trusted(id),
        };
        self.world.space.record(&key).await
    }

    async fn set(&mut self, table: &str, id: &str, data: Value) {
        match self.is_live(table, id).await {
            Some(true) => self.world.update(table, id, data).await,
            _ => self.world.insert(table, id, data).await,
        }
    }

    async fn remove(&mut self, table: &str, id: &str) {
        if self.is_live(table, id).await == Some(true) {
            self.world.delete(table, id).await;
        }
    }

    /// Times that live reminders are due for, with when that was written.
    async fn due(&self) -> Vec<((String, u64), u64)> {
        let mut due = Vec::new();
        for n in 0..4 {
            let id = format!("r{n}");
            let Some(reminder) = self.record("reminders", &id).await else {
                continue;
            };
            let task = match text(&reminder, "taskId") {
                Some(task) => self.record("tasks", &task).await,
                None => None,
            };
            if let Some((at_ms, set_ms)) = due_of(&reminder, task.as_ref()) {
                due.push(((id, at_ms), set_ms));
            }
        }
        due
    }

    /// One try. Its commit may be lost.
    async fn tries(&mut self) {
        let now_ms = self.world.now_ms;
        let due = self.due().await;
        let untold = |firing: &(String, u64)| !self.told.contains(&key(firing));
        let fires = |firing: &(String, u64), set_ms: u64| {
            let at_ms = firing.1;
            let in_time = at_ms <= now_ms && now_ms <= at_ms + CUT_OFF_MS;
            in_time && set_ms.min(now_ms) <= at_ms + MINUTE && untold(firing)
        };
        let expected = due.iter().filter(|(firing, set_ms)| fires(firing, *set_ms));
        let expected: BTreeSet<String> = expected.map(|(firing, _)| key(firing)).collect();
        let next = due.iter().map(|(firing, _)| firing);
        let next = next.filter(|firing| firing.1 > now_ms && untold(firing));
        let next_ms = next.map(|(_, at_ms)| *at_ms).min();
        if self.below(6) == 0 {
            self.world.tried().await;
            self.world.now_ms += self.below(3) * MINUTE;
            self.trace.push("lost".to_owned());
            return;
        }
        let at_once_ms = now_ms.max(self.world.job_ms.unwrap_or(0) + 1);
        let again_ms = self.world.work().await;
        let all = self.world.told().await.into_iter();
        let all: Vec<String> = all
            .flat_map(|told| told.items)
            .map(|item| item.key)
            .collect();
        let once: BTreeSet<String> = all.iter().cloned().collect();
        assert_eq!(
            once.len(),
            all.len(),
            "something is told twice: {:#?}",
            self.trace
        );
        let new: BTreeSet<String> = once.difference(&self.told).cloned().collect();
        assert!(
            new.is_subset(&expected),
            "{new:?} {expected:?} {:#?}",
            self.trace
        );
        self.told = once;
        if again_ms == Some(at_once_ms) && next_ms != again_ms {
            self.world.now_ms = at_once_ms;
            return;
        }
        assert_eq!(new, expected, "{:#?}", self.trace);
        assert_eq!(again_ms, next_ms, "{:#?}", self.trace);
    }

    async fn settle(&mut self) {
        for _ in 0..100 {
            if self
                .world
                .job_ms
                .is_none_or(|due_ms| due_ms > self.world.now_ms)
            {
                return;
            }
            self.tries().await;
        }
        panic!("it never ends: {:#?}", self.trace);
    }

    async fn pass(&mut self, until_ms: u64) {
        self.settle().await;
        while let Some(due_ms) = self.world.job_ms.filter(|due_ms| *due_ms <= until_ms) {
            self.world.now_ms = self.world.now_ms.max(due_ms);
            self.settle().await;
        }
        self.world.now_ms = self.world.now_ms.max(until_ms);
    }
}

fn text(record: &Record, field: &str) -> Option<String> {
    serde_json::from_str(record.field(field)?.value.as_str()).ok()
}

/// When a reminder is due, by its task if it has no time of its own, and when that was written.
fn due_of(reminder: &Record, task: Option<&Record>) -> Option<(u64, u64)> {
    if !reminder.is_live() {
        return None;
    }
    let own = text(reminder, "remindAt");
    let of_task = task.filter(|task| task.is_live());
    let is_away = task.is_some_and(|task| {
        let done = task.field("done").map(|done| done.value.as_str() == "true");
        (!task.is_live() && task.deleted.is_some()) || done == Some(true)
    });
    if is_away && text(reminder, "taskId").is_some() {
        return None;
    }
    let at_ms = match (&own, of_task) {
        (Some(own), _) => ms(own),
        (None, Some(task)) => ms(&text(task, "due")?) - 30 * MINUTE,
        (None, None) => return None,
    };
    let mut stamps = vec![reminder.inserted];
    let stamp = |record: &Record, name: &str| record.field(name).map(|field| field.stamp);
    stamps.extend(["remindAt", "taskId"].map(|name| stamp(reminder, name)));
    if own.is_none() {
        stamps.push(stamp(reminder, "minutesBefore"));
        stamps.push(of_task.and_then(|task| stamp(task, "due")));
    }
    stamps.push(of_task.and_then(|task| task.inserted));
    stamps.push(of_task.and_then(|task| stamp(task, "done")));
    let set_ms = stamps
        .iter()
        .flatten()
        .map(|stamp| stamp.at.wall_ms())
        .max();
    Some((at_ms, set_ms?))
}

#[tokio::test]
async fn whatever_happens_each_try_tells_what_it_should_and_looks_again_in_time() {
    let (mut told, mut lost) = (0, 0);
    for seed in 0..SEEDS {
        let mut watched = Watched::open(seed).await;
        for _ in 0..EVENTS {
            watched.happens().await;
        }
        watched.pass(NOW + 4 * DAY).await;
        told += watched.told.len();
        lost += watched.trace.iter().filter(|said| *said == "lost").count();
    }
    assert!(told > 200 && lost > 100, "{told} told, {lost} tries lost");
}
