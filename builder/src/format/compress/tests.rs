use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::image::ImageLayout;
use crate::store::{BlobStoreExt as _, MemoryStore};
use schematics::Digest;

fn stores() -> Arc<dyn BlobStore> {
    Arc::new(MemoryStore::default())
}

fn image() -> VirtualImage {
    let mut layout = ImageLayout::default();
    layout.bytes(&b"070701"[..]).counter(0, 300_000).zeros(2_000_000).bytes(&b"TRAILER!!!"[..]);
    layout.finish()
}

async fn bytes_of(store: &Arc<dyn BlobStore>, blob: Blob) -> Bytes {
    store.read_all(blob.digest, 1 << 30).await.unwrap()
}

/// What a program makes of `input`, or what it complains about.
fn filter(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(input).unwrap();
    let output = Command::new(program)
        .args(arguments)
        .stdin(file.reopen().unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn zstd_and_xz_read_what_was_cooked() {
    let store = stores();
    let expected = image().read_all(&store, 1 << 30).await.unwrap();
    for level in [1, 9, 19] {
        let zst = bytes_of(&store, cook_zstd(&image(), level, &store, &store).await.unwrap()).await;
        assert!(filter("zstd", &["-dc"], &zst).unwrap() == expected, "{level}");
        assert!(filter("zstd", &["-dc"], &zst[..zst.len() - 1]).is_err());
    }
    let xz = bytes_of(&store, cook_xz(&image(), &store, &store).await.unwrap()).await;
    assert!(filter("xz", &["-dc"], &xz).unwrap() == expected);
    assert!(filter("xz", &["-dc"], &xz[..xz.len() - 4]).is_err());
}

#[tokio::test]
async fn an_xz_stream_is_single_and_has_checks_the_kernel_knows() {
    let store = stores();
    let xz = bytes_of(&store, cook_xz(&image(), &store, &store).await.unwrap()).await;
    let mut file = tempfile::NamedTempFile::with_suffix(".xz").unwrap();
    file.write_all(&xz).unwrap();
    let output = Command::new("xz").args(["--robot", "-l"]).arg(file.path()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let facts: Vec<&str> =
        printed.lines().find(|line| line.starts_with("file")).unwrap().split('\t').collect();
    // Streams, blocks, …, checks.
    assert_eq!((facts[1], facts[2], facts[6]), ("1", "1", "CRC32"), "{printed}");
}

#[tokio::test]
async fn a_frame_is_single() {
    let store = stores();
    let zst = bytes_of(&store, cook_zstd(&image(), 3, &store, &store).await.unwrap()).await;
    assert_eq!(zstd_safe::find_frame_compressed_size(&zst), Ok(zst.len()));
}

#[tokio::test]
async fn the_bytes_are_known() {
    let store = stores();
    let zst = cook_zstd(&image(), 9, &store, &store).await.unwrap();
    let again = cook_zstd(&image(), 9, &store, &store).await.unwrap();
    assert_eq!(zst, again);
    let xz = cook_xz(&image(), &store, &store).await.unwrap();
    insta::assert_snapshot!(format!(
        "{}\n{} {}\n{} {}",
        revision(),
        zst.digest,
        zst.size,
        xz.digest,
        xz.size
    ));
}

#[tokio::test]
async fn what_cannot_be_read_is_not_cooked() {
    let place = tempfile::tempdir().unwrap();
    let store: Arc<dyn BlobStore> = Arc::new(crate::store::DirStore::open(place.path()).unwrap());
    let missing = VirtualImage::from_blob(Blob { digest: Digest::of(b"nobody has it"), size: 10 });
    assert!(matches!(cook_zstd(&missing, 3, &stores(), &store).await, Err(CompressError::Read { .. })));
    assert!(matches!(cook_xz(&missing, &stores(), &store).await, Err(CompressError::Read { .. })));
    assert!(matches!(cook_zstd(&image(), 23, &store, &store).await, Err(CompressError::Level { .. })));
    assert_eq!(std::fs::read_dir(place.path().join("objects")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(place.path().join("partial")).unwrap().count(), 0);
}
