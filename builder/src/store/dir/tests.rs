use futures::TryStreamExt as _;

use super::*;

async fn bytes(store: &DirStore, digest: Digest, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.read(digest, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// Changes a file in place, as its owner or a bad disk would; its size stays, and the time of its content too.
fn flip(path: &Path, at: usize) {
    let before = fs::metadata(path).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    let mut permissions = before.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(path, bytes).unwrap();
    std::fs::File::open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

#[tokio::test]
async fn a_changed_byte_anywhere_is_noticed_whatever_is_read() {
    let root = tempfile::tempdir().unwrap();
    let store = DirStore::open(root.path()).unwrap();
    let content: Vec<u8> = (0..PIECE * 2 + 7).map(|at| at.to_le_bytes()[0]).collect();
    for at in [0, content.len() / 2, content.len() - 1] {
        let mut writer = store.create().await.unwrap();
        writer.write(content.clone().into()).await.unwrap();
        let blob = writer.commit().await.unwrap();
        let reopened = DirStore::open(root.path()).unwrap();
        for store in [&store, &reopened] {
            assert_eq!(bytes(store, blob.digest, 3..9).await.unwrap(), &content[3..9]);
        }
        flip(&store.path(blob.digest), at);
        let fresh = DirStore::open(root.path()).unwrap();
        let kept = fs::read(store.path(blob.digest)).unwrap();
        for store in [&store, &reopened, &fresh] {
            fs::write(store.path(blob.digest), &kept).unwrap();
            let error = bytes(store, blob.digest, 3..9).await.unwrap_err();
            assert!(matches!(error, StoreError::Mismatch { expected, .. } if expected == blob.digest));
            // It is gone, and can be made again.
            assert_eq!(store.size(blob.digest).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn what_is_kept_open_is_read_only_as_long_as_it_is_there_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let store = DirStore::open(root.path()).unwrap();
    let content: Vec<u8> = (0..PIECE * 2).map(|at| at.to_le_bytes()[0]).collect();
    let mut writer = store.create().await.unwrap();
    writer.write(content.clone().into()).await.unwrap();
    let Blob { digest, size } = writer.commit().await.unwrap();
    let warm = |range: Range<u64>| {
        let store = store.clone();
        async move { store.warm.read(digest, &range, &store.proofs).await }
    };
    assert_eq!(warm(3..9).await, None, "nobody has read it yet");
    bytes(&store, digest, 0..1).await.unwrap();
    assert_eq!(warm(3..9).await.unwrap(), &content[3..9]);
    assert_eq!(warm(size - PIECE..size).await.unwrap().len() as u64, PIECE);
    for odd in [5..5, size - 1..size + 1, 0..PIECE + 1] {
        assert_eq!(warm(odd).await, None);
    }
    fs::remove_file(store.path(digest)).unwrap();
    assert_eq!(warm(3..9).await, None);
    assert!(matches!(bytes(&store, digest, 3..9).await, Err(StoreError::Missing { .. })));
}

#[test]
fn a_directory_that_cannot_be_flushed_is_told() {
    let root = tempfile::tempdir().unwrap();
    assert!(sync_dir(root.path()).is_ok());
    let error = sync_dir(&root.path().join("gone")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
