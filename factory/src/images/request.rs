//! What an asset name asks for, and whether it can be had at all.

use builder::plan::Kind;
use builder::recipe::iso::{IsoLayout, choose_layout};
use schematics::cmdline::Medium;
use schematics::schematic::Overlay;
use schematics::{AssetName, Boot, Feature, Schematic, TalosVersion, Target};

use super::error::OpenError;

/// An asset this factory makes, for a version and schematic that can have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub kind: Kind,
    pub target: Target,
    pub version: &'a TalosVersion,
    pub schematic: &'a Schematic,
}

impl<'a> Request<'a> {
    /// Checks an asset name against what is made here, what the version has, and what the schematic wants.
    pub(super) fn new(
        asset: &AssetName,
        version: &'a TalosVersion,
        schematic: &'a Schematic,
    ) -> Result<Self, OpenError> {
        let target = asset.target();
        if target.boot == Boot::Secure {
            return Err(OpenError::NotMade { what: "SecureBoot images" });
        }
        let kind = match asset {
            AssetName::Kernel(_) => Kind::Kernel,
            AssetName::Initramfs(_) => Kind::Initramfs,
            AssetName::Cmdline(_) => Kind::Cmdline,
            AssetName::Uki(_) => Kind::Uki,
            AssetName::Iso(_) => iso_kind(target, version, schematic)?,
            AssetName::Disk(..) => return Err(OpenError::NotMade { what: "disk images" }),
            AssetName::Installer(_) => return Err(OpenError::NotMade { what: "installers" }),
        };
        let request = Self { kind, target, version, schematic };
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), OpenError> {
        let too_old = |what| OpenError::TooOld { what, version: self.version.clone() };
        let supports = |feature| self.version.supports(feature);
        if self.kind == Kind::Uki && !supports(Feature::Uki) {
            return Err(too_old("a unified kernel image"));
        }
        if !self.is_customised() {
            return Ok(());
        }
        let customization = &self.schematic.customization;
        if !customization.embedded_machine_configuration.is_empty() && !supports(Feature::EmbeddedConfig) {
            return Err(too_old("embedding configuration"));
        }
        if self.schematic.overlay != Overlay::default() {
            if !supports(Feature::Overlays) {
                return Err(too_old("overlay"));
            }
            // An overlay brings kernel arguments that only its own program knows.
            if self.medium().is_some() {
                return Err(OpenError::NotMade { what: "ISOs and UKIs of schematics with an overlay" });
            }
        }
        Ok(())
    }

    /// Whether the schematic's extensions reach this asset.
    pub(super) const fn is_customised(&self) -> bool {
        !matches!(self.kind, Kind::Kernel | Kind::Cmdline)
    }

    /// What carries the kernel command line, for an image that has one.
    pub(super) const fn medium(&self) -> Option<Medium> {
        match self.kind {
            Kind::Kernel | Kind::Initramfs | Kind::Cmdline => None,
            Kind::Uki => Some(Medium::Uki),
            Kind::UefiIso | Kind::HybridIso | Kind::GrubIso => Some(Medium::Iso),
        }
    }
}

fn iso_kind(target: Target, version: &TalosVersion, schematic: &Schematic) -> Result<Kind, OpenError> {
    let bootloader = schematic.customization.bootloader;
    let layout = choose_layout(version, target.arch, target.boot, bootloader);
    Ok(match layout.map_err(OpenError::layout)? {
        IsoLayout::UefiOnly => Kind::UefiIso,
        IsoLayout::Hybrid => Kind::HybridIso,
        IsoLayout::Grub => Kind::GrubIso,
    })
}
