//! What is inside an asset, as CycloneDX 1.6 in JSON: the same facts as in SPDX, in the other form people exchange.

use serde::Serialize;
use serde_json::{Value, json};

use super::inventory::{ContentFile, ExtensionContents, Inventory, SourceDocument, purl, serial, time};
use super::lock::LockedImage;
use super::spdx::{DocumentError, merge, one_line};
use super::{PROGRAM, PROGRAM_VERSION};

/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";
/// The type of an in-toto predicate with such a document.
pub const PREDICATE_TYPE: &str = "https://cyclonedx.org/bom";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'a>,
    components: &'a [Component],
    dependencies: &'a [Dependency],
}

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: String,
    tools: Value,
    component: &'a Component,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Value>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

/// The document of an inventory. The same inventory is the same bytes: the serial number is made of what is in it.
///
/// # Errors
/// When what a part says about itself is no SPDX 2.
pub fn document(inventory: &Inventory) -> Result<String, DocumentError> {
    let subject = &inventory.subject;
    let mut about = Component {
        kind: "operating-system",
        reference: "image".to_owned(),
        name: subject.document_name(),
        version: Some(subject.version.to_string()),
        ..Component::default()
    };
    if let Some((name, digest)) = &subject.asset {
        about.name.clone_from(name);
        about.hashes = sha256(digest.hex());
    }
    let mut components = vec![release(inventory)?];
    for (number, extension) in inventory.extensions.iter().enumerate() {
        components.push(self::extension(inventory, number, extension)?);
    }
    let others = inventory.others.iter().enumerate();
    components.extend(others.map(|(number, image)| container(format!("image-{number}"), image, inventory)));
    let depends_on = components.iter().map(|component| component.reference.clone()).collect();
    let dependencies = [Dependency { reference: about.reference.clone(), depends_on }];
    let content = serde_json::to_vec(&(&about, &components))?;
    let namespace = format!("{}/spdx/{}", inventory.external_url, subject.path());
    Ok(super::pretty(&Bom {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial(&namespace, &content).urn().to_string(),
        version: 1,
        metadata: Metadata {
            timestamp: time(inventory.epoch),
            tools: json!({ "components": [
                { "type": "application", "name": PROGRAM, "version": PROGRAM_VERSION }
            ] }),
            component: &about,
        },
        components: &components,
        dependencies: &dependencies,
    })?)
}

fn release(inventory: &Inventory) -> Result<Component, DocumentError> {
    let release = &inventory.release;
    let mut component = container("release".to_owned(), &release.image, inventory);
    component.components = release.files.iter().map(|file| content("release", file)).collect();
    merged("the release", &mut component, &release.documents)?;
    Ok(component)
}

fn extension(
    inventory: &Inventory,
    number: usize,
    extension: &ExtensionContents,
) -> Result<Component, DocumentError> {
    let reference = format!("extension-{number}");
    let mut component = container(reference.clone(), &extension.image, inventory);
    let manifest = &extension.manifest;
    let told = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
    component.name.clone_from(&manifest.name);
    component.version = told(&manifest.version);
    component.supplier = told(&manifest.author).map(|name| json!({ "name": name }));
    component.description = told(&manifest.description);
    component.components = vec![content(
        &reference,
        &ContentFile {
            name: format!("{number}.sqsh"),
            digest: extension.layer,
            description: "the extension as a squashfs image",
        },
    )];
    merged(&format!("the extension `{}`", manifest.name), &mut component, &extension.documents)?;
    Ok(component)
}

/// Puts what a part says about itself below it.
fn merged(part: &str, owner: &mut Component, documents: &[SourceDocument]) -> Result<(), DocumentError> {
    for (number, document) in documents.iter().enumerate() {
        let prefix = format!("{}-{number}", owner.reference);
        let found = merge(document, &prefix);
        let found = found.map_err(|source| DocumentError::Merge { part: part.to_owned(), source })?;
        owner.components.extend(found.packages.iter().map(package));
    }
    Ok(())
}

fn container(reference: String, image: &LockedImage, inventory: &Inventory) -> Component {
    Component {
        kind: "container",
        reference,
        name: image.repository.clone(),
        version: image.tag.clone(),
        hashes: sha256(image.digest.hex()),
        purl: Some(purl(image, inventory.registry.as_deref(), Some(inventory.subject.arch))),
        ..Component::default()
    }
}

fn content(owner: &str, file: &ContentFile) -> Component {
    Component {
        kind: "file",
        reference: format!("{owner}-{}", file.name),
        name: file.name.clone(),
        description: Some(file.description.to_owned()),
        hashes: sha256(file.digest.hex()),
        ..Component::default()
    }
}

/// A package of an SPDX document as a component.
fn package(package: &Value) -> Component {
    let text = |key: &str| package.get(key).and_then(Value::as_str).filter(|text| is_said(text));
    let list = |key: &str| package.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let external = |kind: &str| {
        let mut references = list("externalRefs").iter();
        let found = references.find(|one| one.get("referenceType").and_then(Value::as_str) == Some(kind));
        found.and_then(|one| one.get("referenceLocator")?.as_str()).map(str::to_owned)
    };
    let supplier = text("supplier").and_then(|text| text.split_once(": ")).map(|(_, name)| name);
    let licence = text("licenseDeclared").or_else(|| text("licenseConcluded"));
    Component {
        kind: "library",
        reference: text("SPDXID").unwrap_or_default().to_owned(),
        supplier: supplier.map(|name| json!({ "name": name })),
        name: text("name").unwrap_or_default().to_owned(),
        version: text("versionInfo").map(str::to_owned),
        description: text("summary").map(str::to_owned),
        hashes: list("checksums").iter().filter_map(hash).collect(),
        licenses: licence.map(|expression| json!({ "expression": expression })).into_iter().collect(),
        cpe: external("cpe23Type"),
        purl: external("purl"),
        components: Vec::new(),
    }
}

fn is_said(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}

/// A checksum of SPDX's, where CycloneDX has the algorithm too.
fn hash(checksum: &Value) -> Option<Value> {
    let name = match checksum.get("algorithm")?.as_str()? {
        "MD5" => "MD5",
        "SHA1" => "SHA-1",
        "SHA256" => "SHA-256",
        "SHA384" => "SHA-384",
        "SHA512" => "SHA-512",
        _ => return None,
    };
    Some(json!({ "alg": name, "content": checksum.get("checksumValue")?.as_str()? }))
}

fn sha256(hex: String) -> Vec<Value> {
    vec![json!({ "alg": "SHA-256", "content": hex })]
}

#[cfg(test)]
mod tests;
