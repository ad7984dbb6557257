//! What the content of a published extension may be. A check of its own: images are made from extensions that break
//! these rules too, as upstream does.

use builder::tree::{Node, Tree};
use schematics::{Feature, TalosVersion};

/// Where files and links may be. A plain prefix of the path, not of its parts.
const ALLOWED: &[&str] = &[
    "/etc/cri/conf.d",
    "/usr/lib/firmware",
    "/usr/lib/modules",
    "/usr/lib/ld-linux-x86-64.so.2",
    "/usr/lib/ld-linux-aarch64.so.1",
    "/usr/bin/ldconfig",
    "/etc/ld.so.conf",
    "/etc/ld.so.cache",
    "/usr/bin/nvidia-modprobe",
    "/usr/bin/nvidia-pcc",
    "/usr/bin/nvidia-smi",
    "/usr/bin/nvidia-ctk",
    "/usr/bin/nvidia-cdi-hook",
    "/usr/bin/nvme",
    "/usr/lib/udev/rules.d",
    "/usr/local",
    "/usr/share/glvnd",
    "/usr/share/egl",
    "/etc/vulkan",
];

/// A rule that an extension's content breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Everybody may write to it.
    #[error("`{path}` is writable for everybody")]
    WorldWritable {
        /// Which.
        path: String,
    },
    /// It is where extensions have no business.
    #[error("`{path}` is not below any of the directories extensions may add to")]
    Place {
        /// Which.
        path: String,
    },
}

/// Checks the content of an extension (its `rootfs`) against the rules for published ones.
///
/// # Errors
/// On the first entry that breaks a rule.
pub fn check_contents(rootfs: &Tree, version: &TalosVersion) -> Result<(), ContentError> {
    let merged = version.supports(Feature::UsrMerge);
    for (path, node) in rootfs.walk() {
        let path = format!("/{path}");
        let mode = match node {
            Node::Dir(dir) => dir.meta.mode,
            Node::File(file) => file.meta.mode,
            Node::Symlink(_) => 0,
        };
        // In a directory with the sticky bit nobody can touch what others own.
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            return Err(ContentError::WorldWritable { path });
        }
        if !matches!(node, Node::Dir(_)) && !is_allowed(&path, merged) {
            return Err(ContentError::Place { path });
        }
    }
    Ok(())
}

fn is_allowed(path: &str, merged: bool) -> bool {
    ALLOWED.iter().any(|prefix| match prefix.strip_prefix("/usr") {
        // Before /lib moved below /usr the same things were below /lib.
        Some(old) if !merged && old.starts_with("/lib/") => path.starts_with(old),
        _ => path.starts_with(prefix),
    })
}
