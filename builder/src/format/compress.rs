//! Images compressed as one stream, for members of an initramfs that are cooked once.
//!
//! A `.zst` is one frame (RFC 8878), a `.xz` one stream with CRC32 checks, the only ones the kernel's decoder knows besides none.
//! Both are made by one thread, since the bytes of the multi-threaded encoders differ from these.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use liblzma::stream::{Check, Stream};
use liblzma::write::XzEncoder;
use schematics::{Blame, Blamed};
use tokio::runtime::Handle;
use tokio::task;
use zstd::stream::write::Encoder as ZstdEncoder;
use zstd::zstd_safe;

use crate::image::{BlockingReader, VirtualImage};
use crate::store::{Blob, BlobStore, StoreError};

/// How much is read, and about how much is stored, at a time.
const PIECE: usize = 256 * 1024;
/// `xz -0e`: the fastest preset's dictionary, with the slow search for matches.
const XZ_PRESET: u32 = 1 << 31;

/// Why an image could not be compressed. Nothing was added to the store.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// There is no such level.
    #[error("zstd has no level {level}, expected {} to {}", lowest(), highest())]
    Level {
        /// The level.
        level: i32,
    },
    /// The image could not be read.
    #[error("could not read the image that was to be compressed")]
    Read {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compressor refused.
    #[error("could not compress an image")]
    Encode {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The result could not be stored.
    #[error("could not store a compressed image")]
    Store(
        /// Why.
        #[source]
        StoreError,
    ),
    /// The thread ended before its work was done.
    #[error("the thread that was compressing an image stopped")]
    Stopped,
}

impl Blamed for CompressError {
    fn blame(&self) -> Blame {
        match self {
            Self::Store(error) => error.blame(),
            Self::Level { .. } | Self::Read { .. } | Self::Encode { .. } | Self::Stopped => Blame::Ours,
        }
    }
}

fn lowest() -> i32 {
    zstd_safe::min_c_level()
}

fn highest() -> i32 {
    zstd_safe::max_c_level()
}

/// The versions of the compressors, on which the bytes of everything cooked depend.
///
/// Part of the key of whatever is cooked and remembered: another version may compress to other bytes.
#[must_use]
pub fn revision() -> String {
    format!(
        "libzstd {} liblzma {}.{}.{}",
        zstd_safe::version_string(),
        liblzma_sys::LZMA_VERSION_MAJOR,
        liblzma_sys::LZMA_VERSION_MINOR,
        liblzma_sys::LZMA_VERSION_PATCH
    )
}

/// Compresses `image`, which is read from `contents`, to one zstd frame in `store`. Streams.
///
/// # Errors
/// When there is no such level, the image cannot be read, or the frame cannot be stored.
pub async fn cook_zstd(
    image: &VirtualImage,
    level: i32,
    contents: &Arc<dyn BlobStore>,
    store: &Arc<dyn BlobStore>,
) -> Result<Blob, CompressError> {
    if !(lowest()..=highest()).contains(&level) {
        return Err(CompressError::Level { level });
    }
    let encoder = ZstdEncoder::new(Vec::new(), level).map_err(|source| CompressError::Encode { source })?;
    cook(image, encoder, contents, store).await
}

/// Compresses `image`, which is read from `contents`, to one xz stream in `store`: preset 0 extreme, CRC32 checks. Streams.
///
/// # Errors
/// When the image cannot be read, or the stream cannot be stored.
pub async fn cook_xz(
    image: &VirtualImage,
    contents: &Arc<dyn BlobStore>,
    store: &Arc<dyn BlobStore>,
) -> Result<Blob, CompressError> {
    let stream = Stream::new_easy_encoder(XZ_PRESET, Check::Crc32)
        .map_err(|error| CompressError::Encode { source: error.into() })?;
    cook(image, XzEncoder::new_stream(Vec::new(), stream), contents, store).await
}

/// An encoder that gathers its output in memory until it is taken away.
trait Encoder: Write + Send + 'static {
    fn output(&mut self) -> &mut Vec<u8>;
    fn finish(self) -> io::Result<Vec<u8>>;
}

impl Encoder for ZstdEncoder<'static, Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        Self::finish(self)
    }
}

impl Encoder for XzEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        Self::finish(self)
    }
}

async fn cook(
    image: &VirtualImage,
    encoder: impl Encoder,
    contents: &Arc<dyn BlobStore>,
    store: &Arc<dyn BlobStore>,
) -> Result<Blob, CompressError> {
    let runtime = Handle::current();
    let reader = BlockingReader::new(image, Arc::clone(contents), runtime.clone());
    let store = Arc::clone(store);
    let work = move || encode(reader, encoder, &store, &runtime);
    task::spawn_blocking(work).await.map_err(|_| CompressError::Stopped)?
}

fn encode(
    mut reader: impl Read,
    mut encoder: impl Encoder,
    store: &Arc<dyn BlobStore>,
    runtime: &Handle,
) -> Result<Blob, CompressError> {
    let mut writer = runtime.block_on(store.create()).map_err(CompressError::Store)?;
    let mut piece = vec![0; PIECE];
    loop {
        let size = reader.read(&mut piece).map_err(|source| CompressError::Read { source })?;
        let read = piece.get(..size).unwrap_or(&piece);
        if read.is_empty() {
            break;
        }
        encoder.write_all(read).map_err(|source| CompressError::Encode { source })?;
        if encoder.output().len() >= PIECE {
            let bytes = std::mem::take(encoder.output());
            runtime.block_on(writer.write(Bytes::from(bytes))).map_err(CompressError::Store)?;
        }
    }
    let rest = encoder.finish().map_err(|source| CompressError::Encode { source })?;
    runtime.block_on(writer.write(Bytes::from(rest))).map_err(CompressError::Store)?;
    runtime.block_on(writer.commit()).map_err(CompressError::Store)
}

#[cfg(test)]
mod tests;
