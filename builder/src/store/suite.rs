//! What every store must do, as tests that any store can be put through.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the suite is test code that other crates build as a library"
)]

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use schematics::Digest;
use tempfile::NamedTempFile;

use super::{BlobStore, BlobStoreExt as _, StoreError};

/// Runs the whole suite against one store.
pub async fn run(store: Arc<dyn BlobStore>) {
    what_is_written_can_be_read(&store).await;
    a_range_is_exact_or_an_error(&store).await;
    an_abandoned_blob_leaves_no_trace(&store).await;
    writing_twice_is_harmless(&store).await;
    a_file_becomes_a_blob(&store, &std::env::temp_dir()).await;
}

/// Adopts files from `dir`, which may be on another file system than the store.
async fn a_file_becomes_a_blob(store: &Arc<dyn BlobStore>, dir: &Path) {
    let content: Vec<u8> = (0..600_000_u32).map(|n| (n / 3).to_le_bytes()[0]).collect();
    for content in [&b""[..], b"short", &content] {
        let mut file = NamedTempFile::new_in(dir).unwrap();
        file.write_all(content).unwrap();
        // Where the file stands when it is handed over does not matter.
        file.seek(SeekFrom::Start(content.len() as u64 / 2)).unwrap();
        let path = file.path().to_owned();
        let blob = store.adopt(file).await.unwrap();
        assert_eq!((blob.digest, blob.size), (Digest::of(content), content.len() as u64));
        assert_eq!(store.read_all(blob.digest, blob.size).await.unwrap(), content);
        assert!(!path.exists());
    }
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
    use std::os::unix::fs::MetadataExt as _;

    use schematics::{Blame, Blamed as _};

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
    async fn a_file_of_another_file_system_is_copied() {
        let root = tempfile::tempdir().unwrap();
        let memory = Path::new("/dev/shm");
        let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
        if device(memory).is_none() || device(memory) == device(root.path()) {
            println!("skipped: /dev/shm is no file system of its own");
            return;
        }
        let store: Arc<dyn BlobStore> = Arc::new(DirStore::open(root.path()).unwrap());
        a_file_becomes_a_blob(&store, memory).await;
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_read_is_not_a_missing_blob() {
        let root = tempfile::tempdir().unwrap();
        let store = DirStore::open(root.path()).unwrap();
        let digest = Digest::of(b"anything");
        let shelf = store.path(digest).parent().unwrap().to_owned();
        std::fs::write(shelf, "no directory").unwrap();
        assert!(matches!(store.size(digest).await, Err(StoreError::Read { .. })));
        assert!(matches!(store.read(digest, 0..0).await, Err(StoreError::Read { .. })));
        let unwritten = store.put(Bytes::from_static(b"anything")).await.unwrap_err();
        assert_eq!(unwritten.blame(), Blame::Ours, "{unwritten}: the disk is not full");
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
