use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::{Strategy, prop};
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::format::dump;
use crate::format::fat::{self, FatOptions};
use crate::judge::{self, Blobs};
use crate::tree::{Meta, Node, Symlink};

const EPOCH: u32 = 1_700_000_000;

fn esp(store: &Blobs) -> VirtualImage {
    let mut tree = Tree::default();
    tree.insert_file("EFI/BOOT/BOOTX64.EFI", 0o644, store.put(judge::noise(1, 100_000))).unwrap();
    let options = FatOptions { label: "EFI", size: fat::MIN_SIZE, volume_id: fat::INVARIANT_ID, time: EPOCH };
    fat::lay_out(&tree, &options).unwrap()
}

fn options<'a>(esp: &'a VirtualImage, bios: Option<&'a BiosBoot>) -> IsoOptions<'a> {
    let partitions = if bios.is_some() { Partitioning::Gpt } else { Partitioning::Mbr };
    IsoOptions { volume: "TALOS_V1_13_0", volume_set: "Talos-v1.13.0", epoch: EPOCH, bios, esp, partitions }
}

/// A tree like that of a UEFI-only ISO.
fn uefi_tree(store: &Blobs) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file("EFI/BOOT/BOOTX64.EFI", 0o644, store.put(judge::noise(1, 100_000))).unwrap();
    tree.insert_file("EFI/Linux/Talos-v1.13.0.efi", 0o644, store.put(judge::noise(2, 3_000_001))).unwrap();
    tree.insert_file("loader/loader.conf", 0o644, VirtualImage::from_bytes("timeout 10\n")).unwrap();
    tree.insert_file("loader/random-seed", 0o444, VirtualImage::from_bytes(vec![0; 32])).unwrap();
    tree.insert_file("loader/empty", 0o600, VirtualImage::default()).unwrap();
    tree
}

const CORE: &str = "boot/grub/i386-pc/eltorito.img";

/// That of a hybrid one, with something of the size of a boot image.
fn hybrid_tree(store: &Blobs) -> (Tree, BiosBoot) {
    let mut tree = uefi_tree(store);
    let core = judge::noise(5, 40_001);
    let image = store.put(core.clone());
    tree.insert_file(CORE, 0o644, image.clone()).unwrap();
    tree.insert_file("boot/vmlinuz", 0o644, store.put(judge::noise(3, 500_000))).unwrap();
    let bootstrap = Bytes::from(judge::noise(6, 512));
    (tree, BiosBoot::new(CORE, image, &core, &bootstrap).unwrap())
}

/// The files of an ISO by their path, read out by xorriso; `None` without it.
fn extracted(iso: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("tree");
    let args = ["-osirrox", "on", "-indev", iso.to_str().unwrap(), "-extract", "/", target.to_str().unwrap()];
    judge::reports("xorriso", &args)?;
    let mut files = BTreeMap::new();
    collect_files(&target, "", &mut files);
    // What it made may not be writable, and then not be removed.
    let _ = judge::reports("chmod", &["-R", "u+w", target.to_str().unwrap()]);
    Some(files)
}

fn collect_files(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect_files(&entry.path(), &format!("{name}/"), files);
        } else if kind.is_symlink() {
            let target = fs_err::read_link(entry.path()).unwrap();
            files.insert(name, target.to_str().unwrap().as_bytes().to_vec());
        } else {
            files.insert(name, fs_err::read(entry.path()).unwrap());
        }
    }
}

/// The files of a tree by their path; links as what they point at.
fn contents(tree: &Tree, store: &Blobs) -> BTreeMap<String, Vec<u8>> {
    let found = tree.walk().into_iter().filter_map(|(path, node)| match node {
        Node::File(file) => Some((path, store.flatten(&file.content))),
        Node::Symlink(link) => Some((path, link.target.clone().into_bytes())),
        Node::Dir(_) => None,
    });
    found.collect()
}

#[test]
fn the_layout_of_a_uefi_iso_is_the_known_one() {
    let store = Blobs::default();
    let image = lay_out(&uefi_tree(&store), &options(&esp(&store), None)).unwrap();
    insta::assert_snapshot!(dump::iso9660(&image).unwrap());
}

#[test]
fn the_layout_of_a_hybrid_iso_is_the_known_one() {
    let store = Blobs::default();
    let (tree, bios) = hybrid_tree(&store);
    let image = lay_out(&tree, &options(&esp(&store), Some(&bios))).unwrap();
    insta::assert_snapshot!(dump::iso9660(&image).unwrap());
}

#[test]
fn a_layout_is_small_and_the_same_every_time() {
    let store = Blobs::default();
    let (tree, bios) = hybrid_tree(&store);
    let esp = esp(&store);
    let image = lay_out(&tree, &options(&esp, Some(&bios))).unwrap();
    assert_eq!(image, lay_out(&tree, &options(&esp, Some(&bios))).unwrap());
    let manifest = image.to_manifest().len();
    assert!(manifest < 20_000, "{manifest} bytes");
}

