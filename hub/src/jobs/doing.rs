//! Doing jobs on this node: a runner with a pool for each kind, and the upkeep beside it.

use std::sync::Arc;

use syncline_cluster::ChangeLog;
use syncline_compute::jobs::cron::Schedule;
use syncline_compute::jobs::schedules::Schedules;
use syncline_compute::notify::{Channels, Notifying, NotifyingParts};
use syncline_compute::recurring::{Recurring, Reminded, Rolling};
use syncline_compute::reminders::{Planned, RemindersConfig, Reminding};
use syncline_compute::runner::{KindSpec, NotStarted, Runner, RunnerParts, kept};
use syncline_compute::webhook::Webhooks;
use syncline_compute::worker::Worker;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_storage::JobStore;
use syncline_storage::jobs::JobKind;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::metrics::JobMetrics;
use super::system_client::HubClient;
use super::telling::TellingMetrics;
use super::upkeep::{SCHEDULES_SPACE, Upkeep};
use super::{JobsBell, kinds};
use crate::config::{Config, mail, webhooks};
use crate::gateway::Gateway;
use crate::notify::Notify;

/// What it takes.
pub(crate) struct DoingParts {
    pub(crate) jobs: Arc<dyn JobStore>,
    pub(crate) log: ChangeLog,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) bell: JobsBell,
    pub(crate) notify: Notify,
}

/// Jobs are done for as long as it is there. When it is dropped they are left where they are, as by a
/// crash: somebody has them again when their leases run out.
#[derive(Debug)]
pub(crate) struct Doing {
    drain: oneshot::Sender<()>,
    running: Aborting,
    upkeep: Aborting,
}

#[derive(Debug)]
struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Doing {
    /// Starts, with a config that was checked.
    pub(crate) async fn start(config: &Config, parts: DoingParts) -> Result<Doing, NotStarted> {
        let DoingParts {
            jobs,
            log,
            gateway,
            bell,
            notify,
        } = parts;
        let clock = gateway.clock.clone();
        let kinds = kinds::all();
        let metrics = JobMetrics::shown(&gateway.metrics, &kinds);
        let metrics = metrics.expect("a new registry shows each once");
        let schedules = schedules(config, clock.now_ms());
        let counted = metrics.clone();
        let telling = TellingMetrics::shown(&gateway.metrics);
        let telling = telling.expect("a new registry shows each once");
        let (told, told_at) = (telling.clone(), clock.clone());
        let now = clock.clone();
        let space = SpaceId::trusted(SCHEDULES_SPACE);
        let parts = RunnerParts {
            jobs: jobs.clone(),
            node: config.node.clone(),
            now: Arc::new(move || now.now_ms()),
            // Without randomness nodes that start together ask together, which is no harm.
            seed: getrandom::u64().unwrap_or_default(),
            poll_ms: config.jobs.poll_ms,
            kinds: specs(config, (&gateway, &notify), (&metrics, telling)),
            schedules: Arc::new(Schedules::of(&space, schedules.clone())),
            system: Arc::new(HubClient(gateway.clone())),
            told: Arc::new(move |event| {
                told.job_ended(&event, || told_at.now_ms());
                counted.note(event);
            }),
        };
        let runner = Runner::start(parts.clone()).await?;
        let ring = runner.bell();
        bell.heard_by(move |due_ms| ring.ring(due_ms));
        let shown = metrics.clone();
        let doing = move |is_doing| shown.doing(is_doing);
        let upkeep = Upkeep {
            jobs,
            store: gateway.store.clone(),
            log,
            clock,
            bell,
            metrics,
            kinds,
            schedules,
            dead_days: config.jobs.dead_days,
        };
        let upkeep = Aborting(tokio::spawn(upkeep.run()));
        let (drain, draining) = oneshot::channel();
        let running = Aborting(tokio::spawn(kept(runner, parts, draining, doing)));
        Ok(Doing {
            drain,
            running,
            upkeep,
        })
    }

    /// Takes no more jobs and finishes those that have begun.
    pub(crate) async fn drain(mut self) {
        drop(self.upkeep);
        // A runner that is no more has nothing to finish.
        let _ = self.drain.send(());
        let _ = (&mut self.running.0).await;
    }
}

