//! Fetching, decompressing, keeping and reading one layer in one pass.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use builder::store::{Blob, BlobStore, BlobWriter};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use schematics::Digest;
use tokio::runtime::Handle;
use tokio::task;

use super::Limits;
use crate::hostile::HostileError;
use crate::layers::{Entry, read_entries};
use crate::oci::{Descriptor, LayerCompression};
use crate::reference::Repository;
use crate::source::{BlobStream, ImageSource, PullError};

/// How much is written to the store at a time.
const PIECE: usize = 256 * 1024;
/// The largest window a Zstandard layer may ask for, as a power of two: what its command line tool allows by default.
const WINDOW_LOG: u32 = 27;

/// A layer to fetch.
pub(super) struct Job {
    pub(super) repository: Repository,
    pub(super) layer: Descriptor,
    pub(super) diff_id: Option<Digest>,
    pub(super) below: Option<String>,
    pub(super) limits: Limits,
    /// How many decompressed bytes the image has left.
    pub(super) budget: Arc<AtomicU64>,
    pub(super) scratch: Arc<dyn BlobStore>,
}

/// A layer that was read.
#[derive(Debug)]
pub(super) struct FetchedLayer {
    /// The digest of the layer as the manifest has it.
    pub(super) digest: Digest,
    /// Its entries.
    pub(super) entries: Vec<Entry>,
    /// Its uncompressed bytes.
    pub(super) archive: Blob,
}

impl Job {
    pub(super) async fn run(self, source: &dyn ImageSource) -> Result<FetchedLayer, PullError> {
        let compression = self.layer.layer_compression()?;
        if self.layer.size > self.limits.blob {
            let what = format!("layer {}", self.layer.digest);
            return Err(PullError::TooLarge { what, limit: self.limits.blob });
        }
        // The semaphore is never closed; without a permit there is only less order.
        let permit = Arc::clone(&self.limits.downloads).acquire_owned().await.ok();
        let bytes = source.blob(&self.repository, self.layer.blob()).await?;
        let writer = self.scratch.create().await.map_err(|source| self.unkept(source))?;
        let gone = Arc::new(AtomicBool::new(false));
        let _guard = SetOnDrop(Arc::clone(&gone));
        let runtime = Handle::current();
        let repository = self.repository.clone();
        let work = task::spawn_blocking(move || {
            let _permit = permit;
            let compressed = Compressed::new(bytes, runtime.clone(), gone);
            self.read(compression, compressed, Keeper::new(writer, runtime))
        });
        work.await.map_err(|source| {
            let source = builder::StoreError::Write {
                place: "the scratch store".to_owned(),
                source: io::Error::other(source),
            };
            PullError::Store { repository, source }
        })?
    }

    fn unkept(&self, source: builder::StoreError) -> PullError {
        PullError::Store { repository: self.repository.clone(), source }
    }

    fn refused(&self, source: HostileError) -> PullError {
        let source = Box::new(source);
        PullError::Hostile { repository: self.repository.clone(), layer: self.layer.digest, source }
    }

    /// Reads the layer to its end, so that all its checks have been made.
    fn read(
        &self,
        compression: LayerCompression,
        mut compressed: Compressed,
        keeper: Keeper,
    ) -> Result<FetchedLayer, PullError> {
        let unreadable = |source| self.refused(HostileError::Unreadable { source });
        let inner = decoder(compression, compressed.clone()).map_err(unreadable)?;
        let allowed = self.limits.ratio_floor.max(self.layer.size.saturating_mul(self.limits.ratio));
        let mut tee = Tee { inner, keeper, seen: 0, allowed, job: self, failure: None };
        let outcome = read_entries(&mut tee, self.limits.layer, self.below.as_deref());
        let outcome = outcome.and_then(|entries| match io::copy(&mut tee, &mut io::sink()) {
            Ok(_) => Ok(entries),
            Err(source) => Err(HostileError::Unreadable { source }),
        });
        // A fault below the archive shows up as an unreadable archive; the fault itself is the better answer.
        let Tee { keeper, failure, .. } = tee;
        let entries = match (compressed.failure(), failure, outcome) {
            (Some(failure), _, _) => return Err(failure),
            (None, Some(TeeFailure::Hostile(error)), _) | (None, None, Err(error)) => {
                return Err(self.refused(error));
            }
            (None, Some(TeeFailure::Store(error)), _) => return Err(self.unkept(error)),
            (None, None, Ok(entries)) => entries,
        };
        // The decoder may stop before the blob does, and the blob is checked at its end.
        if let Err(source) = io::copy(&mut compressed, &mut io::sink()) {
            return Err(compressed.failure().unwrap_or_else(|| unreadable(source)));
        }
        let archive = keeper.finish().map_err(|source| self.unkept(source))?;
        match self.diff_id {
            Some(expected) if expected != archive.digest => {
                Err(self.refused(HostileError::DiffId { expected, found: archive.digest }))
            }
            Some(_) | None => Ok(FetchedLayer { digest: self.layer.digest, entries, archive }),
        }
    }
}

