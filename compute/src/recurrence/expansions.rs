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

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_core_is_left_to_what_else_there_is() {
        let expansions = Expansions::default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let places = cores.saturating_sub(1).max(1);
        assert_eq!(expansions.0.available_permits(), places);
        let all = u32::try_from(places).unwrap();
        let all = expansions.0.clone().acquire_many_owned(all).await;
        let (ran, has_run) = oneshot::channel();
        let expansion = expansions.run(move |_| ran.send(()));
        assert!(expansion.now_or_never().is_none(), "it waits for a place");
        assert!(has_run.await.is_err(), "it went without having begun");
        drop(all);
        assert!(matches!(expansions.run(|_| 7).await, Ok(7)));
    }

    /// A job that is stopped leaves its expansion on the core until that is done.
    #[tokio::test]
    async fn an_expansion_that_nobody_waits_for_keeps_its_place() {
        let expansions = Expansions::at_once(2);
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let expansion = expansions.run(move |_| ends.recv().is_ok());
        assert!(expansion.now_or_never().is_none());
        assert_eq!(expansions.0.available_permits(), 1);
        end.send(()).unwrap();
        let all = expansions.0.acquire_many(2).await;
        assert!(all.is_ok(), "it has given it back");
    }

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
