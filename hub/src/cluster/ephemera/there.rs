//! In which spaces that are open here other nodes' sockets show something. Pure. It finds what must
//! be forgotten when a node goes; what is shown is known by the sessions.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use syncline_cluster::directory::SILENT_MAX;
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::ids::SpaceKey;
use tokio::time::Instant;

/// What no roll call names for so long is forgotten: three in a row were lost, or its node shows
/// nothing there any more and its words were.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(70);

/// Where other nodes' sockets show something.
#[derive(Debug, Default)]
pub(super) struct There(HashMap<Instance, HashMap<SpaceKey, Instant>>);

impl There {
    /// A node told something that a session here may keep.
    pub(super) fn note(&mut self, instance: Instance, space: &SpaceKey, now: Instant) {
        let spaces = self.0.entry(instance).or_default();
        spaces.insert(space.clone(), now);
    }

    /// Nothing of a node is kept for a space any more.
    pub(super) fn forget(&mut self, instance: Instance, space: &SpaceKey) {
        if let Some(spaces) = self.0.get_mut(&instance) {
            spaces.remove(space);
            if spaces.is_empty() {
                self.0.remove(&instance);
            }
        }
    }

    /// A node went: where it had shown something.
    pub(super) fn gone(&mut self, instance: Instance) -> Vec<(Instance, SpaceKey)> {
        let spaces = self.0.remove(&instance).unwrap_or_default();
        spaces.into_keys().map(|space| (instance, space)).collect()
    }

    /// What must be forgotten: of nodes that are not there, and what is no longer confirmed.
    pub(super) fn expired(
        &mut self,
        there: &BTreeSet<Instance>,
        now: Instant,
    ) -> Vec<(Instance, SpaceKey)> {
        let mut expired = Vec::new();
        self.0.retain(|instance, spaces| {
            let at_most = match there.contains(instance) {
                true => UNCONFIRMED_MAX,
                false => SILENT_MAX,
            };
            let is_old = |at: &Instant| now.saturating_duration_since(*at) > at_most;
            let old = spaces.extract_if(|_, at| is_old(at));
            expired.extend(old.map(|(space, _)| (*instance, space)));
            !spaces.is_empty()
        });
        expired
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    const ONE: Instance = Instance(1);

    fn space(name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(name),
        }
    }

    #[test]
    fn what_a_node_showed_is_forgotten_soon_after_it_is_silent() {
        let (mut there, now) = (There::default(), Instant::now());
        there.note(ONE, &space("ada"), now);
        let nobody = BTreeSet::new();
        assert_eq!(there.expired(&nobody, now + SILENT_MAX), []);
        let later = now + SILENT_MAX + Duration::from_millis(1);
        assert_eq!(there.expired(&BTreeSet::from([ONE]), later), []);
        assert_eq!(there.expired(&nobody, later), [(ONE, space("ada"))]);
        assert_eq!(there.expired(&nobody, later), []);
    }

    #[test]
    fn what_is_not_confirmed_is_forgotten_though_its_node_is_there() {
        let (mut there, now) = (There::default(), Instant::now());
        let alive = BTreeSet::from([ONE]);
        there.note(ONE, &space("ada"), now);
        there.note(ONE, &space("bob"), now);
        let later = now + UNCONFIRMED_MAX;
        there.note(ONE, &space("bob"), later);
        assert_eq!(there.expired(&alive, later), []);
        let past = later + Duration::from_millis(1);
        assert_eq!(there.expired(&alive, past), [(ONE, space("ada"))]);
    }

    #[test]
    fn who_says_goodbye_is_forgotten_at_once() {
        let (mut there, now) = (There::default(), Instant::now());
        there.note(ONE, &space("ada"), now);
        there.note(Instance(2), &space("ada"), now);
        there.forget(Instance(2), &space("ada"));
        assert_eq!(there.gone(ONE), [(ONE, space("ada"))]);
        assert_eq!(there.gone(ONE), []);
        assert_eq!(there.gone(Instance(2)), []);
    }
}
