//! Installer images: the layers on top of a release's base installer, and the archive that `docker load` takes.

use bytes::Bytes;
use schematics::{Arch, Blame, Blamed, Boot, Digest, Feature, TalosVersion};
use serde_json::json;

use crate::format::tar::{self, TarError};
use crate::image::VirtualImage;
use crate::tree::{File, Meta, Node, Tree, TreeError};

/// Where an installer looks for what it installs, below a directory per architecture.
const INSTALL: &str = "usr/install";
/// Where an installer looks for its overlay.
const OVERLAY: &str = "overlay";

/// What an installer puts onto a disk.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// For systemd-boot, or to be taken apart for GRUB.
    Unified {
        /// The unified kernel image.
        uki: &'a VirtualImage,
        /// systemd-boot.
        sd_boot: &'a VirtualImage,
    },
    /// For GRUB.
    Split {
        /// The kernel.
        kernel: &'a VirtualImage,
        /// The initramfs.
        initramfs: &'a VirtualImage,
    },
}

/// Why a layer or archive could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum InstallerError {
    /// A path is none.
    #[error("the files of the installer do not fit into a tree")]
    Tree(#[from] TreeError),
    /// The archive format does not take an entry.
    #[error("the files of the installer do not fit into an archive")]
    Archive(#[from] TarError),
    /// The overlay has no files an installer could use.
    #[error("the overlay has no directory `{0}`")]
    NoOverlay(&'static str),
}

impl Blamed for InstallerError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoOverlay(_) => Blame::Upstream,
            Self::Tree(_) | Self::Archive(_) => Blame::Ours,
        }
    }
}

/// Whether installers of a version carry a unified kernel image.
#[must_use]
pub fn is_unified(version: &TalosVersion, boot: Boot) -> bool {
    boot == Boot::Secure || version.supports(Feature::UnifiedInstaller)
}

/// How many layers of a base installer are kept: of exactly two the second has the release's own files, which ours
/// replace.
#[must_use]
pub const fn kept_layers(base: usize) -> usize {
    if base == 2 { 1 } else { base }
}

/// The layer with what is installed.
///
/// It has the files alone, sorted, with no directories, no permissions and no times, as Talos' own imager makes it.
///
/// # Errors
/// Never in practice: the names are fixed.
pub fn artifacts_layer(
    version: &TalosVersion,
    arch: Arch,
    payload: Payload<'_>,
) -> Result<VirtualImage, InstallerError> {
    // Only an installer that could also have a kernel of its own tells a signed image by its name.
    let uki_name =
        if version.supports(Feature::UnifiedInstaller) { "vmlinuz.efi" } else { "vmlinuz.efi.signed" };
    let files = match payload {
        Payload::Unified { uki, sd_boot } => [("systemd-boot.efi", sd_boot), (uki_name, uki)],
        Payload::Split { kernel, initramfs } => [("initramfs.xz", initramfs), ("vmlinuz", kernel)],
    };
    let files = files.map(|(name, content)| (format!("{INSTALL}/{arch}/{name}"), bare(0, content)));
    Ok(tar::lay_out(files.iter().map(|(path, node)| (path.as_str(), node)))?)
}

/// The layer with an overlay: `installer`, its program for the image's architecture; everything in its `artifacts`; and
/// the options of the schematic as YAML.
///
/// # Errors
/// When the overlay has no `artifacts`, or a path in it does not fit.
pub fn overlay_layer(
    overlay: &Tree,
    installer: &VirtualImage,
    options: &str,
) -> Result<VirtualImage, InstallerError> {
    let artifacts = overlay.dir("artifacts").ok_or(InstallerError::NoOverlay("artifacts"))?;
    let mut tree = Tree::default();
    tree.insert(&format!("{OVERLAY}/artifacts"), Node::Dir(artifacts.clone()))?;
    tree.insert(&format!("{OVERLAY}/installers/default"), bare(0o755, installer))?;
    tree.insert_file(
        &format!("{OVERLAY}/extra-options"),
        0o644,
        VirtualImage::from_bytes(options.to_owned()),
    )?;
    // Only what the overlay itself has as a directory has an entry.
    let inner = format!("{OVERLAY}/artifacts");
    let entries = tree.walk();
    let wanted =
        entries.iter().filter(|(path, node)| path.starts_with(&inner) || !matches!(node, Node::Dir(_)));
    Ok(tar::lay_out(wanted.map(|(path, node)| (path.as_str(), *node)))?)
}

/// An image as `docker load`, `skopeo` and `crane` take it.
#[derive(Debug, Clone)]
pub struct Archive<'a> {
    /// The name it is loaded under: `repository:tag`.
    pub name: &'a str,
    /// Its configuration.
    pub config: &'a Bytes,
    /// Its layers, the lowest first, compressed or not, each with the digest that names it.
    pub layers: &'a [(Digest, VirtualImage)],
}

/// Lays out the archive: a configuration, the layers, and `manifest.json` (Docker image specification 1.2).
///
/// # Errors
/// Never in practice: the names are fixed.
pub fn archive(image: &Archive<'_>) -> Result<VirtualImage, InstallerError> {
    let file = |content: &VirtualImage| bare(0o644, content);
    let layer_name = |digest: &Digest| format!("{}.tar", digest.hex());
    let config =
        (format!("{}.json", Digest::of(image.config).hex()), VirtualImage::from_bytes(image.config.clone()));
    let manifest = json!([{
        "Config": config.0,
        "RepoTags": [image.name],
        "Layers": image.layers.iter().map(|(digest, _)| layer_name(digest)).collect::<Vec<_>>(),
    }]);
    let mut entries = vec![(config.0, file(&config.1))];
    entries.extend(image.layers.iter().map(|(digest, content)| (layer_name(digest), file(content))));
    let manifest = VirtualImage::from_bytes(manifest.to_string());
    entries.push(("manifest.json".to_owned(), file(&manifest)));
    Ok(tar::lay_out(entries.iter().map(|(path, node)| (path.as_str(), node)))?)
}

fn bare(mode: u16, content: &VirtualImage) -> Node {
    Node::File(File { meta: Meta::with_mode(mode), content: content.clone(), link: None })
}

#[cfg(test)]
mod tests;
