use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use builder::format::{compress, cpio, squashfs};
use schematics::{Blame, Blamed as _};

use super::*;
use crate::cook::tests::{cook, judge, kitchen, save, tree};

const KERNEL: &str = "6.12.0-talos";

/// A module as the compiler makes it: what it exports, what it needs, and its alias.
fn module(exports: Option<&str>, needs: Option<&str>, alias: &str) -> Vec<u8> {
    let exports = exports.map(|name| {
        format!("const char names[] __attribute__((section(\"__ksymtab_strings\"))) = \"{name}\";\n")
    });
    let needs =
        needs.map(|name| format!("extern void {name}(void); void init_module(void) {{ {name}(); }}\n"));
    let source = format!(
        "{}{}const char info[] __attribute__((section(\".modinfo\"))) = \"license=GPL\\0alias={alias}\";\n",
        exports.unwrap_or_default(),
        needs.unwrap_or_default()
    );
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["-c", "-x", "c", "-fno-pic", "-o", "m.ko", "-"];
    let mut cc =
        Command::new("cc").args(arguments).current_dir(dir.path()).stdin(Stdio::piped()).spawn().unwrap();
    cc.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(cc.wait().unwrap().success());
    std::fs::read(dir.path().join("m.ko")).unwrap()
}

/// The initramfs of a release with these files in its root file system.
async fn release(kitchen: &Kitchen, files: &[(&str, &[u8])]) -> Blob {
    let rootfs = tree(&kitchen.store, files).await;
    let squashfs =
        squashfs::cook(&rootfs, squashfs::Options::default(), &kitchen.store, &kitchen.store).await.unwrap();
    let mut initramfs = Tree::default();
    initramfs.insert_file("init", 0o755, VirtualImage::from_bytes("#!/bin/sh\n")).unwrap();
    initramfs.insert_file(ROOTFS_NAME, 0o644, VirtualImage::from_blob(squashfs)).unwrap();
    let archive = cpio::lay_out(&initramfs, 0).unwrap();
    compress::cook_zstd(&archive, 3, &kitchen.store, &kitchen.store).await.unwrap()
}

async fn usual_release(kitchen: &Kitchen) -> Blob {
    let (base, old) = (module(Some("base_fn"), None, "base"), module(None, None, "old"));
    let files: &[(&str, &[u8])] = &[
        ("usr/lib/modules/6.12.0-talos/kernel/base.ko", &base),
        ("usr/lib/modules/6.12.0-talos/kernel/twice.ko", &old),
        ("usr/lib/modules/6.12.0-talos/modules.order", b"kernel/base.ko\nkernel/twice.ko\n"),
        ("usr/lib/modules/6.12.0-talos/modules.builtin", b"kernel/lib/inside.ko\n"),
        ("usr/lib/modules/6.12.0-talos/modules.builtin.modinfo", b"inside.license=GPL\0"),
        ("usr/bin/init", b"init"),
    ];
    release(kitchen, files).await
}

async fn extension(kitchen: &Kitchen, name: &str, kernel: &str) -> Arc<CookedExtension> {
    let (module, twice) = (module(None, Some("base_fn"), name), module(None, None, "new"));
    let path = |file: &str| format!("rootfs/usr/lib/modules/{kernel}/extras/{file}");
    let files: &[(&str, &[u8])] = &[(&path("needs.ko"), &module), (&path("twice.ko"), &twice)];
    cook(kitchen, name, "v1.13.0", files).await.unwrap()
}

fn version() -> TalosVersion {
    "v1.13.0".parse().unwrap()
}

fn depmod_is_here() -> bool {
    let here = depmod::find().is_ok();
    if !here {
        println!("skipped: depmod is missing");
    }
    here
}