/// The decompressed bytes of a layer.
pub(crate) fn decoder(
    compression: LayerCompression,
    compressed: impl Read + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        LayerCompression::None => Box::new(compressed),
        LayerCompression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(compressed))),
        LayerCompression::Zstd => {
            let mut decoder = zstd::Decoder::new(compressed)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

/// Tells the reading thread that nobody waits for it any more.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The stream from the source as a blocking reader that remembers why it failed. Clones share one stream.
#[derive(Clone)]
struct Compressed {
    state: Arc<Mutex<CompressedState>>,
    runtime: Handle,
    gone: Arc<AtomicBool>,
}

struct CompressedState {
    bytes: BlobStream,
    current: Bytes,
    failure: Option<PullError>,
}

impl Compressed {
    fn new(bytes: BlobStream, runtime: Handle, gone: Arc<AtomicBool>) -> Self {
        let state = CompressedState { bytes, current: Bytes::new(), failure: None };
        Self { state: Arc::new(Mutex::new(state)), runtime, gone }
    }

    fn failure(&self) -> Option<PullError> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }
}

impl Read for Compressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.current.is_empty() {
            if self.gone.load(Ordering::Relaxed) {
                return Err(io::Error::other("nobody waits for this layer any more"));
            }
            match self.runtime.block_on(state.bytes.next()) {
                Some(Ok(piece)) => state.current = piece,
                Some(Err(failure)) => {
                    let text = failure.to_string();
                    state.failure.get_or_insert(failure);
                    return Err(io::Error::other(text));
                }
                None => return Ok(0),
            }
        }
        let taken = buffer.len().min(state.current.len());
        let piece = state.current.split_to(taken);
        let (target, _) = buffer.split_at_mut(taken);
        target.copy_from_slice(&piece);
        Ok(taken)
    }
}

/// Writes to the scratch store in pieces of a good size.
struct Keeper {
    writer: Box<dyn BlobWriter>,
    pending: BytesMut,
    runtime: Handle,
}

impl Keeper {
    fn new(writer: Box<dyn BlobWriter>, runtime: Handle) -> Self {
        Self { writer, pending: BytesMut::with_capacity(PIECE), runtime }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), builder::StoreError> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), builder::StoreError> {
        let piece = self.pending.split().freeze();
        self.pending.reserve(PIECE);
        self.runtime.block_on(self.writer.write(piece))
    }

    fn finish(mut self) -> Result<Blob, builder::StoreError> {
        self.flush()?;
        self.runtime.block_on(self.writer.commit())
    }
}

enum TeeFailure {
    Hostile(HostileError),
    Store(builder::StoreError),
}

/// Passes decompressed bytes on to the archive reader, counts them, and keeps them.
struct Tee<'a> {
    inner: Box<dyn Read + Send>,
    keeper: Keeper,
    seen: u64,
    allowed: u64,
    job: &'a Job,
    failure: Option<TeeFailure>,
}

impl Tee<'_> {
    fn count(&mut self, read: u64) -> Result<(), HostileError> {
        self.seen += read;
        if self.seen > self.allowed {
            return Err(HostileError::Ratio { ratio: self.job.limits.ratio });
        }
        let left = |budget: u64| budget.checked_sub(read);
        match self.job.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => Ok(()),
            Err(_) => Err(HostileError::Size { limit: self.job.limits.content }),
        }
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let done = self.count(read as u64).map_err(TeeFailure::Hostile);
        match done.and_then(|()| self.keeper.keep(bytes).map_err(TeeFailure::Store)) {
            Ok(()) => Ok(read),
            Err(failure) => {
                self.failure = Some(failure);
                Err(io::Error::other("the layer is refused"))
            }
        }
    }
}
