//! Where the bytes of an image come from.

use std::io::{self, Read as _};
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::image::{BlockingReader, VirtualImage};
use crate::store::{Blob, BlobStore};

/// How much of a stored image is read at a time.
const WINDOW: u64 = 256 * 1024;

/// Bytes that can be read at any place.
pub trait Image {
    /// How many there are.
    fn size(&self) -> u64;

    /// Exactly `size` bytes from byte `at` on.
    ///
    /// # Errors
    /// When they cannot be read or the image ends before.
    fn read_at(&mut self, at: u64, size: usize) -> io::Result<Vec<u8>>;
}

fn ends_before() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

impl Image for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, at: u64, size: usize) -> io::Result<Vec<u8>> {
        let start = usize::try_from(at).map_err(io::Error::other)?;
        let end = start.checked_add(size).ok_or_else(ends_before)?;
        self.get(start..end).map(<[u8]>::to_vec).ok_or_else(ends_before)
    }
}

/// A blob, read through a window.
pub(super) struct StoredImage {
    image: VirtualImage,
    store: Arc<dyn BlobStore>,
    runtime: Handle,
    window_at: u64,
    window: Vec<u8>,
}

impl StoredImage {
    pub(super) fn new(blob: Blob, store: Arc<dyn BlobStore>, runtime: Handle) -> Self {
        Self { image: VirtualImage::from_blob(blob), store, runtime, window_at: 0, window: Vec::new() }
    }

    fn windowed(&self, at: u64, size: usize) -> Option<Vec<u8>> {
        let start = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        self.window.get(start..start.checked_add(size)?).map(<[u8]>::to_vec)
    }
}

impl Image for StoredImage {
    fn size(&self) -> u64 {
        self.image.len()
    }

    fn read_at(&mut self, at: u64, size: usize) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.windowed(at, size) {
            return Ok(bytes);
        }
        let end =
            at.checked_add(size as u64).filter(|end| *end <= self.image.len()).ok_or_else(ends_before)?;
        let window = self.image.part(at..end.max(at.saturating_add(WINDOW)));
        let mut bytes = Vec::new();
        BlockingReader::new(&window, Arc::clone(&self.store), self.runtime.clone())
            .read_to_end(&mut bytes)?;
        self.window_at = at;
        self.window = bytes;
        self.windowed(at, size).ok_or_else(ends_before)
    }
}