fn specs(
    config: &Config,
    (gateway, notify): (&Arc<Gateway>, &Notify),
    (counted, metrics): (&JobMetrics, TellingMetrics),
) -> Vec<KindSpec> {
    let concurrency = size(config.jobs.concurrency);
    let webhooks = webhooks::endpoints(&config.webhooks, concurrency);
    let webhooks = Arc::new(webhooks.expect("the config was checked"));
    let apps = config.app.iter();
    let rolling = Rolling::of(apps.map(|(app, of_app)| (app, &of_app.triggers[..])));
    let changes_max = usize::try_from(config.limits.changes_per_push_max).unwrap_or(usize::MAX);
    let recurring = Recurring::new(gateway.store.clone(), rolling, changes_max);
    let counted = counted.clone();
    let recurring = recurring.expanding(gateway.expansions.clone());
    let recurring = recurring.reminding(Reminded::of(reminded(config)));
    let recurring = recurring.telling(Arc::new(move |refusal| counted.refused(&refusal)));
    let reminding = reminding(config, (gateway, changes_max), metrics.clone());
    let notifying = notifying(config, (gateway, webhooks.clone()), (notify, metrics));
    let workers: [(&str, Arc<dyn Worker>); 4] = [
        (kinds::NOTIFY, Arc::new(notifying)),
        (kinds::RECURRENCE, Arc::new(recurring)),
        (kinds::REMINDER, Arc::new(reminding)),
        (kinds::WEBHOOK, webhooks),
    ];
    let spec = |(kind, worker)| KindSpec {
        kind: JobKind::trusted(kind),
        worker,
        concurrency: match kind {
            kinds::NOTIFY => size(config.jobs.notify_concurrency),
            _ => concurrency,
        },
        lease: config.jobs.lease(),
        retry: config.jobs.retry(),
        time_ms: config.jobs.time_ms,
    };
    workers.map(spec).into()
}

fn size(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn reminding(
    config: &Config,
    (gateway, changes_max): (&Gateway, usize),
    metrics: TellingMetrics,
) -> Reminding {
    let hears =
        Arc::new(move |space: &SpaceKey, planned: &Planned| metrics.planned(space, planned));
    let store = gateway.store.clone();
    let reminding = Reminding::of(store, reminded(config), changes_max, hears);
    reminding.expect("the config was checked")
}

fn notifying(
    config: &Config,
    (gateway, webhooks): (&Gateway, Arc<Webhooks>),
    (notify, metrics): (&Notify, TellingMetrics),
) -> Notifying {
    let mail = mail::service(&config.mail).expect("the config was checked");
    let templates = reminded(config).map(|(app, reminders)| {
        let templates = reminders.templates();
        (app.clone(), templates.expect("the config was checked"))
    });
    let clock = gateway.clock.clone();
    let ended = metrics.clone();
    Notifying::new(NotifyingParts {
        store: gateway.store.clone(),
        channels: Channels {
            push: notify.push().cloned(),
            mail: mail.map(Arc::new),
            webhooks,
        },
        templates: templates.collect(),
        pool: size(config.jobs.notify_concurrency),
        now: Arc::new(move || clock.now_ms()),
        told: Arc::new(move |delivered| metrics.delivered(&delivered)),
        ended: Arc::new(move |end| ended.ended(end)),
    })
}

/// The apps that have reminders.
fn reminded(config: &Config) -> impl Iterator<Item = (&AppId, &RemindersConfig)> {
    let apps = config.app.iter();
    apps.filter_map(|(app, of_app)| Some((app, of_app.reminders.as_ref()?)))
}

fn schedules(config: &Config, now_ms: u64) -> Vec<(AppId, Vec<Schedule>)> {
    let of_app = |(app, config): (&AppId, &crate::config::AppConfig)| {
        let schedules = config.schedules.iter();
        // What was checked fires again and again.
        let schedules = schedules.filter_map(|schedule| Schedule::of(schedule, now_ms).ok());
        (app.clone(), schedules.collect::<Vec<_>>())
    };
    let all = config.app.iter().map(of_app);
    all.filter(|(_, schedules)| !schedules.is_empty()).collect()
}
