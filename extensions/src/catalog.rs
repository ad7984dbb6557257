//! The official extensions of a version.

use std::collections::HashMap;

use bytes::Bytes;
use schematics::{Blame, Blamed, Digest, ExtensionName, TalosVersion};

use crate::contents::ContentsError;
use crate::reference::{ImageName, ImageRef, Repository};
use crate::yaml::{self, Node, YamlError};

/// One line for each extension: `registry/repository:tag@sha256:…`.
pub const DIGESTS_FILE: &str = "image-digests";
/// Authors and descriptions, by the whole line.
pub const DESCRIPTIONS_FILE: &str = "descriptions.yaml";
/// More extensions than any catalogue has.
const MAX_ENTRIES: usize = 4096;

/// What an extension was renamed to; tried when the name itself is not in the catalogue.
const ALIASES: [(&str, &str); 11] = [
    ("siderolabs/v4l-uvc", "siderolabs/v4l-uvc-drivers"),
    ("siderolabs/usb-modem", "siderolabs/usb-modem-drivers"),
    ("siderolabs/gasket", "siderolabs/gasket-driver"),
    ("siderolabs/talos-vmtoolsd", "siderolabs/vmtoolsd-guest-agent"),
    ("siderolabs/xe-guest-utilities", "siderolabs/xen-guest-agent"),
    ("siderolabs/nvidia-container-toolkit", "siderolabs/nvidia-container-toolkit-lts"),
    ("siderolabs/nvidia-open-gpu-kernel-modules", "siderolabs/nvidia-open-gpu-kernel-modules-lts"),
    ("siderolabs/nonfree-kmod-nvidia", "siderolabs/nonfree-kmod-nvidia-lts"),
    ("siderolabs/nvidia-fabricmanager", "siderolabs/nvidia-fabric-manager-lts"),
    ("siderolabs/i915-ucode", "siderolabs/i915"),
    ("siderolabs/amdgpu-firmware", "siderolabs/amdgpu"),
];

/// An extension in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionEntry {
    /// Its name: the repository without the registry, such as `siderolabs/gvisor`.
    pub name: Repository,
    /// Its tag in that repository, where the catalogue tells one.
    pub tag: Option<String>,
    /// The image.
    pub digest: Digest,
    /// Who made it; may be empty.
    pub author: String,
    /// What it is; may be empty.
    pub description: String,
}

