//! Very many reminders of one user that are due at once, beside those of others: in how many turns
//! everybody has a turn, not how long that takes.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use syncline_hub::app::Parts;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::{Hlc, WallMs, wall_text};
use syncline_storage::JobStore;
use syncline_storage::jobs::{
    Claim, DeadCursor, DeadJob, Ended, JobCounts, JobKind, JobName, Lease, LeaseError, LeasedJob,
    StoredJob,
};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_storage::types::StoreError;
use syncline_tests::device::Device;
use tempfile::TempDir;

use super::firing::{reminder, told};
use super::jumping::{HOUR, Jumping, connect, start};
use super::{Asker, setup};

/// Reminders of the one, in pushes of [`AT_ONCE`].
const MANY: usize = 10_000;
const AT_ONCE: usize = 500;

const OTHERS: usize = 20;

/// Workers: far fewer than there are users.
const POOL: u64 = 4;

/// Turns that who has very many may have before each of the others had one: what was leased ahead when
/// theirs came, and one more.
const TURNS_MAX: usize = 2;

/// Ten times what is promised, in milliseconds: past it, it hangs.
const LATE_MS_MAX: u64 = 10_000;

/// Notes whose planning is leased, in order, and when.
struct Turns {
    inner: Arc<SqliteStore>,
    leased: Mutex<Vec<(SpaceKey, WallMs)>>,
}

impl Turns {
    /// Whose turn it was from then on.
    fn since(&self, due_ms: WallMs) -> Vec<String> {
        let leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        let since = leased.iter().filter(|(_, at_ms)| *at_ms >= due_ms);
        since.map(|(space, _)| space.space.to_string()).collect()
    }
}

#[async_trait]
impl JobStore for Turns {
    async fn claim(&self, claim: &Claim) -> Result<Vec<LeasedJob>, StoreError> {
        let leased = self.inner.claim(claim).await?;
        let planning = leased
            .iter()
            .filter(|one| one.job.kind.as_str() == "reminder");
        let planning = planning.map(|one| (one.lease.name.space.clone(), claim.now_ms));
        let mut noted = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(planning);
        Ok(leased)
    }

    async fn extend(
        &self,
        leases: &[Lease],
        until_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.inner.extend(leases, until_ms).await
    }

    async fn finish(
        &self,
        ended: &[Ended],
        now_ms: WallMs,
    ) -> Result<Vec<Result<(), LeaseError>>, StoreError> {
        self.inner.finish(ended, now_ms).await
    }

    async fn job(&self, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        self.inner.job(name).await
    }

    async fn cancel(&self, name: &JobName) -> Result<bool, StoreError> {
        self.inner.cancel(name).await
    }

    async fn snooze(&self, name: &JobName, due_at_ms: WallMs) -> Result<bool, StoreError> {
        self.inner.snooze(name, due_at_ms).await
    }

    async fn waiting_jobs(
        &self,
        kind: &JobKind,
        between_ms: (WallMs, WallMs),
        limit: usize,
    ) -> Result<Vec<JobName>, StoreError> {
        self.inner.waiting_jobs(kind, between_ms, limit).await
    }

    async fn dead_jobs(
        &self,
        kind: &JobKind,
        after: Option<DeadCursor>,
        limit: usize,
    ) -> Result<Vec<DeadJob>, StoreError> {
        self.inner.dead_jobs(kind, after, limit).await
    }

    async fn replay(&self, name: &JobName, now_ms: WallMs) -> Result<bool, StoreError> {
        self.inner.replay(name, now_ms).await
    }

    async fn replay_all(
        &self,
        kind: &JobKind,
        now_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.inner.replay_all(kind, now_ms, limit).await
    }

    async fn forget_dead(
        &self,
        kind: &JobKind,
        before_ms: WallMs,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.inner.forget_dead(kind, before_ms, limit).await
    }

    async fn next_due(&self, kinds: &[JobKind]) -> Result<Option<WallMs>, StoreError> {
        self.inner.next_due(kinds).await
    }

    async fn job_counts(&self, kinds: &[JobKind]) -> Result<Vec<JobCounts>, StoreError> {
        self.inner.job_counts(kinds).await
    }
}

