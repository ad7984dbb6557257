use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{CpioError, lay_out};
use crate::image::VirtualImage;
use crate::judge::{Blobs, noise, passes};
use crate::store::Blob;
use crate::tree::{Dir, File, Meta, Node, Symlink, Tree};

const MTIME: u32 = 1_700_000_000;

fn sample(blobs: &Blobs) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file("0.sqsh", 0o600, blobs.put(noise(1, 70_001))).unwrap();
    tree.insert_file("extensions.yaml", 0o644, VirtualImage::from_bytes("layers: []\n")).unwrap();
    tree.insert_file("empty", 0o400, VirtualImage::default()).unwrap();
    tree.insert("usr/lib/firmware", Node::Dir(Dir::default())).unwrap();
    tree.insert_file("usr/lib-x/tool", 0o4755, blobs.put("tool")).unwrap();
    let target = "usr/lib/firmware".to_owned();
    tree.insert("firmware", Node::Symlink(Symlink { meta: Meta::default(), target })).unwrap();
    for path in ["a-link", "usr/b-link", "usr/lib/c-link"] {
        let content = blobs.put("one file, three names");
        let file = File { meta: Meta::with_mode(0o644), content, link: Some(7) };
        tree.insert(path, Node::File(file)).unwrap();
    }
    tree
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.walk().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn cpio_lists_the_entries_in_order_with_owner_root() {
    let blobs = Blobs::default();
    let tree = sample(&blobs);
    let bytes = blobs.flatten(&lay_out(&tree, MTIME).unwrap());
    assert_eq!(bytes.len() % 512, 0);
    let dir = tempfile::tempdir().unwrap();
    let Some(listed) = passes("cpio", &["-it", "--quiet"], dir.path(), &bytes) else { return };
    assert_eq!(String::from_utf8(listed).unwrap().lines().collect::<Vec<_>>(), paths(&tree));
    let long = passes("cpio", &["-itvn", "--quiet"], dir.path(), &bytes).unwrap();
    let long = String::from_utf8(long).unwrap();
    let fields = |path: &str| {
        let line = long.lines().find(|line| line.split_whitespace().nth(8) == Some(path)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(fields("0.sqsh")[..5], ["-rw-------", "1", "0", "0", "70001"]);
    assert_eq!(fields("usr/lib-x/tool")[..5], ["-rwsr-xr-x", "1", "0", "0", "4"]);
    assert_eq!(fields("usr/lib/firmware")[..4], ["drwxr-xr-x", "2", "0", "0"]);
    assert_eq!(fields("a-link")[1], "3");
    assert!(long.contains("Nov 14  2023"), "{long}");
    assert!(long.contains("firmware -> usr/lib/firmware"), "{long}");
}

#[test]
fn cpio_unpacks_what_went_in() {
    let blobs = Blobs::default();
    let tree = sample(&blobs);
    let bytes = blobs.flatten(&lay_out(&tree, MTIME).unwrap());
    let dir = tempfile::tempdir().unwrap();
    if passes("cpio", &["-idm", "--quiet"], dir.path(), &bytes).is_none() {
        return;
    }
    for (path, node) in tree.walk() {
        let found = dir.path().join(&path);
        let meta = found.symlink_metadata().unwrap();
        match node {
            Node::Dir(_) => assert!(meta.is_dir(), "{path}"),
            Node::Symlink(link) => assert_eq!(found.read_link().unwrap(), Path::new(&link.target)),
            Node::File(file) => {
                assert_eq!(meta.mode() & 0o7777, u32::from(file.meta.mode), "{path}");
                assert_eq!(meta.mtime(), i64::from(MTIME), "{path}");
                assert!(std::fs::read(&found).unwrap() == blobs.flatten(&file.content), "{path}");
            }
        }
    }
    let inode = |path: &str| dir.path().join(path).metadata().unwrap().ino();
    assert_eq!(inode("a-link"), inode("usr/b-link"));
    assert_eq!(inode("a-link"), inode("usr/lib/c-link"));
}

#[test]
fn a_damaged_archive_does_not_pass_the_judge() {
    let blobs = Blobs::default();
    let mut bytes = blobs.flatten(&lay_out(&sample(&blobs), MTIME).unwrap());
    bytes[300] ^= 0xff;
    let dir = tempfile::tempdir().unwrap();
    if let Some(output) = crate::judge::run("cpio", &["-it", "--quiet"], dir.path(), &bytes[..20_000]) {
        assert!(!output.status.success());
    }
}

#[test]
fn an_empty_tree_is_just_the_trailer() {
    let image = lay_out(&Tree::default(), 0).unwrap();
    assert_eq!(image.len(), 512);
    let bytes = Blobs::default().flatten(&image);
    assert!(bytes.starts_with(b"07070100000000") && bytes[110..].starts_with(b"TRAILER!!!\0"));
}

#[test]
fn big_files_stay_one_extent_each() {
    let blobs = Blobs::default();
    let mut tree = Tree::default();
    for n in 0..3_u64 {
        tree.insert_file(&format!("{n}.sqsh"), 0o600, blobs.put(noise(n, 9000))).unwrap();
    }
    let image = lay_out(&tree, 0).unwrap();
    assert_eq!(image.blobs().len(), 3);
    assert_eq!(image.extents().iter().filter(|extent| extent.len() == 9000).count(), 3);
}

#[test]
fn what_does_not_fit_the_format_is_refused() {
    let mut tree = Tree::default();
    let huge = VirtualImage::from_blob(Blob { digest: schematics::Digest::of(b""), size: 1 << 32 });
    tree.insert_file("d/huge", 0o644, huge).unwrap();
    assert_eq!(lay_out(&tree, 0), Err(CpioError::FileTooLarge { path: "d/huge".to_owned(), size: 1 << 32 }));

    let mut deep = Node::Dir(Dir::default());
    for _ in 0..17 {
        let children = BTreeMap::from([("n".repeat(250), deep)]);
        deep = Node::Dir(Dir { children, ..Dir::default() });
    }
    let mut tree = Tree::default();
    tree.root.children.insert("top".to_owned(), deep);
    assert!(matches!(lay_out(&tree, 0), Err(CpioError::PathTooLong { .. })));

    let mut tree = Tree::default();
    tree.insert_file("TRAILER!!!", 0o644, VirtualImage::default()).unwrap();
    assert_eq!(lay_out(&tree, 0), Err(CpioError::Trailer));

    let mut tree = Tree::default();
    for (path, text) in [("a", "one"), ("b", "two")] {
        let content = VirtualImage::from_bytes(text);
        let file = File { meta: Meta::with_mode(0o644), content, link: Some(1) };
        tree.insert(path, Node::File(file)).unwrap();
    }
    assert_eq!(lay_out(&tree, 0), Err(CpioError::UnequalLinks { path: "b".to_owned() }));
}
