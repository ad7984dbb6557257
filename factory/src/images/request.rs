//! What an asset name asks for, and whether it can be had at all.

use builder::plan::{Kind, Report};
use builder::recipe::installer::is_unified;
use builder::recipe::iso::{IsoLayout, choose_layout};
use schematics::cmdline::Medium;
use schematics::{AssetName, Boot, Feature, MeasurementFormat, Schematic, TalosVersion, Target};

use super::error::OpenError;

/// An asset this factory makes, for a version and schematic that can have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub kind: Kind,
    /// The image.
    pub image: AssetName,
    /// Set when not the image is wanted but what a TPM measures of it.
    pub measurements: Option<MeasurementFormat>,
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
        let (image, measurements) = asset.image();
        let kind = match image {
            AssetName::Kernel(_) => Kind::Kernel,
            AssetName::Initramfs(_) => Kind::Initramfs,
            AssetName::Cmdline(_) => Kind::Cmdline,
            AssetName::Uki(_) => Kind::Uki,
            AssetName::Iso(_) => iso_kind(target, version, schematic)?,
            AssetName::Addon(_) => Kind::Addon,
            AssetName::Disk(..) => return Err(OpenError::NotMade { what: "disk images" }),
            AssetName::Installer(_) => Kind::InstallerArchive,
            // Was split above.
            AssetName::Measurements(..) => return Err(OpenError::NotMade { what: "measurements" }),
        };
        let request = Self { kind, image, measurements, target, version, schematic };
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), OpenError> {
        let too_old = |what| OpenError::TooOld { what, version: self.version.clone() };
        let supports = |feature| self.version.supports(feature);
        let unified = self.is_installer() && self.medium().is_some();
        if (unified || matches!(self.kind, Kind::Uki | Kind::Addon)) && !supports(Feature::Uki) {
            return Err(too_old("a unified kernel image"));
        }
        if self.measurements.is_some() {
            self.check_measurements()?;
        }
        if self.medium().is_some() || matches!(self.kind, Kind::Cmdline | Kind::Addon) {
            self.check_arguments()?;
        }
        if !self.is_customised() {
            return Ok(());
        }
        let customization = &self.schematic.customization;
        if !customization.embedded_machine_configuration.is_empty() && !supports(Feature::EmbeddedConfig) {
            return Err(too_old("embedding configuration"));
        }
        if !self.schematic.overlay.is_empty() && !supports(Feature::Overlays) {
            return Err(too_old("overlay"));
        }
        Ok(())
    }

    /// Only what starts a unified kernel image is measured as a whole, and only who signs images signs what is told of them.
    fn check_measurements(&self) -> Result<(), OpenError> {
        if self.kind == Kind::GrubIso {
            let text = "measurements are predicted for images that start a unified kernel image; this ISO starts GRUB";
            return Err(OpenError::Schematic(text.to_owned()));
        }
        if self.measurements.is_some_and(|format| format.signed().is_some())
            && self.target.boot == Boot::Plain
        {
            let text = "measurements are signed for SecureBoot images alone; ask for those of `-secureboot`";
            return Err(OpenError::Schematic(text.to_owned()));
        }
        Ok(())
    }

    /// White space separates arguments; no other control character means anything to a kernel, a boot loader or iPXE.
    fn check_arguments(&self) -> Result<(), OpenError> {
        let odd = |text: &String| text.chars().any(|c| c.is_control() && !c.is_whitespace());
        match self.schematic.customization.extra_kernel_args.iter().find(|argument| odd(argument)) {
            Some(argument) => Err(OpenError::Schematic(format!(
                "extra kernel argument {argument:?} has a control character"
            ))),
            None => Ok(()),
        }
    }

    /// What is told of the image, when not it is wanted.
    pub(super) fn report(&self) -> Option<Report> {
        self.measurements.map(|format| Report { asset: self.image.to_string(), format })
    }

    /// Whether the schematic's extensions reach this asset.
    pub(super) const fn is_customised(&self) -> bool {
        !matches!(self.kind, Kind::Kernel | Kind::Cmdline)
    }

    /// Whether it is an installer image or a part of one.
    pub(super) const fn is_installer(&self) -> bool {
        matches!(self.kind, Kind::InstallerLayer | Kind::OverlayLayer | Kind::InstallerArchive)
    }

    /// Whether the schematic's overlay reaches this asset.
    pub(super) fn has_overlay(&self) -> bool {
        !self.schematic.overlay.is_empty() && (self.is_installer() || self.medium().is_some())
    }

    /// What carries the kernel command line, for an image that has one.
    pub(super) fn medium(&self) -> Option<Medium> {
        match self.kind {
            Kind::Kernel | Kind::Initramfs | Kind::Cmdline | Kind::OverlayLayer => None,
            Kind::InstallerLayer | Kind::InstallerArchive => {
                is_unified(self.version, self.target.boot).then_some(Medium::Uki)
            }
            // An add-on brings the schematic's arguments alone; the rest is in the image it is added to.
            Kind::Addon => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_no_boot_loader_could_carry_are_refused() {
        let version = "1.13.0".parse().unwrap();
        let checked = |argument: &str, asset: &str| {
            let mut schematic = Schematic::default();
            schematic.customization.extra_kernel_args = vec![argument.to_owned()];
            Request::new(&asset.parse().unwrap(), &version, &schematic).map(|_| ()).map_err(|e| e.to_string())
        };
        for asset in ["cmdline-metal-amd64", "metal-amd64-uki.efi", "metal-amd64.iso"] {
            assert!(
                checked("a\u{0}b", asset).unwrap_err().contains("\"a\\0b\" has a control character"),
                "{asset}"
            );
            assert_eq!(checked("a b\tc='d'\nä", asset), Ok(()), "{asset}");
        }
        assert_eq!(checked("a\u{0}b", "kernel-amd64"), Ok(()));
    }
}
