//! Which nodes are there, by what each says of itself. Pure: what is heard and the time come in.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::heartbeat::{Heartbeat, Instance, Standing};

/// A node that was not heard for so long is not there. It is said to disappear within 15 s, and
/// three heartbeats in a row may be lost.
pub const SILENT_MAX: Duration = Duration::from_secs(10);

/// Nodes that are remembered, those that went a moment ago included. One more is not taken in.
pub const NODES_MAX: usize = 256;

/// The nodes that were heard.
#[derive(Debug, Default)]
pub struct Directory {
    nodes: HashMap<Instance, Seen>,
}

#[derive(Debug)]
struct Seen {
    said: Heartbeat,
    first: Instant,
    last: Instant,
    /// That another one has its name was told.
    name_told: bool,
}

/// What a heartbeat brings that is worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    Nothing,
    /// The node was not there before.
    Appeared,
    /// It has gone.
    Gone,
    /// Another process has its name, and both speak: told once.
    SharesName,
    /// There are as many as may be: it is not taken in.
    Full,
}

/// A node that is there.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it said last.
    pub said: Heartbeat,
    /// How long ago.
    pub ago: Duration,
    /// For how long it has been heard.
    pub known_for: Duration,
    /// Another one that is there has its name.
    pub shares_name: bool,
}

impl Directory {
    /// Takes in what a node says of itself.
    pub fn hear(&mut self, said: Heartbeat, now: Instant) -> News {
        let instance = said.instance;
        let Some(seen) = self.nodes.get_mut(&instance) else {
            return self.take_in(said, now);
        };
        // Last words are the last.
        if said.no <= seen.said.no || seen.said.standing == Standing::Gone {
            return News::Nothing;
        }
        (seen.said, seen.last) = (said, now);
        if seen.said.standing == Standing::Gone {
            return News::Gone;
        }
        if self.name_is_anothers(instance, now) {
            return News::SharesName;
        }
        News::Nothing
    }

    fn take_in(&mut self, said: Heartbeat, now: Instant) -> News {
        if self.nodes.len() >= NODES_MAX {
            return News::Full;
        }
        let standing = said.standing;
        let seen = Seen {
            said,
            first: now,
            last: now,
            name_told: false,
        };
        self.nodes.insert(seen.said.instance, seen);
        match standing {
            // It stays known, so that an older word that comes late does not bring it back.
            Standing::Gone => News::Nothing,
            Standing::Serving | Standing::Working | Standing::Draining => News::Appeared,
        }
    }

    /// Whether a later process speaks under the name of one that still speaks. One that was
    /// killed and started again leaves its name behind for a while, and says nothing any more.
    fn name_is_anothers(&mut self, instance: Instance, now: Instant) -> bool {
        let Some(own) = self.nodes.get(&instance) else {
            return false;
        };
        let is_later = |other: &&Seen| {
            let serves = other.said.standing.is_up() && !other.is_silent(now);
            serves && other.said.node == own.said.node && other.first > own.first
        };
        if own.name_told || !own.said.standing.is_up() {
            return false;
        }
        let is_anothers = self.nodes.values().any(|other| is_later(&other));
        if let Some(own) = self.nodes.get_mut(&instance) {
            own.name_told = is_anothers;
        }
        is_anothers
    }

    /// Forgets who was silent for too long; returns those that had not said goodbye.
    pub fn forget_silent(&mut self, now: Instant) -> Vec<Heartbeat> {
        let silent = self.nodes.extract_if(|_, seen| seen.is_silent(now));
        let gone = silent.map(|(_, seen)| seen.said);
        gone.filter(|said| said.standing != Standing::Gone)
            .collect()
    }

    /// Those that are there, by name.
    pub fn list(&self, now: Instant) -> Vec<Listed> {
        let there: Vec<&Seen> = self.there(now).collect();
        let listed = there.iter().map(|seen| {
            let has_name = |other: &&&Seen| other.said.node == seen.said.node;
            Listed {
                said: seen.said.clone(),
                ago: now.saturating_duration_since(seen.last),
                known_for: now.saturating_duration_since(seen.first),
                shares_name: there.iter().filter(has_name).count() > 1,
            }
        });
        let mut listed: Vec<Listed> = listed.collect();
        listed.sort_by(|a, b| {
            let key = |listed: &Listed| (listed.said.node.clone(), listed.said.instance);
            key(a).cmp(&key(b))
        });
        listed
    }

    /// The processes that are there.
    pub fn instances(&self, now: Instant) -> impl Iterator<Item = Instance> {
        self.there(now).map(|seen| seen.said.instance)
    }

