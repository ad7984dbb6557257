//! Trees, and the reference tool that judges the images made of them.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::image::{ImageLayout, VirtualImage};
use crate::store::{BlobStore, MemoryStore};
use crate::tree::{Dir, File, Meta, Node, Symlink, Tree};

/// Incompressible bytes, the same for the same seed.
pub(super) fn bytes(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

fn text(size: usize) -> Vec<u8> {
    (0..).flat_map(|line: u32| format!("line {line} of a text\n").into_bytes()).take(size).collect()
}

fn meta(mode: u16, mtime: u32) -> Meta {
    Meta { mode, uid: u32::from(mode) % 3 * 1000, gid: u32::from(mode) % 5, mtime, ..Meta::default() }
}

fn file(mode: u16, content: impl Into<bytes::Bytes>) -> Node {
    Node::File(File {
        meta: meta(mode, 1_700_000_000),
        content: VirtualImage::from_bytes(content),
        link: None,
    })
}

fn linked(group: u64, content: &[u8]) -> Node {
    let content = VirtualImage::from_bytes(content.to_vec());
    Node::File(File { meta: meta(0o640, 77), content, link: Some(group) })
}

fn symlink(target: &str) -> Node {
    Node::Symlink(Symlink { meta: meta(0o777, 9), target: target.to_owned() })
}

fn labelled(mut node: Node, label: &str) -> Node {
    let meta = match &mut node {
        Node::Dir(dir) => &mut dir.meta,
        Node::File(file) => &mut file.meta,
        Node::Symlink(link) => &mut link.meta,
    };
    meta.xattrs.insert("security.selinux".to_owned(), label.as_bytes().to_vec());
    node
}

/// A tree whose listing can be read.
pub(super) fn small() -> Tree {
    let mut tree = Tree::default();
    tree.root.meta = meta(0o755, 1_600_000_000);
    for (path, node) in [
        ("usr/bin/tool", labelled(file(0o4755, text(200_000)), "system_u:object_r:bin_t:s0")),
        ("usr/bin/alias", linked(4, b"one file\n")),
        ("usr/lib/alias", linked(4, b"one file\n")),
        ("usr/lib/empty", file(0o600, "")),
        ("usr/lib/libc.so", symlink("libc.so.6")),
    ] {
        tree.insert(path, node).unwrap();
    }
    tree
}

/// A tree with everything the format has a special case for.
pub(super) fn every_kind() -> Tree {
    let mut tree = small();
    let holes = {
        let mut layout = ImageLayout::default();
        layout.zeros(1 << 20).bytes(bytes(1000, 1)).zeros(3 << 20).bytes(text(130_000)).zeros(300_000);
        layout.finish()
    };
    tree.insert_file("usr/holes", 0o644, holes).unwrap();
    tree.insert_file("usr/only-zeros", 0o644, zeros(1 << 20)).unwrap();
    for (path, node) in [
        ("usr/noise", file(0o644, bytes(500_000, 2))),
        ("usr/text", labelled(file(0o644, text(3_000_000)), "system_u:object_r:usr_t:s0")),
        ("usr/block", file(0o644, text(128 * 1024))),
        ("usr/block-and-one", file(0o644, text(128 * 1024 + 1))),
        ("usr/twin", file(0o600, text(3_000_000))),
        ("usr/long", symlink(&"a/".repeat(2000))),
        ("usr/labelled", labelled(symlink("text"), "system_u:object_r:usr_t:s0")),
        ("usr/empty", labelled(Node::Dir(Dir::default()), &"long label ".repeat(90))),
        ("usr/zlink", linked(4, b"one file\n")),
        ("a name with spaces and ünïcode", file(0o7777, "x")),
    ] {
        tree.insert(path, node).unwrap();
    }
    for number in 0..1500 {
        let path = format!("many/entry with a rather long name, number {number:05}");
        tree.insert(&path, file(0o644, format!("{number}"))).unwrap();
        tree.insert_file(&format!("many/dir{}/f{number}", number % 40), 0o644, VirtualImage::default())
            .unwrap();
    }
    let deep: Vec<String> = (0..60).map(|level| format!("d{level}")).collect();
    tree.insert(&deep.join("/"), file(0o644, "deep")).unwrap();
    tree
}

fn zeros(size: u64) -> VirtualImage {
    let mut layout = ImageLayout::default();
    layout.zeros(size);
    layout.finish()
}

/// The same tree, put together from its last entry to its first.
pub(super) fn backwards(tree: &Tree) -> Tree {
    let mut copy = Tree::default();
    let entries = tree.walk();
    for (path, node) in entries.iter().rev() {
        if !matches!(node, Node::Dir(_)) {
            copy.insert(path, (*node).clone()).unwrap();
        }
    }
    copy.merge(tree.clone());
    copy
}

pub(super) fn written(image: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), image).unwrap();
    file
}

