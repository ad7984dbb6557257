//! What an image is made for.

use std::fmt;

use crate::arch::Arch;
use crate::platform::Platform;

/// How the boot chain is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Boot {
    /// Nothing is signed.
    Plain,
    /// UEFI Secure Boot: loader and kernel image are signed.
    Secure,
}

/// The machine an image is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Where it runs.
    pub platform: Platform,
    /// Its processor.
    pub arch: Arch,
    /// How its boot chain is trusted.
    pub boot: Boot,
}

impl fmt::Display for Target {
    /// `<platform>-<arch>[-secureboot]`, as in asset names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.platform, self.arch)?;
        match self.boot {
            Boot::Plain => Ok(()),
            Boot::Secure => f.write_str("-secureboot"),
        }
    }
}
