//! The initramfs that carries the extensions.
//!
//! The kernel unpacks a sequence of archives, each by itself compressed or not, and refuses a compressed member that
//! holds anything behind its trailer. So what is added to the release's own initramfs is one member.

use schematics::{Blame, Blamed};

use crate::format::cpio::{self, CpioError};
use crate::format::{xz_raw, zstd_raw};
use crate::image::{ImageLayout, VirtualImage};
use crate::tree::{Node, Tree};

/// Where the kernel looks for microcode.
const MICROCODE: &str = "kernel/x86/microcode";

/// How the last member is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Zstandard, for Talos 1.8 and later.
    Zstd,
    /// xz, for Talos before 1.8.
    Xz {
        /// The CRC-32 of [`layers_archive`]; [`crc32`](crate::format::crc32) computes it.
        crc32: u32,
    },
}

/// What an initramfs is made of.
#[derive(Debug, Clone, Copy)]
pub struct InitramfsInputs<'a> {
    /// The release's own initramfs, taken over untouched.
    pub base: &'a VirtualImage,
    /// CPU microcode, below `kernel/x86/microcode`.
    pub microcode: Option<&'a Tree>,
    /// Firmware: complete compressed archives, in the order of their extensions.
    pub firmware: &'a [VirtualImage],
    /// The layers `0.sqsh`, `1.sqsh`, …, `extensions.yaml` and empty firmware directories.
    pub layers: &'a Tree,
    /// How the layers are wrapped; their squashfs images are compressed already.
    pub codec: Codec,
    /// The time of all entries, in seconds since 1970.
    pub mtime: u32,
}

/// Why there is no such initramfs.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// Something that is no microcode would be put in front of everything, where the kernel does not unpack it as usual.
    #[error("`{path}` is not a file in `{MICROCODE}` and cannot be loaded as microcode")]
    NotMicrocode {
        /// What it is.
        path: String,
    },
    /// A file does not fit the archive format.
    #[error("cannot write the archive of {what}")]
    Archive {
        /// Of what.
        what: &'static str,
        /// Why.
        #[source]
        source: CpioError,
    },
}

impl Blamed for InitramfsError {
    /// What does not fit came from an extension.
    fn blame(&self) -> Blame {
        match self {
            Self::NotMicrocode { .. } | Self::Archive { .. } => Blame::Upstream,
        }
    }
}

/// Lays out, in this order: the microcode, uncompressed, if there is any; the base; the firmware; the layers.
///
/// Members follow one another without padding: an uncompressed one has to begin at a multiple of four bytes, which the
/// first does, and a compressed one begins anywhere. Tools that read concatenated streams therefore read all but the
/// microcode in one go.
///
/// # Errors
/// When the microcode tree holds something else, or an entry does not fit the archive format.
pub fn lay_out(inputs: &InitramfsInputs<'_>) -> Result<VirtualImage, InitramfsError> {
    let mut initramfs = ImageLayout::default();
    if let Some(tree) = inputs.microcode {
        initramfs.image(&microcode_archive(tree, inputs.mtime)?);
    }
    initramfs.image(inputs.base);
    for member in inputs.firmware {
        initramfs.image(member);
    }
    let layers = layers_archive(inputs.layers, inputs.mtime)?;
    initramfs.image(&match inputs.codec {
        Codec::Zstd => zstd_raw::lay_out(&layers),
        Codec::Xz { crc32 } => xz_raw::lay_out(&layers, crc32),
    });
    Ok(initramfs.finish())
}

/// The archive of the layers before it is wrapped.
///
/// # Errors
/// When an entry does not fit the archive format.
pub fn layers_archive(layers: &Tree, mtime: u32) -> Result<VirtualImage, InitramfsError> {
    cpio::lay_out(layers, mtime).map_err(|source| InitramfsError::Archive { what: "the layers", source })
}

/// The archive of the microcode, uncompressed: empty when the tree is.
///
/// # Errors
/// When the tree holds something else, or an entry does not fit the archive format.
pub fn microcode_archive(tree: &Tree, mtime: u32) -> Result<VirtualImage, InitramfsError> {
    let entries = tree.walk();
    if entries.is_empty() {
        return Ok(VirtualImage::default());
    }
    for (path, node) in entries {
        let loadable = match node {
            Node::Dir(_) => format!("{MICROCODE}/").starts_with(&format!("{path}/")),
            Node::File(_) => path.strip_prefix(MICROCODE).is_some_and(|rest| rest.starts_with('/')),
            Node::Symlink(_) => false,
        };
        if !loadable {
            return Err(InitramfsError::NotMicrocode { path });
        }
    }
    cpio::lay_out(tree, mtime).map_err(|source| InitramfsError::Archive { what: "the microcode", source })
}

#[cfg(test)]
mod tests;
