//! Reading an image as bytes.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use schematics::Digest;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::task;

use super::{Extent, Source, VirtualImage};
use crate::store::{BlobStore, ByteStream, StoreError};

/// The largest piece a generated stretch (zeros, counters, inline bytes) is delivered in.
const PIECE: usize = 256 * 1024;
/// How much is worked on at a time on a thread of its own: a few milliseconds' work.
const BATCH: usize = 1 << 20;
static ZEROS: [u8; PIECE] = [0; PIECE];

impl VirtualImage {
    /// The bytes in `range`, as a stream of pieces, opened one extent ahead of need.
    ///
    /// A range that reaches past the end stops there. A blob that is missing or too short is an error in the stream.
    pub fn read(&self, store: Arc<dyn BlobStore>, range: Range<u64>) -> ByteStream {
        let extents: Vec<Extent> = self.slice(range).collect();
        stream::iter(extents)
            .map(move |extent| open(Arc::clone(&store), extent))
            .buffered(2)
            .try_flatten()
            .boxed()
    }

    /// All its bytes in memory.
    ///
    /// # Errors
    /// When the image is longer than `limit`, or a blob cannot be read.
    pub async fn read_all(&self, store: &Arc<dyn BlobStore>, limit: u64) -> Result<Bytes, StoreError> {
        if self.len() > limit {
            return Err(StoreError::TooLarge { size: self.len(), limit });
        }
        let mut pieces = self.read(Arc::clone(store), 0..self.len());
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    /// The SHA-256 of its bytes, as `sha256sum` prints it. Reads all of them, unless it is just one blob of the store.
    ///
    /// # Errors
    /// When a blob cannot be read.
    pub async fn content_digest(&self, store: &Arc<dyn BlobStore>) -> Result<Digest, StoreError> {
        if let [extent] = self.extents()
            && let Source::Blob { digest, offset: 0 } = extent.source
            && store.size(digest).await? == Some(self.len())
        {
            return Ok(digest);
        }
        let hasher = self.fold(store, Sha256::new(), |hasher, bytes| hasher.update(bytes)).await?;
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }

    /// Hands all its bytes to `work`, in order, on threads where that holds up nobody. The next ones are read meanwhile.
    pub(crate) async fn fold<S: Send + 'static>(
        &self,
        store: &Arc<dyn BlobStore>,
        mut state: S,
        work: fn(&mut S, &[u8]),
    ) -> Result<S, StoreError> {
        let mut pieces = self.read(Arc::clone(store), 0..self.len());
        let mut batch = gather(&mut pieces).await?;
        while !batch.is_empty() {
            let working = task::spawn_blocking(move || {
                batch.iter().for_each(|piece| work(&mut state, piece));
                state
            });
            let (worked, next) = tokio::join!(working, gather(&mut pieces));
            (state, batch) = (worked.map_err(StoreError::Interrupted)?, next?);
        }
        Ok(state)
    }
}

/// The next pieces of a stream, [`BATCH`] bytes or little more; none at its end.
async fn gather(pieces: &mut ByteStream) -> Result<Vec<Bytes>, StoreError> {
    let (mut batch, mut len) = (Vec::new(), 0);
    while len < BATCH
        && let Some(piece) = pieces.try_next().await?
    {
        len += piece.len();
        batch.push(piece);
    }
    Ok(batch)
}

async fn open(store: Arc<dyn BlobStore>, extent: Extent) -> Result<ByteStream, StoreError> {
    let len = extent.len;
    match extent.source {
        Source::Blob { digest, offset } => store.read(digest, offset..offset + len).await,
        Source::Inline(bytes) => Ok(stream::iter([Ok(bytes)]).boxed()),
        Source::Zeros => Ok(pieces(len, |_, size| Bytes::from_static(ZEROS.get(..size).unwrap_or(&ZEROS)))),
        Source::Counter { offset } => Ok(pieces(len, move |at, size| counted(offset + at, size))),
    }
}

fn pieces(len: u64, make: impl Fn(u64, usize) -> Bytes + Send + 'static) -> ByteStream {
    let step = PIECE as u64;
    let starts = (0..len.div_ceil(step)).map(move |piece| piece * step);
    stream::iter(starts.map(move |at| Ok(make(at, usize::try_from(len - at).unwrap_or(PIECE).min(PIECE)))))
        .boxed()
}

/// `size` bytes of the sequence 0, 1, 2, … as little-endian `u32`s, from byte `at` on.
fn counted(at: u64, size: usize) -> Bytes {
    let first = at / 4;
    let skipped = usize::try_from(at % 4).unwrap_or(0);
    let numbers = (skipped + size).div_ceil(4) as u64;
    // The sequence is four GiB-numbers long; a layout cannot name anything behind it.
    let bytes: Vec<u8> = (first..first + numbers)
        .flat_map(|number| (number & 0xffff_ffff).to_le_bytes().into_iter().take(4))
        .collect();
    Bytes::from(bytes).slice(skipped..skipped + size)
}

/// An image as a blocking [`Read`], for writers that run on a thread of their own.
pub struct BlockingReader {
    pieces: ByteStream,
    current: Bytes,
    runtime: Handle,
}

impl std::fmt::Debug for BlockingReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockingReader").finish_non_exhaustive()
    }
}

impl BlockingReader {
    /// Reads `image` from its beginning. Must be used outside of the runtime's own threads.
    #[must_use]
    pub fn new(image: &VirtualImage, store: Arc<dyn BlobStore>, runtime: Handle) -> Self {
        Self { pieces: image.read(store, 0..image.len()), current: Bytes::new(), runtime }
    }

    /// The next `size` bytes; not copied where they lie in one piece of what is read.
    ///
    /// # Errors
    /// When there are fewer, or they cannot be read.
    pub fn take_exactly(&mut self, size: usize) -> io::Result<Bytes> {
        if size > 0 && self.more()? && self.current.len() >= size {
            return Ok(self.current.split_to(size));
        }
        let mut bytes = vec![0; size];
        self.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Makes sure that there are current bytes; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        while self.current.is_empty() {
            match self.runtime.block_on(self.pieces.next()) {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.more()? {
            return Ok(0);
        }
        let taken = self.current.split_to(buffer.len().min(self.current.len()));
        let (target, _) = buffer.split_at_mut(taken.len());
        target.copy_from_slice(&taken);
        Ok(taken.len())
    }
}
