//! A node's record cache as the contract allows it: it may forget anything at any moment, and
//! it never forgets what would be a trap, the entries of old activations.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use syncline_hub::session::cache::{Activation, Known, RecordCache};
use syncline_protocol::ids::RecordKey;

use super::rng::Rng;

/// The cache of a simulated node.
#[derive(Debug)]
pub struct ForgetfulCache(Mutex<Entries>);

#[derive(Debug)]
struct Entries {
    known: HashMap<(Activation, RecordKey), Known>,
    /// What was told or noted last of each record: whatever is merged onto passes here.
    last: HashMap<RecordKey, Known>,
    rng: Rng,
    forgetful: u64,
    forgotten: u64,
}

impl ForgetfulCache {
    /// An empty one that forgets `forgetful` of a thousand entries when it is asked for them.
    pub fn new(rng: Rng, forgetful: u64) -> ForgetfulCache {
        ForgetfulCache(Mutex::new(Entries {
            known: HashMap::new(),
            last: HashMap::new(),
            rng,
            forgetful,
            forgotten: 0,
        }))
    }

    /// Entries forgotten since the last look.
    pub fn take_forgotten(&self) -> u64 {
        std::mem::take(&mut self.entries().forgotten)
    }

    /// What the session read last of a record, here or in the store.
    pub fn last(&self, key: &RecordKey) -> Option<Known> {
        self.entries().last.get(key).cloned()
    }

    /// Forgets nothing more.
    pub fn heal(&self) {
        self.entries().forgetful = 0;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordCache for ForgetfulCache {
    fn get(&self, activation: Activation, key: &RecordKey) -> Option<Known> {
        let mut entries = self.entries();
        let found = entries.known.get(&(activation, key.clone())).cloned()?;
        let forgetful = entries.forgetful;
        if entries.rng.chance(forgetful) {
            entries.known.remove(&(activation, key.clone()));
            entries.forgotten += 1;
            return None;
        }
        entries.last.insert(key.clone(), found.clone());
        Some(found)
    }

    fn put(&self, activation: Activation, known: &mut dyn Iterator<Item = (&RecordKey, Known)>) {
        let mut entries = self.entries();
        for (key, known) in known {
            entries.last.insert(key.clone(), known.clone());
            entries.known.insert((activation, key.clone()), known);
        }
    }
}