    fn there(&self, now: Instant) -> impl Iterator<Item = &Seen> {
        let is_there =
            move |seen: &&Seen| seen.said.standing != Standing::Gone && !seen.is_silent(now);
        self.nodes.values().filter(is_there)
    }
}

impl Seen {
    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) > SILENT_MAX
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::NodeId;

    use super::*;

    fn said(node: &str, instance: u64, no: u64) -> Heartbeat {
        Heartbeat {
            node: NodeId::trusted(node),
            instance: Instance(instance),
            no,
            version: "1.0.0".to_owned(),
            started_at_ms: 5,
            standing: Standing::Serving,
            sockets: no,
            sessions: 0,
            commits_per_s: 0,
        }
    }

    fn gone(node: &str, instance: u64, no: u64) -> Heartbeat {
        Heartbeat {
            standing: Standing::Gone,
            ..said(node, instance, no)
        }
    }

    fn names(directory: &Directory, now: Instant) -> Vec<(String, u64)> {
        let listed = directory.list(now).into_iter();
        let name = |listed: Listed| (listed.said.node.to_string(), listed.said.instance.0);
        listed.map(name).collect()
    }

    #[test]
    fn a_node_is_there_until_it_is_silent_for_too_long() {
        let (mut directory, start) = (Directory::default(), Instant::now());
        assert_eq!(directory.hear(said("n2", 2, 1), start), News::Appeared);
        assert_eq!(directory.hear(said("n1", 1, 1), start), News::Appeared);
        let at_most = start + SILENT_MAX;
        assert_eq!(directory.hear(said("n1", 1, 2), at_most), News::Nothing);
        assert_eq!(directory.forget_silent(at_most), []);
        assert_eq!(directory.instances(at_most).count(), 2);
        let later = at_most + Duration::from_millis(1);
        assert_eq!(names(&directory, later), [("n1".to_owned(), 1)]);
        assert_eq!(directory.forget_silent(later), [said("n2", 2, 1)]);
        // What it says then makes it appear again.
        assert_eq!(directory.hear(said("n2", 2, 2), later), News::Appeared);
    }

    #[test]
    fn who_says_goodbye_is_gone_and_an_older_word_does_not_bring_it_back() {
        let (mut directory, now) = (Directory::default(), Instant::now());
        directory.hear(said("n1", 1, 1), now);
        assert_eq!(directory.hear(gone("n1", 1, 3), now), News::Gone);
        assert_eq!(directory.hear(said("n1", 1, 2), now), News::Nothing);
        assert_eq!(directory.hear(said("n1", 1, 4), now), News::Nothing);
        // So does nothing that overtook all it had said.
        assert_eq!(directory.hear(gone("n2", 2, 3), now), News::Nothing);
        assert_eq!(directory.hear(said("n2", 2, 2), now), News::Nothing);
        assert_eq!(directory.instances(now).count(), 0);
        let later = now + SILENT_MAX + Duration::from_millis(1);
        assert_eq!(directory.forget_silent(later), []);
    }

    #[test]
    fn two_that_speak_under_one_name_are_both_listed_and_told_of_once() {
        let (mut directory, now) = (Directory::default(), Instant::now());
        let then = now + Duration::from_secs(1);
        directory.hear(said("n1", 1, 1), now);
        assert_eq!(directory.hear(said("n1", 2, 1), then), News::Appeared);
        let listed = directory.list(then);
        assert!(listed.iter().all(|listed| listed.shares_name));
        // The later one may have taken the place of one that was killed.
        assert_eq!(directory.hear(said("n1", 2, 2), then), News::Nothing);
        assert_eq!(directory.hear(said("n1", 1, 2), then), News::SharesName);
        assert_eq!(directory.hear(said("n1", 1, 3), then), News::Nothing);
        assert_eq!(listed.len(), 2);
    }

    #[test]
    fn one_that_drains_gives_its_name_to_the_next() {
        let (mut directory, now) = (Directory::default(), Instant::now());
        let then = now + Duration::from_secs(1);
        directory.hear(said("n1", 1, 1), now);
        directory.hear(said("n1", 2, 1), then);
        let draining = Heartbeat {
            standing: Standing::Draining,
            ..said("n1", 1, 2)
        };
        assert_eq!(directory.hear(draining, then), News::Nothing);
    }

    #[test]
    fn no_more_are_remembered_than_may_be() {
        let (mut directory, now) = (Directory::default(), Instant::now());
        for at in 0..NODES_MAX as u64 {
            assert_eq!(directory.hear(said("n", at, 1), now), News::Appeared);
        }
        assert_eq!(directory.hear(said("n", 1_000, 1), now), News::Full);
        assert_eq!(directory.hear(said("n", 0, 2), now), News::Nothing);
        assert_eq!(directory.instances(now).count(), NODES_MAX);
    }
}
