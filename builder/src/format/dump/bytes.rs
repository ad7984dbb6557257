//! Reading the structure of an image without a store.

use super::DumpError;
use crate::image::{Source, VirtualImage};

/// More than any structure we write has in one piece.
const MAX_PIECE: u64 = 4 << 20;

/// Bytes of an image's structure.
pub(super) struct Structure {
    pub(super) at: u64,
    bytes: Vec<u8>,
}

/// Reads `len` bytes at `at`, none of which may lie in a blob.
pub(super) fn structure(image: &VirtualImage, at: u64, len: u64) -> Result<Structure, DumpError> {
    let unreadable = DumpError::Unreadable { at, wanted: len };
    if len > MAX_PIECE || at.checked_add(len).is_none_or(|end| end > image.len()) {
        return Err(unreadable);
    }
    let mut bytes = Vec::new();
    for extent in image.slice(at..at + len) {
        match extent.source() {
            Source::Inline(inline) => bytes.extend_from_slice(inline),
            Source::Zeros => bytes.extend((0..extent.len()).map(|_| 0)),
            Source::Counter { offset } => {
                let counted = (*offset..offset + extent.len()).map(|at| {
                    let number = at / 4;
                    (number >> (at % 4 * 8)).to_le_bytes()[0]
                });
                bytes.extend(counted);
            }
            Source::Blob { .. } => return Err(unreadable),
        }
    }
    Ok(Structure { at, bytes })
}

impl Structure {
    /// `N` bytes from `offset` on.
    pub(super) fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], DumpError> {
        let slice = self.bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
        slice.copied().ok_or(DumpError::Unreadable { at: self.at + offset as u64, wanted: N as u64 })
    }

    pub(super) fn u8(&self, offset: usize) -> Result<u8, DumpError> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    pub(super) fn u16(&self, offset: usize) -> Result<u16, DumpError> {
        self.array(offset).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, offset: usize) -> Result<u32, DumpError> {
        self.array(offset).map(u32::from_le_bytes)
    }

    /// `len` bytes from `offset` on as text, without the spaces at its end.
    pub(super) fn text(&self, offset: usize, len: usize) -> Result<String, DumpError> {
        let slice = self.bytes.get(offset..).and_then(|rest| rest.get(..len));
        let slice = slice.ok_or(DumpError::Unreadable { at: self.at + offset as u64, wanted: len as u64 })?;
        Ok(String::from_utf8_lossy(slice).trim_end().to_owned())
    }

    pub(super) fn all(&self) -> &[u8] {
        &self.bytes
    }
}

/// What the extents in a range are: where contents come from.
pub(super) fn sources(image: &VirtualImage, at: u64, len: u64) -> String {
    let described: Vec<String> = image
        .slice(at..at.saturating_add(len))
        .map(|extent| match extent.source() {
            Source::Blob { digest, offset } => {
                let hex = digest.hex();
                format!("blob {}+{offset}", hex.get(..12).unwrap_or(&hex))
            }
            Source::Inline(_) => "inline".to_owned(),
            Source::Zeros => "zeros".to_owned(),
            Source::Counter { .. } => "counter".to_owned(),
        })
        .collect();
    described.join(", ")
}
