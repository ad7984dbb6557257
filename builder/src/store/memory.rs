//! A store in memory, for tests and for what need not last.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use schematics::Digest;

use super::{Blob, BlobStore, BlobWriter, ByteStream, StoreError};

type Blobs = Arc<Mutex<HashMap<Digest, Bytes>>>;

/// Blobs in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    blobs: Blobs,
}

impl MemoryStore {
    fn get(&self, digest: Digest) -> Option<Bytes> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn size(&self, digest: Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.get(digest).map(|bytes| bytes.len() as u64))
    }

    async fn read(&self, digest: Digest, range: Range<u64>) -> Result<ByteStream, StoreError> {
        let bytes = self.get(digest).ok_or(StoreError::Missing { digest })?;
        let size = bytes.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(StoreError::OutOfBounds { digest, size, wanted: range });
        }
        let part = crate::image::sub_bytes(&bytes, range.start, range.end - range.start);
        Ok(stream::iter([Ok(part)]).boxed())
    }

    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(MemoryWriter { blobs: Arc::clone(&self.blobs), bytes: Vec::new() }))
    }
}

struct MemoryWriter {
    blobs: Blobs,
    bytes: Vec<u8>,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Blob, StoreError> {
        let blob = Blob { digest: Digest::of(&self.bytes), size: self.bytes.len() as u64 };
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.digest, self.bytes.into());
        Ok(blob)
    }
}
