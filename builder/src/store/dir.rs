//! A store in a directory.
//!
//! ```text
//! <root>/objects/ab/cdef…   a blob, under the hexadecimal digits of its SHA-256
//! <root>/partial/…          blobs being written; what is found here at start-up is removed
//! ```

mod proofs;
mod warm;

use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use fs_err as fs;
use futures::{StreamExt as _, stream};
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use schematics::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::task;

use proofs::{Proofs, Stamp};
use warm::Warm;

use super::{Blob, BlobStore, BlobWriter, ByteStream, StoreError, copy};

/// How much is read from a file at a time.
const PIECE: u64 = 256 * 1024;
/// How many pieces of a file are read or ready at a time, so that the disk works while the network does.
const AHEAD: usize = 2;

/// Blobs as files below a directory.
///
/// A blob appears under its name only when it is whole: it is written aside, flushed to the disk and renamed. A process
/// that dies while writing leaves a file in `partial`, which the next start removes.
///
/// What is read is what the name says: a file is hashed before its first byte is delivered, unless this process wrote it,
/// and again when it was touched since. One that holds something else is removed, so that it is made or fetched again.
#[derive(Debug, Clone)]
pub struct DirStore {
    root: Arc<PathBuf>,
    next: Arc<AtomicU64>,
    proofs: Proofs,
    warm: Warm,
}

impl DirStore {
    /// Opens the store at `root`, creating it where needed, and removes what an earlier run left unfinished.
    ///
    /// # Errors
    /// When the directories cannot be made or read.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(root.join("objects"))?;
        let partial = root.join("partial");
        fs::create_dir_all(&partial)?;
        for entry in fs::read_dir(&partial)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self {
            root: Arc::new(root),
            next: Arc::default(),
            proofs: Proofs::default(),
            warm: Warm::default(),
        })
    }

    /// Where a blob is, or would be.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let (shelf, rest) = hex.split_at(2);
        self.root.join("objects").join(shelf).join(rest)
    }
}

#[async_trait]
impl BlobStore for DirStore {
    async fn size(&self, digest: Digest) -> Result<Option<u64>, StoreError> {
        let path = self.path(digest);
        match blocking(move || fs::metadata(path)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { digest, source }),
        }
    }

    async fn read(&self, digest: Digest, range: Range<u64>) -> Result<ByteStream, StoreError> {
        if let Some(piece) = self.warm.read(digest, &range, &self.proofs).await {
            return Ok(stream::iter([Ok(piece)]).boxed());
        }
        let (path, wanted) = (self.path(digest), range.clone());
        let opened = blocking(move || {
            let file = fs::File::open(path)?;
            let metadata = file.metadata()?;
            let size = metadata.len();
            // With the first piece, which is often the only one, nobody has to wait for a thread again.
            let fits = wanted.start <= wanted.end && wanted.end <= size;
            let first = if fits { PIECE.min(wanted.end - wanted.start) } else { 0 };
            let first = read_piece(&file, wanted.start, first)?;
            Ok((Arc::new(file), size, Stamp::of(&metadata), first))
        });
        let (file, size, stamp, first) = opened.await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { digest },
            _ => StoreError::Read { digest, source },
        })?;
        if range.start > range.end || range.end > size {
            return Err(StoreError::OutOfBounds { digest, size, wanted: range });
        }
        let proven = self.proofs.check(digest, stamp, &file).await;
        if matches!(proven, Err(StoreError::Mismatch { .. })) {
            let path = self.path(digest);
            // Left where it is, it would be found again.
            drop(blocking(move || fs::remove_file(path)).await);
        }
        proven?;
        self.warm.keep(digest, &file).await;
        let starts =
            (1..(range.end - range.start).div_ceil(PIECE)).map(move |piece| range.start + piece * PIECE);
        let pieces = stream::iter(starts).map(move |at| {
            let file = Arc::clone(&file);
            async move {
                let read = blocking(move || read_piece(&file, at, PIECE.min(range.end - at))).await;
                read.map_err(|source| StoreError::Read { digest, source })
            }
        });
        let first = Some(first).filter(|first| !first.is_empty()).map(Ok);
        Ok(stream::iter(first).chain(pieces.buffered(AHEAD)).boxed())
    }

    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join("partial").join(format!("{}-{number}", std::process::id()));
        let at = path.clone();
        let file =
            blocking(move || fs::File::create_new(at)).await.map_err(|source| self.unwritten(source))?;
        let partial = Partial { path, file: Some(file) };
        Ok(Box::new(DirWriter {
            store: self.clone(),
            partial: Some(partial),
            hasher: Sha256::new(),
            size: 0,
        }))
    }

    /// Moves the file where that is possible; it must have the permissions of a blob.
    async fn adopt(&self, file: NamedTempFile) -> Result<Blob, StoreError> {
        let prepared = file.reopen().and_then(|read| Ok((read, file.as_file().try_clone()?)));
        let (read, sync) = prepared.map_err(|source| self.unwritten(source))?;
        // The disk works while the processor does.
        let finished = tokio::try_join!(blocking(move || hash(read)), blocking(move || sync.sync_all()));
        let (blob, ()) = finished.map_err(|source| self.unwritten(source))?;
        let store = self.clone();
        let moved = blocking(move || match store.shelve(file.path(), blob.digest) {
            Ok(stamp) => Ok(Ok(stamp)),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(Err(file)),
            Err(error) => Err(error),
        });
        match moved.await.map_err(|source| self.unwritten(source))? {
            Ok(stamp) => {
                self.proofs.know(blob.digest, stamp).await;
                Ok(blob)
            }
            Err(file) => copy(self, file).await,
        }
    }
}

