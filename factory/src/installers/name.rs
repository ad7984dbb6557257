//! Names of repositories of installers.

use schematics::{Arch, Boot, Platform, Target};

/// The repositories of one kind of installer, one for each schematic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallerName {
    /// The platform.
    pub platform: Platform,
    /// How the boot chain is trusted.
    pub boot: Boot,
}

impl InstallerName {
    /// Reads `[<platform>-]installer[-secureboot]`; without a platform it is bare metal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (bare, boot) = match text.strip_suffix("-secureboot") {
            Some(bare) => (bare, Boot::Secure),
            None => (text, Boot::Plain),
        };
        let platform = if bare == "installer" { "metal" } else { bare.strip_suffix("-installer")? };
        Some(Self { platform: Platform::from_name(platform).ok()?, boot })
    }

    pub(super) const fn target(self, arch: Arch) -> Target {
        Target { platform: self.platform, arch, boot: self.boot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::repository_name;

    #[test]
    fn an_installer_may_be_of_any_platform() {
        for (text, platform, boot, printed) in [
            ("installer", "metal", Boot::Plain, "installer"),
            ("installer-secureboot", "metal", Boot::Secure, "installer-secureboot"),
            ("metal-installer", "metal", Boot::Plain, "installer"),
            ("aws-installer-secureboot", "aws", Boot::Secure, "aws-installer-secureboot"),
            ("digital-ocean-installer", "digital-ocean", Boot::Plain, "digital-ocean-installer"),
        ] {
            let name = InstallerName::parse(text).unwrap();
            assert_eq!((name.platform.name(), name.boot), (platform, boot), "{text}");
            assert_eq!(repository_name(name.platform, name.boot), printed, "{text}");
        }
        for text in
            ["", "imager", "installer-", "x-installer", "-installer", "installer-secureboot-secureboot"]
        {
            assert_eq!(InstallerName::parse(text), None, "{text}");
        }
    }
}
