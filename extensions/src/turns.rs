//! One at a time per key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use schematics::Digest;
use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Lets those who want the same thing in one after the other, so that all but the first find it done.
///
/// A turn ends when its guard is dropped, also by an error, a panic or a caller that went away.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    taken: Arc<Mutex<HashMap<Digest, Weak<Turn>>>>,
}

impl Turns {
    /// Waits for the turn at `key`.
    pub(crate) async fn wait(&self, key: Digest) -> OwnedMutexGuard<()> {
        self.turn(key).lock_owned().await
    }

    fn turn(&self, key: Digest) -> Arc<Turn> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = taken.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        taken.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::default());
        taken.insert(key, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_works_and_the_others_find_it_done() {
        let (turns, done, worked) = (Turns::default(), Mutex::new(false), AtomicUsize::new(0));
        let key = Digest::of(b"key");
        let work = || async {
            let _turn = turns.wait(key).await;
            if !*done.lock().unwrap() {
                worked.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                *done.lock().unwrap() = true;
            }
        };
        futures::future::join_all((0..10).map(|_| work())).await;
        assert_eq!(worked.load(Ordering::Relaxed), 1);
        let other = turns.wait(Digest::of(b"other")).await;
        assert_eq!(turns.taken.lock().unwrap().len(), 1, "what nobody waits for is forgotten");
        drop(other);
    }
}
