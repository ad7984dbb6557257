//! CRC-32 of images.
//!
//! This is the checksum of gzip and xz (ISO 3309, reflected polynomial `0xEDB88320`). The checksum of a whole follows from
//! those of its parts, so a blob has to be read once however many images contain it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crc32fast::Hasher;
use futures::TryStreamExt as _;
use schematics::Digest;

use crate::image::{Extent, Source, VirtualImage};
use crate::store::{Blob, BlobStore, StoreError};

/// The most checksums remembered at a time; one costs about 60 bytes.
const REMEMBERED: usize = 1 << 16;

/// A stretch of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Stretch {
    digest: Digest,
    offset: u64,
    len: u64,
}

/// Computes checksums and remembers those of stretches of blobs.
#[derive(Debug, Default)]
pub struct Checksums {
    known: Mutex<HashMap<Stretch, u32>>,
}

impl Checksums {
    /// The CRC-32 of all of `image`; reads only stretches it has not seen.
    ///
    /// # Errors
    /// When a blob cannot be read.
    pub async fn crc32(&self, image: &VirtualImage, store: &Arc<dyn BlobStore>) -> Result<u32, StoreError> {
        let mut whole = Hasher::new();
        for extent in image.extents() {
            whole.combine(&self.extent(image, extent, store).await?);
        }
        Ok(whole.finalize())
    }

    /// Takes over the CRC-32 of a whole blob from whoever computed it before. A wrong one makes images that readers refuse.
    pub fn know(&self, blob: Blob, crc32: u32) {
        self.remember(Stretch { digest: blob.digest, offset: 0, len: blob.size }, crc32);
    }

    async fn extent(
        &self,
        image: &VirtualImage,
        extent: &Extent,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Hasher, StoreError> {
        match extent.source() {
            Source::Zeros => Ok(zeros(extent.len())),
            Source::Inline(bytes) => Ok(of_bytes(bytes)),
            Source::Counter { .. } => read(image, extent, store).await,
            Source::Blob { digest, offset } => {
                let stretch = Stretch { digest: *digest, offset: *offset, len: extent.len() };
                if let Some(crc) = self.recall(stretch) {
                    return Ok(Hasher::new_with_initial_len(crc, stretch.len));
                }
                let found = read(image, extent, store).await?;
                self.remember(stretch, found.clone().finalize());
                Ok(found)
            }
        }
    }

    fn recall(&self, stretch: Stretch) -> Option<u32> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&stretch).copied()
    }

    fn remember(&self, stretch: Stretch, crc: u32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(stretch, crc);
    }
}

/// The CRC-32 of all of `image`, in one pass over its blobs.
///
/// # Errors
/// When a blob cannot be read.
pub async fn crc32(image: &VirtualImage, store: &Arc<dyn BlobStore>) -> Result<u32, StoreError> {
    Checksums::default().crc32(image, store).await
}

async fn read(
    image: &VirtualImage,
    extent: &Extent,
    store: &Arc<dyn BlobStore>,
) -> Result<Hasher, StoreError> {
    let mut pieces = image.read(Arc::clone(store), extent.at()..extent.end());
    let mut hasher = Hasher::new();
    while let Some(piece) = pieces.try_next().await? {
        hasher.update(&piece);
    }
    Ok(hasher)
}

fn of_bytes(bytes: &[u8]) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher
}

/// By doubling, so that gigabytes of zeros cost no more than a few combinations.
fn zeros(len: u64) -> Hasher {
    let mut power = of_bytes(&[0]);
    let mut whole = Hasher::new();
    let mut rest = len;
    while rest > 0 {
        if rest & 1 == 1 {
            whole.combine(&power);
        }
        let half = power.clone();
        power.combine(&half);
        rest >>= 1;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageLayout;
    use crate::judge::{Blobs, block_on, noise};

    #[test]
    fn parts_combine_to_the_checksum_of_the_whole() {
        let blobs = Blobs::default();
        let blob = blobs.put(noise(3, 100_000));
        let mut layout = ImageLayout::default();
        layout.bytes("head").image(&blob).zeros(12_345).counter(5, 99).image(&blob.part(10..20)).image(&blob);
        let image = layout.finish();
        let sums = Checksums::default();
        let found = block_on(sums.crc32(&image, &blobs.0)).unwrap();
        assert_eq!(found, crc32fast::hash(&blobs.flatten(&image)));
        assert_eq!(block_on(crc32(&VirtualImage::default(), &blobs.0)).unwrap(), 0);
        // What is known is not read again: this store has nothing.
        assert_eq!(block_on(sums.crc32(&image, &Blobs::default().0)).unwrap(), found);
        assert!(block_on(crc32(&image, &Blobs::default().0)).is_err());
    }
}
