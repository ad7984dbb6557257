//! Names of repositories of artefacts.

use schematics::{Arch, AssetName, Boot, Platform, Target};

use super::ArtefactsError;

/// The repositories of one kind of artefact, one for each schematic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtefactName {
    platform: Platform,
    boot: Boot,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Iso,
    Uki,
    /// Kernel, initramfs and command line.
    Pxe,
    /// A disk image in a container, for KubeVirt.
    ContainerDisk,
}

/// What follows the platform in a name.
const KINDS: [(&str, Kind); 4] =
    [("-iso", Kind::Iso), ("-uki", Kind::Uki), ("-pxe", Kind::Pxe), ("-containerdisk", Kind::ContainerDisk)];

impl ArtefactName {
    /// Reads `<platform>-iso[-secureboot]`, `<platform>-uki[-secureboot]`, `<platform>-pxe` or `<platform>-containerdisk`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (bare, boot) = match text.strip_suffix("-secureboot") {
            Some(bare) => (bare, Boot::Secure),
            None => (text, Boot::Plain),
        };
        let (platform, kind) =
            KINDS.into_iter().find_map(|(suffix, kind)| Some((bare.strip_suffix(suffix)?, kind)))?;
        // What is trusted when it boots over the network is the unified kernel image.
        let is_one = boot == Boot::Plain || matches!(kind, Kind::Iso | Kind::Uki);
        let platform = Platform::from_name(platform).ok()?;
        is_one.then_some(Self { platform, boot, kind })
    }

    /// The files of an artefact for an architecture, in their order.
    ///
    /// # Errors
    /// When there is nothing of the kind yet.
    pub(super) fn files(self, arch: Arch) -> Result<Vec<AssetName>, ArtefactsError> {
        let target = Target { platform: self.platform, arch, boot: self.boot };
        Ok(match self.kind {
            Kind::Iso => vec![AssetName::Iso(target)],
            Kind::Uki => vec![AssetName::Uki(target)],
            Kind::Pxe => {
                vec![AssetName::Kernel(arch), AssetName::Initramfs(arch), AssetName::Cmdline(target)]
            }
            Kind::ContainerDisk => return Err(ArtefactsError::NoDisks),
        })
    }

    /// What the artefact says it is.
    pub(super) const fn artifact_type(self) -> &'static str {
        match self.kind {
            Kind::Iso => "application/vnd.talos.iso",
            Kind::Uki => "application/vnd.talos.uki",
            Kind::Pxe => "application/vnd.talos.pxe",
            Kind::ContainerDisk => "application/vnd.talos.containerdisk",
        }
    }

    /// The name.
    pub(super) fn text(self) -> String {
        let suffix = KINDS.into_iter().find(|(_, kind)| *kind == self.kind).map_or("", |(suffix, _)| suffix);
        let secure = if self.boot == Boot::Secure { "-secureboot" } else { "" };
        format!("{}{suffix}{secure}", self.platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip() {
        for text in [
            "metal-iso",
            "metal-iso-secureboot",
            "digital-ocean-uki",
            "aws-uki-secureboot",
            "metal-pxe",
            "nocloud-containerdisk",
        ] {
            assert_eq!(ArtefactName::parse(text).map(ArtefactName::text).as_deref(), Some(text));
        }
        for text in
            ["iso", "-iso", "metl-iso", "metal-pxe-secureboot", "metal-installer", "metal-iso-secure", ""]
        {
            assert_eq!(ArtefactName::parse(text), None, "{text}");
        }
    }
}
