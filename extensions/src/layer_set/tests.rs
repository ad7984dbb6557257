use std::io::Cursor;
use std::path::Path;

use builder::format::{compress, cpio, squashfs};
use builder::store::BlobStoreExt as _;
use schematics::Digest;
use serde_json::json;

use super::*;
use crate::cook::tests::{judge, kitchen, manifest_text, save, tree};
use crate::source::LayoutSource;

/// An OCI layout directory that images are put into.
struct Layout {
    dir: tempfile::TempDir,
}

impl Layout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        std::fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        std::fs::write(dir.path().join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        Self { dir }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> serde_json::Value {
        let digest = Digest::of(bytes);
        std::fs::write(self.dir.path().join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn extension(&self, name: &str, talos: &str, files: &[(&str, &[u8])]) -> ResolvedExtension {
        let manifest = manifest_text(name, talos);
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in [&[("manifest.yaml", manifest.as_bytes())], files].concat() {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, Cursor::new(content)).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar", &tar);
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&tar)]},
        });
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
        let manifest = self.blob(media_type, manifest.to_string().as_bytes());
        let digest = manifest["digest"].as_str().unwrap().parse().unwrap();
        let repository = format!("siderolabs/{name}").parse().unwrap();
        ResolvedExtension { name: format!("siderolabs/{name}"), image: ImageRef { repository, digest } }
    }
}

struct Asked<'a> {
    version: &'a str,
    schematic: Schematic,
    extensions: Vec<ResolvedExtension>,
}

async fn ask(kitchen: &Kitchen, layout: &Layout, asked: &Asked<'_>) -> Result<(Blob, LayerSet), LayersError> {
    let base = base(kitchen).await;
    let request = LayerRequest {
        version: &asked.version.parse().unwrap(),
        arch: Arch::Amd64,
        extensions: &asked.extensions,
        schematic: &asked.schematic,
        external_url: "https://factory.example",
        initramfs: base,
    };
    let source = LayoutSource::open(layout.dir.path()).unwrap();
    Ok((base, layer_set(kitchen, &source, &Limits::default(), &request).await?))
}

/// The initramfs of a release without modules.
async fn base(kitchen: &Kitchen) -> Blob {
    let rootfs = tree(&kitchen.store, &[("usr/bin/init", b"init")]).await;
    let image =
        squashfs::cook(&rootfs, squashfs::Options::default(), &kitchen.store, &kitchen.store).await.unwrap();
    let mut initramfs = Tree::default();
    initramfs.insert_file("init", 0o755, VirtualImage::from_bytes("#!/bin/sh\n")).unwrap();
    initramfs.insert_file("rootfs.sqsh", 0o644, VirtualImage::from_blob(image)).unwrap();
    let archive = cpio::lay_out(&initramfs, 0).unwrap();
    compress::cook_zstd(&archive, 3, &kitchen.store, &kitchen.store).await.unwrap()
}

/// The layers in `extensions.yaml`: file and name of each.
async fn listed(kitchen: &Kitchen, set: &LayerSet) -> Vec<(String, String)> {
    let Some(Node::File(file)) = set.layers.get("extensions.yaml") else { panic!("no extensions.yaml") };
    let text = file.content.read_all(&kitchen.store, 1 << 20).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let value = |line: &str, key: &str| Some(line.trim().strip_prefix(key)?.trim_matches('"').to_owned());
    let files = text.lines().filter_map(|line| value(line, "- image: "));
    let names = text.lines().filter_map(|line| value(line, "name: "));
    files.zip(names).collect()
}

fn twelve(layout: &Layout) -> Vec<ResolvedExtension> {
    let one = |number: usize| {
        let path = format!("rootfs/usr/local/share/{number}");
        layout.extension(&format!("e{number}"), ">= v1.3.0", &[(&path, b"x")])
    };
    (0..11).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_stacked_in_the_order_of_their_numbers_as_text() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(dir.path());
    let mut schematic = Schematic::default();
    schematic.customization.embedded_machine_configuration = "machine: {}\n".to_owned();
    let asked = Asked { version: "v1.13.0", schematic, extensions: twelve(&layout) };
    let (_, set) = ask(&kitchen, &layout, &asked).await.unwrap();
    let listed = listed(&kitchen, &set).await;
    let expected = [
        ("0.sqsh", "e0"),
        ("1.sqsh", "e1"),
        ("10.sqsh", "e10"),
        ("11.sqsh", "schematic"),
        ("12.sqsh", "embedded-config"),
        ("2.sqsh", "e2"),
        ("3.sqsh", "e3"),
    ];
    for (found, expected) in listed.iter().zip(expected) {
        assert_eq!((found.0.as_str(), found.1.as_str()), expected);
    }
    assert_eq!(listed.len(), 13);
    assert_eq!(set.codec, Codec::Zstd);
    assert!(set.microcode.is_none() && set.firmware.is_empty());
}

