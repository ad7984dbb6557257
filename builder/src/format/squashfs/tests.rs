mod fixture;
mod mount;
mod random;

use std::num::NonZeroUsize;
use std::sync::Arc;

use schematics::Digest;

use super::*;
use crate::image::VirtualImage;
use crate::store::{BlobStoreExt as _, MemoryStore};
use crate::tree::{Dir, File, Meta, Node, Symlink};
use fixture::{Extracted, bytes, every_kind, same, unsquashfs, written};

const ZSTD: Codec = Codec::Zstd { level: 3 };

fn with(codec: Codec, threads: usize) -> Options {
    Options { codec, threads: NonZeroUsize::new(threads).unwrap(), ..Options::default() }
}

async fn cooked(tree: &Tree, options: Options) -> bytes::Bytes {
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let blob = cook(tree, options, &store, &store).await.unwrap();
    store.read_all(blob.digest, 1 << 30).await.unwrap()
}

#[tokio::test]
async fn unsquashfs_extracts_what_was_put_in() {
    for codec in [ZSTD, Codec::Zstd { level: 19 }, Codec::Xz] {
        let tree = every_kind();
        let image = written(&cooked(&tree, with(codec, 2)).await);
        let extracted = Extracted::from(image.path());
        same(&tree, extracted.root()).await;
    }
}

#[tokio::test]
async fn unsquashfs_lists_what_was_put_in() {
    let image = written(&cooked(&fixture::small(), with(ZSTD, 1)).await);
    insta::assert_snapshot!("listing", unsquashfs(&["-lln", "-UTC"], image.path()).unwrap());
    let summary = unsquashfs(&["-s", "-UTC"], image.path()).unwrap();
    let lines: Vec<&str> = summary.lines().filter(|line| !line.contains(" superblock on ")).collect();
    insta::assert_snapshot!("summary", lines.join("\n"));
    let xz = written(&cooked(&fixture::small(), with(Codec::Xz, 1)).await);
    assert!(unsquashfs(&["-s"], xz.path()).unwrap().contains("Compression xz"));
}

#[tokio::test]
async fn neither_threads_nor_the_order_of_insertion_change_a_byte() {
    for codec in [ZSTD, Codec::Xz] {
        let image = cooked(&every_kind(), with(codec, 1)).await;
        for threads in [2, 4] {
            assert!(image == cooked(&every_kind(), with(codec, threads)).await, "{codec:?}, {threads}");
        }
        assert!(image == cooked(&fixture::backwards(&every_kind()), with(codec, 3)).await, "{codec:?}");
    }
}

/// These change only when the layout or the version of a compressor does; the latter is part of
/// [`crate::format::compress::revision`].
#[tokio::test]
async fn the_bytes_of_a_tree_are_known() {
    let digests: Vec<String> = [
        Digest::of(&cooked(&fixture::small(), with(ZSTD, 2)).await).to_string(),
        Digest::of(&cooked(&fixture::small(), with(Codec::Xz, 2)).await).to_string(),
        Digest::of(&cooked(&every_kind(), with(ZSTD, 2)).await).to_string(),
    ]
    .into();
    insta::assert_snapshot!(digests.join("\n"));
}

#[tokio::test]
async fn equal_contents_are_stored_once() {
    let noise = bytes(600_000, 7);
    let mut one = Tree::default();
    one.insert_file("a", 0o644, VirtualImage::from_bytes(noise.clone())).unwrap();
    let mut four = one.clone();
    four.insert_file("b", 0o600, VirtualImage::from_bytes(noise.clone())).unwrap();
    // The same bytes under another description.
    let store = Arc::new(MemoryStore::default());
    let blob = store.put(noise.clone().into()).await.unwrap();
    four.insert_file("c", 0o600, VirtualImage::from_blob(blob)).unwrap();
    four.insert_file("d", 0o600, VirtualImage::from_bytes(noise[..700].to_vec())).unwrap();
    four.insert_file("e", 0o600, VirtualImage::from_blob(blob).part(0..700)).unwrap();
    let store: Arc<dyn BlobStore> = store;
    let single = cook(&one, with(ZSTD, 1), &store, &store).await.unwrap();
    let quadruple = cook(&four, with(ZSTD, 1), &store, &store).await.unwrap();
    assert!(quadruple.size <= single.size + 4096, "{} after {}", quadruple.size, single.size);
    let image = written(&store.read_all(quadruple.digest, 1 << 30).await.unwrap());
    let extracted = Extracted::from(image.path());
    assert_eq!(std::fs::read(extracted.root().join("c")).unwrap(), noise);
    assert_eq!(std::fs::read(extracted.root().join("e")).unwrap(), &noise[..700]);
}

