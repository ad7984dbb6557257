//! One build per key, however many ask.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// What a build ended with; an error is shared by all who waited.
pub type Landed<V, E> = Result<V, Arc<E>>;

type Waiting<V, E> = watch::Receiver<Option<Landed<V, E>>>;

/// Runs one build per key at a time; whoever comes later shares its result.
///
/// A build runs on a task of its own: a caller that goes away neither stops nor restarts it. A build that fails is
/// forgotten once those who waited have its error, so the next caller builds again; so is one that panicked.
#[derive(Debug)]
pub struct Flights<K, V, E> {
    running: Arc<Mutex<HashMap<K, Waiting<V, E>>>>,
}

/// The build ended without a result: it panicked, or the service is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the build was abandoned")]
pub struct Abandoned;

impl<K, V, E> Default for Flights<K, V, E> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

/// Takes the key out of the map when the build ends, in whichever way it ends.
struct Entry<K: Eq + Hash, V, E> {
    running: Arc<Mutex<HashMap<K, Waiting<V, E>>>>,
    key: K,
}

impl<K: Eq + Hash, V, E> Drop for Entry<K, V, E> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<K, V, E> Flights<K, V, E>
where
    K: Clone + Debug + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// The result for `key`: that of the build which is running, or else of `build`.
    ///
    /// # Errors
    /// When the build ended without a result.
    pub async fn join<F>(&self, key: K, build: impl FnOnce() -> F) -> Result<Landed<V, E>, Abandoned>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut waiting = self.board(key, build);
        let landed = waiting.wait_for(Option::is_some).await.map_err(|_| Abandoned)?;
        landed.clone().ok_or(Abandoned)
    }

    /// How many builds are running.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing is being built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn board<F>(&self, key: K, build: impl FnOnce() -> F) -> Waiting<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = running.get(&key) {
            return waiting.clone();
        }
        let (announce, waiting) = watch::channel(None);
        running.insert(key.clone(), waiting.clone());
        let entry = Entry { running: Arc::clone(&self.running), key };
        let build = build();
        tokio::spawn(async move {
            let landed = build.await.map_err(Arc::new);
            drop(entry);
            announce.send_replace(Some(landed));
        });
        waiting
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    type Numbers = Flights<&'static str, usize, &'static str>;

    async fn slow(
        runs: Arc<AtomicUsize>,
        result: Result<usize, &'static str>,
    ) -> Result<usize, &'static str> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        runs.fetch_add(1, Ordering::SeqCst);
        result
    }

    #[tokio::test]
    async fn a_hundred_callers_cause_one_build() {
        let (flights, runs) = (Numbers::default(), Arc::new(AtomicUsize::new(0)));
        let callers = (0..100).map(|_| flights.join("a", || slow(Arc::clone(&runs), Ok(7))));
        for landed in futures::future::join_all(callers).await {
            assert_eq!(landed, Ok(Ok(7)));
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_does_not_stop_the_build() {
        let (flights, runs) = (Arc::new(Numbers::default()), Arc::new(AtomicUsize::new(0)));
        let (theirs, count) = (Arc::clone(&flights), Arc::clone(&runs));
        let first = tokio::spawn(async move { theirs.join("a", || slow(count, Ok(1))).await });
        tokio::time::sleep(Duration::from_millis(5)).await;
        first.abort();
        assert_eq!(flights.join("a", || slow(Arc::clone(&runs), Ok(2))).await, Ok(Ok(1)));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn after_a_failure_or_a_panic_the_next_caller_builds() {
        let (flights, runs) = (Numbers::default(), Arc::new(AtomicUsize::new(0)));
        assert_eq!(flights.join("a", || slow(Arc::clone(&runs), Err("no"))).await, Ok(Err(Arc::new("no"))));
        assert_eq!(flights.join("a", || async { panic!("on purpose") }).await, Err(Abandoned));
        assert_eq!(flights.join("a", || slow(Arc::clone(&runs), Ok(3))).await, Ok(Ok(3)));
    }
}
