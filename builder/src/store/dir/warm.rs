//! Files kept open for a while, so that what the system has in memory is read without waiting for a thread.

use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fs_err as fs;
use moka::future::Cache;
use rustix::io::{ReadWriteFlags, preadv2};
use schematics::Digest;

use super::PIECE;
use super::proofs::{Proofs, Stamp};

/// How many files are kept open.
const OPEN: u64 = 256;
/// How long one is that nobody reads.
const IDLE: Duration = Duration::from_secs(60);

/// The files that were read last. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Warm(Cache<Digest, Arc<fs::File>>);

impl Default for Warm {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(OPEN).time_to_idle(IDLE).build())
    }
}

impl Warm {
    /// Keeps a file open.
    pub(super) async fn keep(&self, digest: Digest, file: &Arc<fs::File>) {
        self.0.insert(digest, Arc::clone(file)).await;
    }

    /// A piece of a blob, if reading it takes no time: its file is open and as it was when it was found to be right, and
    /// the piece is in memory. A file that was touched or removed since has another stamp.
    pub(super) async fn read(&self, digest: Digest, range: &Range<u64>, proofs: &Proofs) -> Option<Bytes> {
        let len = range.end.checked_sub(range.start).filter(|len| (1..=PIECE).contains(len))?;
        let file = self.0.get(&digest).await?;
        let metadata = file.metadata().ok()?;
        if range.end > metadata.len() || !proofs.knows(digest, Stamp::of(&metadata)) {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let read =
            preadv2(file.file(), &mut [IoSliceMut::new(&mut bytes)], range.start, ReadWriteFlags::NOWAIT);
        // Less than all of it is in memory, or the file system cannot say.
        (read == Ok(bytes.len())).then(|| bytes.into())
    }
}