/// What `unsquashfs` prints, or what it complains about.
pub(super) fn unsquashfs(arguments: &[&str], image: &Path) -> Result<String, String> {
    let (zone, arguments): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|one| **one == "-UTC");
    let mut command = Command::new("unsquashfs");
    command.args(["-no-progress"]).args(arguments).arg(image);
    if !zone.is_empty() {
        command.env("TZ", "UTC");
    }
    let output = command.output().expect("these tests need unsquashfs (squashfs-tools)");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && errors.is_empty() { Ok(printed) } else { Err(errors + &printed) }
}

/// An image extracted by `unsquashfs`.
pub(super) struct Extracted {
    place: tempfile::TempDir,
}

impl Extracted {
    pub(super) fn from(image: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        unsquashfs(&["-d", root.to_str().unwrap()], image).unwrap();
        Self { place }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }
}

/// How many regular files there are below a directory.
pub(super) fn files_below(path: &Path) -> usize {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap().path();
            if entry.is_dir() { files_below(&entry) } else { 1 }
        })
        .sum()
}

/// Asserts that a directory holds exactly this tree.
pub(super) async fn same(tree: &Tree, root: PathBuf) {
    let entries = tree.walk();
    let mut expected: Vec<&str> = entries.iter().map(|(path, _)| path.as_str()).collect();
    let mut found = Vec::new();
    list(&root, "", &mut found);
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(expected, found);
    let mut names: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, node) in &entries {
        if let Node::File(File { link: Some(group), .. }) = node {
            *names.entry(*group).or_default() += 1;
        }
    }
    let mut links: BTreeMap<u64, u64> = BTreeMap::new();
    for (path, node) in entries {
        let at = root.join(&path);
        let there = std::fs::symlink_metadata(&at).unwrap();
        let meta = match node {
            Node::Dir(dir) => &dir.meta,
            Node::Symlink(link) => {
                assert_eq!(std::fs::read_link(&at).unwrap(), Path::new(&link.target), "{path}");
                &link.meta
            }
            Node::File(file) => {
                let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
                let content = file.content.read_all(&store, 1 << 30).await.unwrap();
                assert!(std::fs::read(&at).unwrap() == content, "{path}");
                if let Some(group) = file.link {
                    assert_eq!(*links.entry(group).or_insert(there.ino()), there.ino(), "{path}");
                    assert_eq!(there.nlink(), names[&group], "{path}");
                }
                &file.meta
            }
        };
        if !matches!(node, Node::Symlink(_)) {
            assert_eq!(there.permissions().mode() & 0o7777, u32::from(meta.mode), "{path}");
        }
        assert_eq!((there.uid(), there.gid()), (meta.uid, meta.gid), "{path}");
        assert_eq!(there.mtime(), i64::from(meta.mtime), "{path}");
        assert_eq!(xattrs(&at), meta.xattrs, "{path}");
    }
}

fn list(dir: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &path, found);
        }
        found.push(path);
    }
}

/// The extended attributes of a file, of every namespace.
fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 4096];
    let size = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    names.truncate(size);
    names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = vec![0; 65_536];
            let size = rustix::fs::lgetxattr(path, name.as_str(), &mut value[..]).unwrap();
            value.truncate(size);
            (name, value)
        })
        .collect()
}
