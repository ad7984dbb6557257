//! Compressing blocks on several threads, in order.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::thread::Scope;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::codec::{Block, Compressor};
use super::{Codec, MAX_THREADS, SquashfsError};

/// Blocks under way per thread. Enough to bridge the reading of many small files.
const BLOCKS_PER_THREAD: usize = 8;

struct Job {
    data: Bytes,
    done: Sender<io::Result<Block>>,
}

/// Threads that compress; what was given to them first comes out first.
pub(super) struct Pool<T> {
    jobs: Sender<Job>,
    pending: VecDeque<(T, Receiver<io::Result<Block>>)>,
    limit: usize,
}

impl<T> Pool<T> {
    /// Starts the threads. They end when the pool is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        codec: Codec,
        threads: NonZeroUsize,
    ) -> Self {
        let threads = threads.get().min(MAX_THREADS);
        let limit = threads * BLOCKS_PER_THREAD;
        let (jobs, queue) = bounded::<Job>(limit);
        for _ in 0..threads {
            let queue = queue.clone();
            scope.spawn(move || work(&queue, codec));
        }
        Self { jobs, pending: VecDeque::with_capacity(limit), limit }
    }

    /// Whether something must be taken out before something more is put in.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= self.limit
    }

    /// Hands over a block; `tag` comes back with it.
    pub(super) fn put(&mut self, tag: T, data: Bytes) -> Result<(), SquashfsError> {
        let (done, result) = bounded(1);
        self.jobs.send(Job { data, done }).map_err(|_| SquashfsError::Stopped)?;
        self.pending.push_back((tag, result));
        Ok(())
    }

    /// Waits for the block that was handed over first; `None` when there is none.
    pub(super) fn take(&mut self) -> Result<Option<(T, Block)>, SquashfsError> {
        let Some((tag, result)) = self.pending.pop_front() else { return Ok(None) };
        let block = result.recv().map_err(|_| SquashfsError::Stopped)?;
        Ok(Some((tag, block.map_err(|source| SquashfsError::Compress { source })?)))
    }
}

fn work(queue: &Receiver<Job>, codec: Codec) {
    let mut compressor = Compressor::new(codec);
    for job in queue {
        let result = match &mut compressor {
            Ok(compressor) => compressor.block(job.data),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Nobody waits for it any more when the image was given up.
        drop(job.done.send(result));
    }
}
