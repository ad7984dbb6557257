//! The grammar of `/image/<schematic>/<version>/<asset>`.

use std::fmt;
use std::str::FromStr;

use crate::arch::Arch;
use crate::blame::{Blame, Blamed};
use crate::platform::{Platform, PlatformError};
use crate::target::{Boot, Target};

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
}

/// The format of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU copy-on-write, version 2.
    Qcow2,
    /// Virtual PC.
    Vhd,
    /// An OVF package with a stream-optimised VMDK.
    Ova,
}

/// How a disk image is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// A gzipped tar archive with the disk as its one member.
    TarGz,
    /// gzip.
    Gz,
    /// xz.
    Xz,
    /// Zstandard.
    Zst,
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

impl DiskFormat {
    const ALL: [Self; 4] = [Self::Raw, Self::Qcow2, Self::Vhd, Self::Ova];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Raw => ".raw",
            Self::Qcow2 => ".qcow2",
            Self::Vhd => ".vhd",
            Self::Ova => ".ova",
        }
    }
}

impl Compression {
    /// In the order they are tried: `.tar.gz` before `.gz`.
    const ALL: [Self; 4] = [Self::TarGz, Self::Gz, Self::Xz, Self::Zst];

    const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::TarGz => ".tar.gz",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
        }
    }
}

impl AssetName {
    /// The architecture it is made for.
    #[must_use]
    pub const fn arch(&self) -> Arch {
        match self {
            Self::Kernel(arch) | Self::Initramfs(arch) => *arch,
            Self::Cmdline(t) | Self::Uki(t) | Self::Iso(t) | Self::Disk(t, _, _) | Self::Installer(t) => {
                t.arch
            }
        }
    }

    /// The machine it is made for. A kernel and an initramfs serve every platform and count as bare metal's.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Kernel(arch) | Self::Initramfs(arch) => {
                Target { platform: Platform::metal(), arch: *arch, boot: Boot::Plain }
            }
            Self::Cmdline(t) | Self::Uki(t) | Self::Iso(t) | Self::Disk(t, _, _) | Self::Installer(t) => *t,
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
mod tests {
    use super::*;

    #[test]
    fn asset_names_survive_a_round_trip() {
        for name in [
            "kernel-amd64",
            "initramfs-arm64.xz",
            "cmdline-aws-arm64",
            "cmdline-metal-amd64-secureboot",
            "metal-amd64.iso",
            "metal-amd64-secureboot.iso",
            "nocloud-arm64-uki.efi",
            "metal-amd64-secureboot-uki.efi",
            "installer-amd64.tar",
            "installer-arm64-secureboot.tar",
            "digital-ocean-installer-amd64.tar",
            "aws-installer-arm64-secureboot.tar",
            "digital-ocean-amd64.raw.gz",
            "gcp-amd64.raw.tar.gz",
            "azure-amd64-secureboot.vhd.xz",
            "vmware-arm64.ova",
            "oracle-amd64.qcow2",
            "metal-arm64.raw.zst",
            "equinixMetal-amd64.iso",
        ] {
            assert_eq!(name.parse::<AssetName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn aliases_print_their_one_spelling() {
        for (alias, name) in [
            ("kernel-x86_64", "kernel-amd64"),
            ("metal-i386.iso", "metal-amd64.iso"),
            ("metal-installer-amd64.tar", "installer-amd64.tar"),
            ("packet-amd64.iso", "equinixMetal-amd64.iso"),
        ] {
            assert_eq!(alias.parse::<AssetName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_fits_no_rule_is_refused_with_the_known_text() {
        for (name, text) in [
            ("metal-amd64.ssd", r#"invalid profile path: "metal-amd64.ssd""#),
            ("metal-amd64.ssd.xz", r#"invalid profile path: "metal-amd64.ssd""#),
            ("initramfs-amd64", r#"invalid profile path: "initramfs-amd64""#),
            ("", r#"invalid profile path: """#),
            ("metal.iso", r#"invalid platform-arch: "metal""#),
            ("kernel-mips", r#"invalid architecture: "mips""#),
            ("metal-rpi_generic-arm64.raw.xz", r#"invalid architecture: "rpi_generic-arm64""#),
            ("metl-amd64.iso", "there is no platform `metl`; did you mean `metal`?"),
            ("iso-amd64.raw", "there is no platform `iso`"),
        ] {
            assert_eq!(name.parse::<AssetName>().unwrap_err().to_string(), text);
        }
    }
}
