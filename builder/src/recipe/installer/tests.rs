use std::path::Path;

use bytes::Bytes;
use schematics::{Arch, Boot, Digest};

use super::{Archive, Payload, archive, artifacts_layer, is_unified, kept_layers, overlay_layer};
use crate::image::VirtualImage;
use crate::judge::{Blobs, noise, passes};
use crate::tree::{Dir, Meta, Node, Tree};

/// The listing of GNU tar: permissions, owner, size and path of each entry.
fn listed(blobs: &Blobs, layer: &VirtualImage) -> Option<Vec<String>> {
    let bytes = blobs.flatten(layer);
    let text = passes("tar", &["-tv", "--numeric-owner", "--full-time"], Path::new("/"), &bytes)?;
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(String::from_utf8(text).unwrap().lines().map(line).collect())
}

#[test]
fn artifacts_are_named_as_the_version_and_boot_want_them() {
    let blobs = Blobs::default();
    let [one, other] = [blobs.put(noise(1, 1000)), blobs.put(noise(2, 2000))];
    let entry = |size: u32, arch: Arch, name: &str| {
        format!("---------- 0/0 {size} 1970-01-01 00:00:00 usr/install/{arch}/{name}")
    };
    for (version, boot, arch, files) in [
        ("1.13.0", Boot::Plain, Arch::Amd64, [(1000, "systemd-boot.efi"), (2000, "vmlinuz.efi")]),
        ("1.13.0", Boot::Secure, Arch::Arm64, [(1000, "systemd-boot.efi"), (2000, "vmlinuz.efi")]),
        ("1.10.0-alpha.1", Boot::Plain, Arch::Amd64, [(1000, "systemd-boot.efi"), (2000, "vmlinuz.efi")]),
        ("1.9.4", Boot::Secure, Arch::Amd64, [(1000, "systemd-boot.efi"), (2000, "vmlinuz.efi.signed")]),
        ("1.9.4", Boot::Plain, Arch::Arm64, [(1000, "initramfs.xz"), (2000, "vmlinuz")]),
        ("1.3.7", Boot::Plain, Arch::Amd64, [(1000, "initramfs.xz"), (2000, "vmlinuz")]),
    ] {
        let version = version.parse().unwrap();
        let payload = if is_unified(&version, boot) {
            Payload::Unified { sd_boot: &one, uki: &other }
        } else {
            Payload::Split { initramfs: &one, kernel: &other }
        };
        let layer = artifacts_layer(&version, arch, payload).unwrap();
        let Some(listed) = listed(&blobs, &layer) else { return };
        assert_eq!(listed, files.map(|(size, name)| entry(size, arch, name)), "{version} {boot:?}");
    }
}

#[test]
fn only_a_base_of_two_layers_loses_one() {
    assert_eq!([0, 1, 2, 3, 7].map(kept_layers), [0, 1, 1, 3, 7]);
}

#[test]
fn an_overlay_keeps_its_directories_and_permissions() {
    let blobs = Blobs::default();
    let mut overlay = Tree::default();
    overlay.insert_file("artifacts/arm64/u-boot.bin", 0o640, blobs.put("u-boot")).unwrap();
    let private = Node::Dir(Dir { meta: Meta::with_mode(0o700), ..Dir::default() });
    overlay.insert("artifacts/private", private).unwrap();
    overlay.insert_file("profiles/board.yaml", 0o644, blobs.put("profile")).unwrap();
    let layer = overlay_layer(&overlay, &blobs.put("program"), "a: 1\n").unwrap();
    let Some(listed) = listed(&blobs, &layer) else { return };
    assert_eq!(
        listed,
        [
            "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 overlay/artifacts/",
            "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 overlay/artifacts/arm64/",
            "-rw-r----- 0/0 6 1970-01-01 00:00:00 overlay/artifacts/arm64/u-boot.bin",
            "drwx------ 0/0 0 1970-01-01 00:00:00 overlay/artifacts/private/",
            "-rw-r--r-- 0/0 5 1970-01-01 00:00:00 overlay/extra-options",
            "-rwxr-xr-x 0/0 7 1970-01-01 00:00:00 overlay/installers/default",
        ]
    );
    assert!(overlay_layer(&Tree::default(), &blobs.put("program"), "{}\n").is_err());
}

#[test]
fn skopeo_reads_the_archive() {
    let blobs = Blobs::default();
    let payload =
        Payload::Split { initramfs: &blobs.put(noise(1, 1000)), kernel: &blobs.put(noise(2, 2000)) };
    let layer = artifacts_layer(&"1.9.4".parse().unwrap(), Arch::Arm64, payload).unwrap();
    let diff_id = Digest::of(&blobs.flatten(&layer));
    let config = serde_json::json!({
        "architecture": "arm64",
        "os": "linux",
        "config": { "Entrypoint": ["/bin/installer"] },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let config = Bytes::from(config.to_string());
    let image = Archive { name: "installer/abc:v1.9.4", config: &config, layers: &[(diff_id, layer)] };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image.tar");
    blobs.write(&archive(&image).unwrap(), &path);
    let from = format!("docker-archive:{}", path.display());
    let Some(raw) = passes("skopeo", &["inspect", "--config", "--raw", &from], dir.path(), b"") else {
        return;
    };
    assert_eq!(raw, config);
    let into = format!("oci:{}:copy", dir.path().join("layout").display());
    passes(
        "skopeo",
        &["--insecure-policy", "copy", "-q", "--override-arch=arm64", &from, &into],
        dir.path(),
        b"",
    );
    let arch = passes("skopeo", &["inspect", "--format={{.Architecture}}", &into], dir.path(), b"").unwrap();
    assert_eq!(arch.trim_ascii(), b"arm64");
}
