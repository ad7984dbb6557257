//! The grammar of `/image/<schematic>/<version>/<asset>`.

mod format;

use std::fmt;
use std::str::FromStr;

use crate::arch::Arch;
use crate::blame::{Blame, Blamed};
use crate::platform::{Platform, PlatformError};
use crate::target::{Boot, Target};

pub use format::{Compression, DiskFormat, Measured, MeasurementFormat};

/// What can be downloaded of a schematic and version.
///
/// Reading and printing are inverse, with one spelling per asset: the aliases `x86_64` and `i386` print as `amd64`,
/// and `metal-installer-…` prints as `installer-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetName {
    /// The kernel, the same for every schematic.
    Kernel(Arch),
    /// The initramfs with the schematic's extensions; always named `.xz`, whatever its compression.
    Initramfs(Arch),
    /// The kernel command line as text.
    Cmdline(Target),
    /// The unified kernel image.
    Uki(Target),
    /// The boot ISO.
    Iso(Target),
    /// A disk image.
    Disk(Target, DiskFormat, Compression),
    /// The installer container image as a tar archive.
    Installer(Target),
    /// What a TPM measures when an image with a unified kernel image starts.
    Measurements(Measured, Target, MeasurementFormat),
    /// The schematic's kernel arguments and microcode, as a signed add-on for a unified kernel image that is there already.
    Addon(Target),
}

/// Why a text names no asset. The first three texts are those of Sidero's Image Factory, which clients match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetNameError {
    /// No rule of the grammar fits.
    #[error("invalid profile path: {0:?}")]
    Path(String),
    /// Not `<platform>-<arch>`.
    #[error("invalid platform-arch: {0:?}")]
    PlatformArch(String),
    /// Not an architecture.
    #[error("invalid architecture: {0:?}")]
    Arch(String),
    /// Not a platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl Blamed for AssetNameError {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

impl AssetName {
    /// The architecture it is made for.
    #[must_use]
    pub const fn arch(&self) -> Arch {
        match self {
            Self::Kernel(arch) | Self::Initramfs(arch) => *arch,
            Self::Cmdline(t)
            | Self::Uki(t)
            | Self::Iso(t)
            | Self::Disk(t, _, _)
            | Self::Installer(t)
            | Self::Measurements(_, t, _)
            | Self::Addon(t) => t.arch,
        }
    }

    /// The machine it is made for. A kernel and an initramfs serve every platform and count as bare metal's.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Kernel(arch) | Self::Initramfs(arch) => {
                Target { platform: Platform::metal(), arch: *arch, boot: Boot::Plain }
            }
            Self::Cmdline(t)
            | Self::Uki(t)
            | Self::Iso(t)
            | Self::Disk(t, _, _)
            | Self::Installer(t)
            | Self::Measurements(_, t, _)
            | Self::Addon(t) => *t,
        }
    }

    /// The image, and the form in which its measurements are asked for instead of it, if they are.
    #[must_use]
    pub const fn image(self) -> (Self, Option<MeasurementFormat>) {
        match self {
            Self::Measurements(Measured::Uki, target, format) => (Self::Uki(target), Some(format)),
            Self::Measurements(Measured::Iso, target, format) => (Self::Iso(target), Some(format)),
            Self::Measurements(Measured::Addon, target, format) => (Self::Addon(target), Some(format)),
            Self::Kernel(_)
            | Self::Initramfs(_)
            | Self::Cmdline(_)
            | Self::Uki(_)
            | Self::Iso(_)
            | Self::Disk(..)
            | Self::Installer(_)
            | Self::Addon(_) => (self, None),
        }
    }

    /// One word for the kind, for metrics and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kernel(_) => "kernel",
            Self::Initramfs(_) => "initramfs",
            Self::Cmdline(_) => "cmdline",
            Self::Uki(_) => "uki",
            Self::Iso(_) => "iso",
            Self::Disk(..) => "image",
            Self::Installer(_) => "installer",
            Self::Measurements(..) => "measurements",
            Self::Addon(_) => "addon",
        }
    }
}

/// Reads `<platform>-<arch>[-secureboot]`.
///
/// The platform ends at the first `-`, except for `digital-ocean`.
///
/// # Errors
/// When there is no `-`, or the parts are no known platform and architecture.
pub fn parse_target(text: &str) -> Result<Target, AssetNameError> {
    let (bare, boot) = match text.strip_suffix("-secureboot") {
        Some(bare) => (bare, Boot::Secure),
        None => (text, Boot::Plain),
    };
    let (platform, arch) = match bare.strip_prefix("digital-ocean-") {
        Some(arch) => ("digital-ocean", arch),
        None => bare.split_once('-').ok_or_else(|| AssetNameError::PlatformArch(bare.to_owned()))?,
    };
    let arch = parse_arch(arch)?;
    Ok(Target { platform: Platform::from_name(platform)?, arch, boot })
}

