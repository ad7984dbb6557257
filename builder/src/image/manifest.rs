//! The stored form of an image.
//!
//! ```text
//! "factory image\n"  u8 format version
//! varint number of digests, then each digest (32 bytes)
//! varint number of extents, then each extent:
//!   u8 kind   0 zeros   1 inline   2 counter      3 blob
//!   varint length in bytes
//!             –         the bytes  varint offset  varint index of the digest, varint offset
//! ```
//!
//! Varints are unsigned LEB128. Equal images have equal manifests, and equal manifests mean equal bytes.

use bytes::Bytes;
use schematics::Digest;

use super::{Extent, ImageLayout, Source, VirtualImage};

const MAGIC: &[u8] = b"factory image\n";
/// Raised when an older reader could not understand what we write.
const VERSION: u8 = 1;
/// More than any image of ours has; a manifest that claims more is damaged.
const MAX_EXTENTS: u64 = 1 << 22;

/// A PiB: longer than any image, and short enough that no sum of places overflows.
const MAX_IMAGE: u64 = 1 << 50;

/// Why bytes are not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another kind of file.
    #[error("not an image manifest")]
    Magic,
    /// Written by a newer program.
    #[error("the image manifest has format {found}, but this program reads up to {VERSION}")]
    Version {
        /// The format it has.
        found: u8,
    },
    /// Damaged.
    #[error("the image manifest is damaged: {0}")]
    Damaged(&'static str),
}

impl VirtualImage {
    /// The manifest of this image.
    #[must_use]
    pub fn to_manifest(&self) -> Bytes {
        let digests = self.blobs();
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        put_varint(&mut out, digests.len() as u64);
        digests.iter().for_each(|digest| out.extend_from_slice(digest.as_bytes()));
        put_varint(&mut out, self.extents.len() as u64);
        self.extents.iter().for_each(|extent| put_extent(&mut out, extent, &digests));
        out.into()
    }

    /// The name of this description: the digest of its manifest. Known without reading a byte of the image.
    #[must_use]
    pub fn manifest_digest(&self) -> Digest {
        Digest::of(&self.to_manifest())
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`VirtualImage::to_manifest`] writes.
    pub fn from_manifest(manifest: &[u8]) -> Result<Self, ManifestError> {
        let rest = manifest.strip_prefix(MAGIC).ok_or(ManifestError::Magic)?;
        let (version, rest) = rest.split_first().ok_or(ManifestError::Damaged("it ends early"))?;
        if *version != VERSION {
            return Err(ManifestError::Version { found: *version });
        }
        let mut reader = Reader { rest };
        let digests = reader.digests()?;
        let count = reader.count("too many extents")?;
        let mut layout = ImageLayout::default();
        for _ in 0..count {
            let (source, len) = reader.extent(&digests)?;
            if len > MAX_IMAGE - layout.position() {
                return Err(ManifestError::Damaged("the image would be too long"));
            }
            layout.source(source, len);
        }
        let image = layout.finish();
        // Decoding merges and skips what no layout writes, so one comparison checks every rule at once.
        if reader.rest.is_empty() && image.to_manifest() == manifest {
            Ok(image)
        } else {
            Err(ManifestError::Damaged("it is not in its one canonical form"))
        }
    }
}

fn put_extent(out: &mut Vec<u8>, extent: &Extent, digests: &[Digest]) {
    let kind = match extent.source {
        Source::Zeros => 0,
        Source::Inline(_) => 1,
        Source::Counter { .. } => 2,
        Source::Blob { .. } => 3,
    };
    out.push(kind);
    put_varint(out, extent.len);
    match &extent.source {
        Source::Zeros => {}
        Source::Inline(bytes) => out.extend_from_slice(bytes),
        Source::Counter { offset } => put_varint(out, *offset),
        Source::Blob { digest, offset } => {
            let index = digests.binary_search(digest).unwrap_or(digests.len());
            put_varint(out, index as u64);
            put_varint(out, *offset);
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: u64) -> Result<&'a [u8], ManifestError> {
        let early = ManifestError::Damaged("it ends early");
        let len = usize::try_from(len).map_err(|_| early.clone())?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(early)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ManifestError> {
        self.take(1).map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    fn varint(&mut self) -> Result<u64, ManifestError> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ManifestError::Damaged("a number is too large"))
    }

    fn count(&mut self, too_many: &'static str) -> Result<u64, ManifestError> {
        let count = self.varint()?;
        if count <= MAX_EXTENTS { Ok(count) } else { Err(ManifestError::Damaged(too_many)) }
    }

    fn digests(&mut self) -> Result<Vec<Digest>, ManifestError> {
        let count = self.count("too many digests")?;
        (0..count)
            .map(|_| {
                let bytes = self.take(32)?.try_into().map_err(|_| ManifestError::Damaged("it ends early"))?;
                Ok(Digest::from_bytes(bytes))
            })
            .collect()
    }

    fn extent(&mut self, digests: &[Digest]) -> Result<(Source, u64), ManifestError> {
        let kind = self.byte()?;
        let len = self.varint()?;
        let source = match kind {
            0 => Source::Zeros,
            1 => Source::Inline(Bytes::copy_from_slice(self.take(len)?)),
            2 => Source::Counter { offset: self.varint()? },
            3 => {
                let index = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let digest = *digests
                    .get(index)
                    .ok_or(ManifestError::Damaged("it names a digest it does not list"))?;
                Source::Blob { digest, offset: self.varint()? }
            }
            _ => return Err(ManifestError::Damaged("it has an extent of an unknown kind")),
        };
        Ok((source, len))
    }
}
