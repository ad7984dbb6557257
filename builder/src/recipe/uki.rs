//! Unified kernel images: kernel, initramfs and command line as one EFI program.

mod kernel_release;
mod splash;

use bytes::Bytes;
use schematics::cmdline::Profile;
use schematics::{Blame, Blamed, Feature, TalosVersion};

use crate::format::pe::{self, PeError, Section, SectionName};
use crate::image::VirtualImage;

pub use kernel_release::kernel_release;

/// The profile every image has; its name is not free.
const MAIN_PROFILE: &str = "main";

/// What a unified kernel image is made of.
#[derive(Debug, Clone, Copy)]
pub struct UkiInputs<'a> {
    /// The Talos version.
    pub version: &'a TalosVersion,
    /// The command line of the main profile.
    pub cmdline: &'a str,
    /// The profiles beside the main one.
    pub profiles: &'a [Profile],
    /// systemd's stub.
    pub stub: &'a VirtualImage,
    /// The first [`pe::HEAD`] bytes of the stub, or all of it.
    pub stub_head: &'a Bytes,
    /// The kernel.
    pub kernel: &'a VirtualImage,
    /// The first 64 KiB of the kernel, where an x86 kernel says its release.
    pub kernel_head: &'a Bytes,
    /// The initramfs.
    pub initramfs: &'a VirtualImage,
    /// The time stamp of the image, in seconds since 1970.
    pub timestamp: u32,
}

/// Why there is no such image.
#[derive(Debug, thiserror::Error)]
pub enum UkiError {
    /// The version has no profiles.
    #[error("Talos {version} has no boot profiles, but `{id}` was asked for")]
    NoProfiles {
        /// The version.
        version: TalosVersion,
        /// The profile.
        id: &'static str,
    },
    /// A profile has the name of the one that is always there, or of another.
    #[error("there are two boot profiles named `{id}`")]
    DuplicateProfile {
        /// The name.
        id: &'static str,
    },
    /// The stub does not take the sections.
    #[error("cannot add the sections of Talos {version} to the release's systemd-stub")]
    Stub {
        /// The version.
        version: TalosVersion,
        /// Why.
        #[source]
        source: PeError,
    },
}

impl Blamed for UkiError {
    fn blame(&self) -> Blame {
        match self {
            Self::Stub { .. } => Blame::Upstream,
            Self::NoProfiles { .. } | Self::DuplicateProfile { .. } => Blame::Ours,
        }
    }
}

/// A section every profile shares, and where its content comes from. `None` leaves the section out.
struct Row {
    name: &'static str,
    content: fn(&UkiInputs<'_>) -> Option<VirtualImage>,
}

/// The shared sections in their order, which is Talos' own. What a signed image has in addition (`.pcrpkey` in front of
/// `.linux`, `.pcrsig` at the end of each profile) is measured with them, so the order is part of what a TPM expects.
const SHARED: [Row; 6] = [
    Row { name: ".osrel", content: |inputs| Some(VirtualImage::from_bytes(os_release(inputs.version))) },
    Row { name: ".cmdline", content: |inputs| Some(text(inputs.cmdline)) },
    Row { name: ".uname", content: |inputs| kernel_release(inputs.kernel_head).map(text) },
    Row { name: ".splash", content: |_| Some(VirtualImage::from_bytes(splash::bitmap())) },
    Row { name: ".linux", content: |inputs| Some(inputs.kernel.clone()) },
    Row { name: ".initrd", content: |inputs| Some(inputs.initramfs.clone()) },
];

/// Lays out an unsigned image. The kernel and the initramfs in it stay the extents they are.
///
/// # Errors
/// When profiles are asked for that cannot be, or the stub does not take the sections.
pub fn lay_out(inputs: &UkiInputs<'_>) -> Result<VirtualImage, UkiError> {
    check_profiles(inputs)?;
    let sections = sections(inputs).map_err(|source| stub_error(inputs, source))?;
    pe::append_sections(inputs.stub, inputs.stub_head, &sections, inputs.timestamp)
        .map_err(|source| stub_error(inputs, source))
}

fn stub_error(inputs: &UkiInputs<'_>, source: PeError) -> UkiError {
    UkiError::Stub { version: inputs.version.clone(), source }
}

fn check_profiles(inputs: &UkiInputs<'_>) -> Result<(), UkiError> {
    let mut seen = vec![MAIN_PROFILE];
    for Profile { id, .. } in inputs.profiles {
        if !inputs.version.supports(Feature::UkiProfiles) {
            return Err(UkiError::NoProfiles { version: inputs.version.clone(), id });
        }
        if seen.contains(id) {
            return Err(UkiError::DuplicateProfile { id });
        }
        seen.push(id);
    }
    Ok(())
}

/// All sections in order: the shared ones, then those of each profile.
fn sections(inputs: &UkiInputs<'_>) -> Result<Vec<Section>, PeError> {
    let mut sections = Vec::new();
    for row in &SHARED {
        if let Some(content) = (row.content)(inputs) {
            sections.push(section(row.name, content)?);
        }
    }
    if inputs.version.supports(Feature::UkiProfiles) {
        sections.push(section(".profile", text(&format!("ID={MAIN_PROFILE}")))?);
    }
    for Profile { id, title, cmdline } in inputs.profiles {
        sections.push(section(".profile", text(&format!("ID={id}\nTITLE={title}")))?);
        sections.push(section(".cmdline", text(cmdline))?);
    }
    Ok(sections)
}

fn section(name: &str, content: VirtualImage) -> Result<Section, PeError> {
    Ok(Section { name: SectionName::new(name)?, content })
}

fn text(text: &str) -> VirtualImage {
    VirtualImage::from_bytes(text.as_bytes().to_vec())
}

/// The os-release text. systemd-boot shows its `PRETTY_NAME` and sorts by its `VERSION_ID`.
fn os_release(version: &TalosVersion) -> String {
    format!(
        "NAME=\"Talos\"\n\
         ID=talos\n\
         VERSION_ID={version}\n\
         PRETTY_NAME=\"Talos ({version})\"\n\
         HOME_URL=\"https://www.talos.dev/\"\n\
         BUG_REPORT_URL=\"https://github.com/siderolabs/talos/issues\"\n\
         VENDOR_NAME=\"Sidero Labs\"\n\
         VENDOR_URL=\"https://www.siderolabs.com/\"\n"
    )
}

#[cfg(test)]
mod tests;