fn parse_arch(text: &str) -> Result<Arch, AssetNameError> {
    Arch::from_name(text).ok_or_else(|| AssetNameError::Arch(text.to_owned()))
}

fn parse_disk(text: &str) -> Result<AssetName, AssetNameError> {
    let (rest, compression) = Compression::ALL
        .into_iter()
        .find_map(|c| Some((text.strip_suffix(c.suffix())?, c)))
        .unwrap_or((text, Compression::None));
    let (target, format) = DiskFormat::ALL
        .into_iter()
        .find_map(|format| Some((rest.strip_suffix(format.suffix())?, format)))
        .ok_or_else(|| AssetNameError::Path(rest.to_owned()))?;
    Ok(AssetName::Disk(parse_target(target)?, format, compression))
}

/// `<asset>.pcrs.json`, `<asset>.pcrlock` and their signatures; `None` for any other ending.
fn parse_measurements(text: &str) -> Option<Result<AssetName, AssetNameError>> {
    let (rest, format) = MeasurementFormat::ALL
        .into_iter()
        .find_map(|format| Some((text.strip_suffix(format.suffix())?, format)))?;
    let measured = Measured::ALL
        .into_iter()
        .find_map(|measured| Some((rest.strip_suffix(measured.suffix())?, measured)));
    Some(match measured {
        Some((target, measured)) => {
            parse_target(target).map(|target| AssetName::Measurements(measured, target, format))
        }
        None => Err(AssetNameError::Path(text.to_owned())),
    })
}

/// The target of `<platform>-installer-<arch>[-secureboot]` or `installer-<arch>[-secureboot]`.
fn installer_target(text: &str) -> Option<String> {
    let text = text.strip_suffix(".tar")?;
    if let Some(arch) = text.strip_prefix("installer-") {
        return Some(format!("metal-{arch}"));
    }
    let (platform, arch) = text.split_once("-installer-")?;
    Some(format!("{platform}-{arch}"))
}

impl FromStr for AssetName {
    type Err = AssetNameError;

    /// Tries the rules in the order of the original, since a text may fit several.
    fn from_str(text: &str) -> Result<Self, AssetNameError> {
        if let Some(measurements) = parse_measurements(text) {
            return measurements;
        }
        if let Some(arch) = text.strip_prefix("kernel-") {
            return Ok(Self::Kernel(parse_arch(arch)?));
        }
        if let Some(target) = text.strip_prefix("cmdline-") {
            return Ok(Self::Cmdline(parse_target(target)?));
        }
        if let Some(arch) = text.strip_prefix("initramfs-").and_then(|rest| rest.strip_suffix(".xz")) {
            return Ok(Self::Initramfs(parse_arch(arch)?));
        }
        if let Some(target) = text.strip_suffix(".iso") {
            return Ok(Self::Iso(parse_target(target)?));
        }
        if let Some(target) = text.strip_suffix("-uki.efi") {
            return Ok(Self::Uki(parse_target(target)?));
        }
        if let Some(target) = text.strip_suffix(".addon.efi") {
            return Ok(Self::Addon(parse_target(target)?));
        }
        if let Some(target) = installer_target(text) {
            return Ok(Self::Installer(parse_target(&target)?));
        }
        parse_disk(text)
    }
}

impl fmt::Display for AssetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(arch) => write!(f, "kernel-{arch}"),
            Self::Initramfs(arch) => write!(f, "initramfs-{arch}.xz"),
            Self::Cmdline(target) => write!(f, "cmdline-{target}"),
            Self::Uki(target) => write!(f, "{target}-uki.efi"),
            Self::Iso(target) => write!(f, "{target}.iso"),
            Self::Disk(target, format, compression) => {
                write!(f, "{target}{}{}", format.suffix(), compression.suffix())
            }
            Self::Measurements(measured, target, format) => {
                write!(f, "{target}{}{}", measured.suffix(), format.suffix())
            }
            Self::Addon(target) => write!(f, "{target}.addon.efi"),
            Self::Installer(target) => {
                if target.platform != Platform::metal() {
                    write!(f, "{}-", target.platform)?;
                }
                let boot = if target.boot == Boot::Secure { "-secureboot" } else { "" };
                write!(f, "installer-{}{boot}.tar", target.arch)
            }
        }
    }
}

#[cfg(test)]
mod tests;
