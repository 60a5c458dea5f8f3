//! The hub's own triggers of an app that has reminders: what makes a reminder due another time has the
//! user's reminders planned anew, and what is to be told is delivered.

use syncline_compute::notify::{NOTIFICATIONS, PREFERENCES};
use syncline_compute::reminders::RemindersConfig;
use syncline_compute::triggers::{One, OwnTrigger, When};
use syncline_protocol::ids::{FieldName, TableName};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{JobKind, JobMove, TriggerId};
use syncline_storage::types::SpaceView;

use super::kinds;

/// The key of a space's planning, and the trigger's name.
const PLANNING: &str = "@reminders";

/// The trigger's name of deliveries.
const DELIVERING: &str = "@notify";

/// A space's planning, put anew and due at once.
pub(super) fn planning(view: &SpaceView, now_ms: WallMs) -> JobMove {
    let trigger = watching(TableName::trusted(PREFERENCES), None);
    trigger.put_for_space((view.epoch, view.head), now_ms, 0)
}

fn watching(table: TableName, fields: Option<Vec<FieldName>>) -> OwnTrigger {
    OwnTrigger {
        id: TriggerId::trusted(PLANNING),
        table,
        when: When::Any,
        fields,
        kind: JobKind::trusted(kinds::REMINDER),
        one: One::Space,
    }
}

/// The triggers.
pub(super) fn of_reminders(config: &RemindersConfig) -> Vec<OwnTrigger> {
    let delivering = OwnTrigger {
        id: TriggerId::trusted(DELIVERING),
        table: TableName::trusted(NOTIFICATIONS),
        when: When::Insert,
        fields: None,
        kind: JobKind::trusted(kinds::NOTIFY),
        one: One::Record,
    };
    let watched = [
        config.fields_that_matter_of_reminders(),
        config.fields_that_matter_of_tasks(),
    ];
    // A config that is wrong was refused before.
    let watched = watched.into_iter().flatten();
    let mut all: Vec<OwnTrigger> = watched
        .map(|watched| watching(watched.table, Some(watched.fields)))
        .collect();
    all.push(watching(TableName::trusted(PREFERENCES), None));
    all.push(delivering);
    all
}