/// Unpacks an initramfs as the kernel does, by the reference tools.
async fn unpack(kitchen: &Kitchen, image: &VirtualImage, dir: &Path) -> Option<String> {
    let bytes = image.read_all(&kitchen.store, 1 << 30).await.unwrap();
    std::fs::write(dir.join("initramfs.zst"), bytes).unwrap();
    let script = "command -v zstd cpio >/dev/null || exit 0
        zstd -dqc initramfs.zst > all && mkdir out && cd out
        python3 - <<'END'
import subprocess, sys
data = open('../all', 'rb').read()
while data.strip(b'\\0'):
    data = data.lstrip(b'\\0')
    end = data.index(b'TRAILER!!!') + 10
    subprocess.run(['cpio', '-idu', '--quiet'], input=data[:end] + bytes(600), check=True)
    data = data[end:]
END
        find . | LC_ALL=C sort";
    judge(dir, "sh", &["-c", script])
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_tools_unpack_the_initramfs() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(&dir.path().join("work"));
    let firmware = "rootfs/usr/lib/firmware";
    let extensions = vec![
        layout.extension("intel", "", &[(&format!("{firmware}/intel-ucode/06"), b"first")]),
        layout.extension(
            "fw",
            "",
            &[(&format!("{firmware}/a.bin"), b"old"), (&format!("{firmware}/b.bin"), b"b")],
        ),
        layout.extension(
            "more",
            "",
            &[(&format!("{firmware}/a.bin"), b"new"), (&format!("{firmware}/intel-ucode/07"), b"+second")],
        ),
    ];
    let asked = Asked { version: "v1.13.0", schematic: Schematic::default(), extensions };
    let (base, mut set) = ask(&kitchen, &layout, &asked).await.unwrap();
    let microcode = set.microcode.take().unwrap();
    let Some(Node::File(intel)) = microcode.get(INTEL_MICROCODE) else { panic!("no microcode") };
    assert_eq!(intel.content.read_all(&kitchen.store, 100).await.unwrap(), "first+second");
    let image = set.initramfs(&VirtualImage::from_blob(base)).unwrap();
    let Some(listing) = unpack(&kitchen, &image, dir.path()).await else { return };
    let expected = ".\n./0.sqsh\n./1.sqsh\n./2.sqsh\n./3.sqsh\n./extensions.yaml\n./init\n./rootfs.sqsh\n./usr\n./usr/lib\n\
                    ./usr/lib/firmware\n./usr/lib/firmware/a.bin\n./usr/lib/firmware/b.bin\n./usr/lib/firmware/intel-ucode\n";
    assert_eq!(listing, expected);
    assert_eq!(std::fs::read(dir.path().join("out/usr/lib/firmware/a.bin")).unwrap(), b"new");
    let id = asked.schematic.id();
    let content = judge(dir.path(), "unsquashfs", &["-l", "out/3.sqsh"]).unwrap();
    assert!(content.ends_with(&format!("squashfs-root/usr/local/share/schematic/{id}\n")), "{content}");
}

#[tokio::test(flavor = "multi_thread")]
async fn microcode_is_an_archive_of_its_own_in_front_of_everything() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(&dir.path().join("work"));
    let plain = layout.extension("plain", "", &[("rootfs/usr/local/a", b"a")]);
    let ucode = "rootfs/usr/lib/firmware/amd-ucode/microcode_amd.bin";
    let extensions = vec![plain.clone(), layout.extension("amd", "", &[(ucode, b"for AMD")])];
    let mut asked = Asked { version: "v1.13.0", schematic: Schematic::default(), extensions };
    let (base, set) = ask(&kitchen, &layout, &asked).await.unwrap();
    let archive = set.microcode_archive().unwrap().unwrap();
    let archive = archive.read_all(&kitchen.store, 1 << 20).await.unwrap();
    let whole = set.initramfs(&VirtualImage::from_blob(base)).unwrap();
    assert!(whole.read_all(&kitchen.store, 1 << 30).await.unwrap().starts_with(&archive));
    std::fs::write(dir.path().join("early.cpio"), archive).unwrap();
    // The kernel looks for it before it can unpack anything, so it is not compressed.
    let script = "cpio -idu --quiet < early.cpio && find kernel -type f -print -exec cat {} +";
    if let Some(found) = judge(dir.path(), "sh", &["-c", script]) {
        assert_eq!(found, format!("{AMD_MICROCODE}\nfor AMD"));
    }
    // Its directory stays in the initramfs, although there is nothing in it any more.
    let Some(Node::Dir(left)) = set.layers.get("usr/lib/firmware/amd-ucode") else { panic!("{set:?}") };
    assert!(left.children.is_empty() && set.firmware.is_empty());
    asked.extensions = vec![plain];
    let (_, set) = ask(&kitchen, &layout, &asked).await.unwrap();
    assert_eq!((set.microcode_archive().unwrap(), set.layers.get("usr")), (None, None));
}

