//! The official overlays of a version.

use bytes::Bytes;
use schematics::{Blame, Blamed, Digest, TalosVersion};

use crate::contents::ContentsError;
use crate::reference::{ImageName, ImageRef, Repository};
use crate::yaml::{self, Node, YamlError};

/// The file of the overlay catalogue.
pub const OVERLAYS_FILE: &str = "overlays.yaml";

/// An overlay in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayEntry {
    /// Its name, such as `rpi_generic`.
    pub name: String,
    /// The image's repository.
    pub image: Repository,
    /// Its tag, where the catalogue tells one.
    pub tag: Option<String>,
    /// The image.
    pub digest: Digest,
}

impl OverlayEntry {
    /// The image, by digest.
    #[must_use]
    pub fn image_ref(&self) -> ImageRef {
        ImageRef { repository: self.image.clone(), digest: self.digest }
    }
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OverlaysError {
    /// Its image or file could not be had.
    #[error("could not read the overlay catalogue of Talos {version}")]
    Contents {
        /// The version.
        version: TalosVersion,
        /// Why.
        #[source]
        source: ContentsError,
    },
    /// It is no YAML.
    #[error("{OVERLAYS_FILE} cannot be read")]
    Syntax(#[source] YamlError),
    /// An entry misses something.
    #[error("entry {entry} of {OVERLAYS_FILE} has no {what}")]
    Entry {
        /// Which, from 1.
        entry: usize,
        /// What is missing or malformed.
        what: &'static str,
    },
}

impl Blamed for OverlaysError {
    fn blame(&self) -> Blame {
        match self {
            Self::Contents { source, .. } => source.blame(),
            Self::Syntax(_) | Self::Entry { .. } => Blame::Upstream,
        }
    }
}

/// Reads a catalogue; the order is the file's.
///
/// # Errors
/// When it is malformed.
pub fn read(file: &Bytes) -> Result<Vec<OverlayEntry>, OverlaysError> {
    let document = yaml::read(file).map_err(OverlaysError::Syntax)?;
    let list = document.as_ref().and_then(|document| document.field("overlays"));
    let Some(Node::List(items)) = list else { return Ok(Vec::new()) };
    items.iter().enumerate().map(|(index, item)| read_entry(index + 1, item)).collect()
}

fn read_entry(entry: usize, item: &Node) -> Result<OverlayEntry, OverlaysError> {
    let missing = |what| OverlaysError::Entry { entry, what };
    let name = item.text("name").filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
    let image: ImageName =
        item.text("image").and_then(|image| image.parse().ok()).ok_or_else(|| missing("image"))?;
    let digest =
        item.text("digest").and_then(|digest| digest.parse().ok()).ok_or_else(|| missing("digest"))?;
    Ok(OverlayEntry { name: name.to_owned(), image: image.repository, tag: image.tag, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_keeps_its_order() {
        let digest = Digest::of(b"x");
        let entry = |name: &str| {
            format!("  - name: {name}\n    image: siderolabs/sbc:v0.1.0\n    digest: {digest}\n")
        };
        let file = format!("overlays:\n{}{}", entry("rpi_generic"), entry("rock64"));
        let entries = read(&file.into()).unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["rpi_generic", "rock64"]);
        assert_eq!(
            (entries[0].image.as_str(), entries[0].tag.as_deref()),
            ("siderolabs/sbc", Some("v0.1.0"))
        );
        assert_eq!(read(&Bytes::new()).unwrap(), []);
    }

    #[test]
    fn an_entry_that_misses_something_is_named() {
        let error = read(&Bytes::from_static(b"overlays:\n  - name: a\n    image: a/b:c\n")).unwrap_err();
        assert_eq!(error.to_string(), "entry 1 of overlays.yaml has no digest");
    }
}