#[tokio::test]
async fn a_file_of_more_than_four_gib_is_mostly_a_hole() {
    let size = (4 << 30) + 5;
    let mut layout = crate::ImageLayout::default();
    layout.bytes(&b"begin"[..]).zeros(size - 8).bytes(&b"end"[..]);
    let mut tree = Tree::default();
    tree.insert_file("large", 0o644, layout.finish()).unwrap();
    let image = cooked(&tree, with(ZSTD, 1)).await;
    assert!(image.len() < 64 * 1024, "{}", image.len());
    let listing = unsquashfs(&["-lln"], written(&image).path()).unwrap();
    assert!(listing.contains(&format!(" {size} ")), "{listing}");
}

#[tokio::test]
async fn unreadable_contents_leave_nothing_in_the_store() {
    let missing = Blob { digest: Digest::of(b"nobody has it"), size: 300_000 };
    let mut tree = every_kind();
    tree.insert_file("usr/zz", 0o644, VirtualImage::from_blob(missing)).unwrap();
    let contents: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let place = tempfile::tempdir().unwrap();
    let store: Arc<dyn BlobStore> = Arc::new(crate::store::DirStore::open(place.path()).unwrap());
    for threads in [1, 2, 4] {
        let error = cook(&tree, with(ZSTD, threads), &contents, &store).await.unwrap_err();
        assert!(matches!(&error, SquashfsError::Read { path, .. } if path == "usr/zz"), "{error:?}");
        assert_eq!(fixture::files_below(place.path()), 0);
    }
}

#[tokio::test]
async fn a_truncated_image_is_refused_by_unsquashfs() {
    let image = cooked(&every_kind(), with(ZSTD, 1)).await;
    for size in [50, 96, image.len() / 2, image.len() - 4096] {
        assert!(unsquashfs(&["-lln"], written(&image[..size]).path()).is_err(), "{size}");
    }
}

async fn refused(name: &str, node: Node) -> SquashfsError {
    let mut tree = Tree::default();
    tree.root.children.insert(name.to_owned(), node);
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    cook(&tree, with(ZSTD, 1), &store, &store).await.unwrap_err()
}

#[tokio::test]
async fn what_the_format_cannot_hold_is_refused() {
    let long = "n".repeat(256);
    for name in ["", ".", "..", "a/b", "a\0b", long.as_str()] {
        let error = refused(name, Node::Dir(Dir::default())).await;
        assert!(matches!(error, SquashfsError::Name { .. }), "{name}: {error}");
    }
    for target in [String::new(), "t".repeat(MAX_TARGET + 1)] {
        let error = refused("l", Node::Symlink(Symlink { meta: Meta::default(), target })).await;
        assert!(matches!(error, SquashfsError::Target { .. }), "{error}");
    }
    for (name, size) in [("system.posix_acl_access", 4), ("user.", 1), ("user.large", 65_537)] {
        let mut dir = Dir::default();
        dir.meta.xattrs.insert(name.to_owned(), vec![1; size]);
        let error = refused("d", Node::Dir(dir)).await;
        assert!(matches!(error, SquashfsError::Xattr { .. }), "{name}: {error}");
    }
    let mut tree = Tree::default();
    for content in ["a", "b"] {
        let file = File {
            meta: Meta::default(),
            content: VirtualImage::from_bytes(content.as_bytes().to_vec()),
            link: Some(1),
        };
        tree.insert(content, Node::File(file)).unwrap();
    }
    assert!(matches!(plan::lay_out(&tree).err(), Some(SquashfsError::Links { .. })));
}
