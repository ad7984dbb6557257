//! What an extension says about itself: `manifest.yaml`, and the `extensions.yaml` that lists all layers for the node.

use std::fmt::Write as _;

use schematics::{Blame, Blamed, TalosVersion};

use crate::constraint::{Constraint, ConstraintError};
use crate::yaml::{self, Node, YamlError, quoted};

/// The largest `manifest.yaml` that is read. One can carry a whole schematic in its `extraInfo`.
pub const MAX_MANIFEST: u64 = 128 * 1024;
/// The only version of the manifest format there is.
const FORMAT: &str = "v1alpha1";

/// The metadata of one extension, format `v1alpha1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExtensionManifest {
    /// Its name.
    pub name: String,
    /// Its version; any text.
    pub version: String,
    /// Who made it.
    pub author: String,
    /// What it is for; may have several lines.
    pub description: String,
    /// The versions of Talos it works with, a [`Constraint`]; empty for all.
    pub talos_versions: String,
    /// Anything else; empty when absent.
    pub extra_info: String,
}

/// Why a `manifest.yaml` is not read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than [`MAX_MANIFEST`].
    #[error("manifest.yaml has {size} bytes, more than the {MAX_MANIFEST} that are read")]
    TooLarge {
        /// How large it is.
        size: u64,
    },
    /// It is not the YAML we read.
    #[error("manifest.yaml cannot be read")]
    Yaml(#[source] YamlError),
    /// It is of another version, or says none.
    #[error("manifest.yaml is of version `{found}`; expected `{FORMAT}`")]
    Version {
        /// What it says.
        found: String,
    },
    /// A field has a value of the wrong kind.
    #[error("`{field}` in manifest.yaml is no {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// Why an extension cannot be part of an image of a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompatibilityError {
    /// It excludes the version.
    #[error("extension `{name}` {version} needs Talos `{constraint}`, but the image is of {talos}")]
    Excluded {
        /// The extension.
        name: String,
        /// Its version.
        version: String,
        /// What it needs.
        constraint: String,
        /// What was asked for.
        talos: TalosVersion,
    },
    /// What it says about versions makes no sense.
    #[error("extension `{name}` says it needs Talos `{constraint}`, which is not understood")]
    Constraint {
        /// The extension.
        name: String,
        /// What it says.
        constraint: String,
        /// Why that is wrong.
        #[source]
        source: ConstraintError,
    },
}

impl Blamed for CompatibilityError {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

impl ExtensionManifest {
    /// Reads a `manifest.yaml`. Unknown fields are ignored, as Talos ignores them.
    ///
    /// # Errors
    /// When it is too large, no YAML, of another format version, or a field is of the wrong kind or there twice.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let size = bytes.len() as u64;
        if size > MAX_MANIFEST {
            return Err(ManifestError::TooLarge { size });
        }
        let root = yaml::read(bytes).map_err(ManifestError::Yaml)?.unwrap_or(Node::Map(Vec::new()));
        let root = mapping(Some(&root), "manifest")?;
        let found = text(root, "version")?;
        if found != FORMAT {
            return Err(ManifestError::Version { found: found.chars().take(64).collect() });
        }
        let metadata = mapping(entry(root, "metadata"), "metadata")?;
        let compatibility = mapping(entry(metadata, "compatibility"), "compatibility")?;
        let talos = mapping(entry(compatibility, "talos"), "compatibility.talos")?;
        Ok(Self {
            name: text(metadata, "name")?,
            version: text(metadata, "version")?,
            author: text(metadata, "author")?,
            description: text(metadata, "description")?,
            talos_versions: text(talos, "version")?,
            extra_info: text(metadata, "extraInfo")?,
        })
    }

    /// The text of a `manifest.yaml` that reads back as this manifest, in every YAML reader.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        format!("version: {FORMAT}\nmetadata:\n{}", self.fields("    "))
    }

    /// Checks that the extension accepts a version of Talos, of which major, minor and patch count.
    ///
    /// # Errors
    /// When it does not, or its constraint is none.
    pub fn check_compatible(&self, talos: &TalosVersion) -> Result<(), CompatibilityError> {
        let (name, constraint) = (self.name.clone(), self.talos_versions.clone());
        match Constraint::parse(&constraint) {
            Ok(parsed) if parsed.accepts(talos) => Ok(()),
            Ok(_) => Err(CompatibilityError::Excluded {
                name,
                version: self.version.clone(),
                constraint,
                talos: talos.clone(),
            }),
            Err(source) => Err(CompatibilityError::Constraint { name, constraint, source }),
        }
    }

    /// The fields as a YAML block, each line behind `indent`.
    fn fields(&self, indent: &str) -> String {
        let mut block = String::new();
        let fields = [
            ("name", &self.name),
            ("version", &self.version),
            ("author", &self.author),
            ("description", &self.description),
        ];
        // Writing into a string cannot fail, so these results say nothing.
        for (key, value) in fields {
            let _: std::fmt::Result = writeln!(block, "{indent}{key}: {}", quoted(value));
        }
        let talos = quoted(&self.talos_versions);
        let _: std::fmt::Result =
            writeln!(block, "{indent}compatibility:\n{indent}    talos:\n{indent}        version: {talos}");
        if !self.extra_info.is_empty() {
            let _: std::fmt::Result = writeln!(block, "{indent}extraInfo: {}", quoted(&self.extra_info));
        }
        block
    }
}

/// The `extensions.yaml` of an initramfs: the layers from the lowest to the topmost, by file name.
#[must_use]
pub fn extensions_yaml<'a>(layers: impl IntoIterator<Item = (&'a str, &'a ExtensionManifest)>) -> String {
    let mut text = String::from("layers:\n");
    for (image, manifest) in layers {
        let image = quoted(image);
        let fields = manifest.fields("          ");
        let _: std::fmt::Result = write!(text, "    - image: {image}\n      metadata:\n{fields}");
    }
    text
}

type Entries = [(String, Node)];

fn entry<'a>(map: &'a Entries, key: &str) -> Option<&'a Node> {
    map.iter().find_map(|(other, node)| (other == key).then_some(node))
}

/// The entries of a mapping; none when it is absent or null.
fn mapping<'a>(node: Option<&'a Node>, field: &'static str) -> Result<&'a Entries, ManifestError> {
    match node {
        Some(Node::Map(entries)) => Ok(entries),
        None => Ok(&[]),
        Some(Node::Text(text)) if text.is_empty() => Ok(&[]),
        Some(Node::Text(_) | Node::List(_)) => Err(ManifestError::Field { field, expected: "mapping" }),
    }
}

fn text(map: &Entries, field: &'static str) -> Result<String, ManifestError> {
    match entry(map, field) {
        Some(Node::Text(text)) => Ok(text.clone()),
        None => Ok(String::new()),
        Some(Node::Map(_) | Node::List(_)) => Err(ManifestError::Field { field, expected: "text" }),
    }
}

#[cfg(test)]
mod tests;
