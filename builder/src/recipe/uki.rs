//! Unified kernel images: kernel, initramfs and command line as one EFI program.

mod kernel_release;
mod measurement;
mod sections;
mod splash;

use bytes::Bytes;
use schematics::cmdline::Profile;
use schematics::{Blame, Blamed, TalosVersion};
use signing::{PcrSignatures, RsaPublicKey};

use crate::format::pe::{self, PeError, Section};
use crate::image::VirtualImage;
use sections::{Draft, Edition};

pub use kernel_release::kernel_release;
pub use measurement::{ProfileMeasurement, UkiMeasureError, measure, measure_signed};
pub use sections::MAIN_PROFILE;

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
    /// Some profile would have no signatures, or those of another.
    #[error("the image has {profiles} boot profiles, but there are PCR signatures for {signatures}")]
    Signatures {
        /// How many profiles there are.
        profiles: usize,
        /// For how many there are signatures.
        signatures: usize,
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
            Self::NoProfiles { .. } | Self::DuplicateProfile { .. } | Self::Signatures { .. } => Blame::Ours,
        }
    }
}

/// Lays out an unsigned image. The kernel and the initramfs in it stay the extents they are.
///
/// # Errors
/// When profiles are asked for that cannot be, or the stub does not take the sections.
pub fn lay_out(inputs: &UkiInputs<'_>) -> Result<VirtualImage, UkiError> {
    append(inputs, &Draft::new(inputs, Edition::Plain)?.into_sections())
}

/// Lays out an image with PCR signatures, to be signed as a whole next. `signatures` has those of each profile, in the order
/// of [`measure_signed`], of the values found there with the same inputs and the same key.
///
/// # Errors
/// As [`lay_out`], and when there are not as many signatures as profiles.
pub fn lay_out_signed(
    inputs: &UkiInputs<'_>,
    pcr_key: &RsaPublicKey,
    signatures: &[PcrSignatures],
) -> Result<VirtualImage, UkiError> {
    let mut draft = Draft::new(inputs, Edition::Signed { pcr_key })?;
    let (profiles, found) = (draft.profiles.len(), signatures.len());
    if profiles != found {
        return Err(UkiError::Signatures { profiles, signatures: found });
    }
    draft.add_signatures(signatures).map_err(|source| stub_error(inputs, source))?;
    append(inputs, &draft.into_sections())
}

fn append(inputs: &UkiInputs<'_>, sections: &[Section]) -> Result<VirtualImage, UkiError> {
    pe::append_sections(inputs.stub, inputs.stub_head, sections, inputs.timestamp)
        .map_err(|source| stub_error(inputs, source))
}

fn stub_error(inputs: &UkiInputs<'_>, source: PeError) -> UkiError {
    UkiError::Stub { version: inputs.version.clone(), source }
}

#[cfg(test)]
mod tests;