/// How many reminders a notification is of.
fn count(part: &Value) -> usize {
    part["items"].as_array().unwrap().len() + part["more"].as_u64().unwrap() as usize
}

fn at_ms(part: &Value) -> WallMs {
    Hlc::parse(part["at"].as_str().unwrap()).unwrap().wall_ms()
}

/// All that one was told, once it is of so many reminders.
async fn all_told(ada: &Asker<'_>, reminders: usize) -> Vec<Value> {
    // Each look is one more of a hub that plans meanwhile: far fewer are needed.
    for _ in 0..1_000 {
        let page = ada.get("/api/v1/notifications?limit=100").await;
        let parts = page["notifications"].as_array().unwrap().clone();
        if parts.iter().map(count).sum::<usize>() >= reminders {
            return parts;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not all are told");
}

/// Ten thousand of one user are planned in parts, and between them come the others.
#[tokio::test]
async fn a_user_with_very_many_holds_up_nobody() {
    let dir = Arc::new(TempDir::new().unwrap());
    let store = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db"))).unwrap();
    let store = Arc::new(store);
    let turns = Arc::new(Turns {
        inner: store.clone(),
        leased: Mutex::default(),
    });
    let clock = Arc::new(Jumping::default());
    let mut setup = setup();
    setup.config.jobs.concurrency = POOL;
    setup.dir = Some(dir);
    setup.parts = Parts {
        store: Some(store),
        jobs: Some(turns.clone()),
        ..Parts::default()
    };
    let node = start(setup, &clock).await;
    // However long it takes to write them all: the clock does not get there by itself.
    let due_ms = clock.in_ms(HOUR);
    let due = wall_text(due_ms);
    let mut many = Device::new("ada", "phone");
    connect(&mut many, "ada", &node).await;
    for part in 0..MANY / AT_ONCE {
        let changes = (0..AT_ONCE).map(|n| {
            json!({"table": "reminders", "id": format!("r{part}-{n}"), "op": "insert",
                "data": {"title": "All at once", "remindAt": due}})
        });
        many.edit(&Value::from_iter(changes));
        many.push().await;
    }
    let mut others = Vec::new();
    for n in 0..OTHERS {
        let user = format!("other{n}");
        let mut device = Device::new(&user, "phone");
        connect(&mut device, &user, &node).await;
        device.edit(&reminder("r1", &json!({"title": "One", "remindAt": due})));
        device.push().await;
        others.push(device);
    }
    clock.jump_to(due_ms);

    let mut told_ms = Vec::new();
    for device in &mut others {
        let told = told(device, 1).await;
        assert_eq!((told.len(), count(&told[0])), (1, 1));
        told_ms.push(at_ms(&told[0]));
    }
    let last_ms = *told_ms.iter().max().unwrap();
    assert!(
        last_ms - due_ms <= LATE_MS_MAX,
        "{} ms late",
        last_ms - due_ms
    );

    let mut ada = Asker::of(&node, "ada");
    ada.token = node.token_for("ada", 86_400);
    let parts = all_told(&ada, MANY).await;
    assert_eq!(parts.iter().map(count).sum::<usize>(), MANY);
    let turns = turns.since(due_ms);
    let own = turns.iter().filter(|user| *user == "ada").count();
    assert!(
        parts.len() > 10 && own >= parts.len(),
        "{} parts",
        parts.len()
    );
    let had_a_turn = |n: usize| turns.iter().position(|user| *user == format!("other{n}"));
    // Whose look was under way at that time has no other turn.
    let last = (0..OTHERS).filter_map(had_a_turn).max().unwrap_or(0);
    let before = turns[..last].iter().filter(|user| *user == "ada").count();
    assert!(
        before <= TURNS_MAX,
        "{before} turns before the last: {turns:?}"
    );
    let parts_before = parts.iter().filter(|part| at_ms(part) < last_ms).count();
    assert!(
        parts_before <= TURNS_MAX,
        "{parts_before} parts before the last"
    );
    node.app.shutdown().await;
}
