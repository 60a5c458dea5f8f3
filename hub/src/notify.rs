//! Telling users on this node: which apps have reminders, and by what a device may be reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_compute::push::PushService;
use syncline_protocol::ids::{AppId, FieldName, TableName};

use crate::config::{Config, push};
use syncline_compute::reminders::RemindersConfig;

/// What the config says of telling users. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notify(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    apps: BTreeMap<AppId, Reminded>,
    /// The app that the first user's routes are about.
    rest: Option<AppId>,
    push: Option<Arc<PushService>>,
    has_mail: bool,
    /// Endpoints that a user may have notifications posted to.
    webhooks: Vec<String>,
}

/// The tables of an app that has reminders.
#[derive(Clone, Debug)]
pub struct Reminded {
    /// Of reminders.
    pub reminders: TableName,
    /// Of what they are about.
    pub tasks: TableName,
    /// A reminder's task.
    pub task: FieldName,
    /// How long before it the reminder is.
    pub minutes_before: FieldName,
    /// By what it is told.
    pub told_by: FieldName,
    /// A task's time.
    pub due: FieldName,
}

impl Notify {
    /// Of a config that was checked.
    pub fn of(config: &Config) -> Notify {
        let push = push::service(&config.push).expect("the config was checked");
        let reminding = config.app.iter();
        let reminding =
            reminding.filter_map(|(app, config)| Some((app, config.reminders.as_ref()?)));
        let rest = reminding.clone().find(|(_, reminders)| reminders.rest);
        let webhooks = config.webhooks.iter();
        let webhooks = webhooks.filter(|(_, webhook)| webhook.notifications);
        Notify(Arc::new(Parts {
            rest: rest.map(|(app, _)| app.clone()),
            apps: reminding
                .map(|(app, reminders)| (app.clone(), Reminded::of(reminders)))
                .collect(),
            push: push.map(Arc::new),
            has_mail: config.mail.is_on(),
            webhooks: webhooks.map(|(name, _)| name.clone()).collect(),
        }))
    }

    /// The app that somebody means who names none: there is only one with reminders.
    pub fn only_app(&self) -> Option<&AppId> {
        let mut apps = self.0.apps.keys();
        apps.next().filter(|_| apps.next().is_none())
    }

    /// Whether users of an app are told anything.
    pub fn has(&self, app: &AppId) -> bool {
        self.0.apps.contains_key(app)
    }

    /// The app that the first user's routes are about, and its tables.
    pub fn rest(&self) -> Option<(&AppId, &Reminded)> {
        let app = self.0.rest.as_ref()?;
        Some((app, self.0.apps.get(app)?))
    }

    /// Who sends pushes, if anybody does.
    pub fn push(&self) -> Option<&Arc<PushService>> {
        self.0.push.as_ref()
    }

    /// Whether mail is sent.
    pub fn has_mail(&self) -> bool {
        self.0.has_mail
    }

    /// Endpoints that a user may have notifications posted to.
    pub fn webhooks(&self) -> &[String] {
        &self.0.webhooks
    }
}

impl Reminded {
    fn of(config: &RemindersConfig) -> Reminded {
        let fields = &config.fields;
        Reminded {
            reminders: TableName::trusted(&config.table),
            tasks: TableName::trusted(&config.tasks),
            task: fields.task.0.clone(),
            minutes_before: fields.minutes_before.0.clone(),
            told_by: fields.told_by.0.clone(),
            due: fields.due.0.clone(),
        }
    }
}