#[test]
fn directories_without_files_keep_their_modes() {
    let given = [("usr", 0o755), ("usr/lib", 0o750), ("usr/lib/firmware", 0o700)];
    let tree = bare(&given.map(|(path, mode)| (path.to_owned(), mode))).unwrap();
    for (path, mode) in given {
        let Some(Node::Dir(dir)) = tree.get(path) else { panic!("{path} is no directory") };
        assert_eq!(dir.meta.mode, mode, "{path}");
    }
    assert!(bare(&[]).unwrap().root.children.is_empty());
    assert!(bare(&[("../etc".to_owned(), 0o755)]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_1_8_the_layers_are_an_xz_stream() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(&dir.path().join("work"));
    let extensions = vec![layout.extension("old", "< v1.8.0", &[("rootfs/usr/local/a", b"a")])];
    let asked = Asked { version: "v1.7.6", schematic: Schematic::default(), extensions };
    let (_, set) = ask(&kitchen, &layout, &asked).await.unwrap();
    let appended = set.initramfs(&VirtualImage::default()).unwrap();
    let blob = kitchen.store.put(appended.read_all(&kitchen.store, 1 << 20).await.unwrap()).await.unwrap();
    save(&kitchen, blob, &dir.path().join("layers.xz")).await;
    if let Some(list) = judge(dir.path(), "sh", &["-c", "xz -dc layers.xz | cpio -it --quiet"]) {
        assert_eq!(list, "0.sqsh\n1.sqsh\nextensions.yaml\n");
    }
}

/// The service makes layers on tasks of their own.
#[test]
fn making_layers_can_be_a_task() {
    fn is_send<T: Send>(_: impl Fn(Kitchen, LayoutSource, LayerRequest<'static>) -> T) {}
    is_send(|kitchen, source, request| async move {
        layer_set(&kitchen, &source, &Limits::default(), &request).await
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_version_is_the_callers_fault() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(dir.path());
    let extensions = vec![layout.extension("new", ">= v1.14.0", &[("rootfs/usr/local/a", b"a")])];
    let mut asked = Asked { version: "v1.13.0", schematic: Schematic::default(), extensions };
    let error = ask(&kitchen, &layout, &asked).await.unwrap_err();
    assert_eq!(error.to_string(), "extension `new` 1 needs Talos `>= v1.14.0`, but the image is of v1.13.0");
    assert_eq!(error.blame(), Blame::Caller);
    asked.version = "v1.11.5";
    asked.schematic.customization.embedded_machine_configuration = "machine: {}\n".to_owned();
    let error = ask(&kitchen, &layout, &asked).await.unwrap_err();
    assert_eq!(error.to_string(), "embedding configuration is not supported for Talos version v1.11.5");
    let modules = layout.extension("mod", "", &[("rootfs/usr/lib/modules/9.9.9/extras/a.ko", b"a")]);
    let asked = Asked { version: "v1.13.0", schematic: Schematic::default(), extensions: vec![modules] };
    assert!(matches!(ask(&kitchen, &layout, &asked).await, Err(LayersError::Modules(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_schematic_costs_a_few_kilobytes() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), Layout::new());
    let kitchen = kitchen(dir.path());
    let extensions = vec![layout.extension("big", "", &[("rootfs/usr/local/a", &[7; 1 << 20])])];
    let mut asked = Asked { version: "v1.13.0", schematic: Schematic::default(), extensions };
    let (_, first) = ask(&kitchen, &layout, &asked).await.unwrap();
    asked.schematic.customization.extra_kernel_args = vec!["a=b".to_owned()];
    let (_, second) = ask(&kitchen, &layout, &asked).await.unwrap();
    let content = |set: &LayerSet, path: &str| match set.layers.get(path) {
        Some(Node::File(file)) => file.content.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(content(&first, "0.sqsh"), content(&second, "0.sqsh"));
    assert_ne!(content(&first, "1.sqsh"), content(&second, "1.sqsh"));
    assert_eq!(content(&second, "1.sqsh").len(), 4096);
    let (_, again) = ask(&kitchen, &layout, &asked).await.unwrap();
    assert_eq!(again, second);
}