impl ExtensionEntry {
    /// The image, by digest.
    #[must_use]
    pub fn image(&self) -> ImageRef {
        ImageRef { repository: self.name.clone(), digest: self.digest }
    }
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Its image or files could not be had.
    #[error("could not read the extension catalogue of Talos {version}")]
    Contents {
        /// The version.
        version: TalosVersion,
        /// Why.
        #[source]
        source: ContentsError,
    },
    /// The descriptions are no YAML.
    #[error("{DESCRIPTIONS_FILE} of the extension catalogue cannot be read")]
    Descriptions(#[source] YamlError),
    /// A file has more entries than a catalogue can have.
    #[error("the extension catalogue has more than {MAX_ENTRIES} entries")]
    TooMany,
    /// It is not UTF-8.
    #[error("{DIGESTS_FILE} of the extension catalogue is not UTF-8")]
    Encoding,
}

impl Blamed for CatalogError {
    fn blame(&self) -> Blame {
        match self {
            Self::Contents { source, .. } => source.blame(),
            Self::Descriptions(_) | Self::TooMany | Self::Encoding => Blame::Upstream,
        }
    }
}

/// A schematic names an extension that the version does not have. The words are Sidero's Image Factory's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("official extension {name:?} is not available for Talos version {version}")]
pub struct UnknownExtension {
    /// The name.
    pub name: String,
    /// The version.
    pub version: TalosVersion,
}

impl Blamed for UnknownExtension {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Reads a catalogue from its two files; the order is the file's.
///
/// A line without a digest is passed over, and so is a line that names no image, as upstream does.
///
/// # Errors
/// When a file cannot be read as what it is.
pub fn read(digests: &Bytes, descriptions: Option<&Bytes>) -> Result<Vec<ExtensionEntry>, CatalogError> {
    let described = descriptions.map_or_else(|| Ok(HashMap::new()), |bytes| read_descriptions(bytes))?;
    let lines = std::str::from_utf8(digests).map_err(|_| CatalogError::Encoding)?.lines();
    let mut entries = Vec::new();
    for line in lines.map(str::trim) {
        let Ok(image) = line.parse::<ImageName>() else { continue };
        let Some(digest) = image.digest else { continue };
        let (author, description) = described.get(line).cloned().unwrap_or_default();
        entries.push(ExtensionEntry { name: image.repository, tag: image.tag, digest, author, description });
        if entries.len() > MAX_ENTRIES {
            return Err(CatalogError::TooMany);
        }
    }
    Ok(entries)
}

/// Author and description by line.
fn read_descriptions(bytes: &[u8]) -> Result<HashMap<String, (String, String)>, CatalogError> {
    let Some(Node::Map(lines)) = yaml::read(bytes).map_err(CatalogError::Descriptions)? else {
        return Ok(HashMap::new());
    };
    let described = lines.into_iter().map(|(line, fields)| {
        let field = |name: &str| fields.text(name).unwrap_or_default().to_owned();
        let told = (field("author"), field("description"));
        (line, told)
    });
    Ok(described.collect())
}

/// Finds an extension by name, or by what it was renamed to.
///
/// # Errors
/// When the version does not have it under either name.
pub fn find<'a>(
    entries: &'a [ExtensionEntry],
    name: &ExtensionName,
    version: &TalosVersion,
) -> Result<&'a ExtensionEntry, UnknownExtension> {
    let name = name.to_string();
    let by_name = |wanted: &str| entries.iter().find(|entry| entry.name.as_str() == wanted);
    let renamed = || ALIASES.iter().find(|(old, _)| *old == name).and_then(|(_, new)| by_name(new));
    by_name(&name).or_else(renamed).ok_or_else(|| UnknownExtension { name, version: version.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_keeps_its_order_and_its_descriptions() {
        let digest = Digest::of(b"x");
        let gvisor = format!("ghcr.io/siderolabs/gvisor:20250505.0@{digest}");
        let digests =
            format!("{gvisor}\nghcr.io/siderolabs/no-digest:v1\n\nghcr.io/siderolabs/a:v1@{digest}\n");
        let descriptions =
            format!("{gvisor}:\n  author: Sidero Labs\n  description: |\n    Runs containers.\n");
        let entries = read(&digests.into(), Some(&descriptions.into())).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].name.as_str(), "siderolabs/gvisor");
        assert_eq!(entries[0].tag.as_deref(), Some("20250505.0"));
        assert_eq!(
            (entries[0].author.as_str(), entries[0].description.as_str()),
            ("Sidero Labs", "Runs containers.\n")
        );
        assert_eq!((entries[1].name.as_str(), entries[1].author.as_str()), ("siderolabs/a", ""));
    }

    #[test]
    fn a_renamed_extension_is_found_by_its_old_name() {
        let digest = Digest::of(b"x");
        let line = format!("ghcr.io/siderolabs/gasket-driver:v1@{digest}\n");
        let entries = read(&line.into(), None).unwrap();
        let version: TalosVersion = "1.13.0".parse().unwrap();
        let named = |name: &str| find(&entries, &name.parse().unwrap(), &version);
        assert_eq!(named("siderolabs/gasket").unwrap().name.as_str(), "siderolabs/gasket-driver");
        assert_eq!(
            named("siderolabs/nothing").unwrap_err().to_string(),
            r#"official extension "siderolabs/nothing" is not available for Talos version v1.13.0"#
        );
    }

    #[test]
    fn a_catalogue_that_is_none_is_an_error() {
        assert!(matches!(read(&Bytes::from_static(b"\xff"), None), Err(CatalogError::Encoding)));
        let broken = Bytes::from_static(b"a: [");
        assert!(matches!(read(&Bytes::new(), Some(&broken)), Err(CatalogError::Descriptions(_))));
    }
}
