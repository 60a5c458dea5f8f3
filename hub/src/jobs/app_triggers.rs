//! The triggers of every app.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_compute::triggers::{TriggerError, Triggers};
use syncline_protocol::ids::AppId;

use super::own_triggers;
use crate::config::AppConfigs;

/// The triggers of every app, checked. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AppTriggers {
    by_app: Arc<HashMap<AppId, Arc<Triggers>>>,
    none: Arc<Triggers>,
}

impl AppTriggers {
    /// Of a config. Errors: the first that is none.
    pub fn of(apps: &AppConfigs, depth_max: u64) -> Result<AppTriggers, TriggerError> {
        let triggers = apps.iter().map(|(app, config)| {
            let triggers = config.triggers(depth_max)?;
            let own = config.reminders.as_ref().map(own_triggers::of_reminders);
            let triggers = triggers.with_own(own.unwrap_or_default());
            Ok((app.clone(), Arc::new(triggers)))
        });
        Ok(AppTriggers {
            by_app: Arc::new(triggers.collect::<Result<_, _>>()?),
            none: Arc::default(),
        })
    }

    /// Those of an app, which may be none.
    pub fn of_app(&self, app: &AppId) -> Arc<Triggers> {
        self.by_app.get(app).unwrap_or(&self.none).clone()
    }
}
