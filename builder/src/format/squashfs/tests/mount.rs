//! The kernel as the judge.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// An image the kernel has mounted.
struct Mounted {
    place: tempfile::TempDir,
}

impl Mounted {
    /// `None`, with a message, where mounting is not possible at all.
    fn try_from(image: &Path) -> Option<Self> {
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("\tsquashfs\n");
        if !known || !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            eprintln!("skipped: mounting needs root, loop devices and a kernel with squashfs");
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let output = Command::new("mount")
            .args(["-t", "squashfs", "-o", "loop,ro"])
            .args([image, place.path()])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        if complaint.contains("failed to setup loop device") {
            eprintln!("skipped: no loop device is free: {complaint}");
            return None;
        }
        assert!(output.status.success(), "{complaint}");
        Some(Self { place })
    }

    fn root(&self) -> PathBuf {
        self.place.path().to_owned()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg(self.place.path()).status().unwrap();
    }
}

#[tokio::test]
async fn the_kernel_reads_what_was_put_in() {
    let mut tree = every_kind();
    let mut attributes = Dir::default();
    for number in 0..40 {
        // Longer than a metadata block together, with values that repeat under other names.
        attributes.meta.xattrs.insert(format!("user.attribute{number}"), vec![number / 2; 600]);
    }
    attributes.meta.xattrs.insert("trusted.overlay.opaque".to_owned(), b"y".to_vec());
    tree.insert("attributes", Node::Dir(attributes)).unwrap();
    for codec in [ZSTD, Codec::Zstd { level: 22 }, Codec::Xz] {
        let image = written(&cooked(&tree, with(codec, 2)).await);
        let Some(mounted) = Mounted::try_from(image.path()) else { return };
        same(&tree, mounted.root()).await;
        // By name, through the landmarks of a large directory, and one that is not there.
        let entry = mounted.root().join("many/entry with a rather long name, number 01234");
        assert_eq!(std::fs::read(entry).unwrap(), b"1234");
        assert!(!mounted.root().join("many/entry with a rather long name, number 01234x").exists());
    }
}

#[tokio::test]
async fn the_kernel_mounts_an_empty_tree() {
    let image = written(&cooked(&Tree::default(), with(ZSTD, 1)).await);
    assert!(unsquashfs(&["-lln"], image.path()).is_ok());
    let Some(mounted) = Mounted::try_from(image.path()) else { return };
    assert_eq!(std::fs::read_dir(mounted.root()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_kernel_reads_a_file_of_more_than_four_gib() {
    use std::os::unix::fs::FileExt as _;
    let size = (4 << 30) + 5;
    let mut layout = crate::ImageLayout::default();
    layout.zeros(size - 3).bytes(&b"end"[..]);
    let mut tree = Tree::default();
    tree.insert_file("large", 0o644, layout.finish()).unwrap();
    let image = written(&cooked(&tree, with(ZSTD, 2)).await);
    let Some(mounted) = Mounted::try_from(image.path()) else { return };
    let file = std::fs::File::open(mounted.root().join("large")).unwrap();
    assert_eq!(file.metadata().unwrap().len(), size);
    let mut end = [9; 6];
    file.read_exact_at(&mut end, size - 6).unwrap();
    assert_eq!(&end, b"\0\0\0end");
}
