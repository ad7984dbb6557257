use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::{Strategy, prop};
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::format::dump;
use crate::judge::{self, Blobs};
use crate::tree::{Dir, Node, Symlink};

const OPTIONS: FatOptions<'_> =
    FatOptions { label: "EFI", size: MIN_SIZE, volume_id: INVARIANT_ID, time: 1_700_000_000 };

fn esp(store: &Blobs) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file("EFI/BOOT/BOOTX64.EFI", 0o644, store.put(judge::noise(1, 100_000))).unwrap();
    tree.insert_file("EFI/Linux/Talos-v1.13.0.efi", 0o644, store.put(judge::noise(2, 3_000_001))).unwrap();
    tree.insert_file("loader/loader.conf", 0o644, VirtualImage::from_bytes("timeout 10\n")).unwrap();
    tree.insert_file("loader/random-seed", 0o444, VirtualImage::from_bytes(vec![0; 32])).unwrap();
    tree.insert_file("loader/empty", 0o644, VirtualImage::default()).unwrap();
    tree
}

/// The files of an image, read out by mtools; `None` without it.
fn extracted(image: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let out = tempfile::tempdir().unwrap();
    let target = out.path().to_str().unwrap();
    if judge::reports("mdir", &["-i", image.to_str().unwrap(), "-b", "::"])?.is_empty() {
        return Some(BTreeMap::new());
    }
    judge::reports("mcopy", &["-i", image.to_str().unwrap(), "-s", "-n", "::*", target])?;
    let mut files = BTreeMap::new();
    collect(out.path(), "", &mut files);
    Some(files)
}

fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs_err::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_layout_of_an_esp_is_the_known_one() {
    let store = Blobs::default();
    let image = lay_out(&esp(&store), &OPTIONS).unwrap();
    insta::assert_snapshot!(dump::fat(&image).unwrap());
}

#[test]
fn a_layout_is_small_and_keeps_contents_as_blobs() {
    let store = Blobs::default();
    let tree = esp(&store);
    let image = lay_out(&tree, &OPTIONS).unwrap();
    assert_eq!(image.len(), MIN_SIZE);
    assert_eq!(image.blobs().len(), 2);
    let manifest = image.to_manifest().len();
    assert!(manifest < 3_000, "{manifest} bytes");
    assert_eq!(lay_out(&tree, &OPTIONS).unwrap(), image);
}

#[test]
fn fsck_and_mtools_read_an_esp() {
    let store = Blobs::default();
    let file = tempfile::NamedTempFile::new().unwrap();
    store.write(&lay_out(&esp(&store), &OPTIONS).unwrap(), file.path());
    let path = file.path().to_str().unwrap();
    let Some(report) = judge::reports("fsck.fat", &["-n", "-v", path]) else { return };
    assert!(report.contains("2 FATs, 32 bit entries"), "{report}");
    let Some(files) = extracted(file.path()) else { return };
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/Linux/Talos-v1.13.0.efi",
        "loader/empty",
        "loader/loader.conf",
        "loader/random-seed",
    ];
    assert_eq!(names, expected);
    assert_eq!(files["EFI/Linux/Talos-v1.13.0.efi"], judge::noise(2, 3_000_001));
    let attributes = judge::reports("mattrib", &["-i", path, "::loader/random-seed"]).unwrap();
    assert!(attributes.split_whitespace().take(2).any(|word| word.contains('R')), "{attributes}");
    let info = judge::reports("minfo", &["-i", path, "::"]).unwrap();
    assert!(
        info.contains("serial number: 1234ABCD") && info.contains("disk label=\"EFI        \""),
        "{info}"
    );
    let listing = judge::reports("mdir", &["-i", path, "::"]).unwrap();
    assert!(listing.contains("2023-11-14  22:13"), "{listing}");
}

#[test]
fn fsck_and_mtools_read_a_small_one() {
    let store = Blobs::default();
    for mib in [4, 32] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = FatOptions { size: mib << 20, ..OPTIONS };
        store.write(&lay_out(&esp(&store), &options).unwrap(), file.path());
        let Some(report) = judge::reports("fsck.fat", &["-n", "-v", file.path().to_str().unwrap()]) else {
            return;
        };
        assert!(report.contains("2 FATs, 16 bit entries"), "{report}");
        let Some(files) = extracted(file.path()) else { return };
        assert_eq!(files.len(), 5);
        assert_eq!(files["EFI/Linux/Talos-v1.13.0.efi"], judge::noise(2, 3_000_001));
    }
    let mut tree = Tree::default();
    for number in 0..300 {
        tree.insert_file(&format!("a long name {number}"), 0o644, VirtualImage::default()).unwrap();
    }
    let full = lay_out(&tree, &FatOptions { size: MIN_SIZE_16, ..OPTIONS });
    assert!(matches!(full, Err(FatError::Directory { .. })), "{full:?}");
}

