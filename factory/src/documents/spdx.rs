//! What is inside an asset, as SPDX 2.3 in JSON.
//!
//! What the factory knows itself are packages with digests; what release and extensions say is merged under them, every
//! name in it with a prefix of its own, so that no two documents run into each other.

mod merge;

use serde::Serialize;
use serde_json::Value;

use super::inventory::{ContentFile, ExtensionContents, Inventory, SourceDocument, purl, time};
use super::lock::LockedImage;
use super::{PROGRAM, PROGRAM_VERSION};
pub use merge::MergeError;
pub(super) use merge::merge;

/// Its media type.
pub const MEDIA_TYPE: &str = "application/spdx+json";
/// The type of an in-toto predicate with such a document.
pub const PREDICATE_TYPE: &str = "https://spdx.dev/Document";

/// What nobody said anything about.
const NO_ASSERTION: &str = "NOASSERTION";
/// The name of the document in itself.
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// The name of what the document is about.
const SUBJECT: &str = "SPDXRef-Image";
/// The name of the release.
const RELEASE: &str = "SPDXRef-Release";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<Value>,
    relationships: Vec<Value>,
}

#[derive(Serialize)]
struct CreationInfo {
    created: String,
    creators: [String; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<String>,
    supplier: String,
    download_location: &'static str,
    files_analyzed: bool,
    checksums: Vec<Checksum>,
    license_concluded: &'static str,
    license_declared: &'static str,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    primary_package_purpose: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship<'a> {
    spdx_element_id: &'a str,
    relationship_type: &'static str,
    related_spdx_element: &'a str,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// What a part says about itself cannot be merged.
    #[error("what {part} says about what is inside it cannot be used")]
    Merge {
        /// The part.
        part: String,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// The document cannot be written; a fault of ours.
    #[error("the document could not be written")]
    Write(#[from] serde_json::Error),
}

impl schematics::Blamed for DocumentError {
    fn blame(&self) -> schematics::Blame {
        match self {
            Self::Merge { .. } => schematics::Blame::Upstream,
            Self::Write(_) => schematics::Blame::Ours,
        }
    }
}

/// The document of an inventory. The same inventory is the same bytes.
///
/// # Errors
/// When what a part says about itself is no SPDX 2.
pub fn document(inventory: &Inventory) -> Result<String, DocumentError> {
    let subject = &inventory.subject;
    let mut writer = Writer::default();
    writer.subject(inventory)?;
    writer.release(inventory)?;
    for (number, extension) in inventory.extensions.iter().enumerate() {
        writer.extension(inventory, number, extension)?;
    }
    for (number, image) in inventory.others.iter().enumerate() {
        let id = format!("SPDXRef-Image-{number}");
        writer.package(&image_package(id.clone(), image, inventory))?;
        writer.contains(SUBJECT, &id)?;
    }
    Ok(super::pretty(&Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: subject.document_name(),
        document_namespace: format!("{}/spdx/{}", inventory.external_url, subject.path()),
        creation_info: CreationInfo {
            created: time(inventory.epoch),
            creators: [format!("Tool: {PROGRAM}-{PROGRAM_VERSION}")],
        },
        packages: writer.packages,
        files: writer.files,
        has_extracted_licensing_infos: writer.licences,
        relationships: writer.relationships,
    })?)
}

#[derive(Default)]
struct Writer {
    packages: Vec<Value>,
    files: Vec<Value>,
    licences: Vec<Value>,
    relationships: Vec<Value>,
}

impl Writer {
    fn subject(&mut self, inventory: &Inventory) -> Result<(), serde_json::Error> {
        let subject = &inventory.subject;
        let mut package = package(SUBJECT.to_owned(), subject.document_name(), "OPERATING-SYSTEM");
        package.version_info = Some(subject.version.to_string());
        package.summary = Some(format!("Talos {} of the schematic {}", subject.version, subject.schematic));
        if let Some((name, digest)) = &subject.asset {
            package.name.clone_from(name);
            package.package_file_name = Some(name.clone());
            package.checksums = vec![sha256(digest.hex())];
        }
        self.package(&package)?;
        self.relation(DOCUMENT, "DESCRIBES", SUBJECT)
    }

    fn release(&mut self, inventory: &Inventory) -> Result<(), DocumentError> {
        let release = &inventory.release;
        self.package(&image_package(RELEASE.to_owned(), &release.image, inventory))?;
        self.contains(SUBJECT, RELEASE)?;
        for file in &release.files {
            let id = format!("{RELEASE}-{}", file.name);
            self.package(&file_package(id.clone(), file, inventory))?;
            self.contains(RELEASE, &id)?;
        }
        self.documents("the release", RELEASE, &release.documents)
    }

    fn extension(
        &mut self,
        inventory: &Inventory,
        number: usize,
        extension: &ExtensionContents,
    ) -> Result<(), DocumentError> {
        let id = format!("SPDXRef-Extension-{number}");
        let mut package = image_package(id.clone(), &extension.image, inventory);
        let manifest = &extension.manifest;
        package.name.clone_from(&manifest.name);
        package.version_info = Some(manifest.version.clone()).filter(|version| !version.is_empty());
        package.supplier = supplier(&manifest.author);
        package.summary = Some(one_line(&manifest.description)).filter(|text| !text.is_empty());
        self.package(&package)?;
        self.contains(SUBJECT, &id)?;
        let layer = ContentFile {
            name: format!("{number}.sqsh"),
            digest: extension.layer,
            description: "the extension as a squashfs image",
        };
        let layer_id = format!("{id}-layer");
        self.package(&file_package(layer_id.clone(), &layer, inventory))?;
        self.relation(&layer_id, "GENERATED_FROM", &id)?;
        self.documents(&format!("the extension `{}`", manifest.name), &id, &extension.documents)
    }

    fn documents(
        &mut self,
        part: &str,
        owner: &str,
        documents: &[SourceDocument],
    ) -> Result<(), DocumentError> {
        for (number, document) in documents.iter().enumerate() {
            let merged = merge(document, &format!("{owner}-{number}"));
            let merged = merged.map_err(|source| DocumentError::Merge { part: part.to_owned(), source })?;
            self.packages.extend(merged.packages);
            self.files.extend(merged.files);
            self.licences.extend(merged.licences);
            for top in &merged.described {
                self.contains(owner, top)?;
            }
            self.relationships.extend(merged.relationships);
        }
        Ok(())
    }

    fn package(&mut self, package: &Package) -> Result<(), serde_json::Error> {
        self.packages.push(serde_json::to_value(package)?);
        Ok(())
    }

    fn contains(&mut self, outer: &str, inner: &str) -> Result<(), serde_json::Error> {
        self.relation(outer, "CONTAINS", inner)
    }

    fn relation(&mut self, from: &str, kind: &'static str, to: &str) -> Result<(), serde_json::Error> {
        let relation =
            Relationship { spdx_element_id: from, relationship_type: kind, related_spdx_element: to };
        self.relationships.push(serde_json::to_value(relation)?);
        Ok(())
    }
}

fn package(id: String, name: String, purpose: &'static str) -> Package {
    Package {
        id,
        name,
        version_info: None,
        package_file_name: None,
        supplier: NO_ASSERTION.to_owned(),
        download_location: NO_ASSERTION,
        files_analyzed: false,
        checksums: Vec::new(),
        license_concluded: NO_ASSERTION,
        license_declared: NO_ASSERTION,
        copyright_text: NO_ASSERTION,
        summary: None,
        external_refs: Vec::new(),
        primary_package_purpose: purpose,
    }
}

fn image_package(id: String, image: &LockedImage, inventory: &Inventory) -> Package {
    let mut package = package(id, image.repository.clone(), "CONTAINER");
    package.version_info.clone_from(&image.tag);
    package.checksums = vec![sha256(image.digest.hex())];
    package.external_refs = vec![ExternalRef {
        reference_category: "PACKAGE-MANAGER",
        reference_type: "purl",
        reference_locator: purl(image, inventory.registry.as_deref(), Some(inventory.subject.arch)),
    }];
    package
}

fn file_package(id: String, file: &ContentFile, inventory: &Inventory) -> Package {
    let mut package = package(id, file.name.clone(), "FILE");
    package.version_info = Some(inventory.subject.version.to_string());
    package.package_file_name = Some(file.name.clone());
    package.summary = Some(file.description.to_owned());
    package.checksums = vec![sha256(file.digest.hex())];
    package
}

fn sha256(value: String) -> Checksum {
    Checksum { algorithm: "SHA256", checksum_value: value }
}

fn supplier(author: &str) -> String {
    // What is in parentheses would be an address.
    let name = one_line(author).replace(['(', ')'], "");
    if name.is_empty() { NO_ASSERTION.to_owned() } else { format!("Organization: {name}") }
}

/// A text without line breaks and other control characters.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
pub(super) mod tests;
