use builder::format::cpio;
use builder::image::VirtualImage;
use builder::store::{BlobStore, MemoryStore};
use builder::tree::Tree;
use std::sync::Arc;

use super::*;

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.insert_file(path, 0o644, VirtualImage::from_bytes(text.as_bytes().to_vec())).unwrap();
    }
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let image = cpio::lay_out(&tree, 0).unwrap();
    futures::executor::block_on(image.read_all(&store, 1 << 20)).unwrap().to_vec()
}

fn find(bytes: &[u8], name: &str) -> Result<String, InitramfsError> {
    find_file(bytes, name, |content| {
        let mut text = String::new();
        content.read_to_string(&mut text)?;
        Ok(text)
    })
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut xz = Vec::new();
    liblzma::read::XzEncoder::new(bytes, 6).read_to_end(&mut xz).unwrap();
    xz
}

#[test]
fn a_file_is_found_whatever_the_compression() {
    let plain = archive(&[("init", "#!"), ("rootfs.sqsh", "hsqs"), ("z", "z")]);
    for form in [plain.clone(), xz(&plain), zstd::encode_all(&plain[..], 18).unwrap()] {
        assert_eq!(find(&form, "rootfs.sqsh").unwrap(), "hsqs");
        assert!(matches!(find(&form, "other"), Err(InitramfsError::Missing(_))));
    }
}

#[test]
fn archives_behind_the_first_are_searched_too() {
    let two = [archive(&[("kernel/x86/microcode/GenuineIntel.bin", "i")]), archive(&[("rootfs.sqsh", "x")])];
    assert_eq!(find(&two.concat(), "rootfs.sqsh").unwrap(), "x");
    let frames: Vec<u8> = two.iter().flat_map(|one| zstd::encode_all(&one[..], 1).unwrap()).collect();
    assert_eq!(find(&frames, "rootfs.sqsh").unwrap(), "x");
}

#[test]
fn what_is_damaged_is_an_error_and_never_a_short_file() {
    let plain = archive(&[("rootfs.sqsh", "0123456789")]);
    let end = plain.windows(10).position(|window| window == b"0123456789").unwrap();
    for cut in 0..end + 10 {
        assert!(find(&plain[..cut], "rootfs.sqsh").is_err(), "{cut}");
    }
    let mut bad = plain.clone();
    bad[14] = b'+';
    assert!(matches!(find(&bad, "rootfs.sqsh"), Err(InitramfsError::Damaged(_))));
    bad = plain.clone();
    bad[94..102].copy_from_slice(b"FFFFFFFF");
    assert!(matches!(find(&bad, "rootfs.sqsh"), Err(InitramfsError::Damaged(_))));
    assert!(matches!(find(b"\x1f\x8b gzip", "x"), Err(InitramfsError::Format)));
    let packed = zstd::encode_all(&plain[..], 3).unwrap();
    assert!(find(&packed[..packed.len() / 2], "rootfs.sqsh").is_err());
}

#[test]
fn cpio_itself_agrees_on_the_form() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rootfs.sqsh"), "by cpio").unwrap();
    std::fs::write(dir.path().join("init"), "").unwrap();
    let script = "printf '.\\ninit\\nrootfs.sqsh\\n' | cpio -o -H newc --quiet > ../initramfs";
    let dir_out = dir.path().join("tree");
    std::fs::create_dir(&dir_out).unwrap();
    for name in ["rootfs.sqsh", "init"] {
        std::fs::rename(dir.path().join(name), dir_out.join(name)).unwrap();
    }
    if crate::cook::tests::judge(&dir_out, "sh", &["-c", &format!("command -v cpio && {script}")]).is_some() {
        assert_eq!(
            find(&std::fs::read(dir.path().join("initramfs")).unwrap(), "rootfs.sqsh").unwrap(),
            "by cpio"
        );
    }
}