#[test]
fn fsck_finds_a_broken_table() {
    let store = Blobs::default();
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = lay_out(&esp(&store), &OPTIONS).unwrap();
    let mut bytes = ImageLayout::default();
    bytes.image(&image.part(0..32 * SECTOR + 40)).bytes(vec![9; 4]);
    bytes.image(&image.part(32 * SECTOR + 44..image.len()));
    store.write(&bytes.finish(), file.path());
    let args = ["-n", file.path().to_str().unwrap()];
    let Some(output) = judge::run("fsck.fat", &args, Path::new("/"), &[]) else { return };
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn names_in_other_scripts_survive() {
    let store = Blobs::default();
    let mut tree = Tree::default();
    for name in ["Grüße.txt", "日本語", "𝄞 clef.efi", "thirteen.char", "exactly twenty-six chars.x"] {
        tree.insert_file(name, 0o644, VirtualImage::from_bytes(name.as_bytes().to_vec())).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    store.write(&lay_out(&tree, &OPTIONS).unwrap(), file.path());
    let path = file.path().to_str().unwrap();
    if judge::reports("fsck.fat", &["-n", path]).is_none() {
        return;
    }
    let Some(files) = extracted(file.path()) else { return };
    for name in ["Grüße.txt", "日本語", "thirteen.char", "exactly twenty-six chars.x"] {
        assert_eq!(files.get(name).map(Vec::as_slice), Some(name.as_bytes()), "{name}");
    }
}

#[test]
fn trees_of_any_shape_read_back() {
    let name = "[A-Za-z0-9_+,=-]{1,20}(\\.[A-Za-z0-9]{1,5}){0,2}";
    let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/"));
    let trees = prop::collection::btree_map(path, 0..40_000_usize, 0..60);
    let mut runner = TestRunner::new(Config { cases: 10, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&trees, |files| {
        let store = Blobs::default();
        let mut tree = Tree::default();
        for (path, len) in &files {
            let content = store.put(judge::noise(*len as u64, *len));
            let _ = tree.insert_file(path, 0o644, content);
        }
        let image = match lay_out(&tree, &OPTIONS) {
            Err(FatError::Same { .. }) => return Ok(()),
            other => other.unwrap(),
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        store.write(&image, file.path());
        if judge::reports("fsck.fat", &["-n", file.path().to_str().unwrap()]).is_none() {
            return Ok(());
        }
        let Some(found) = extracted(file.path()) else { return Ok(()) };
        let expected: BTreeMap<String, Vec<u8>> = tree
            .walk()
            .into_iter()
            .filter_map(|(path, node)| match node {
                Node::File(file) => {
                    let len = file.content.len();
                    Some((path, judge::noise(len, usize::try_from(len).unwrap())))
                }
                Node::Dir(_) | Node::Symlink(_) => None,
            })
            .collect();
        assert_eq!(found, expected);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn an_image_is_as_large_as_its_tree_needs() {
    let store = Blobs::default();
    assert_eq!(size_for(&esp(&store)), Ok(MIN_SIZE));
    let mut tree = Tree::default();
    let big = ImageLayout::default().zeros(150 << 20).clone().finish();
    tree.insert_file("big", 0o644, big).unwrap();
    let size = size_for(&tree).unwrap();
    assert!(size > 150 << 20 && size < 153 << 20, "{size}");
    assert!(lay_out(&tree, &FatOptions { size, ..OPTIONS }).is_ok());
    let small = FatOptions { size: 150 << 20, ..OPTIONS };
    assert!(matches!(lay_out(&tree, &small), Err(FatError::Full { .. })));
}

#[test]
fn what_fat_cannot_store_is_refused() {
    let mut tree = Tree::default();
    let link = Symlink { meta: crate::tree::Meta::default(), target: "x".to_owned() };
    tree.insert("link", Node::Symlink(link)).unwrap();
    assert_eq!(lay_out(&tree, &OPTIONS), Err(FatError::Symlink { name: "link".to_owned() }));
    let mut tree = Tree::default();
    let huge = ImageLayout::default().zeros(1 << 32).clone().finish();
    tree.insert_file("huge", 0o644, huge).unwrap();
    assert!(matches!(lay_out(&tree, &OPTIONS), Err(FatError::FileSize { .. })));
    let empty = Tree { root: Dir::default() };
    for label in ["", "efi", "TWELVE CHARS", " EFI", "EFI\n"] {
        assert!(matches!(lay_out(&empty, &FatOptions { label, ..OPTIONS }), Err(FatError::Label { .. })));
    }
    assert!(matches!(lay_out(&empty, &FatOptions { size: 1 << 20, ..OPTIONS }), Err(FatError::Size { .. })));
}