#[test]
fn xorriso_reads_back_every_file() {
    let store = Blobs::default();
    let (tree, bios) = hybrid_tree(&store);
    let file = tempfile::NamedTempFile::new().unwrap();
    store.write(&lay_out(&tree, &options(&esp(&store), Some(&bios))).unwrap(), file.path());
    let Some(mut files) = extracted(file.path()) else { return };
    let mut expected = contents(&tree, &store);
    // The boot image is patched where it says where it is.
    let (core, original) = (files.remove(CORE).unwrap(), expected.remove(CORE).unwrap());
    assert_eq!(core.len(), original.len());
    assert_eq!(
        (&core[..8], &core[64..2548], &core[2556..]),
        (&original[..8], &original[64..2548], &original[2556..])
    );
    assert_eq!(files, expected);
}

#[test]
fn the_first_partition_mounts_like_the_whole() {
    let store = Blobs::default();
    let tree = uefi_tree(&store);
    let image = lay_out(&tree, &options(&esp(&store), None)).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    store.write(&image.part(u64::from(PARTITION) * SECTOR..image.len()), file.path());
    let Some(files) = extracted(file.path()) else { return };
    assert_eq!(files, contents(&tree, &store));
}

#[test]
fn links_owners_and_long_names_survive() {
    let store = Blobs::default();
    let mut tree = Tree::default();
    let long = "x".repeat(255);
    let targets = ["../a/./b", "/absolute", "plain", &"deep/".repeat(100), &"y".repeat(250)];
    for (number, target) in targets.iter().enumerate() {
        let target = target.trim_end_matches('/').to_owned();
        tree.insert(&format!("link{number}"), Node::Symlink(Symlink { meta: Meta::default(), target }))
            .unwrap();
    }
    tree.insert_file(&long, 0o640, VirtualImage::from_bytes("long")).unwrap();
    for number in 0..300 {
        let path = format!("many/{}-{number:03}", "a long name that is not plain ".repeat(3));
        tree.insert_file(&path, 0o644, VirtualImage::from_bytes(path.clone())).unwrap();
    }
    tree.insert_file("a/b/c/d/e/f/g/h/i/j", 0o4755, VirtualImage::from_bytes("deep")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    store.write(&lay_out(&tree, &options(&esp(&store), None)).unwrap(), file.path());
    let Some(files) = extracted(file.path()) else { return };
    assert_eq!(files, contents(&tree, &store));
    let args = ["-indev", file.path().to_str().unwrap(), "-lsl", "/a/b/c/d/e/f/g/h/i/j"];
    let listing = judge::reports("xorriso", &args).unwrap();
    assert!(listing.contains("-rwsr-xr-x"), "{listing}");
}

#[test]
fn trees_of_any_shape_read_back() {
    let path = prop::collection::vec("[A-Za-z0-9_.+-]{1,40}[a-z]", 1..5).prop_map(|parts| parts.join("/"));
    let trees = prop::collection::btree_map(path, 0..9_000_usize, 0..80);
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&trees, |files| {
        let store = Blobs::default();
        let mut tree = Tree::default();
        for (path, len) in &files {
            let _ = tree.insert_file(path, 0o644, store.put(judge::noise(*len as u64, *len)));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        store.write(&lay_out(&tree, &options(&esp(&store), None)).unwrap(), file.path());
        if let Some(files) = extracted(file.path()) {
            assert_eq!(files, contents(&tree, &store));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn partition_tables_are_in_order() {
    let store = Blobs::default();
    let (tree, bios) = hybrid_tree(&store);
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    store.write(&lay_out(&tree, &options(&esp(&store), Some(&bios))).unwrap(), file.path());
    let Some(verdict) = judge::reports("sgdisk", &["-v", path]) else { return };
    assert!(verdict.contains("No problems found") && !verdict.contains("invalid"), "{verdict}");
    store.write(&lay_out(&tree, &options(&esp(&store), None)).unwrap(), file.path());
    let Some(table) = judge::reports("sfdisk", &["-d", path]) else { return };
    assert!(table.contains("label: dos") && table.contains("size=       67584, type=ef"), "{table}");
}

#[test]
fn what_a_volume_cannot_store_is_refused() {
    let esp = VirtualImage::default();
    let tree = Tree::default();
    for volume in ["talos", "TALOS-1", &"A".repeat(33)] {
        let wrong = IsoOptions { volume, ..options(&esp, None) };
        assert!(matches!(lay_out(&tree, &wrong), Err(IsoError::Volume { .. })), "{volume}");
    }
    let wrong = IsoOptions { volume_set: "line\nbreak", ..options(&esp, None) };
    assert!(matches!(lay_out(&tree, &wrong), Err(IsoError::VolumeSet { .. })));
    let mut huge = Tree::default();
    let content = ImageLayout::default().zeros(4 << 30).clone().finish();
    huge.insert_file("huge", 0o644, content).unwrap();
    assert!(matches!(lay_out(&huge, &options(&esp, None)), Err(IsoError::FileSize { .. })));
    let (_, bios) = hybrid_tree(&Blobs::default());
    let missing = lay_out(&tree, &options(&esp, Some(&bios)));
    assert_eq!(missing, Err(IsoError::BootImage { path: CORE.to_owned() }));
    assert!(BiosBoot::new(CORE, VirtualImage::from_bytes("x"), b"x", &Bytes::new()).is_err());
}
