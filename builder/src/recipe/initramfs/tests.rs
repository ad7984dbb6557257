use super::*;
use crate::format::crc32::crc32;
use crate::judge::{Blobs, block_on, noise, passes};
use crate::tree::{Dir, Meta, Symlink};

fn tree(blobs: &Blobs, files: &[(&str, usize)]) -> Tree {
    let mut tree = Tree::default();
    for (path, len) in files {
        tree.insert_file(path, 0o644, blobs.put(noise(*len as u64, *len))).unwrap();
    }
    tree
}

fn layers(blobs: &Blobs) -> Tree {
    let mut tree =
        tree(blobs, &[("0.sqsh", 200_000), ("1.sqsh", 4096), ("10.sqsh", 70), ("extensions.yaml", 33)]);
    tree.insert("usr/lib/firmware", Node::Dir(Dir::default())).unwrap();
    tree
}

/// A member as the release or an extension would bring it: really compressed, of a length no alignment likes.
fn cooked(blobs: &Blobs, files: &[(&str, usize)]) -> VirtualImage {
    let archive = cpio::lay_out(&tree(blobs, files), 1).unwrap();
    let member = zstd::encode_all(blobs.flatten(&archive).as_slice(), 3).unwrap();
    blobs.put(member)
}

fn names(listed: Vec<u8>) -> Vec<String> {
    String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_member_is_found_by_other_readers() {
    let blobs = Blobs::default();
    let base = cooked(&blobs, &[("init", 1001), ("rootfs.sqsh", 50_001)]);
    let firmware = [cooked(&blobs, &[("usr/lib/firmware/a.bin", 777)])];
    let microcode = tree(&blobs, &[("kernel/x86/microcode/AuthenticAMD.bin", 1234)]);
    let layers = layers(&blobs);
    let inputs = InitramfsInputs {
        base: &base,
        microcode: Some(&microcode),
        firmware: &firmware,
        layers: &layers,
        codec: Codec::Zstd,
        mtime: 7,
    };
    let image = lay_out(&inputs).unwrap();
    let bytes = blobs.flatten(&image);
    let dir = tempfile::tempdir().unwrap();
    let Some(listed) = passes("cpio", &["-it", "--quiet"], dir.path(), &bytes) else { return };
    assert_eq!(
        names(listed),
        ["kernel", "kernel/x86", "kernel/x86/microcode", "kernel/x86/microcode/AuthenticAMD.bin"]
    );
    let early = cpio::lay_out(&microcode, 7).unwrap().len();
    let rest = blobs.flatten(&image.part(early..image.len()));
    assert!(rest.starts_with(&blobs.flatten(&base)));
    let Some(archives) = passes("zstd", &["-dcq", "-"], dir.path(), &rest) else { return };
    let mut found = Vec::new();
    let mut archives = archives.as_slice();
    while !archives.is_empty() {
        let trailer = archives.windows(10).position(|window| window == b"TRAILER!!!").unwrap();
        let (archive, others) = archives.split_at((trailer + 10).next_multiple_of(512).min(archives.len()));
        found.extend(names(passes("cpio", &["-it", "--quiet"], dir.path(), archive).unwrap()));
        archives = others;
    }
    let firmware = ["usr", "usr/lib", "usr/lib/firmware", "usr/lib/firmware/a.bin"];
    let last = ["0.sqsh", "1.sqsh", "10.sqsh", "extensions.yaml", "usr", "usr/lib", "usr/lib/firmware"];
    assert_eq!(found, [&["init", "rootfs.sqsh"][..], &firmware, &last].concat());
}

#[test]
fn with_xz_the_last_member_is_one_stream() {
    let blobs = Blobs::default();
    let base = VirtualImage::default();
    let layers = layers(&blobs);
    let archive = layers_archive(&layers, 7).unwrap();
    let codec = Codec::Xz { crc32: block_on(crc32(&archive, &blobs.0)).unwrap() };
    let inputs =
        InitramfsInputs { base: &base, microcode: None, firmware: &[], layers: &layers, codec, mtime: 7 };
    let bytes = blobs.flatten(&lay_out(&inputs).unwrap());
    let dir = tempfile::tempdir().unwrap();
    if let Some(decoded) = passes("xz", &["-dc"], dir.path(), &bytes) {
        assert!(decoded == blobs.flatten(&archive));
    }
    let wrong = lay_out(&InitramfsInputs { codec: Codec::Xz { crc32: 1 }, ..inputs }).unwrap();
    if let Some(output) = crate::judge::run("xz", &["-t"], dir.path(), &blobs.flatten(&wrong)) {
        assert!(!output.status.success());
    }
}

#[test]
fn without_microcode_the_base_comes_first_and_stays_an_extent() {
    let blobs = Blobs::default();
    let base = cooked(&blobs, &[("init", 5000)]);
    let layers = layers(&blobs);
    let empty = Tree::default();
    for microcode in [None, Some(&empty)] {
        let inputs = InitramfsInputs {
            base: &base,
            microcode,
            firmware: &[],
            layers: &layers,
            codec: Codec::Zstd,
            mtime: 0,
        };
        let image = lay_out(&inputs).unwrap();
        assert_eq!(image.extents()[0], base.extents()[0]);
    }
}

#[test]
fn only_microcode_goes_in_front() {
    let blobs = Blobs::default();
    let layers = layers(&blobs);
    let mut link = tree(&blobs, &[("kernel/x86/microcode/a.bin", 5)]);
    let target = "/etc/passwd".to_owned();
    link.insert("kernel/x86/microcode/b.bin", Node::Symlink(Symlink { meta: Meta::default(), target }))
        .unwrap();
    let wrong = [
        (tree(&blobs, &[("kernel/x86/microcode/a.bin", 5), ("init", 5)]), "init"),
        (tree(&blobs, &[("kernel/x86/microcode-x/a.bin", 5)]), "kernel/x86/microcode-x"),
        (tree(&blobs, &[("kernel/x86/microcode", 5)]), "kernel/x86/microcode"),
        (link, "kernel/x86/microcode/b.bin"),
    ];
    for (tree, culprit) in &wrong {
        let inputs = InitramfsInputs {
            base: &VirtualImage::default(),
            microcode: Some(tree),
            firmware: &[],
            layers: &layers,
            codec: Codec::Zstd,
            mtime: 0,
        };
        let error = lay_out(&inputs).unwrap_err();
        assert!(matches!(&error, InitramfsError::NotMicrocode { path } if path == culprit), "{error}");
    }
}
