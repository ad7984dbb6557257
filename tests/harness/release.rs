//! A pretend Talos release of some 100 kB: the shape of the real images, with contents that say what they are.

mod elf;
mod extension;
mod initramfs;
mod installer;
mod program;
mod sbom;
mod signer;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use builder::store::MemoryStore;
use builder::{BlobStore, VirtualImage};
use extensions::publish::ContainerImage;
use extensions::{LayoutWriter, Publication, Publisher as _};
use fs_err as fs;
use schematics::{Arch, Digest, Feature, TalosVersion};

use crate::server::Anything;
pub use extension::{GVISOR_LABEL, MICROCODE, MODULE, RUNSC, SETTINGS};
pub use initramfs::KERNEL_RELEASE;
pub use installer::{BOARD_FILES, base_layers};
pub use program::{boot_loader, kernel, stub};
pub use signer::{public_key, sign, signing_key};

/// The versions of the release, ascending as a factory lists them.
pub const VERSIONS: [&str; 15] = [
    "v1.3.7",
    "v1.5.0",
    "v1.5.1",
    "v1.6.0",
    "v1.7.0",
    "v1.7.6",
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

/// Versions that say what is inside, as their extensions do.
pub const WITH_SBOM: [&str; 2] = ["v1.12.0", "v1.14.0-alpha.1"];

/// The version that has a VEX document.
pub const VEX_VERSION: &str = "v1.13.0";

/// Versions that have `talosctl`.
const WITH_PROGRAMS: [&str; 4] = ["v1.11.0", "v1.12.0", "v1.13.0", "v1.13.1"];

/// In which order catalogues and images list what has no order of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As real releases do.
    Usual,
    /// Backwards.
    Reversed,
}

/// What the releases of a time have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Era {
    /// EFI programs of systemd's.
    efi: bool,
    /// An initramfs compressed with zstd instead of xz.
    zstd: bool,
    /// `/usr/lib` instead of `/lib`.
    usr: bool,
    /// Documents of what is inside.
    sbom: bool,
}

impl Era {
    fn of(version: &TalosVersion) -> Self {
        let has = |feature| version.supports(feature);
        Self {
            efi: has(Feature::Uki),
            zstd: has(Feature::Zstd),
            usr: has(Feature::UsrMerge),
            sbom: WITH_SBOM.contains(&version.to_string().as_str()),
        }
    }

    /// The tag of its extensions.
    fn tag(self) -> String {
        let told = if self.sbom { "-told" } else { "" };
        format!("{}-{}{told}", self.lib().replace('/', "-"), u8::from(self.zstd))
    }

    /// The directory of modules and firmware.
    const fn lib(self) -> &'static str {
        if self.usr { "usr/lib" } else { "lib" }
    }
}

/// Writes the release into an OCI layout directory.
///
/// # Errors
/// When it cannot be written.
pub async fn write(dir: &Path) -> Result<(), Anything> {
    write_ordered(dir, Order::Usual).await
}

/// The files of a layout directory, by their paths in it.
type Layout = Vec<(PathBuf, Vec<u8>)>;

/// Writes the release into a directory that is empty; made once per process.
///
/// # Errors
/// When it cannot be written.
pub fn lay_down(dir: &Path) -> Result<(), Anything> {
    static MADE: OnceLock<Result<Layout, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| make_once().map_err(|error| error.to_string()));
    for (path, content) in made.as_ref().map_err(Clone::clone)? {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(path, content)?;
    }
    Ok(())
}

/// Every file of the layout, by its path in it.
fn make_once() -> Result<Layout, Anything> {
    let dir = tempfile::tempdir()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(write(dir.path()))?;
    let mut files = Vec::new();
    let mut below = vec![dir.path().to_owned()];
    while let Some(next) = below.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                below.push(path);
            } else {
                files.push((path.strip_prefix(dir.path())?.to_owned(), fs::read(&path)?));
            }
        }
    }
    Ok(files)
}

