//! Images as descriptions.

mod layout;
pub mod manifest;
mod read;

use std::ops::Range;

use bytes::Bytes;
use schematics::Digest;

use crate::store::Blob;

pub use layout::{ImageLayout, LayoutError};
pub use manifest::ManifestError;
pub use read::BlockingReader;

/// Where the bytes of an extent come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A stretch of a stored blob, beginning at `offset`.
    Blob {
        /// The blob.
        digest: Digest,
        /// Where in it the extent begins.
        offset: u64,
    },
    /// The bytes themselves; for headers and other small things.
    Inline(Bytes),
    /// Zeros.
    Zeros,
    /// A stretch of the sequence 0, 1, 2, … as little-endian `u32`s, beginning at byte `offset`.
    ///
    /// The allocation table of a FAT with contiguous files consists of little else; as inline bytes it would be most
    /// of what an image costs.
    Counter {
        /// Where in the sequence the extent begins, in bytes.
        offset: u64,
    },
}

/// A run of bytes at a place in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    at: u64,
    len: u64,
    source: Source,
}

/// An image as an ordered list of extents.
///
/// The extents start at 0, leave no gap, do not overlap and are not empty; neighbours that continue each other are
/// merged. Nesting flattens, so that a kernel inside a UKI inside a FAT inside an ISO is one blob extent of the ISO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualImage {
    extents: Vec<Extent>,
    len: u64,
}

impl Extent {
    /// Where it begins in the image.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Its length in bytes, never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an extent is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The first byte behind it.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.at + self.len
    }

    /// Where its bytes come from.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The part of it that lies in `range`, which must overlap it.
    fn trim(&self, range: Range<u64>) -> Self {
        let start = range.start.max(self.at);
        let end = range.end.min(self.end());
        let len = end.saturating_sub(start);
        Self { at: start, len, source: self.source.skip(start - self.at, len) }
    }
}

impl Source {
    /// The same source, `skipped` bytes later and `len` bytes long.
    fn skip(&self, skipped: u64, len: u64) -> Self {
        match self {
            Self::Blob { digest, offset } => Self::Blob { digest: *digest, offset: offset + skipped },
            Self::Inline(bytes) => Self::Inline(sub_bytes(bytes, skipped, len)),
            Self::Zeros => Self::Zeros,
            Self::Counter { offset } => Self::Counter { offset: offset + skipped },
        }
    }

    /// Whether `next` goes on where this source ends after `len` bytes.
    fn continues_with(&self, len: u64, next: &Self) -> bool {
        match (self, next) {
            (Self::Blob { digest, offset }, Self::Blob { digest: other, offset: then }) => {
                digest == other && offset + len == *then
            }
            (Self::Counter { offset }, Self::Counter { offset: then }) => offset + len == *then,
            (Self::Zeros, Self::Zeros) => true,
            (Self::Blob { .. } | Self::Inline(_) | Self::Zeros | Self::Counter { .. }, _) => false,
        }
    }
}

/// `len` bytes of `bytes` from `skipped` on; shorter where the bytes end.
pub(crate) fn sub_bytes(bytes: &Bytes, skipped: u64, len: u64) -> Bytes {
    let start = usize::try_from(skipped).unwrap_or(usize::MAX).min(bytes.len());
    let wanted = usize::try_from(len).unwrap_or(usize::MAX);
    bytes.slice(start..start.saturating_add(wanted).min(bytes.len()))
}

impl VirtualImage {
    /// An image that is just these bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let mut layout = ImageLayout::default();
        layout.bytes(bytes);
        layout.finish()
    }

    /// An image that is just this blob.
    #[must_use]
    pub fn from_blob(blob: Blob) -> Self {
        let mut layout = ImageLayout::default();
        layout.blob(blob);
        layout.finish()
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The extents, in order.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The extents that overlap `range`, trimmed to it, in order.
    pub fn slice(&self, range: Range<u64>) -> impl Iterator<Item = Extent> + use<'_> {
        let end = range.end.min(self.len);
        let start = range.start;
        let first = self.extents.partition_point(|extent| extent.end() <= start);
        self.extents
            .iter()
            .skip(first)
            .take_while(move |extent| extent.at < end)
            .filter(move |_| start < end)
            .map(move |extent| extent.trim(start..end))
    }

    /// The part of the image in `range`, as an image of its own. Stops where the image ends.
    #[must_use]
    pub fn part(&self, range: Range<u64>) -> Self {
        let mut layout = ImageLayout::default();
        self.slice(range).for_each(|extent| layout.source(extent.source, extent.len));
        layout.finish()
    }

    /// The blobs it reads from, each once, sorted.
    #[must_use]
    pub fn blobs(&self) -> Vec<Digest> {
        let mut digests: Vec<Digest> = self
            .extents
            .iter()
            .filter_map(|extent| match extent.source {
                Source::Blob { digest, .. } => Some(digest),
                Source::Inline(_) | Source::Zeros | Source::Counter { .. } => None,
            })
            .collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }
}

#[cfg(test)]
mod tests;
