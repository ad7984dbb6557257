use std::process::Command;
use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::format::squashfs::{Codec, Options, cook};
use crate::image::VirtualImage;
use crate::store::{BlobStoreExt as _, MemoryStore};
use crate::tree::{Meta, Node, Symlink, Tree};

const LIMITS: Limits = Limits { entries: 10_000, bytes: 1 << 30 };

type Files = Vec<(String, u16, Vec<u8>)>;

fn modules() -> Tree {
    let mut tree = Tree::default();
    let mut add = |path: &str, content: Vec<u8>| {
        tree.insert_file(path, 0o640, VirtualImage::from_bytes(content)).unwrap();
    };
    add("etc/passwd", b"root".to_vec());
    add("usr/lib/modules/6.1/modules.order", b"a\nb\n".repeat(90_000));
    add("usr/lib/modules/6.1/kernel/empty.ko", Vec::new());
    add("usr/lib/modules/6.1/kernel/zero.ko", vec![0; 300_000]);
    for number in 0..900 {
        add(&format!("usr/lib/modules/6.1/kernel/module-with-a-long-name-{number:04}.ko"), vec![7; number]);
    }
    let link = Symlink { meta: Meta::with_mode(0o777), target: "x".repeat(3000) };
    tree.insert("usr/lib/modules/6.1/build", Node::Symlink(link)).unwrap();
    tree
}

async fn cooked(tree: &Tree, codec: Codec) -> (Arc<dyn BlobStore>, Blob) {
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let options = Options { codec, ..Options::default() };
    let blob = cook(tree, options, &store, &store).await.unwrap();
    (store, blob)
}

async fn files(
    store: &Arc<dyn BlobStore>,
    blob: Blob,
    directory: &str,
    limits: Limits,
) -> Result<Files, ReadError> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&found);
    read_files(blob, directory, limits, store, move |file| {
        let mut content = Vec::new();
        file.content.read_to_end(&mut content)?;
        assert_eq!(content.len() as u64, file.size);
        taken.lock().unwrap().push((file.path.to_owned(), file.mode, content));
        Ok(())
    })
    .await?;
    Ok(std::mem::take(&mut found.lock().unwrap()))
}

async fn expected(tree: &Tree, store: &Arc<dyn BlobStore>, below: &str) -> Files {
    let mut expected = Vec::new();
    for (path, node) in tree.walk() {
        if let (true, Node::File(file)) = (path.starts_with(below), node) {
            let content = file.content.read_all(store, 1 << 30).await.unwrap().to_vec();
            expected.push((path, file.meta.mode, content));
        }
    }
    expected
}

#[tokio::test]
async fn the_files_of_one_directory_are_taken_out() {
    for codec in [Codec::default(), Codec::Xz] {
        let (store, blob) = cooked(&modules(), codec).await;
        for below in ["usr/lib/modules", ""] {
            let found = files(&store, blob, below, LIMITS).await.unwrap();
            assert!(found == expected(&modules(), &store, below).await, "{codec:?} {below}");
        }
    }
}

#[tokio::test]
async fn images_of_mksquashfs_are_read() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    for (path, node) in modules().walk() {
        if let Node::File(file) = node {
            let at = source.join(&path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
            std::fs::write(&at, file.content.read_all(&store, 1 << 30).await.unwrap()).unwrap();
        }
    }
    for arguments in [&["-comp", "gzip"][..], &["-comp", "xz"], &["-comp", "zstd", "-b", "1M", "-noI"]] {
        let image = place.path().join("image");
        let mut command = Command::new("mksquashfs");
        command.args([&source, &image]).args(["-noappend", "-quiet", "-no-progress"]).args(arguments);
        assert!(command.status().expect("this test needs mksquashfs (squashfs-tools)").success());
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        let blob = store.put(std::fs::read(&image).unwrap().into()).await.unwrap();
        let found = files(&store, blob, "/usr/lib/modules/", LIMITS).await.unwrap();
        let expected = expected(&modules(), &store, "usr/lib/modules").await;
        let contents = |files: Files| files.into_iter().map(|(path, _, content)| (path, content));
        assert!(contents(found).eq(contents(expected)), "{arguments:?}");
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let (store, blob) = cooked(&modules(), Codec::default()).await;
    let below = "usr/lib/modules";
    for limits in [Limits { entries: 900, ..LIMITS }, Limits { bytes: 500_000, ..LIMITS }] {
        let error = files(&store, blob, below, limits).await.unwrap_err();
        assert!(matches!(error, ReadError::TooMuch { .. }), "{error}");
    }
    for missing in ["usr/lib/firmware", "etc/passwd", "etc/passwd/x", "../etc"] {
        let error = files(&store, blob, missing, LIMITS).await.unwrap_err();
        assert!(matches!(error, ReadError::NoDirectory { .. }), "{missing}: {error}");
    }
}

#[tokio::test]
async fn truncated_and_foreign_images_are_errors() {
    let (store, blob) = cooked(&modules(), Codec::default()).await;
    let image = store.read_all(blob.digest, 1 << 30).await.unwrap();
    for size in [0, 3, 95, 96, 5000, image.len() / 2, image.len() - 4096] {
        let cut = store.put(image.slice(..size)).await.unwrap();
        assert!(files(&store, cut, "usr", LIMITS).await.is_err(), "{size}");
    }
    let foreign = store.put(Bytes::from_static(&[b'x'; 4096])).await.unwrap();
    let error = files(&store, foreign, "usr", LIMITS).await.unwrap_err();
    assert!(matches!(error, ReadError::Format { .. }), "{error}");
    let gone = Blob { digest: schematics::Digest::of(b"nobody has it"), size: 4096 };
    assert!(files(&store, gone, "usr", LIMITS).await.is_err());
}

#[test]
fn a_damaged_image_does_no_more_than_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let image = runtime.block_on(async {
        let (store, blob) = cooked(&modules(), Codec::default()).await;
        store.read_all(blob.digest, 1 << 30).await.unwrap().to_vec()
    });
    let size = image.len();
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(damage in prop::collection::vec((0..size, any::<u8>()), 1..20))| {
        let mut broken = image.clone();
        for (at, byte) in damage {
            broken[at % if byte % 2 == 0 { 96 } else { size }] = byte;
        }
        let mut seen = 0;
        drop(walk(&broken[..], "usr", LIMITS, |file| {
            seen += 1;
            io::copy(file.content, &mut io::sink()).map(drop)
        }));
        prop_assert!(seen <= LIMITS.entries);
    });
}