impl DirStore {
    fn unwritten(&self, source: io::Error) -> StoreError {
        StoreError::Write { place: self.root.display().to_string(), source }
    }

    /// Gives a finished file its name.
    fn publish(&self, partial: &mut Partial, digest: Digest) -> io::Result<Stamp> {
        if let Some(file) = partial.file.take() {
            file.sync_all()?;
        }
        self.shelve(&partial.path, digest)
    }

    /// Moves a file that is on the disk to its place. A blob that is already there is the same bytes.
    fn shelve(&self, from: &Path, digest: Digest) -> io::Result<Stamp> {
        let path = self.path(digest);
        let shelf = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(shelf)?;
        fs::rename(from, &path)?;
        sync_dir(shelf)?;
        Ok(Stamp::of(&fs::metadata(&path)?))
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn read_piece(file: &fs::File, at: u64, size: u64) -> io::Result<Bytes> {
    let size = usize::try_from(size).map_err(io::Error::other)?;
    // Not filled with zeros first: that would cost a good part of what reading does.
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let from = at + bytes.len() as u64;
        if retry_on_intr(|| pread(file.file(), spare_capacity(&mut bytes), from))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // There may be more room than was asked for.
    bytes.truncate(size);
    Ok(bytes.into())
}

fn hash(mut file: std::fs::File) -> io::Result<Blob> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; usize::try_from(PIECE).map_err(io::Error::other)?];
    let mut size = 0;
    loop {
        let read = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(Blob { digest: Digest::from_bytes(hasher.finalize().into()), size });
        };
        hasher.update(bytes);
        size += bytes.len() as u64;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file that is removed again unless it was published.
struct Partial {
    path: PathBuf,
    file: Option<fs::File>,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After publication there is nothing under this name; the next start removes what is left.
        drop(fs::remove_file(&self.path));
    }
}

struct DirWriter {
    store: DirStore,
    partial: Option<Partial>,
    hasher: Sha256,
    size: u64,
}

impl DirWriter {
    /// Runs blocking work on the open file and the hasher.
    async fn with_file<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Partial, &mut Sha256) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || self.store.unwritten(io::Error::other("an earlier write failed"));
        let mut partial = self.partial.take().ok_or_else(gone)?;
        let mut hasher = std::mem::take(&mut self.hasher);
        let done = blocking(move || {
            let result = work(&mut partial, &mut hasher)?;
            Ok((partial, hasher, result))
        });
        let (partial, hasher, result) = done.await.map_err(|source| self.store.unwritten(source))?;
        self.partial = Some(partial);
        self.hasher = hasher;
        Ok(result)
    }
}

#[async_trait]
impl BlobWriter for DirWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.size += bytes.len() as u64;
        self.with_file(move |partial, hasher| {
            use std::io::Write as _;
            hasher.update(&bytes);
            partial.file.as_mut().map_or(Ok(()), |file| file.write_all(&bytes))
        })
        .await
    }

    async fn commit(mut self: Box<Self>) -> Result<Blob, StoreError> {
        let digest = Digest::from_bytes(std::mem::take(&mut self.hasher).finalize().into());
        let store = self.store.clone();
        let stamp = self.with_file(move |partial, _| store.publish(partial, digest)).await?;
        self.store.proofs.know(digest, stamp).await;
        Ok(Blob { digest, size: self.size })
    }
}

#[cfg(test)]
mod tests;
