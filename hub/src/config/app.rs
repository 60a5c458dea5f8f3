//! What an app asks of the hub besides sync: jobs that follow from changes, and from the clock.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use syncline_compute::jobs::cron::{Schedule, ScheduleConfig};
use syncline_compute::reminders::RemindersConfig;
use syncline_compute::triggers::{TriggerConfig, Triggers};
use syncline_protocol::ids::AppId;

use super::Problems;

/// Schedules are checked by a pattern's next time after this: none has a year in it, so what never
/// fires after one moment never does.
const ANY_MOMENT_MS: u64 = 1_735_689_600_000;

/// The apps that ask for something, by name.
pub type AppConfigs = BTreeMap<AppId, AppConfig>;

/// One app, `[app.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    /// Jobs that follow from changes, `[[app.NAME.triggers]]`.
    pub triggers: Vec<TriggerConfig>,
    /// Jobs that are due again and again, `[[app.NAME.schedules]]`.
    pub schedules: Vec<ScheduleConfig>,
    /// Reminders of users, `[app.NAME.reminders]`; none without it.
    pub reminders: Option<RemindersConfig>,
}

/// Tables by the apps' names. Errors: a name that is none.
pub(super) fn by_name<'de, D: Deserializer<'de>>(from: D) -> Result<AppConfigs, D::Error> {
    let by_name = BTreeMap::<String, AppConfig>::deserialize(from)?;
    let named = by_name.into_iter().map(|(name, config)| {
        let app = AppId::parse(&name).map_err(|refusal| D::Error::custom(refusal.message))?;
        Ok((app, config))
    });
    named.collect()
}

/// The same by their names.
pub(super) fn shown<S: Serializer>(apps: &AppConfigs, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(apps.iter().map(|(app, config)| (app.as_str(), config)))
}

impl AppConfig {
    pub(super) fn check(&self, app: &AppId, depth_max: u64, problems: &mut Problems) {
        if let Err(error) = self.triggers(depth_max) {
            problems.push("app", format!("{app}: {error}"));
        }
        if let Some(Err(wrong)) = self.reminders.as_ref().map(RemindersConfig::check) {
            for why in wrong {
                problems.push("app", format!("{app}: reminders: {why}"));
            }
        }
        let mut ids: Vec<&str> = Vec::new();
        for schedule in &self.schedules {
            if let Err(error) = Schedule::of(schedule, ANY_MOMENT_MS) {
                problems.push("app", format!("{app}: {error}"));
            }
            if ids.contains(&schedule.id.as_str()) {
                let why = format!("{app}: schedule {}: there are two of this id", schedule.id);
                problems.push("app", why);
            }
            ids.push(&schedule.id);
        }
    }

    /// Its triggers. Errors: the first that is none.
    pub fn triggers(
        &self,
        depth_max: u64,
    ) -> Result<Triggers, syncline_compute::triggers::TriggerError> {
        Triggers::of(&self.triggers, u8::try_from(depth_max).unwrap_or(u8::MAX))
    }
}
