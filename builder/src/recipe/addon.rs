//! Add-ons for unified kernel images: kernel arguments and microcode that a signed image takes without being made again.
//!
//! An add-on is an EFI program that nobody starts. systemd's stub loads it through the firmware, which checks its signature,
//! and takes sections out of it (UAPI.5, "UKI Add-ons"). Its file must be called `*.addon.efi` and lie in `loader/addons` for
//! all images, or in `<image>.efi.extra.d` for one.

pub(crate) mod program;

use schematics::{Arch, Blame, Blamed};

use crate::format::pe::{self, PeError, Section, SectionName};
use crate::image::VirtualImage;
use crate::measure::BankDigests;
use crate::predict::LoadedAddon;

/// What an add-on is made of.
#[derive(Debug, Clone, Copy)]
pub struct AddonInputs<'a> {
    /// The architecture.
    pub arch: Arch,
    /// Kernel arguments, to follow those of the image. White space around them does not count.
    pub cmdline: &'a str,
    /// Microcode: an uncompressed cpio archive of the form the kernel looks for in front of the initramfs.
    pub microcode: Option<&'a VirtualImage>,
    /// The only kernel release to which the add-on applies.
    pub kernel_release: Option<&'a str>,
    /// The time stamp of the program, in seconds since 1970.
    pub timestamp: u32,
}

/// Why there is no such add-on.
#[derive(Debug, thiserror::Error)]
pub enum AddonError {
    /// It would add nothing.
    #[error("an add-on needs kernel arguments or microcode, but there are neither")]
    Empty,
    /// The stub would change the kernel arguments, and the measurement would not be the predicted one.
    #[error("the kernel arguments have the character {character:?}, which an add-on cannot carry")]
    Character {
        /// The first such character.
        character: char,
    },
    /// Only x86 machines take microcode this way.
    #[error("machines of the architecture {arch} take no microcode from an add-on")]
    Microcode {
        /// The architecture.
        arch: Arch,
    },
    /// The sections do not fit.
    #[error("could not lay out the add-on")]
    Layout(#[from] PeError),
}

impl Blamed for AddonError {
    fn blame(&self) -> Blame {
        match self {
            Self::Empty | Self::Character { .. } | Self::Microcode { .. } => Blame::Caller,
            Self::Layout(_) => Blame::Ours,
        }
    }
}

/// Lays out an unsigned add-on. The microcode in it stays the extents it is.
///
/// # Errors
/// When there is nothing to add, or it cannot be added this way.
pub fn lay_out(inputs: &AddonInputs<'_>) -> Result<VirtualImage, AddonError> {
    let sections = sections(inputs)?;
    let program = program::program(inputs.arch);
    let image = VirtualImage::from_bytes(program.clone());
    Ok(pe::append_sections(&image, &program, &sections, inputs.timestamp)?)
}

fn sections(inputs: &AddonInputs<'_>) -> Result<Vec<Section>, AddonError> {
    let mut sections = Vec::new();
    let cmdline = cmdline(inputs.cmdline)?;
    if !cmdline.is_empty() {
        sections.push(section(".cmdline", VirtualImage::from_bytes(cmdline.as_bytes().to_vec()))?);
    }
    match (inputs.microcode, inputs.arch) {
        (None, _) => {}
        (Some(microcode), Arch::Amd64) => sections.push(section(".ucode", microcode.clone())?),
        (Some(_), arch @ Arch::Arm64) => return Err(AddonError::Microcode { arch }),
    }
    if sections.is_empty() {
        return Err(AddonError::Empty);
    }
    if let Some(release) = inputs.kernel_release {
        sections.push(section(".uname", VirtualImage::from_bytes(release.as_bytes().to_vec()))?);
    }
    Ok(sections)
}

fn section(name: &str, content: VirtualImage) -> Result<Section, PeError> {
    Ok(Section { name: SectionName::new(name)?, content })
}

/// The kernel arguments as the stub takes them. It would turn control characters into spaces, and drop characters that are
/// more than one unit of UTF-16.
fn cmdline(given: &str) -> Result<&str, AddonError> {
    let given = given.trim_matches([' ', '\t', '\n', '\r']);
    let refused = |character: &char| character.is_control() || u32::from(*character) > 0xffff;
    match given.chars().find(refused) {
        Some(character) => Err(AddonError::Character { character }),
        None => Ok(given),
    }
}

/// What the stub takes from the add-on with these inputs when its file has this name; `microcode` are the digests of its
/// microcode. For [`kernel_config`](crate::predict::kernel_config).
///
/// # Errors
/// As [`lay_out`].
pub fn loaded(
    inputs: &AddonInputs<'_>,
    file: &str,
    microcode: Option<BankDigests>,
) -> Result<LoadedAddon, AddonError> {
    let cmdline = cmdline(inputs.cmdline)?;
    Ok(LoadedAddon {
        file: file.to_owned(),
        cmdline: (!cmdline.is_empty()).then(|| cmdline.to_owned()),
        microcode: inputs.microcode.and(microcode),
    })
}

#[cfg(test)]
mod tests;
