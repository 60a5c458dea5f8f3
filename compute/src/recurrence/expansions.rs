//! Expansions beside the threads that serve, so many at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::Work;

/// The places of a node's expansions: one less than it has cores, at least one, so that a core is left to
/// what else it does. Clones share them.
#[derive(Clone, Debug)]
pub struct Expansions(Arc<Semaphore>);

impl Default for Expansions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Expansions::at_once(cores.saturating_sub(1))
    }
}

impl Expansions {
    /// So many at once, at least one.
    pub fn at_once(places: usize) -> Expansions {
        Expansions(Arc::new(Semaphore::new(places.max(1))))
    }

    /// Runs what may take a core for a while when it is its turn, where it holds up nobody, within the steps
    /// of one expansion. Errors: it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        expand: impl FnOnce(&mut Work) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let place = self.0.clone().acquire_owned().await;
        let place = place.expect("nobody closes it");
        let done = tokio::task::spawn_blocking(move || {
            // Who asked may have gone; the core is free only at the end.
            let _place = place;
            expand(&mut Work::default())
        });
        done.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_run_than_there_are_places_also_when_who_asked_has_gone() {
        let expansions = Expansions::at_once(2);
        let (running, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let one = || {
            let (expansions, running, most) = (expansions.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let counted = move |_: &mut Work| {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                expansions.run(counted).await
            })
        };
        let asked: Vec<_> = (0..12).map(|_| one()).collect();
        for (n, asked) in asked.into_iter().enumerate() {
            match n % 3 {
                0 => asked.abort(),
                _ => asked.await.unwrap().unwrap(),
            }
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
