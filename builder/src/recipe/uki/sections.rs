//! The sections of unified kernel images, and their order.

use schematics::cmdline::Profile;
use schematics::{Feature, TalosVersion};
use signing::{PcrSignatures, RsaPublicKey};

use super::{UkiError, UkiInputs, kernel_release, splash, stub_error};
use crate::format::pe::{PeError, Section, SectionName};
use crate::image::VirtualImage;

/// The profile every image has; its name is not free.
pub const MAIN_PROFILE: &str = "main";

/// Which kind of image it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edition<'a> {
    /// Signed by nobody.
    Plain,
    /// With signatures of what is measured, which this key makes.
    Signed {
        /// The key.
        pcr_key: &'a RsaPublicKey,
    },
}

/// A section every profile shares, and where its content comes from. `None` leaves the section out.
struct Row {
    name: &'static str,
    content: fn(&UkiInputs<'_>, Edition<'_>) -> Option<VirtualImage>,
}

/// The shared sections in their order, which is Talos' own. Those of each profile follow: `.profile`, its `.cmdline` unless
/// it is the shared one, and in signed images `.pcrsig`.
const SHARED: [Row; 7] = [
    Row { name: ".osrel", content: |inputs, _| Some(VirtualImage::from_bytes(os_release(inputs.version))) },
    Row { name: ".cmdline", content: |inputs, _| Some(text(inputs.cmdline)) },
    Row { name: ".uname", content: |inputs, _| kernel_release(inputs.kernel_head).map(text) },
    Row { name: ".splash", content: |_, _| Some(VirtualImage::from_bytes(splash::bitmap())) },
    Row { name: ".pcrpkey", content: |_, edition| edition.pcr_key().map(|key| text(&key.to_pem())) },
    Row { name: ".linux", content: |inputs, _| Some(inputs.kernel.clone()) },
    Row { name: ".initrd", content: |inputs, _| Some(inputs.initramfs.clone()) },
];

impl<'a> Edition<'a> {
    fn pcr_key(self) -> Option<&'a RsaPublicKey> {
        match self {
            Self::Plain => None,
            Self::Signed { pcr_key } => Some(pcr_key),
        }
    }
}

/// The sections of one profile, which for the profile take the place of shared ones with the same names.
#[derive(Debug)]
pub(super) struct OwnSections {
    pub(super) profile: &'static str,
    pub(super) sections: Vec<Section>,
}

/// All sections of an image, in order: the shared ones, then those of each profile, the main one first.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) shared: Vec<Section>,
    pub(super) profiles: Vec<OwnSections>,
}

impl Draft {
    /// The sections of an image, still without signatures.
    pub(super) fn new(inputs: &UkiInputs<'_>, edition: Edition<'_>) -> Result<Self, UkiError> {
        check_profiles(inputs)?;
        Self::collect(inputs, edition).map_err(|source| stub_error(inputs, source))
    }

    fn collect(inputs: &UkiInputs<'_>, edition: Edition<'_>) -> Result<Self, PeError> {
        let mut shared = Vec::new();
        for row in &SHARED {
            if let Some(content) = (row.content)(inputs, edition) {
                shared.push(section(row.name, content)?);
            }
        }
        let mut main = OwnSections { profile: MAIN_PROFILE, sections: Vec::new() };
        if inputs.version.supports(Feature::UkiProfiles) {
            main.sections.push(section(".profile", text(&format!("ID={MAIN_PROFILE}")))?);
        }
        let mut profiles = vec![main];
        for Profile { id, title, cmdline } in inputs.profiles {
            let profile = section(".profile", text(&format!("ID={id}\nTITLE={title}")))?;
            let sections = vec![profile, section(".cmdline", text(cmdline))?];
            profiles.push(OwnSections { profile: id, sections });
        }
        Ok(Self { shared, profiles })
    }

    /// Adds the signatures of each profile, of which there must be as many as profiles, as its last section.
    pub(super) fn add_signatures(&mut self, signatures: &[PcrSignatures]) -> Result<(), PeError> {
        for (own, signatures) in self.profiles.iter_mut().zip(signatures) {
            own.sections.push(section(".pcrsig", text(&signatures.to_json()))?);
        }
        Ok(())
    }

    /// The sections as they are appended to the stub.
    pub(super) fn into_sections(self) -> Vec<Section> {
        let own = self.profiles.into_iter().flat_map(|own| own.sections);
        self.shared.into_iter().chain(own).collect()
    }
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

fn section(name: &str, content: VirtualImage) -> Result<Section, PeError> {
    Ok(Section { name: SectionName::new(name)?, content })
}

fn text(text: &str) -> VirtualImage {
    VirtualImage::from_bytes(text.as_bytes().to_vec())
}

/// The os-release text. systemd-boot shows its `PRETTY_NAME` and sorts by its `VERSION_ID`.
pub(super) fn os_release(version: &TalosVersion) -> String {
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
