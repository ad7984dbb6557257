//! Processor architectures.

use std::fmt;

/// A processor architecture Talos is released for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// All architectures, in the order they are listed everywhere.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The name in URLs, in OCI platforms and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Reads a name; iPXE's `x86_64` and `i386` mean amd64, since its `${buildarch}` prints them.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "amd64" | "x86_64" | "i386" => Some(Self::Amd64),
            "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// The file name firmware looks for below `EFI/BOOT` on removable media (UEFI 2.10 §3.5.1.1).
    #[must_use]
    pub const fn removable_loader(self) -> &'static str {
        match self {
            Self::Amd64 => "BOOTX64.EFI",
            Self::Arm64 => "BOOTAA64.EFI",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
