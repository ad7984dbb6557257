//! A pretend Talos release of some 100 kB: the shape of the real images, with contents that say what they are.

use std::path::Path;
use std::sync::Arc;

use builder::store::MemoryStore;
use builder::{BlobStore, VirtualImage};
use extensions::publish::ContainerImage;
use extensions::{LayoutWriter, Publication};
use schematics::{Arch, Digest};

use crate::server::Anything;

/// The versions of the release, ascending as a factory lists them.
pub const VERSIONS: [&str; 14] = [
    "v1.3.7",
    "v1.5.0",
    "v1.5.1",
    "v1.6.0",
    "v1.7.0",
    "v1.8.2",
    "v1.9.4",
    "v1.10.0",
    "v1.10.2",
    "v1.11.0",
    "v1.12.0",
    "v1.13.0",
    "v1.13.1",
    "v1.14.0-alpha.1",
];

/// The extensions of every version, in the order of the catalogue.
pub const EXTENSIONS: [&str; 3] =
    ["siderolabs/gvisor", "siderolabs/amd-ucode", "siderolabs/nvidia-open-gpu-kernel-modules"];

/// The overlays from 1.7 on, in the order of the catalogue.
pub const OVERLAYS: [&str; 11] = [
    "rpi_generic",
    "rockpi4",
    "rockpi4c",
    "rock4cplus",
    "nanopi-r4s",
    "rock64",
    "orangepi-r1-plus-lts",
    "jetson_nano",
    "bananapi_m64",
    "libretech_all_h3_cc_h5",
    "pine64",
];

/// The programs from 1.11 on, sorted.
pub const PROGRAMS: [&str; 9] = [
    "talosctl-darwin-amd64",
    "talosctl-darwin-arm64",
    "talosctl-freebsd-amd64",
    "talosctl-freebsd-arm64",
    "talosctl-linux-amd64",
    "talosctl-linux-arm64",
    "talosctl-linux-armv7",
    "talosctl-windows-amd64.exe",
    "talosctl-windows-arm64.exe",
];

/// Versions that have `talosctl`.
const WITH_PROGRAMS: [&str; 4] = ["v1.11.0", "v1.12.0", "v1.13.0", "v1.13.1"];

/// The kernel of an architecture: not code, but bytes that tell every offset apart.
#[must_use]
pub fn kernel(arch: Arch) -> Vec<u8> {
    let seed = if arch == Arch::Amd64 { 2_654_435_761_u32 } else { 2_246_822_519 };
    let noise = (0_u32..40_000).map(|n| n.wrapping_mul(seed).to_le_bytes()[3]);
    b"MZ".iter().copied().chain(noise).collect()
}

/// Writes the release into an OCI layout directory.
///
/// # Errors
/// When it cannot be written.
pub async fn write(dir: &Path) -> Result<(), Anything> {
    let release = Writer { layout: LayoutWriter::open(dir)?, store: Arc::new(MemoryStore::default()) };
    let imager = release.image(&imager()).await?;
    let extensions = release.image(&extensions()).await?;
    let overlays = release.image(&overlays()).await?;
    let programs: Vec<_> = PROGRAMS.iter().map(|name| ((*name).to_owned(), program(name))).collect();
    let talosctl = release.image(&programs).await?;
    for version in VERSIONS {
        release.publish("siderolabs/imager", version, &imager).await?;
        release.publish("siderolabs/extensions", version, &extensions).await?;
        release.publish("siderolabs/overlays", version, &overlays).await?;
    }
    for version in WITH_PROGRAMS {
        release.publish("siderolabs/talosctl-all", version, &talosctl).await?;
    }
    // What a real repository also has.
    for tag in ["latest", "v1.13", "v1.12.0-rc.0", "v1.14.0-alpha.0-3-gdeadbee", "v1.1.0"] {
        release.publish("siderolabs/imager", tag, &imager).await?;
    }
    Ok(())
}

/// A program of the release: its own name, a few thousand times.
#[must_use]
pub fn program(name: &str) -> Vec<u8> {
    name.repeat(500).into_bytes()
}

type Files = Vec<(String, Vec<u8>)>;

fn imager() -> Files {
    let mut files = Files::new();
    for arch in Arch::ALL {
        files.push((format!("usr/install/{arch}/vmlinuz"), kernel(arch)));
        for name in ["initramfs.xz", "systemd-stub.efi", "systemd-boot.efi"] {
            files.push((
                format!("usr/install/{arch}/{name}"),
                format!("{name} for {arch}").repeat(300).into_bytes(),
            ));
        }
    }
    files
}

fn extensions() -> Files {
    let line = |name: &&str| format!("ghcr.io/{name}:20250505.0@{}", Digest::of(name.as_bytes()));
    let digests: String = EXTENSIONS.iter().map(|name| line(name) + "\n").collect();
    let describe = |name: &&str| {
        format!("{}:\n  author: The author of {name}\n  description: |\n    Does {name}.\n", line(name))
    };
    let descriptions: String = EXTENSIONS.iter().map(describe).collect();
    vec![
        ("image-digests".to_owned(), digests.into_bytes()),
        ("descriptions.yaml".to_owned(), descriptions.into_bytes()),
    ]
}

fn overlays() -> Files {
    let entry = |name: &&str| {
        let digest = Digest::of(name.as_bytes());
        format!(
            "  - name: {name}\n    image: ghcr.io/siderolabs/sbc-{}:v0.1.0\n    digest: {digest}\n",
            name.replace('_', "-")
        )
    };
    let list: String = OVERLAYS.iter().map(entry).collect();
    vec![("overlays.yaml".to_owned(), format!("overlays:\n{list}").into_bytes())]
}

struct Writer {
    layout: LayoutWriter,
    store: Arc<dyn BlobStore>,
}

impl Writer {
    async fn image(&self, files: &[(String, Vec<u8>)]) -> Result<Publication, Anything> {
        let layers = vec![VirtualImage::from_bytes(tar(files)?)];
        let image = ContainerImage { arch: Arch::Amd64, layers, runtime: serde_json::Map::new() };
        Ok(Publication::container(image, &self.store).await?)
    }

    async fn publish(&self, repository: &str, tag: &str, image: &Publication) -> Result<(), Anything> {
        self.layout.publish(&repository.parse()?, tag, image, &self.store).await?;
        Ok(())
    }
}

fn tar(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Anything> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    Ok(archive.into_inner()?)
}
