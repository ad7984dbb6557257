use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use builder::store::{BlobStoreExt as _, MemoryRecords, MemoryStore};
use builder::tree::{File, Meta, Node};
use schematics::Blame;

use super::*;
use crate::parts::LayoutError;

#[derive(Debug, thiserror::Error)]
#[error("the source is down")]
struct Down;

impl Blamed for Down {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

pub(crate) fn kitchen(work: &Path) -> Kitchen {
    let two = NonZeroUsize::new(2).unwrap();
    let options = CookOptions { level: 3, threads: two, parallel: two, work: work.to_owned() };
    Kitchen::new(Arc::new(MemoryStore::default()), Arc::new(MemoryRecords::default()), options)
}

pub(crate) fn image(name: &str) -> ExtensionImage {
    ExtensionImage { name: name.to_owned(), digest: Digest::of(name.as_bytes()), arch: Arch::Amd64 }
}

pub(crate) fn manifest_text(name: &str, talos: &str) -> String {
    ExtensionManifest {
        name: name.to_owned(),
        version: "1".to_owned(),
        talos_versions: talos.to_owned(),
        ..ExtensionManifest::default()
    }
    .to_yaml()
}

/// The files of an extension image, its contents as blobs of `scratch`.
pub(crate) async fn tree(scratch: &Arc<dyn BlobStore>, files: &[(&str, &[u8])]) -> Tree {
    let mut tree = Tree::default();
    for (path, content) in files {
        let blob = scratch.put(content.to_vec().into()).await.unwrap();
        tree.insert_file(path, 0o644, VirtualImage::from_blob(blob)).unwrap();
    }
    tree
}

pub(crate) async fn cook(
    kitchen: &Kitchen,
    name: &str,
    version: &str,
    files: &[(&str, &[u8])],
) -> Result<Arc<CookedExtension>, Arc<CookError>> {
    let manifest = manifest_text(name, ">= v1.3.0");
    let files = [&[("manifest.yaml", manifest.as_bytes())], files].concat();
    let fetch = |scratch: Arc<dyn BlobStore>| async move { Ok::<_, Down>(tree(&scratch, &files).await) };
    kitchen.extension(&image(name), &version.parse().unwrap(), fetch).await
}

/// Runs a judge in `dir` and gives its output; `None` when it is not installed.
pub(crate) fn judge(dir: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(arguments).current_dir(dir).output() else {
        println!("skipped: {program} is missing");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) async fn save(kitchen: &Kitchen, blob: Blob, path: &Path) {
    std::fs::write(path, kitchen.store.read_all(blob.digest, 1 << 30).await.unwrap()).unwrap();
}

const FILES: &[(&str, &[u8])] = &[
    ("rootfs/usr/lib/firmware/intel-ucode/06-0a", b"intel"),
    ("rootfs/usr/lib/firmware/iwl.ucode", b"firmware"),
    ("rootfs/usr/local/bin/tool", b"#!/bin/sh\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn unsquashfs_and_cpio_read_what_was_cooked() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    let cooked = cook(&kitchen, "mixed", "v1.13.0", FILES).await.unwrap();
    assert_eq!(cooked.layer.manifest.name, "mixed");
    let microcode = cooked.intel_microcode.unwrap();
    assert_eq!(kitchen.store.read_all(microcode.digest, 100).await.unwrap(), "intel");
    assert_eq!(cooked.amd_microcode, None);
    assert_eq!(cooked.kernels, None);
    save(&kitchen, cooked.layer.squashfs, &dir.path().join("0.sqsh")).await;
    let Some(Firmware::Member(member)) = cooked.firmware else { panic!("no firmware") };
    save(&kitchen, member, &dir.path().join("fw.zst")).await;
    if let Some(listing) = judge(dir.path(), "unsquashfs", &["-lln", "0.sqsh"]) {
        assert!(listing.contains("squashfs-root/usr/local/bin/tool"), "{listing}");
        assert!(!listing.contains("firmware") && listing.contains(" 0/0 "), "{listing}");
    }
    if judge(dir.path(), "zstd", &["-dq", "fw.zst"]).is_some()
        && let Some(listing) = judge(dir.path(), "cpio", &["-it", "--quiet", "-F", "fw"])
    {
        let expected =
            "usr\nusr/lib\nusr/lib/firmware\nusr/lib/firmware/intel-ucode\nusr/lib/firmware/iwl.ucode\n";
        assert_eq!(listing, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_before_1_8_get_xz() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    let files: &[(&str, &[u8])] = &[("rootfs/lib/firmware/a", b"firmware"), ("rootfs/usr/local/b", b"b")];
    let cooked = cook(&kitchen, "old", "v1.7.5", files).await.unwrap();
    save(&kitchen, cooked.layer.squashfs, &dir.path().join("0.sqsh")).await;
    let Some(Firmware::Member(member)) = cooked.firmware else { panic!("no firmware") };
    save(&kitchen, member, &dir.path().join("fw.xz")).await;
    if let Some(superblock) = judge(dir.path(), "unsquashfs", &["-s", "0.sqsh"]) {
        assert!(superblock.contains("Compression xz"), "{superblock}");
    }
    if let Some(list) = judge(dir.path(), "xz", &["-l", "fw.xz"]) {
        assert!(list.contains("CRC32"), "{list}");
    }
    let other = cook(&kitchen, "old", "v1.13.0", files).await.unwrap();
    assert_ne!(other.layer.squashfs, cooked.layer.squashfs);
    assert_eq!(other.firmware, None, "/lib/firmware is no place for firmware any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_reach_the_squashfs_and_other_attributes_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    let fetch = |scratch: Arc<dyn BlobStore>| async move {
        let manifest = manifest_text("labelled", "");
        let mut tree = tree(&scratch, &[("manifest.yaml", manifest.as_bytes())]).await;
        let xattrs = BTreeMap::from([
            ("security.selinux".to_owned(), b"system_u:object_r:bin_t:s0".to_vec()),
            ("user.other".to_owned(), b"x".to_vec()),
        ]);
        let meta = Meta { xattrs, uid: 5, ..Meta::with_mode(0o755) };
        let file = File { meta, content: VirtualImage::from_bytes("x"), link: None };
        tree.insert("rootfs/usr/local/x", Node::File(file)).unwrap();
        Ok::<_, Down>(tree)
    };
    let version = "v1.13.0".parse().unwrap();
    let cooked = kitchen.extension(&image("labelled"), &version, fetch).await.unwrap();
    save(&kitchen, cooked.layer.squashfs, &dir.path().join("0.sqsh")).await;
    // Extracting as root restores the attributes where the file system takes them.
    let show =
        "import os; print({n: os.getxattr('out/usr/local/x', n) for n in os.listxattr('out/usr/local/x')})";
    if judge(dir.path(), "unsquashfs", &["-q", "-d", "out", "0.sqsh"]).is_some()
        && let Some(attributes) = judge(dir.path(), "python3", &["-c", show])
    {
        assert_eq!(attributes, "{'security.selinux': b'system_u:object_r:bin_t:s0'}\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn microcode_alone_leaves_bare_directories() {
    let dir = tempfile::tempdir().unwrap();
    let cooked = cook(&kitchen(dir.path()), "intel-ucode", "v1.13.0", &FILES[..1]).await.unwrap();
    let bare = ["usr", "usr/lib", "usr/lib/firmware", "usr/lib/firmware/intel-ucode"];
    let bare = bare.iter().map(|path| ((*path).to_owned(), 0o755)).collect();
    assert_eq!(cooked.firmware, Some(Firmware::Bare(bare)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_cooked_once_however_many_ask() {
    let dir = tempfile::tempdir().unwrap();
    let first = kitchen(dir.path());
    let again = Kitchen::new(Arc::clone(&first.store), Arc::clone(&first.records), first.options.clone());
    let version: TalosVersion = "v1.13.0".parse().unwrap();
    let fetched = AtomicUsize::new(0);
    let fetch = |scratch: Arc<dyn BlobStore>| {
        fetched.fetch_add(1, Ordering::Relaxed);
        async move {
            let manifest = manifest_text("once", "");
            let files = [&[("manifest.yaml", manifest.as_bytes())], FILES].concat();
            Ok::<_, Down>(tree(&scratch, &files).await)
        }
    };
    let image = image("once");
    let asked = (0..8).map(|_| first.extension(&image, &version, &fetch));
    let answers = futures::future::try_join_all(asked).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(again.extension(&image, &version, &fetch).await.unwrap(), answers[0]);
    let prerelease = "v1.14.0-alpha.1".parse().unwrap();
    assert_eq!(again.extension(&image, &prerelease, &fetch).await.unwrap(), answers[0]);
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    // The same bytes come out of another kitchen with another number of threads.
    let one = NonZeroUsize::MIN;
    let options = CookOptions { threads: one, parallel: one, ..first.options.clone() };
    let other = Kitchen::new(Arc::new(MemoryStore::default()), Arc::new(MemoryRecords::default()), options);
    assert_eq!(other.extension(&image, &version, &fetch).await.unwrap(), answers[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_from_the_store_is_cooked_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::open(dir.path().join("store")).unwrap();
    let options = kitchen(&dir.path().join("work")).options;
    let kitchen = Kitchen::new(Arc::new(store.clone()), Arc::new(MemoryRecords::default()), options);
    let first = cook(&kitchen, "dropped", "v1.13.0", FILES).await.unwrap();
    std::fs::remove_file(store.path(first.layer.squashfs.digest)).unwrap();
    assert_eq!(cook(&kitchen, "dropped", "v1.13.0", FILES).await.unwrap(), first);
    assert!(store.size(first.layer.squashfs.digest).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_extension_is_refused_and_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    let version = "v1.13.0".parse().unwrap();
    let error = kitchen.extension(&image("down"), &version, |_| async { Err(Down) }).await.unwrap_err();
    assert_eq!(error.to_string(), "could not fetch extension `down`");
    assert_eq!(error.blame(), Blame::Upstream);
    let empty = |_| async { Ok::<_, Down>(Tree::default()) };
    let error = kitchen.extension(&image("down"), &version, empty).await.unwrap_err();
    assert!(matches!(&*error, CookError::Layout { source: LayoutError::NoManifest, .. }), "{error:?}");
    let large = vec![b'#'; 200 * 1024];
    for (content, text) in
        [(&large[..], "204800 bytes"), (b"version: v2\n", "of version `v2`"), (b"a: [", "cannot be read")]
    {
        let files = [("manifest.yaml", content), ("rootfs/usr/local/a", b"a")];
        let fetch = |scratch: Arc<dyn BlobStore>| async move { Ok::<_, Down>(tree(&scratch, &files).await) };
        let error = kitchen.extension(&image("bad"), &version, fetch).await.unwrap_err();
        let source = std::error::Error::source(&*error).unwrap().to_string();
        assert!(source.contains(text), "{source}");
    }
    assert!(cook(&kitchen, "down", "v1.13.0", FILES).await.is_ok());
}
