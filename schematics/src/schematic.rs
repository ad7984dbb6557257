//! The schematic: what somebody wants in an image, independent of any Talos version.

use crate::blame::{Blame, Blamed};
use crate::canonical;
use crate::decode::DecodeError;
use crate::extension::{ExtensionName, ExtensionNameError};
use crate::id::SchematicId;
use crate::meta::MetaValue;
use crate::value::Mapping;

/// What somebody wants in an image.
///
/// Plain data: every combination can be made, and each has a canonical text and an id. Whether a given Talos version can
/// build it is decided when it is built.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schematic {
    /// Who created it; empty when the service does not authenticate.
    pub owner: String,
    /// The overlay for a single-board computer.
    pub overlay: Overlay,
    /// Everything else.
    pub customization: Customization,
}

/// An overlay: boot files and an installer for a board that needs more than UEFI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overlay {
    /// The image it comes from. Kept as part of the id; the overlay is found by its name.
    pub image: String,
    /// Its name in the overlay catalogue.
    pub name: String,
    /// What is handed to the overlay's installer, as it is.
    pub options: Mapping,
}

/// What is changed compared to a plain Talos image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Customization {
    /// A machine configuration inside the image; empty for none.
    pub embedded_machine_configuration: String,
    /// Kernel arguments in the given order; a leading `-` removes one.
    pub extra_kernel_args: Vec<String>,
    /// META values in the given order.
    pub meta: Vec<MetaValue>,
    /// System extensions.
    pub system_extensions: SystemExtensions,
    /// The boot loader of disk images.
    pub bootloader: Bootloader,
    /// `SecureBoot` options.
    pub secureboot: SecureBoot,
    /// Options of disk images.
    pub disk_image: DiskImage,
}

/// The system extensions of a schematic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemExtensions {
    /// Names in the catalogue, such as `siderolabs/gvisor`, as they were given: order and repetitions count for the id.
    pub official_extensions: Vec<String>,
}

impl SystemExtensions {
    /// The names, checked.
    ///
    /// # Errors
    /// On the first name that is not of the form `owner/name`.
    pub fn names(&self) -> Result<Vec<ExtensionName>, ExtensionNameError> {
        self.official_extensions.iter().map(|name| name.parse()).collect()
    }
}

/// The boot loader of a disk image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Bootloader {
    /// Not said: the Talos version and the platform decide.
    #[default]
    None,
    /// GRUB for BIOS and systemd-boot for UEFI.
    DualBoot,
    /// systemd-boot.
    SdBoot,
    /// GRUB.
    Grub,
}

impl Bootloader {
    /// The word for it in a schematic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DualBoot => "dual-boot",
            Self::SdBoot => "sd-boot",
            Self::Grub => "grub",
        }
    }

    /// The boot loader a word stands for, whatever its case; `auto` and the empty word stand for nothing.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        [Self::None, Self::DualBoot, Self::SdBoot, Self::Grub].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// `SecureBoot` options of a schematic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecureBoot {
    /// When systemd-boot enrols the keys: empty, `off`, `manual`, `if-safe` or `force`. Checked when an image is built.
    pub enroll_keys: String,
    /// Whether Microsoft's certificates are enrolled beside ours.
    pub include_well_known_certificates: bool,
}

/// Options of disk images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskImage {
    /// Bytes in a sector; 0 for the usual 512. Checked when an image is built.
    pub sector_size: u64,
}

/// Why a schematic cannot be stored although its id is known.
#[derive(Debug, thiserror::Error)]
pub enum RoundTripError {
    /// The canonical text is not YAML that can be read again.
    #[error(
        "the schematic has no faithful canonical form: its text cannot be read back; \
         expected no multi-line value that starts with blanks or has a line that starts with a tab"
    )]
    Unreadable(#[source] DecodeError),
    /// The canonical text reads back as something else.
    #[error(
        "the schematic has no faithful canonical form: its text reads back as a different `{field}`; \
         expected no multi-line value that starts with an empty line followed by a blank"
    )]
    Different {
        /// The field that changes.
        field: &'static str,
    },
}

impl Blamed for RoundTripError {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

impl Schematic {
    /// Reads a schematic from YAML or JSON, strictly.
    ///
    /// Unknown and repeated keys are refused, as is everything of a wrong type. Only the first document of the stream is
    /// read. What counts as what follows the Go YAML library version 4 (release candidate 6), since ids depend on it.
    ///
    /// # Errors
    /// The text names the line, and the field where there is one.
    pub fn decode(text: impl AsRef<[u8]>) -> Result<Self, DecodeError> {
        crate::decode::schematic(text.as_ref())
    }

    /// The canonical text: what the Go YAML library version 4 writes, byte for byte.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical::text(self)
    }

    /// The id: SHA-256 of the canonical text.
    #[must_use]
    pub fn id(&self) -> SchematicId {
        SchematicId::of_canonical(&self.canonical())
    }

    /// Checks that the canonical text stands for this very schematic.
    ///
    /// The Go library writes some texts that it cannot read back, or reads back as something else. The id of such a
    /// schematic is what it is, but storing it would lose what was asked for, so creation refuses it.
    ///
    /// # Errors
    /// When decoding the canonical text fails or gives another schematic.
    pub fn check_round_trip(&self) -> Result<(), RoundTripError> {
        let again = Self::decode(self.canonical()).map_err(RoundTripError::Unreadable)?;
        match self.first_difference(&again) {
            None => Ok(()),
            Some(field) => Err(RoundTripError::Different { field }),
        }
    }

    fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let (mine, theirs) = (&self.customization, &other.customization);
        [
            ("owner", self.owner == other.owner),
            ("overlay", self.overlay == other.overlay),
            (
                "customization.embeddedMachineConfiguration",
                mine.embedded_machine_configuration == theirs.embedded_machine_configuration,
            ),
            ("customization.extraKernelArgs", mine.extra_kernel_args == theirs.extra_kernel_args),
            ("customization.meta", mine.meta == theirs.meta),
            ("customization.systemExtensions", mine.system_extensions == theirs.system_extensions),
            ("customization.bootloader", mine.bootloader == theirs.bootloader),
            ("customization.secureboot", mine.secureboot == theirs.secureboot),
            ("customization.diskImage", mine.disk_image == theirs.disk_image),
        ]
        .into_iter()
        .find_map(|(field, same)| (!same).then_some(field))
    }
}

impl Overlay {
    /// Whether no overlay was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.image.is_empty() && self.name.is_empty() && self.options.is_empty()
    }

    /// The options as a YAML document, as the overlay's program reads it; `{}` when there are none.
    #[must_use]
    pub fn options_yaml(&self) -> String {
        canonical::mapping_text(&self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::Schematic;

    #[test]
    fn options_are_a_document_of_their_own() {
        let options = |text: &str| Schematic::decode(text).unwrap().overlay.options_yaml();
        assert_eq!(options("overlay: {name: a}"), "{}\n");
        let nested = "overlay: {name: a, options: {configTxt: \"a\\nb\", list: [1, true], map: {x: y}}}";
        assert_eq!(
            options(nested),
            "configTxt: |-\n    a\n    b\nlist:\n    - 1\n    - true\nmap:\n    x: 'y'\n"
        );
    }
}
