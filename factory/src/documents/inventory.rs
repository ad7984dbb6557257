//! What is inside an asset, before it is written in one of the forms people exchange.

use extensions::ExtensionManifest;
use schematics::{Arch, Digest, SchematicId, TalosVersion};
use serde_json::Value;
use uuid::Uuid;

use super::lock::LockedImage;

/// What is inside.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// Of what.
    pub subject: Subject,
    /// How machines reach the factory, without a slash at the end; names of documents begin with it.
    pub external_url: String,
    /// The registry that the images come from, when they come from one.
    pub registry: Option<String>,
    /// The time the document states, in seconds since 1970.
    pub epoch: u32,
    /// The release.
    pub release: ReleaseContents,
    /// The extensions, in the schematic's order.
    pub extensions: Vec<ExtensionContents>,
    /// Other images of the source it is made of: an overlay, the base of an installer.
    pub others: Vec<LockedImage>,
}

/// Of what an inventory is.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The schematic.
    pub schematic: SchematicId,
    /// The version of Talos.
    pub version: TalosVersion,
    /// The processor.
    pub arch: Arch,
    /// One asset with the digest of its bytes; without it, whatever is made for schematic, version and processor.
    pub asset: Option<(String, Digest)>,
}

/// What a release brings.
#[derive(Debug, Clone)]
pub struct ReleaseContents {
    /// Its image.
    pub image: LockedImage,
    /// Its files that are in the asset.
    pub files: Vec<ContentFile>,
    /// What it says itself about what is inside.
    pub documents: Vec<SourceDocument>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentFile {
    /// Its name.
    pub name: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it is.
    pub description: &'static str,
}

/// What an extension brings.
#[derive(Debug, Clone)]
pub struct ExtensionContents {
    /// What it says about itself.
    pub manifest: ExtensionManifest,
    /// Its image.
    pub image: LockedImage,
    /// The digest of the squashfs image made of it.
    pub layer: Digest,
    /// What it says itself about what is inside.
    pub documents: Vec<SourceDocument>,
}

/// An SPDX document that came with a part.
#[derive(Debug, Clone)]
pub struct SourceDocument {
    /// Its file name.
    pub name: String,
    /// The document, a JSON object.
    pub content: Value,
}

impl Subject {
    /// The name of the document.
    #[must_use]
    pub fn document_name(&self) -> String {
        let Self { schematic, version, arch, asset } = self;
        match asset {
            None => format!("talos-{schematic}-{version}-{arch}"),
            Some((name, _)) => format!("talos-{schematic}-{version}-{name}"),
        }
    }

    /// What follows the factory's URL in the name space of the document.
    #[must_use]
    pub fn path(&self) -> String {
        let Self { schematic, version, arch, asset } = self;
        match asset {
            None => format!("{schematic}/{version}/{arch}"),
            Some((name, digest)) => format!("{schematic}/{version}/{name}/{}", digest.hex()),
        }
    }
}

/// The package URL of an image: `pkg:oci/<name>@<digest>?arch=…&repository_url=…&tag=…`.
#[must_use]
pub fn purl(image: &LockedImage, registry: Option<&str>, arch: Option<Arch>) -> String {
    let name = image.repository.rsplit('/').next().unwrap_or(&image.repository);
    let mut purl = format!("pkg:oci/{name}@sha256%3A{}", image.digest.hex());
    let repository = match registry {
        Some(registry) => format!("{}/{}", registry.replace(':', "%3A"), image.repository),
        None => image.repository.clone(),
    };
    // Qualifiers are sorted by their keys.
    let arch = arch.map(|arch| format!("arch={arch}&")).unwrap_or_default();
    let tag = image.tag.as_ref().map(|tag| format!("&tag={tag}")).unwrap_or_default();
    purl.push_str(&format!("?{arch}repository_url={repository}{tag}"));
    purl
}

/// A time of documents: RFC 3339, in UTC, to the second.
#[must_use]
pub fn time(epoch: u32) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch.into());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The serial number of a document: a version 5 UUID of its name space and of what is in it.
#[must_use]
pub fn serial(namespace: &str, content: &[u8]) -> Uuid {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, namespace.as_bytes());
    Uuid::new_v5(&space, content)
}
