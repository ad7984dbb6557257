//! Talos versions and what changes between them.

use std::fmt;
use std::str::FromStr;

use semver::Version;

/// A Talos version. Its text always begins with `v`; on input the `v` may be missing.
///
/// The order is semantic versioning's, so a release candidate sorts before its release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TalosVersion(Version);

/// Why a text is not a version.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a Talos version: expected something like `v1.13.0`")]
pub struct VersionError {
    text: String,
    #[source]
    source: semver::Error,
}

/// A behaviour that begins (or ends) with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// The boot menu offers to reset the machine (GRUB).
    GrubReset,
    /// Unified kernel images, SecureBoot, systemd-boot.
    Uki,
    /// META values too long for a kernel argument are compressed.
    CompressedMeta,
    /// Board support by overlays; the schematic travels in its own extension.
    Overlays,
    /// zstd instead of xz for squashfs and initramfs.
    Zstd,
    /// ISO volumes carry the version in their label.
    IsoLabel,
    /// `talos.halt_if_installed` on ISOs.
    HaltIfInstalled,
    /// No serial console by default on bare metal amd64.
    NoMetalSerialConsole,
    /// Images carry no STATE and EPHEMERAL partitions.
    NoStatePartitions,
    /// systemd-boot is the loader wherever there is UEFI; hybrid ISOs.
    SdBoot,
    /// Boot profiles inside a UKI.
    UkiProfiles,
    /// `/lib` and `/bin` live below `/usr`.
    UsrMerge,
    /// The installer comes from `installer-base` and carries a UKI.
    UnifiedInstaller,
    /// `selinux=1`.
    Selinux,
    /// IMA arguments are dropped.
    NoIma,
    /// The boot partition is 2000 MiB.
    LargeBootPartition,
    /// `talosctl` can be downloaded.
    Talosctl,
    /// A machine configuration can be embedded.
    EmbeddedConfig,
    /// `module.sig_enforce=1`.
    ModuleSigEnforce,
    /// The boot loader of an ISO can be chosen.
    IsoBootloader,
    /// `proc_mem.force_override=never`.
    ProcMemOverride,
    /// `init_on_alloc=1` is dropped.
    NoInitOnAlloc,
    /// The NVMe time-out is set on AWS alone.
    NvmeTimeoutAwsOnly,
    /// SecureBoot no longer forces `lockdown=confidentiality`.
    NoForcedLockdown,
}

impl Feature {
    /// The first version that has it. Pre-releases of that version have it too.
    const fn since(self) -> (u64, u64, u64) {
        match self {
            Self::GrubReset => (1, 4, 0),
            Self::Uki => (1, 5, 0),
            Self::CompressedMeta => (1, 6, 3),
            Self::Overlays => (1, 7, 0),
            Self::Zstd
            | Self::IsoLabel
            | Self::HaltIfInstalled
            | Self::NoMetalSerialConsole
            | Self::NoStatePartitions => (1, 8, 0),
            Self::SdBoot | Self::UkiProfiles | Self::UsrMerge | Self::UnifiedInstaller | Self::Selinux => {
                (1, 10, 0)
            }
            // Upstream compares with 1.10.99, so that every 1.10 has the arguments.
            Self::NoIma => (1, 10, 100),
            Self::LargeBootPartition | Self::Talosctl => (1, 11, 0),
            Self::EmbeddedConfig | Self::ModuleSigEnforce | Self::IsoBootloader => (1, 12, 0),
            Self::ProcMemOverride => (1, 13, 0),
            Self::NoInitOnAlloc | Self::NvmeTimeoutAwsOnly | Self::NoForcedLockdown => (1, 14, 0),
        }
    }
}

impl TalosVersion {
    /// Whether images of this version have `feature`.
    ///
    /// Only major, minor and patch count: `v1.14.0-alpha.0` has what `v1.14.0` has.
    #[must_use]
    pub fn supports(&self, feature: Feature) -> bool {
        (self.0.major, self.0.minor, self.0.patch) >= feature.since()
    }

    /// The version without `v`.
    #[must_use]
    pub const fn semver(&self) -> &Version {
        &self.0
    }

    /// Whether it is an alpha, beta or release candidate.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl From<Version> for TalosVersion {
    fn from(version: Version) -> Self {
        Self(version)
    }
}

impl FromStr for TalosVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match Version::parse(text.strip_prefix('v').unwrap_or(text)) {
            Ok(version) => Ok(Self(version)),
            Err(source) => Err(VersionError { text: text.to_owned(), source }),
        }
    }
}

impl fmt::Display for TalosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> TalosVersion {
        text.parse().unwrap()
    }

    #[test]
    fn the_v_is_optional_on_input_and_always_printed() {
        assert_eq!(version("1.13.0").to_string(), "v1.13.0");
        assert_eq!(version("v1.14.0-beta.1").to_string(), "v1.14.0-beta.1");
        for text in ["", "v", "1.13", "vv1.13.0", "1.13.0 ", "latest", "../etc"] {
            assert!(text.parse::<TalosVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_gate_opens_with_the_first_prerelease_of_its_version() {
        let rows = [
            (Feature::GrubReset, "1.3.99", "1.4.0"),
            (Feature::Uki, "1.4.99", "1.5.0"),
            (Feature::CompressedMeta, "1.6.2", "1.6.3"),
            (Feature::Overlays, "1.6.99", "1.7.0"),
            (Feature::Zstd, "1.7.99", "1.8.0"),
            (Feature::IsoLabel, "1.7.99", "1.8.0"),
            (Feature::HaltIfInstalled, "1.7.99", "1.8.0"),
            (Feature::NoMetalSerialConsole, "1.7.99", "1.8.0"),
            (Feature::NoStatePartitions, "1.7.99", "1.8.0"),
            (Feature::SdBoot, "1.9.99", "1.10.0"),
            (Feature::UkiProfiles, "1.9.99", "1.10.0"),
            (Feature::UsrMerge, "1.9.99", "1.10.0"),
            (Feature::UnifiedInstaller, "1.9.99", "1.10.0"),
            (Feature::Selinux, "1.9.99", "1.10.0"),
            (Feature::NoIma, "1.10.99", "1.11.0"),
            (Feature::LargeBootPartition, "1.10.99", "1.11.0"),
            (Feature::Talosctl, "1.10.99", "1.11.0"),
            (Feature::EmbeddedConfig, "1.11.99", "1.12.0"),
            (Feature::ModuleSigEnforce, "1.11.99", "1.12.0"),
            (Feature::IsoBootloader, "1.11.99", "1.12.0"),
            (Feature::ProcMemOverride, "1.12.99", "1.13.0"),
            (Feature::NoInitOnAlloc, "1.13.99", "1.14.0"),
            (Feature::NvmeTimeoutAwsOnly, "1.13.99", "1.14.0"),
            (Feature::NoForcedLockdown, "1.13.99", "1.14.0"),
        ];
        for (feature, last_without, first) in rows {
            assert!(!version(last_without).supports(feature), "{last_without} {feature:?}");
            assert!(version(&format!("{first}-alpha.0")).supports(feature), "{first}-alpha.0 {feature:?}");
            assert!(version("2.0.0").supports(feature), "{feature:?}");
        }
    }

    #[test]
    fn releases_are_told_from_what_comes_before_them() {
        for (text, expected) in [("1.13.0", false), ("1.13.0+build", false), ("1.13.0-rc.0", true)] {
            assert_eq!(version(text).is_prerelease(), expected, "{text}");
        }
    }
}