async fn index_file(kitchen: &Kitchen, layer: &CookedLayer, dir: &Path, name: &str) -> Option<String> {
    save(kitchen, layer.squashfs, &dir.join("dep.sqsh")).await;
    judge(dir, "unsquashfs", &["-cat", "dep.sqsh", &format!("usr/lib/modules/{KERNEL}/{name}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_index_covers_release_and_extensions() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(&dir.path().join("work"));
    if !depmod_is_here() {
        return;
    }
    let initramfs = usual_release(&kitchen).await;
    let extensions = [extension(&kitchen, "drbd", KERNEL).await];
    let layer = modules_dep(&kitchen, initramfs, &extensions, &version()).await.unwrap().unwrap();
    assert_eq!(layer.manifest.name, "modules.dep");
    assert_eq!(layer.manifest.version, KERNEL);
    let Some(dependencies) = index_file(&kitchen, &layer, dir.path(), "modules.dep").await else { return };
    let mut lines: Vec<&str> = dependencies.lines().collect();
    lines.sort_unstable();
    let expected = ["extras/needs.ko: kernel/base.ko", "extras/twice.ko:", "kernel/base.ko:"];
    assert_eq!(lines, expected, "the extension's module hides the release's of the same name");
    let aliases = index_file(&kitchen, &layer, dir.path(), "modules.alias").await.unwrap();
    assert!(aliases.contains("alias drbd needs") && aliases.contains("alias new twice"), "{aliases}");
    let order = index_file(&kitchen, &layer, dir.path(), "modules.order").await.unwrap();
    assert_eq!(order, "kernel/base.ko\nkernel/twice.ko\n");
    let listing = judge(dir.path(), "unsquashfs", &["-l", "dep.sqsh"]).unwrap();
    assert!(listing.contains("modules.dep.bin") && !listing.contains(".ko"), "{listing}");
    // Again from nothing: the same bytes.
    let work = dir.path().join("again");
    let other = crate::cook::tests::kitchen(&work);
    let initramfs = usual_release(&other).await;
    let extensions = [extension(&other, "drbd", KERNEL).await];
    let again = modules_dep(&other, initramfs, &extensions, &version()).await.unwrap().unwrap();
    assert_eq!(again, layer);
    assert_eq!(std::fs::read_dir(work).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_for_another_kernel_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    if !depmod_is_here() {
        return;
    }
    let initramfs = usual_release(&kitchen).await;
    let extensions =
        [extension(&kitchen, "good", KERNEL).await, extension(&kitchen, "zfs", "6.6.1-talos").await];
    let error = modules_dep(&kitchen, initramfs, &extensions, &version()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "extension `zfs` has kernel modules for 6.6.1-talos, but the kernel of this release is 6.12.0-talos"
    );
    assert_eq!(error.blame(), Blame::Caller);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_has_exactly_one_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    if !depmod_is_here() {
        return;
    }
    let extensions = [extension(&kitchen, "good", KERNEL).await];
    let two: &[(&str, &[u8])] =
        &[("usr/lib/modules/1/modules.order", b""), ("usr/lib/modules/2/modules.order", b"")];
    let initramfs = release(&kitchen, two).await;
    let error = modules_dep(&kitchen, initramfs, &extensions, &version()).await.unwrap_err();
    assert!(matches!(&*error, ModulesError::Kernels { found } if found == &["1", "2"]), "{error:?}");
    let odd: &[(&str, &[u8])] = &[("usr/lib/modules/-F/modules.order", b"")];
    let error =
        modules_dep(&kitchen, release(&kitchen, odd).await, &extensions, &version()).await.unwrap_err();
    assert!(matches!(&*error, ModulesError::Release { .. }), "{error:?}");
    let none: &[(&str, &[u8])] = &[("usr/bin/init", b"")];
    let error =
        modules_dep(&kitchen, release(&kitchen, none).await, &extensions, &version()).await.unwrap_err();
    assert!(matches!(&*error, ModulesError::Read { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_modules_there_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let kitchen = kitchen(dir.path());
    let plain = cook(&kitchen, "plain", "v1.13.0", &[("rootfs/usr/local/a", b"a")]).await.unwrap();
    let nothing = Blob { digest: Digest::of(b"not even looked at"), size: 1 };
    assert_eq!(modules_dep(&kitchen, nothing, &[plain], &version()).await.unwrap(), None);
}
