//! One at a time of those who change jobs of a space, or an account, in this hub: several would only make each
//! other begin anew. Whoever works in another one waits for none of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The spaces, or accounts, in which somebody is, each with the turn that is passed on among those who
/// wait.
#[derive(Debug)]
pub(super) struct Alone<K>(Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>);

/// Being the only one in a space, until it is dropped.
pub(super) struct AloneIn<'a, K: Clone + Eq + Hash> {
    alone: &'a Alone<K>,
    space: K,
    /// `None` while it waits.
    turn: Option<OwnedMutexGuard<()>>,
}

impl<K> Default for Alone<K> {
    fn default() -> Alone<K> {
        Alone(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Alone<K> {
    /// Waits until nobody else is in the space.
    pub(super) async fn wait(&self, space: &K) -> AloneIn<'_, K> {
        let turn = self.spaces().entry(space.clone()).or_default().clone();
        // There before it waits, so that who gives up waiting leaves nothing behind.
        let mut alone = AloneIn {
            alone: self,
            space: space.clone(),
            turn: None,
        };
        alone.turn = Some(turn.lock_owned().await);
        alone
    }

    fn spaces(&self) -> MutexGuard<'_, HashMap<K, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Drop for AloneIn<'_, K> {
    fn drop(&mut self) {
        let mut spaces = self.alone.spaces();
        self.turn = None;
        let is_last = |turn: &Arc<_>| Arc::strong_count(turn) == 1;
        if spaces.get(&self.space).is_some_and(is_last) {
            spaces.remove(&self.space);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join;

    use super::*;
    use crate::conformance::space::space_key;

    #[tokio::test]
    async fn who_is_in_a_space_keeps_only_those_of_that_space_waiting() {
        let alone = Alone::default();
        let (ada, bob) = (space_key("todo", "ada"), space_key("todo", "bob"));
        let first = alone.wait(&ada).now_or_never();
        assert!(first.is_some());
        assert!(alone.wait(&ada).now_or_never().is_none());
        assert!(alone.wait(&bob).now_or_never().is_some());
        let (next, ()) = join(alone.wait(&ada), async { drop(first) }).await;
        assert!(alone.wait(&ada).now_or_never().is_none());
        drop(next);
        assert!(alone.spaces().is_empty(), "nobody is in any");
    }
}
