//! An extension image taken apart: what becomes a layer, and what must go elsewhere in the initramfs.

mod contents;

use std::collections::BTreeMap;

use builder::image::{ImageLayout, VirtualImage};
use builder::tree::{Dir, Meta, Node, Tree, TreeError};
use schematics::{Feature, TalosVersion};

pub use contents::{ContentError, check_contents};

/// The extended attribute that survives: SELinux labels travel in it.
pub(crate) const SELINUX: &str = "security.selinux";
/// Where the processor microcode of Intel's family has to be in an early initramfs.
pub const INTEL_MICROCODE: &str = "kernel/x86/microcode/GenuineIntel.bin";
/// Where the processor microcode of AMD's family has to be in an early initramfs.
pub const AMD_MICROCODE: &str = "kernel/x86/microcode/AuthenticAMD.bin";

/// Where a version of Talos keeps what is not just files of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The directory of firmware, without a leading slash.
    pub firmware: &'static str,
    /// The directory of kernel modules, without a leading slash.
    pub modules: &'static str,
}

impl Places {
    /// The places of a version.
    #[must_use]
    pub fn of(version: &TalosVersion) -> Self {
        if version.supports(Feature::UsrMerge) {
            Self { firmware: "usr/lib/firmware", modules: "usr/lib/modules" }
        } else {
            Self { firmware: "lib/firmware", modules: "lib/modules" }
        }
    }
}

/// An extension, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// The bytes of `manifest.yaml`, unread.
    pub manifest: VirtualImage,
    /// What stays: the content of the squashfs, with everything owned by root at time 0 and no attributes but labels.
    pub layer: Tree,
    /// Intel microcode, all files in the order of their names.
    pub intel_microcode: VirtualImage,
    /// AMD microcode, likewise.
    pub amd_microcode: VirtualImage,
    /// The firmware directory with the directories above it, microcode taken out; `None` without such a directory.
    pub firmware: Option<Tree>,
    /// The kernels there is a directory of modules for; `None` without any directory of modules.
    pub kernels: Option<Vec<String>>,
}

/// Why an image is not an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There is something in the root directory that does not belong there.
    #[error(
        "unexpected `{name}` at the root; an extension has `manifest.yaml` and `rootfs` there and nothing else"
    )]
    Unexpected {
        /// Its name.
        name: String,
    },
    /// The manifest is missing or not a file.
    #[error("there is no file `manifest.yaml` at the root")]
    NoManifest,
    /// The tree is missing or not a directory.
    #[error("there is no directory `rootfs` at the root")]
    NoRootfs,
    /// A directory that parts are moved to cannot be made.
    #[error("could not move the firmware out")]
    Move(#[source] TreeError),
}

/// Takes the flattened tree of an extension image apart.
///
/// # Errors
/// When its root has anything but `manifest.yaml` and `rootfs`, or misses one of them.
pub fn take_apart(mut image: Tree, places: Places) -> Result<Parts, LayoutError> {
    let Some(Node::File(manifest)) = image.remove("manifest.yaml") else {
        return Err(LayoutError::NoManifest);
    };
    let Some(Node::Dir(root)) = image.remove("rootfs") else { return Err(LayoutError::NoRootfs) };
    if let Some(name) = image.root.children.into_keys().next() {
        return Err(LayoutError::Unexpected { name });
    }
    let mut parts = Parts { manifest: manifest.content, layer: Tree { root }, ..Parts::default() };
    normalise(&mut parts.layer.root);
    parts.intel_microcode =
        take_files(&mut parts.layer, &format!("{}/intel-ucode", places.firmware), |_| true);
    parts.amd_microcode = take_files(&mut parts.layer, &format!("{}/amd-ucode", places.firmware), |name| {
        name.starts_with("microcode_amd") && name.ends_with(".bin")
    });
    parts.firmware = take_firmware(&mut parts.layer, places.firmware)?;
    parts.kernels = parts.layer.dir(places.modules).map(directories);
    Ok(parts)
}

/// Makes everything root's, without times, and keeps of the attributes the label alone, as unpacking does upstream.
fn normalise(dir: &mut Dir) {
    dir.meta = normal(&dir.meta);
    dir.meta.mode |= 0o700;
    for node in dir.children.values_mut() {
        match node {
            Node::Dir(dir) => normalise(dir),
            Node::File(file) => file.meta = normal(&file.meta),
            Node::Symlink(link) => link.meta = normal(&link.meta),
        }
    }
}

fn normal(meta: &Meta) -> Meta {
    let label = meta.xattrs.get(SELINUX).map(|label| (SELINUX.to_owned(), label.clone()));
    Meta { mode: meta.mode, xattrs: BTreeMap::from_iter(label), ..Meta::default() }
}

/// Takes the regular files of a directory whose names are wanted, and joins them in the order of their names.
fn take_files(tree: &mut Tree, path: &str, wanted: impl Fn(&str) -> bool) -> VirtualImage {
    let mut joined = ImageLayout::default();
    let names: Vec<String> = tree
        .dir(path)
        .iter()
        .flat_map(|dir| &dir.children)
        .filter(|(name, node)| matches!(node, Node::File(_)) && wanted(name))
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        if let Some(Node::File(file)) = tree.remove(&format!("{path}/{name}")) {
            joined.image(&file.content);
        }
    }
    joined.finish()
}

/// Moves the firmware directory into a tree of its own, at the same path.
fn take_firmware(tree: &mut Tree, path: &str) -> Result<Option<Tree>, LayoutError> {
    if tree.dir(path).is_none() {
        return Ok(None);
    }
    let Some(firmware) = tree.remove(path) else { return Ok(None) };
    let mut moved = Tree::default();
    moved.insert(path, firmware).map_err(LayoutError::Move)?;
    Ok(Some(moved))
}

fn directories(dir: &Dir) -> Vec<String> {
    let is_dir = |(name, node): (&String, &Node)| matches!(node, Node::Dir(_)).then(|| name.clone());
    dir.children.iter().filter_map(is_dir).collect()
}

#[cfg(test)]
mod tests;
