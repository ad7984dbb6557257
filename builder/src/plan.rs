//! Everything that decides the bytes of an image, by digest, and the name that follows from it.

mod canonical;
mod revision;

use schematics::cmdline::Profile;
use schematics::{Arch, Digest, MeasurementFormat, TalosVersion};

use crate::recipe::iso::Enroll;

pub use canonical::CanonicalWriter;

/// What a plan makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The kernel of a release, as it is.
    Kernel,
    /// The release's initramfs with the schematic's layers.
    Initramfs,
    /// The kernel command line as text.
    Cmdline,
    /// A unified kernel image.
    Uki,
    /// An ISO with systemd-boot for UEFI alone.
    UefiIso,
    /// An ISO with GRUB for BIOS and systemd-boot for UEFI.
    HybridIso,
    /// An ISO with GRUB for BIOS and UEFI.
    GrubIso,
    /// An add-on for a unified kernel image.
    Addon,
    /// The layer of an installer image with what is installed.
    InstallerLayer,
    /// The layer of an installer image with an overlay.
    OverlayLayer,
    /// An installer image as an archive to load.
    InstallerArchive,
}

/// The outside inputs of an image, each by the digest that names its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// The release image that kernel, initramfs, stub and boot loader come from.
    pub release: Option<Digest>,
    /// The extension images, in the schematic's order.
    pub extensions: Vec<Digest>,
    /// The overlay image.
    pub overlay: Option<Digest>,
    /// The GRUB core images, as cooked.
    pub grub: Vec<Digest>,
    /// What an archive of an installer image has besides its layers.
    pub installer: Option<Installer>,
}

/// The base of an installer image, and what the image is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installer {
    /// The base installer image.
    pub base: Digest,
    /// The name the archive is loaded under: `repository:tag`.
    pub name: String,
}

/// The virtual extension that tells a machine which schematic it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The schematic's canonical text, by its digest, which is its id.
    pub schematic: Digest,
    /// Who made the image, as the extension's author.
    pub author: String,
    /// The configuration that is embedded, by its digest.
    pub embedded: Option<Digest>,
}

/// How the boot chain of an image is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Not at all: nothing is signed.
    Plain,
    /// Firmware and TPM check what starts.
    Secure(Signed),
}

/// Who signs an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The public identity of everything that signs: other keys or certificates make other bytes.
    pub by: Digest,
    /// Which keys a medium enrols, where it can.
    pub enrolment: Option<Enrolment>,
}

impl Chain {
    /// Which keys the medium enrols, if it does.
    #[must_use]
    pub const fn enrolment(&self) -> Option<Enrolment> {
        match self {
            Self::Plain => None,
            Self::Secure(signed) => signed.enrolment,
        }
    }
}

/// What a medium brings for firmware that knows no keys yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// When the keys are enrolled.
    pub mode: Enroll,
    /// Whether Microsoft's certificates are among them.
    pub well_known: bool,
}

/// What is told of an image: what a TPM measures when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of the image, which is in the document.
    pub asset: String,
    /// The form of the document.
    pub format: MeasurementFormat,
}

/// A resolved request: everything that changes bytes, and nothing that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is made.
    pub kind: Kind,
    /// What is told of it instead of making it.
    pub report: Option<Report>,
    /// For which Talos version.
    pub version: TalosVersion,
    /// For which processor.
    pub arch: Arch,
    /// How its boot chain is trusted.
    pub chain: Chain,
    /// The outside inputs.
    pub inputs: Inputs,
    /// What the schematic adds of its own.
    pub origin: Option<Origin>,
    /// The main kernel command line; empty where the image has none.
    pub cmdline: String,
    /// Further boot entries.
    pub profiles: Vec<Profile>,
    /// The libraries and programs that compute bytes, with their versions and levels.
    pub tools: String,
}

/// The name of a plan: the SHA-256 of its canonical encoding, never truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanId(pub Digest);

impl Kind {
    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Initramfs => "initramfs",
            Self::Cmdline => "cmdline",
            Self::Uki => "uki",
            Self::UefiIso => "iso-uefi",
            Self::HybridIso => "iso-hybrid",
            Self::GrubIso => "iso-grub",
            Self::Addon => "addon",
            Self::InstallerLayer => "installer-layer",
            Self::OverlayLayer => "overlay-layer",
            Self::InstallerArchive => "installer-archive",
        }
    }

    /// The revision of its recipe: the same inputs make other bytes under another one.
    #[must_use]
    pub const fn revision(self) -> u32 {
        revision::of(self)
    }
}

impl Plan {
    /// The plan's name.
    #[must_use]
    pub fn id(&self) -> PlanId {
        PlanId(Digest::of(&self.canonical()))
    }

    /// The injective encoding behind the name: fixed magic, then every field in declared order, length-prefixed.
    fn canonical(&self) -> Vec<u8> {
        let mut out = CanonicalWriter::new("factory plan 1");
        match &self.report {
            None => out.text(self.kind.name()),
            // No kind has a name with a blank.
            Some(Report { asset, format }) => out
                .text(&format!("{} {}", self.kind.name(), format.name()))
                .number(revision::REPORT.into())
                .text(asset),
        };
        out.number(revision::of(self.kind).into());
        out.text(&self.version.to_string()).text(self.arch.name());
        out.number(u64::from(self.chain != Chain::Plain));
        out.digests(self.inputs.release.as_slice());
        out.digests(&self.inputs.extensions);
        out.digests(self.inputs.overlay.as_slice());
        out.digests(&self.inputs.grub);
        out.number(u64::from(self.origin.is_some()));
        if let Some(origin) = &self.origin {
            out.digests(&[origin.schematic]).text(&origin.author).digests(origin.embedded.as_slice());
        }
        out.text(&self.cmdline).number(self.profiles.len() as u64);
        for profile in &self.profiles {
            out.text(profile.id).text(profile.title).text(&profile.cmdline);
        }
        out.text(&self.tools);
        match &self.chain {
            Chain::Plain => out.digests(&[]),
            Chain::Secure(Signed { by, enrolment }) => {
                out.digests(&[*by]).number(u64::from(enrolment.is_some()));
                if let Some(Enrolment { mode, well_known }) = enrolment {
                    out.text(mode.as_str()).number(u64::from(*well_known));
                }
                &mut out
            }
        };
        // Last and only where there is one, so that the names of all other plans stay what they are.
        if let Some(installer) = &self.inputs.installer {
            out.digests(&[installer.base]).text(&installer.name);
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests;
