//! As many machines at a time as there are processors.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run one machine, given back on drop.
#[derive(Debug)]
pub(super) struct Permit(());

impl Permit {
    /// Waits until fewer machines run than there are processors.
    pub(super) fn wait() -> Self {
        let most = thread::available_parallelism().map_or(1, usize::from);
        let mut running = lock();
        while *running >= most {
            running = ENDED.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Self(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock() -= 1;
        ENDED.notify_one();
    }
}

fn lock() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
