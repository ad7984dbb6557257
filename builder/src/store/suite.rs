//! What every store must do, as tests that any store can be put through.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the suite is test code that other crates build as a library"
)]

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use schematics::Digest;

use super::{BlobStore, BlobStoreExt as _, StoreError};

/// Runs the whole suite against one store.
pub async fn run(store: Arc<dyn BlobStore>) {
    what_is_written_can_be_read(&store).await;
    a_range_is_exact_or_an_error(&store).await;
    an_abandoned_blob_leaves_no_trace(&store).await;
    writing_twice_is_harmless(&store).await;
}

async fn read(
    store: &Arc<dyn BlobStore>,
    digest: Digest,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.read(digest, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

async fn what_is_written_can_be_read(store: &Arc<dyn BlobStore>) {
    let mut writer = store.create().await.unwrap();
    writer.write(Bytes::from_static(b"hello ")).await.unwrap();
    writer.write(Bytes::from_static(b"world")).await.unwrap();
    let blob = writer.commit().await.unwrap();
    assert_eq!(blob.digest, Digest::of(b"hello world"));
    assert_eq!(blob.size, 11);
    assert_eq!(store.size(blob.digest).await.unwrap(), Some(11));
    assert_eq!(read(store, blob.digest, 0..11).await.unwrap(), b"hello world");
    assert_eq!(store.read_all(blob.digest, 11).await.unwrap(), "hello world");
    assert!(matches!(store.read_all(blob.digest, 10).await, Err(StoreError::TooLarge { .. })));
}

async fn a_range_is_exact_or_an_error(store: &Arc<dyn BlobStore>) {
    let content: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let blob = store.put(content.clone().into()).await.unwrap();
    for range in [0..0, 0..1, 255..257, 262_143..262_145, 1..600_000, 600_000..600_000] {
        let expected = &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(read(store, blob.digest, range).await.unwrap(), expected);
    }
    assert!(matches!(read(store, blob.digest, 0..600_001).await, Err(StoreError::OutOfBounds { .. })));
    let missing = Digest::of(b"not here");
    assert!(matches!(read(store, missing, 0..1).await, Err(StoreError::Missing { .. })));
    assert_eq!(store.size(missing).await.unwrap(), None);
}

async fn an_abandoned_blob_leaves_no_trace(store: &Arc<dyn BlobStore>) {
    let mut writer = store.create().await.unwrap();
    writer.write(Bytes::from_static(b"never finished")).await.unwrap();
    drop(writer);
    assert_eq!(store.size(Digest::of(b"never finished")).await.unwrap(), None);
}

async fn writing_twice_is_harmless(store: &Arc<dyn BlobStore>) {
    let first = store.put(Bytes::from_static(b"twice")).await.unwrap();
    let second = store.put(Bytes::from_static(b"twice")).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(store.read_all(first.digest, 5).await.unwrap(), "twice");
}

#[cfg(test)]
mod tests {
    use super::super::{DirStore, MemoryStore};
    use super::*;

    #[tokio::test]
    async fn memory() {
        run(Arc::new(MemoryStore::default())).await;
    }

    #[tokio::test]
    async fn directory() {
        let root = tempfile::tempdir().unwrap();
        run(Arc::new(DirStore::open(root.path()).unwrap())).await;
        assert_eq!(std::fs::read_dir(root.path().join("partial")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_removed_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let store = DirStore::open(root.path()).unwrap();
        let mut writer = store.create().await.unwrap();
        writer.write(Bytes::from_static(b"half")).await.unwrap();
        std::mem::forget(writer);
        assert_eq!(std::fs::read_dir(root.path().join("partial")).unwrap().count(), 1);
        DirStore::open(root.path()).unwrap();
        assert_eq!(std::fs::read_dir(root.path().join("partial")).unwrap().count(), 0);
    }
}
