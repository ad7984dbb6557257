//! The kernel command line of an image.

mod arguments;
mod defaults;
mod meta;

pub use arguments::KernelArgs;

use crate::meta::MetaValue;
use crate::target::{Boot, Target};
use crate::version::{Feature, TalosVersion};

/// What carries the command line; decides which customisations reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// The text itself, as iPXE uses it: extra arguments and META.
    Text,
    /// An ISO: extra arguments, META, and the guard against booting over an installed system.
    Iso,
    /// A disk image: extra arguments. META is written to its partition instead.
    Disk,
    /// An installer or a UKI: extra arguments where the version lets them count, never META.
    Uki,
}

/// Everything a command line is made of.
#[derive(Debug, Clone, Copy)]
pub struct Composition<'a> {
    /// The Talos version.
    pub version: &'a TalosVersion,
    /// The machine.
    pub target: Target,
    /// What carries it.
    pub medium: Medium,
    /// Arguments the board's overlay asks for; they replace the platform's.
    pub overlay: &'a [String],
    /// The schematic's extra arguments; `-name` removes one.
    pub extra: &'a [String],
    /// The schematic's META values.
    pub meta: &'a [MetaValue],
    /// Whether SecureBoot images lock the kernel down on versions that leave that to their users, from 1.14 on.
    pub lockdown: bool,
}

/// Keys of which only the last given values count.
const OVERWRITTEN: [&str; 2] = ["console", "talos.platform"];

impl Composition<'_> {
    /// Composes the command line, in the order Talos' imager does.
    #[must_use]
    pub fn compose(&self) -> KernelArgs {
        let mut line = KernelArgs::default();
        line.append("talos.platform", self.target.platform.name());
        line.set_all(&defaults::of_platform(self.target, self.version));
        if self.medium == Medium::Iso && self.version.supports(Feature::HaltIfInstalled) {
            line.append("talos.halt_if_installed", "1");
        }
        line.set_all(&KernelArgs::parse(self.overlay));
        line.append_all(&defaults::of_version(self.version), &[]);
        let forced = !self.version.supports(Feature::NoForcedLockdown);
        if self.target.boot == Boot::Secure && (forced || self.lockdown) {
            line.append("lockdown", "confidentiality");
        }
        if matches!(self.medium, Medium::Text | Medium::Iso) && !self.meta.is_empty() {
            let encoded = meta::encode(self.meta, self.version.supports(Feature::CompressedMeta));
            line.append("talos.environment", &format!("INSTALLER_META_BASE64={encoded}"));
        }
        if self.takes_extra() {
            line.edit(&KernelArgs::parse(self.extra), &OVERWRITTEN);
        }
        line
    }

    fn takes_extra(&self) -> bool {
        self.medium != Medium::Uki
            || self.target.boot == Boot::Secure
            || self.version.supports(Feature::UnifiedInstaller)
    }
}

/// A further boot entry inside a UKI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id, as in `ID=` of the `.profile` section.
    pub id: &'static str,
    /// What the boot menu shows.
    pub title: &'static str,
    /// Its whole command line.
    pub cmdline: String,
}

/// The profiles beside `main` that a UKI carries on this medium, from 1.10.
#[must_use]
pub fn profiles(version: &TalosVersion, in_iso: bool, main: &KernelArgs) -> Vec<Profile> {
    if !version.supports(Feature::UkiProfiles) {
        return Vec::new();
    }
    let (id, title, wipe) = if in_iso {
        ("reset", "Reset system disk", "system")
    } else {
        ("reset-maintenance", "Reset to maintenance mode", "system:EPHEMERAL,STATE")
    };
    let mut line = main.clone();
    line.append("talos.experimental.wipe", wipe);
    vec![Profile { id, title, cmdline: line.to_string() }]
}

#[cfg(test)]
mod tests;
