//! Small facts that are remembered under a digest.
//!
//! ```text
//! <root>/<kind>/<hex>   one record
//! <root>/partial/…      records being written; what is found here at start-up is removed
//! ```

use std::collections::HashMap;
use std::fmt::Debug;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use fs_err as fs;
use schematics::{Blame, Blamed, Digest};

/// Where records are written before they get their name; on the same file system, so that this is a rename.
const PARTIAL: &str = "partial";
/// A record longer than this is refused; records are facts about blobs, not blobs.
pub const MAX_RECORD: usize = 1 << 20;

/// What a record is about: one name per kind, fixed in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordKind(pub &'static str);

/// Why a record was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Reading failed.
    #[error("could not read the {kind} record {key}")]
    Read {
        /// The kind.
        kind: &'static str,
        /// Its key.
        key: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing failed; what was there before still is.
    #[error("could not write the {kind} record {key}")]
    Write {
        /// The kind.
        kind: &'static str,
        /// Its key.
        key: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blamed for RecordError {
    fn blame(&self) -> Blame {
        match self {
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Read { .. } | Self::Write { .. } => Blame::Ours,
        }
    }
}

/// Remembers small values by kind and digest.
///
/// A value is a deterministic function of its key, or carries its own proof: writing one twice is harmless, and losing
/// one costs only the work of finding it again. A schematic is the exception that must not be lost.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync + 'static {
    /// The value, if there is one.
    async fn get(&self, kind: RecordKind, key: Digest) -> Result<Option<Bytes>, RecordError>;

    /// Remembers a value of at most [`MAX_RECORD`] bytes, durably and atomically.
    async fn put(&self, kind: RecordKind, key: Digest, value: Bytes) -> Result<(), RecordError>;
}

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    records: Mutex<HashMap<(RecordKind, Digest), Bytes>>,
}

#[async_trait]
impl RecordStore for MemoryRecords {
    async fn get(&self, kind: RecordKind, key: Digest) -> Result<Option<Bytes>, RecordError> {
        Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner).get(&(kind, key)).cloned())
    }

    async fn put(&self, kind: RecordKind, key: Digest, value: Bytes) -> Result<(), RecordError> {
        check_size(kind, key, &value)?;
        self.records.lock().unwrap_or_else(PoisonError::into_inner).insert((kind, key), value);
        Ok(())
    }
}

fn check_size(kind: RecordKind, key: Digest, value: &Bytes) -> Result<(), RecordError> {
    if value.len() <= MAX_RECORD {
        return Ok(());
    }
    let source = io::Error::other(format!("{} bytes are more than a record's {MAX_RECORD}", value.len()));
    Err(RecordError::Write { kind: kind.0, key, source })
}

/// Records as files below a directory, written aside, flushed and renamed.
#[derive(Debug, Clone)]
pub struct DirRecords {
    root: PathBuf,
}

impl DirRecords {
    /// Opens the records at `root`, creating the directory where needed, and removes what an earlier run left unfinished.
    ///
    /// # Errors
    /// When the directories cannot be made or read.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        let partial = root.join(PARTIAL);
        fs::create_dir_all(&partial)?;
        for entry in fs::read_dir(&partial)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self { root })
    }

    fn path(&self, kind: RecordKind, key: Digest) -> PathBuf {
        self.root.join(kind.0).join(key.hex())
    }
}

#[async_trait]
impl RecordStore for DirRecords {
    async fn get(&self, kind: RecordKind, key: Digest) -> Result<Option<Bytes>, RecordError> {
        match fs_err::tokio::read(self.path(kind, key)).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RecordError::Read { kind: kind.0, key, source }),
        }
    }

    async fn put(&self, kind: RecordKind, key: Digest, value: Bytes) -> Result<(), RecordError> {
        check_size(kind, key, &value)?;
        let (path, partial) = (self.path(kind, key), self.root.join(PARTIAL));
        let written = tokio::task::spawn_blocking(move || write_atomically(&path, &partial, &value));
        let result = written.await.map_err(io::Error::other).and_then(|result| result);
        result.map_err(|source| RecordError::Write { kind: kind.0, key, source })
    }
}

/// Writes aside, flushes, and renames: the record is either whole or as it was.
fn write_atomically(path: &Path, partial: &Path, value: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a record has a directory"))?;
    fs::create_dir_all(dir)?;
    let mut aside = tempfile::NamedTempFile::new_in(partial)?;
    aside.write_all(value)?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn behaves(store: &dyn RecordStore) {
        let (kind, key) = (RecordKind("test"), Digest::of(b"key"));
        assert_eq!(store.get(kind, key).await.unwrap(), None);
        store.put(kind, key, "one".into()).await.unwrap();
        store.put(kind, key, "two".into()).await.unwrap();
        assert_eq!(store.get(kind, key).await.unwrap().unwrap(), "two");
        assert_eq!(store.get(RecordKind("other"), key).await.unwrap(), None);
        assert!(store.put(kind, key, vec![0; MAX_RECORD + 1].into()).await.is_err());
        assert_eq!(store.get(kind, key).await.unwrap().unwrap(), "two");
    }

    #[tokio::test]
    async fn every_record_store_behaves_alike() {
        behaves(&MemoryRecords::default()).await;
        let root = tempfile::tempdir().unwrap();
        behaves(&DirRecords::open(root.path()).unwrap()).await;
        assert_eq!(std::fs::read_dir(root.path().join("test")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let (kind, key) = (RecordKind("test"), Digest::of(b"key"));
        DirRecords::open(root.path()).unwrap().put(kind, key, "whole".into()).await.unwrap();
        std::fs::write(root.path().join(PARTIAL).join("left"), "half").unwrap();
        let records = DirRecords::open(root.path()).unwrap();
        assert_eq!(records.get(kind, key).await.unwrap().unwrap(), "whole");
        assert_eq!(std::fs::read_dir(root.path().join(PARTIAL)).unwrap().count(), 0);
    }
}
