//! Numbers and texts at places of small structures.

use bytes::Bytes;

use super::InspectError;

/// A structure that was read whole, and what it is called in errors.
pub(super) struct Structure {
    what: &'static str,
    bytes: Bytes,
}

impl Structure {
    pub(super) const fn new(what: &'static str, bytes: Bytes) -> Self {
        Self { what, bytes }
    }

    /// The error that says this is not what it should be.
    pub(super) const fn damaged(&self) -> InspectError {
        InspectError::Damaged { what: self.what }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn slice(&self, at: usize, len: usize) -> Result<&[u8], InspectError> {
        at.checked_add(len).and_then(|end| self.bytes.get(at..end)).ok_or_else(|| self.damaged())
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], InspectError> {
        self.slice(at, N)?.first_chunk().copied().ok_or_else(|| self.damaged())
    }

    pub(super) fn u8(&self, at: usize) -> Result<u8, InspectError> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    pub(super) fn u16(&self, at: usize) -> Result<u16, InspectError> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, InspectError> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, at: usize) -> Result<u64, InspectError> {
        self.array(at).map(u64::from_le_bytes)
    }
}
