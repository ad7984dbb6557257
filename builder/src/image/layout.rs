//! Writing an image front to back.

use bytes::Bytes;

use super::{Extent, Source, VirtualImage};
use crate::store::Blob;

/// Lays out an image from its first byte to its last.
#[derive(Debug, Clone, Default)]
pub struct ImageLayout {
    extents: Vec<Extent>,
    len: u64,
}

/// Why a layout cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A place lies behind what is already laid out.
    #[error("cannot lay out anything at byte {wanted}: the image already reaches byte {reached}")]
    Behind {
        /// The place asked for.
        wanted: u64,
        /// How far the image already goes.
        reached: u64,
    },
}

/// Inline pieces up to this size are joined with their neighbour instead of standing alone.
const JOINED_BELOW: usize = 4096;

impl ImageLayout {
    /// How many bytes are laid out.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.len
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: impl Into<Bytes>) -> &mut Self {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        self.source(Source::Inline(bytes), len);
        self
    }

    /// Adds a whole blob.
    pub fn blob(&mut self, blob: Blob) -> &mut Self {
        self.source(Source::Blob { digest: blob.digest, offset: 0 }, blob.size);
        self
    }

    /// Adds zeros.
    pub fn zeros(&mut self, len: u64) -> &mut Self {
        self.source(Source::Zeros, len);
        self
    }

    /// Adds the little-endian `u32`s from `first` up to, not including, `end`.
    pub fn counter(&mut self, first: u32, end: u32) -> &mut Self {
        let numbers = u64::from(end.saturating_sub(first));
        self.source(Source::Counter { offset: u64::from(first) * 4 }, numbers * 4);
        self
    }

    /// Adds all of another image.
    pub fn image(&mut self, image: &VirtualImage) -> &mut Self {
        for extent in image.extents() {
            self.source(extent.source.clone(), extent.len);
        }
        self
    }

    /// Adds zeros up to the next multiple of `alignment`, which must not be 0.
    pub fn align(&mut self, alignment: u64) -> &mut Self {
        let end = self.len.next_multiple_of(alignment.max(1));
        self.zeros(end - self.len)
    }

    /// Adds zeros up to byte `at`.
    ///
    /// # Errors
    /// When the image already reaches further.
    pub fn pad_to(&mut self, at: u64) -> Result<&mut Self, LayoutError> {
        let missing =
            at.checked_sub(self.len).ok_or(LayoutError::Behind { wanted: at, reached: self.len })?;
        Ok(self.zeros(missing))
    }

    /// Adds `len` bytes of `source`. Nothing is added when `len` is 0.
    pub(super) fn source(&mut self, source: Source, len: u64) {
        if len == 0 {
            return;
        }
        let at = self.len;
        self.len += len;
        if let Some(last) = self.extents.last_mut() {
            if last.source.continues_with(last.len, &source) {
                last.len += len;
                return;
            }
            if let (Source::Inline(before), Source::Inline(after)) = (&last.source, &source)
                && before.len().min(after.len()) <= JOINED_BELOW
            {
                last.source = Source::Inline([before.as_ref(), after.as_ref()].concat().into());
                last.len += len;
                return;
            }
        }
        self.extents.push(Extent { at, len, source });
    }

    /// The finished image.
    #[must_use]
    pub fn finish(self) -> VirtualImage {
        VirtualImage { extents: self.extents, len: self.len }
    }
}
