use std::num::NonZeroUsize;
use std::path::Path;

use builder::store::DirRecords;
use builder::store::DirStore;

use super::*;
use crate::cook::CookOptions;
use crate::fixtures::{image, publish, store};
use crate::source::LayoutSource;
use crate::talosctl::{TalosctlError, talosctl};

fn kitchen(dir: &Path) -> Kitchen {
    let one = NonZeroUsize::MIN;
    let options = CookOptions { level: 3, threads: one, parallel: one, work: dir.join("work") };
    let store = Arc::new(DirStore::open(dir.join("store")).unwrap());
    Kitchen::new(store, Arc::new(DirRecords::open(dir.join("records")).unwrap()), options)
}

async fn bytes(kitchen: &Kitchen, blob: Blob) -> Vec<u8> {
    kitchen.store.read_all(blob.digest, 1 << 20).await.unwrap().to_vec()
}

const RELEASE: &[(&str, &[u8])] = &[
    ("usr/install/amd64/vmlinuz", b"kernel"),
    ("usr/install/amd64/initramfs.xz", b"initramfs"),
    ("usr/install/amd64/systemd-stub.efi", b"stub"),
    ("usr/install/amd64/systemd-boot.efi", b"boot"),
    ("usr/install/amd64/talos.spdx.json", b"{}"),
    ("usr/install/arm64/vmlinuz", b"arm kernel"),
    ("usr/install/arm64/initramfs.xz", b"arm initramfs"),
    ("bin/imager", b"not wanted"),
];

#[tokio::test]
async fn a_release_is_pulled_once_and_survives_a_restart() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), store());
    let layout = dir.path().join("layout");
    let built = image(Arch::Amd64, &[RELEASE], &scratch).await;
    let image = publish(&layout, "siderolabs/imager:v1.13.0", &built, &scratch).await;
    let source = LayoutSource::open(&layout).unwrap();
    let limits = Limits::default();
    let version: TalosVersion = "1.13.0".parse().unwrap();
    let kitchen = kitchen(dir.path());
    let one = || artifacts(&kitchen, &source, &limits, &image, (&version, Arch::Amd64));
    let (first, second) = tokio::join!(one(), one());
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    assert_eq!(bytes(&kitchen, first.kernel).await, b"kernel");
    assert_eq!(bytes(&kitchen, first.initramfs).await, b"initramfs");
    assert_eq!(bytes(&kitchen, first.systemd_stub.unwrap()).await, b"stub");
    assert_eq!(bytes(&kitchen, first.systemd_boot.unwrap()).await, b"boot");
    // The arm64 files lack the EFI programs, which only old versions may.
    let arm = artifacts(&kitchen, &source, &limits, &image, (&version, Arch::Arm64)).await;
    let Err(ArtifactsError::NoFile { path, .. }) = arm else { panic!("{arm:?}") };
    assert_eq!(path, "usr/install/arm64/systemd-stub.efi");
    let old: TalosVersion = "1.4.8".parse().unwrap();
    let arm = artifacts(&kitchen, &source, &limits, &image, (&old, Arch::Arm64)).await.unwrap();
    assert_eq!((bytes(&kitchen, arm.kernel).await, arm.systemd_boot), (b"arm kernel".to_vec(), None));

    fs_err::remove_dir_all(&layout).unwrap();
    let restarted = super::tests::kitchen(dir.path());
    let again = artifacts(&restarted, &source, &limits, &image, (&version, Arch::Amd64)).await.unwrap();
    assert_eq!(again, first);
    let left: Vec<_> = fs_err::read_dir(dir.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "no intermediate file is left: {left:?}");
}

#[tokio::test]
async fn talosctl_programs_are_kept_by_name() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), store());
    let files: &[(&str, &[u8])] = &[("talosctl-windows-amd64.exe", b"exe"), ("talosctl-linux-arm64", b"elf")];
    let layout = dir.path().join("layout");
    let source = |name: &'static str, files| {
        let (layout, scratch) = (layout.clone(), scratch.clone());
        async move {
            let built = image(Arch::Amd64, &[files], &scratch).await;
            let image = publish(&layout, name, &built, &scratch).await;
            (LayoutSource::open(&layout).unwrap(), image)
        }
    };
    let kitchen = kitchen(dir.path());
    let limits = Limits::default();
    let (from, image) = source("siderolabs/talosctl-all:v1.13.0", files).await;
    let programs = talosctl(&kitchen, &from, &limits, &image).await.unwrap();
    let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    assert_eq!(names, ["talosctl-linux-arm64", "talosctl-windows-amd64.exe"]);
    assert_eq!(bytes(&kitchen, programs[0].blob).await, b"elf");
    let (from, image) = source("siderolabs/talosctl-all:v1.12.0", &[("talosctl-linux", b"x")]).await;
    let error = talosctl(&kitchen, &from, &limits, &image).await.unwrap_err();
    assert!(matches!(&error, TalosctlError::Name { name, .. } if name == "talosctl-linux"));
    assert_eq!(error.blame(), Blame::Upstream);
}
