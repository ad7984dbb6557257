//! The closed lists in the names of assets, with the endings that stand for them.

/// An image whose measurements are published: those that start a unified kernel image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The unified kernel image, started by the firmware.
    Uki,
    /// The ISO, whose systemd-boot starts a unified kernel image.
    Iso,
    /// The add-on, which is measured when a unified kernel image finds it.
    Addon,
}

/// How expected measurements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasurementFormat {
    /// The factory's own document, with all values and the events behind them.
    Json,
    /// A signature of that document: detached CMS (RFC 5652) in DER, made with the SecureBoot key.
    JsonSignature,
    /// A component for systemd-pcrlock.
    Pcrlock,
    /// A signature of that component.
    PcrlockSignature,
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

impl Measured {
    pub(super) const ALL: [Self; 3] = [Self::Uki, Self::Iso, Self::Addon];

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Uki => "-uki.efi",
            Self::Iso => ".iso",
            Self::Addon => ".addon.efi",
        }
    }
}

impl MeasurementFormat {
    pub(super) const ALL: [Self; 4] =
        [Self::Json, Self::JsonSignature, Self::Pcrlock, Self::PcrlockSignature];

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".pcrs.json",
            Self::JsonSignature => ".pcrs.json.p7s",
            Self::Pcrlock => ".pcrlock",
            Self::PcrlockSignature => ".pcrlock.p7s",
        }
    }

    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "pcrs",
            Self::JsonSignature => "pcrs-signature",
            Self::Pcrlock => "pcrlock",
            Self::PcrlockSignature => "pcrlock-signature",
        }
    }

    /// What is signed, for a signature.
    #[must_use]
    pub const fn signed(self) -> Option<Self> {
        match self {
            Self::JsonSignature => Some(Self::Json),
            Self::PcrlockSignature => Some(Self::Pcrlock),
            Self::Json | Self::Pcrlock => None,
        }
    }
}

impl DiskFormat {
    pub(super) const ALL: [Self; 4] = [Self::Raw, Self::Qcow2, Self::Vhd, Self::Ova];

    pub(super) const fn suffix(self) -> &'static str {
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
    pub(super) const ALL: [Self; 4] = [Self::TarGz, Self::Gz, Self::Xz, Self::Zst];

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::TarGz => ".tar.gz",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
        }
    }
}
