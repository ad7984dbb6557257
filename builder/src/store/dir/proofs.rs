//! Which files were seen to hold what their names say.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use fs_err as fs;
use moka::future::Cache;
use schematics::Digest;
use sha2::{Digest as _, Sha256};

use super::{PIECE, blocking, read_piece};
use crate::store::StoreError;

/// How many files are remembered; those that are forgotten are read once more.
const REMEMBERED: u64 = 1 << 16;

/// What tells one state of a file from another. Whoever writes to a file changes the time of its last change, which
/// cannot be set to another value as that of its content can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    place: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Self {
        let (place, changed) = ((file.dev(), file.ino()), (file.ctime(), file.ctime_nsec()));
        Self { place, size: file.len(), changed }
    }
}

/// The files that hold what their names say, as long as nobody touches them. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Proofs(Cache<(Digest, Stamp), ()>);

impl Default for Proofs {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Proofs {
    /// Takes note of a file whose bytes were hashed while they were written.
    pub(super) async fn know(&self, digest: Digest, stamp: Stamp) {
        self.0.insert((digest, stamp), ()).await;
    }

    /// Whether a file in this state was seen to hold what its name says.
    pub(super) fn knows(&self, digest: Digest, stamp: Stamp) -> bool {
        self.0.contains_key(&(digest, stamp))
    }

    /// Looks whether a file holds what its name says: once in a process, and again when it was touched.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub(super) async fn check(
        &self,
        digest: Digest,
        stamp: Stamp,
        file: &Arc<fs::File>,
    ) -> Result<(), StoreError> {
        let prove = async {
            let file = Arc::clone(file);
            let found = blocking(move || hash(&file, stamp.size)).await;
            match found.map_err(|source| StoreError::Read { digest, source })? {
                found if found == digest => Ok(()),
                found => Err(StoreError::Mismatch { expected: digest, found }),
            }
        };
        let proven = self.0.try_get_with((digest, stamp), Box::pin(prove)).await;
        proven.map_err(|error| match *error {
            StoreError::Mismatch { expected, found } => StoreError::Mismatch { expected, found },
            _ => StoreError::Read { digest, source: io::Error::other(error) },
        })
    }
}

fn hash(file: &fs::File, size: u64) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    for piece in 0..size.div_ceil(PIECE) {
        let at = piece * PIECE;
        hasher.update(read_piece(file, at, PIECE.min(size - at))?);
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
