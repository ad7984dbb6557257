use builder::tree::{File, Symlink};

use super::*;

const NEW: Places = Places { firmware: "usr/lib/firmware", modules: "usr/lib/modules" };

fn inline(text: &str) -> VirtualImage {
    VirtualImage::from_bytes(text.as_bytes().to_vec())
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.insert_file(path, 0o644, inline(text)).unwrap();
    }
    tree
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.walk().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn only_manifest_and_rootfs_may_be_at_the_root() {
    let good = [("manifest.yaml", "m"), ("rootfs/usr/local/a", "a")];
    assert!(take_apart(tree(&good), NEW).is_ok());
    let extra = [good.as_slice(), &[("README.md", "r")]].concat();
    assert_eq!(take_apart(tree(&extra), NEW), Err(LayoutError::Unexpected { name: "README.md".into() }));
    assert_eq!(take_apart(tree(&good[1..]), NEW), Err(LayoutError::NoManifest));
    assert_eq!(take_apart(tree(&good[..1]), NEW), Err(LayoutError::NoRootfs));
    assert_eq!(
        take_apart(tree(&[("manifest.yaml/x", ""), ("rootfs/a", "")]), NEW),
        Err(LayoutError::NoManifest)
    );
    assert_eq!(take_apart(tree(&[("manifest.yaml", ""), ("rootfs", "")]), NEW), Err(LayoutError::NoRootfs));
}

#[test]
fn microcode_and_firmware_leave_the_layer() {
    let parts = take_apart(
        tree(&[
            ("manifest.yaml", "m"),
            ("rootfs/usr/lib/firmware/intel-ucode/06-0a", "I2"),
            ("rootfs/usr/lib/firmware/intel-ucode/06-05", "I1"),
            ("rootfs/usr/lib/firmware/intel-ucode/sub/x", "stays"),
            ("rootfs/usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin", "A2"),
            ("rootfs/usr/lib/firmware/amd-ucode/microcode_amd.bin", "A1"),
            ("rootfs/usr/lib/firmware/amd-ucode/README", "stays"),
            ("rootfs/usr/lib/firmware/iwl.ucode", "fw"),
            ("rootfs/usr/lib/modules/6.1.0/a.ko", "mod"),
            ("rootfs/usr/local/bin/tool", "tool"),
        ]),
        NEW,
    )
    .unwrap();
    assert_eq!(parts.manifest, inline("m"));
    assert_eq!(parts.intel_microcode, inline("I1I2"));
    assert_eq!(parts.amd_microcode, inline("A1A2"));
    assert_eq!(parts.kernels, Some(vec!["6.1.0".to_owned()]));
    let layer = [
        "usr",
        "usr/lib",
        "usr/lib/modules",
        "usr/lib/modules/6.1.0",
        "usr/lib/modules/6.1.0/a.ko",
        "usr/local",
    ];
    assert_eq!(paths(&parts.layer)[..6], layer);
    let firmware = [
        "usr",
        "usr/lib",
        "usr/lib/firmware",
        "usr/lib/firmware/amd-ucode",
        "usr/lib/firmware/amd-ucode/README",
        "usr/lib/firmware/intel-ucode",
        "usr/lib/firmware/intel-ucode/sub",
        "usr/lib/firmware/intel-ucode/sub/x",
        "usr/lib/firmware/iwl.ucode",
    ];
    assert_eq!(paths(&parts.firmware.unwrap()), firmware);
}

#[test]
fn the_places_follow_the_version() {
    let old = Places::of(&"v1.9.5".parse().unwrap());
    assert_eq!((old.firmware, old.modules), ("lib/firmware", "lib/modules"));
    assert_eq!(Places::of(&"v1.10.0-alpha.0".parse().unwrap()), NEW);
    let image = [("manifest.yaml", "m"), ("rootfs/lib/firmware/f", "f"), ("rootfs/lib/modules/k/m.ko", "m")];
    let parts = take_apart(tree(&image), old).unwrap();
    assert!(parts.firmware.is_some() && parts.kernels.is_some());
    let parts = take_apart(tree(&image), NEW).unwrap();
    assert!(parts.firmware.is_none() && parts.kernels.is_none());
}

#[test]
fn everything_in_a_layer_is_roots_and_timeless() {
    let label = b"system_u:object_r:bin_t:s0".to_vec();
    let xattrs =
        BTreeMap::from([(SELINUX.to_owned(), label.clone()), ("security.capability".to_owned(), vec![1])]);
    let meta = Meta { mode: 0o4555, uid: 1000, gid: 1000, mtime: 7, xattrs };
    let mut image = tree(&[("manifest.yaml", "m")]);
    let file = File { meta: meta.clone(), content: inline("x"), link: Some(3) };
    image.insert("rootfs/bin/su", Node::File(file)).unwrap();
    image.insert("rootfs/link", Node::Symlink(Symlink { meta: meta.clone(), target: "su".into() })).unwrap();
    image.insert("rootfs/dir", Node::Dir(Dir { meta, children: BTreeMap::new() })).unwrap();
    let layer = take_apart(image, NEW).unwrap().layer;
    let labelled = Meta { xattrs: BTreeMap::from([(SELINUX.to_owned(), label)]), ..Meta::with_mode(0o4555) };
    let file = File { meta: labelled.clone(), content: inline("x"), link: Some(3) };
    assert_eq!(layer.get("bin/su"), Some(&Node::File(file)));
    assert_eq!(layer.dir("dir").unwrap().meta, Meta { mode: 0o4755, ..labelled.clone() });
    assert_eq!(layer.get("link"), Some(&Node::Symlink(Symlink { meta: labelled, target: "su".into() })));
}

#[test]
fn published_extensions_keep_to_their_places() {
    let (new, old) = ("v1.13.0".parse().unwrap(), "v1.9.0".parse().unwrap());
    assert_eq!(
        check_contents(&tree(&[("usr/local/bin/a", ""), ("etc/cri/conf.d/10.part", "")]), &new),
        Ok(())
    );
    assert_eq!(check_contents(&tree(&[("usr/lib/firmware/a", "")]), &new), Ok(()));
    assert!(check_contents(&tree(&[("lib/firmware/a", "")]), &new).is_err());
    assert_eq!(check_contents(&tree(&[("lib/firmware/a", "")]), &old), Ok(()));
    assert_eq!(
        check_contents(&tree(&[("etc/passwd", "")]), &new),
        Err(ContentError::Place { path: "/etc/passwd".into() })
    );
    let mut open = Tree::default();
    open.insert_file("usr/local/x", 0o666, VirtualImage::default()).unwrap();
    assert_eq!(check_contents(&open, &new), Err(ContentError::WorldWritable { path: "/usr/local/x".into() }));
}