/// The same with lists in an order of choice. What has a digest in the plan of an image has the same digest in all.
///
/// # Errors
/// When it cannot be written.
pub async fn write_ordered(dir: &Path, order: Order) -> Result<(), Anything> {
    let release = Writer { layout: LayoutWriter::open(dir)?, store: Arc::new(MemoryStore::default()) };
    let board = release.board().await?;
    let overlays = release.image(&overlays(board.digest)).await?;
    let programs: Vec<_> = PROGRAMS.iter().map(|name| ((*name).to_owned(), program(name))).collect();
    let talosctl = release.image(&programs).await?;
    let mut eras = BTreeMap::new();
    for version in VERSIONS {
        let era = Era::of(&version.parse()?);
        let (imager, extensions) = match eras.entry(era) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(release.era(era, order).await?),
        };
        release.publish("siderolabs/imager", version, imager).await?;
        release.publish("siderolabs/extensions", version, extensions).await?;
        release.publish("siderolabs/overlays", version, &overlays).await?;
        release.installer_base(version).await?;
        // What a real repository also has.
        if version == "v1.13.0" {
            for tag in ["latest", "v1.13", "v1.12.0-rc.0", "v1.14.0-alpha.0-3-gdeadbee", "v1.1.0"] {
                release.publish("siderolabs/imager", tag, imager).await?;
            }
        }
    }
    let vex = release.image(&[("vex.json".to_owned(), sbom::vex(VEX_VERSION))]).await?;
    release.publish("siderolabs/vex", VEX_VERSION, &vex).await?;
    for version in WITH_PROGRAMS {
        release.publish("siderolabs/talosctl-all", version, &talosctl).await?;
    }
    Ok(())
}

/// A program of the release: its own name, a few thousand times.
#[must_use]
pub fn program(name: &str) -> Vec<u8> {
    name.repeat(500).into_bytes()
}

type Files = Vec<(String, Vec<u8>)>;

/// The catalogue of extensions whose images have these digests.
fn catalogue(images: &[(&str, Digest)]) -> Files {
    let line = |(name, digest): &(&str, Digest)| format!("ghcr.io/{name}:20250505.0@{digest}");
    let digests: String = images.iter().map(|image| line(image) + "\n").collect();
    let describe = |image: &(&str, Digest)| {
        let name = image.0;
        format!("{}:\n  author: The author of {name}\n  description: |\n    Does {name}.\n", line(image))
    };
    let descriptions: String = images.iter().map(describe).collect();
    vec![
        ("image-digests".to_owned(), digests.into_bytes()),
        ("descriptions.yaml".to_owned(), descriptions.into_bytes()),
    ]
}

/// The catalogue of overlays, of which only the first has an image.
fn overlays(first: Digest) -> Files {
    let entry = |name: &&str| {
        let digest = if *name == OVERLAYS[0] { first } else { Digest::of(name.as_bytes()) };
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
    /// The imager of an era, and its catalogue, whose extensions are published.
    async fn era(&self, era: Era, order: Order) -> Result<(Publication, Publication), Anything> {
        let imager = self.image(&self.imager(era).await?).await?;
        let mut listed = Vec::new();
        for name in EXTENSIONS {
            let image = self.extension(name, era).await?;
            self.publish(name, &era.tag(), &image).await?;
            listed.push((name, image.digest));
        }
        if order == Order::Reversed {
            listed.reverse();
        }
        Ok((imager, self.image(&catalogue(&listed)).await?))
    }

    async fn imager(&self, era: Era) -> Result<Files, Anything> {
        let mut files = Files::new();
        for arch in Arch::ALL {
            let mut add = |name: &str, content| files.push((format!("usr/install/{arch}/{name}"), content));
            add("vmlinuz", kernel(arch));
            add("initramfs.xz", initramfs::make(era, arch, &self.store).await?);
            if era.efi {
                add("systemd-stub.efi", stub(arch));
                add("systemd-boot.efi", boot_loader(arch));
            }
        }
        Ok(files)
    }

    /// An extension, for both architectures.
    async fn extension(&self, name: &str, era: Era) -> Result<Publication, Anything> {
        let mut images = Vec::new();
        for arch in Arch::ALL {
            let layers = vec![VirtualImage::from_bytes(extension::layer(name, era, arch)?)];
            let image = ContainerImage { arch, layers, runtime: serde_json::Map::new() };
            images.push((arch, Publication::container(image, &self.store).await?));
        }
        Ok(Publication::index(images)?)
    }

    async fn image(&self, files: &[(String, Vec<u8>)]) -> Result<Publication, Anything> {
        let layers = vec![VirtualImage::from_bytes(tar(files)?)];
        let image = ContainerImage { arch: Arch::Amd64, layers, runtime: serde_json::Map::new() };
        Ok(Publication::container(image, &self.store).await?)
    }

    /// Publishes an image, its signature first.
    async fn publish(&self, repository: &str, tag: &str, image: &Publication) -> Result<(), Anything> {
        sign(&self.layout, repository, image.digest, &signing_key()?).await?;
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
