//! Where bytes are.

mod dir;
mod memory;
mod records;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

use std::fmt::Debug;
use std::io;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use schematics::{Blame, Blamed, Digest};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinError;

pub use dir::DirStore;
pub use memory::MemoryStore;
pub use records::{DirRecords, MAX_RECORD, MemoryRecords, RecordError, RecordKind, RecordStore};

/// A stored blob: its name and its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Blob {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// Bytes in pieces; ends with the first error.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// Why a store did not deliver or take bytes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such blob.
    #[error("blob {digest} is not in the store")]
    Missing {
        /// The blob.
        digest: Digest,
    },
    /// The blob is shorter than what was asked for.
    #[error("blob {digest} has {size} bytes, but bytes {}..{} were asked for", wanted.start, wanted.end)]
    OutOfBounds {
        /// The blob.
        digest: Digest,
        /// How long it is.
        size: u64,
        /// What was asked for.
        wanted: Range<u64>,
    },
    /// Bytes were to be held in memory that are too many.
    #[error("{size} bytes are more than the {limit} that may be held in memory here")]
    TooLarge {
        /// How many there are.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Bytes do not have the digest they were announced with.
    #[error("expected {expected}, but the bytes hash to {found}")]
    Mismatch {
        /// The blob that was announced.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// Reading failed.
    #[error("could not read blob {digest}")]
    Read {
        /// The blob.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process is about to end.
    #[error("work on bytes was interrupted")]
    Interrupted(#[source] JoinError),
    /// Writing failed; nothing was added to the store.
    #[error("could not write a blob into {place}")]
    Write {
        /// The store.
        place: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blamed for StoreError {
    fn blame(&self) -> Blame {
        match self {
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => Blame::Full,
            Self::Missing { .. }
            | Self::OutOfBounds { .. }
            | Self::TooLarge { .. }
            | Self::Mismatch { .. }
            | Self::Read { .. }
            | Self::Interrupted(_)
            | Self::Write { .. } => Blame::Ours,
        }
    }
}

/// A content-addressed store.
#[async_trait]
pub trait BlobStore: Debug + Send + Sync + 'static {
    /// The size of a blob, or `None` when it is not here.
    async fn size(&self, digest: Digest) -> Result<Option<u64>, StoreError>;

    /// Exactly the bytes in `range`.
    ///
    /// # Errors
    /// When the blob is missing or ends before the range does; a store never clips.
    async fn read(&self, digest: Digest, range: Range<u64>) -> Result<ByteStream, StoreError>;

    /// Begins a new blob. Dropping the writer without committing leaves no trace.
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Makes a blob of a finished file, however it was written. Afterwards the file is gone, also after an error.
    ///
    /// This copies it. A store of files can take it over as it is.
    async fn adopt(&self, file: NamedTempFile) -> Result<Blob, StoreError> {
        copy(self, file).await
    }
}

/// How much of an adopted file is copied at a time.
const PIECE: usize = 256 * 1024;

async fn copy<S: BlobStore + ?Sized>(store: &S, file: NamedTempFile) -> Result<Blob, StoreError> {
    let place = file.path().display().to_string();
    let unread = |source| StoreError::Write { place: place.clone(), source };
    let mut file = tokio::fs::File::from_std(file.reopen().map_err(unread)?);
    let mut writer = store.create().await?;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut piece).await.map_err(unread)?;
        if piece.is_empty() {
            return writer.commit().await;
        }
        writer.write(piece.into()).await?;
    }
}

/// A blob that is being written.
#[async_trait]
pub trait BlobWriter: Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Puts the blob into the store, whole, and tells its name.
    async fn commit(self: Box<Self>) -> Result<Blob, StoreError>;
}

/// What every store can do by means of those methods.
#[async_trait]
pub trait BlobStoreExt: BlobStore {
    /// Stores bytes that are in memory.
    async fn put(&self, bytes: Bytes) -> Result<Blob, StoreError> {
        let mut writer = self.create().await?;
        writer.write(bytes).await?;
        writer.commit().await
    }

    /// Stores a stream.
    async fn put_stream(&self, mut stream: ByteStream) -> Result<Blob, StoreError> {
        let mut writer = self.create().await?;
        while let Some(bytes) = stream.next().await {
            writer.write(bytes?).await?;
        }
        writer.commit().await
    }

    /// A whole blob in memory, at most `limit` bytes, checked against its name.
    async fn read_all(&self, digest: Digest, limit: u64) -> Result<Bytes, StoreError> {
        let size = self.size(digest).await?.ok_or(StoreError::Missing { digest })?;
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        let mut stream = self.read(digest, 0..size).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let found = Digest::of(&bytes);
        if found == digest { Ok(bytes.into()) } else { Err(StoreError::Mismatch { expected: digest, found }) }
    }
}

impl<S: BlobStore + ?Sized> BlobStoreExt for S {}
