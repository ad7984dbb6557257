use extensions::ExtensionManifest;
use schematics::{Arch, Digest, SchematicId};
use serde_json::{Value, json};

use super::super::inventory::{
    ContentFile, ExtensionContents, Inventory, ReleaseContents, SourceDocument, Subject,
};
use super::super::lock::tests::lock;
use super::{DocumentError, MergeError, document};

/// A small document as release and extensions bring them.
pub(in crate::documents) fn told(name: &str) -> SourceDocument {
    let content = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("https://example.org/{name}"),
        "creationInfo": { "created": "2025-01-01T00:00:00Z", "creators": ["Tool: hand"] },
        "packages": [
            {
                "SPDXID": "SPDXRef-Package-top",
                "name": name,
                "versionInfo": "1.2.3",
                "supplier": "Organization: Somebody",
                "downloadLocation": "https://example.org/top.tar.gz",
                "filesAnalyzed": false,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "Apache-2.0 AND LicenseRef-own",
                "copyrightText": "NOASSERTION",
                "checksums": [{ "algorithm": "SHA256", "checksumValue": Digest::of(b"top").hex() }],
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": "pkg:generic/top@1.2.3"
                }]
            },
            {
                "SPDXID": "SPDXRef-Package-inner",
                "name": "inner",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "licenseConcluded": "MIT",
                "licenseDeclared": "NOASSERTION",
                "copyrightText": "NOASSERTION"
            }
        ],
        "hasExtractedLicensingInfos": [{ "licenseId": "LicenseRef-own", "extractedText": "Do as you like." }],
        "relationships": [
            { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-Package-top" },
            { "spdxElementId": "SPDXRef-Package-top", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-Package-inner" },
            { "spdxElementId": "SPDXRef-Package-top", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "DocumentRef-x:SPDXRef-y" }
        ]
    });
    SourceDocument { name: format!("{name}.spdx.json"), content }
}

/// An inventory with something in every field.
pub(in crate::documents) fn inventory() -> Inventory {
    let lock = lock();
    Inventory {
        subject: Subject {
            schematic: lock.schematic.id,
            version: "v1.13.0".parse().unwrap(),
            arch: Arch::Amd64,
            asset: None,
        },
        external_url: "https://factory.example".to_owned(),
        registry: Some("ghcr.io".to_owned()),
        epoch: 1_559_424_892,
        release: ReleaseContents {
            image: lock.sources[0].clone(),
            files: vec![ContentFile {
                name: "vmlinuz".to_owned(),
                digest: Digest::of(b"kernel"),
                description: "the Linux kernel",
            }],
            documents: vec![told("talos"), told("kernel")],
        },
        extensions: vec![ExtensionContents {
            manifest: ExtensionManifest {
                name: "gvisor".to_owned(),
                version: "20250505.0".to_owned(),
                author: "Sidero Labs (info@example.org)".to_owned(),
                description: "Runs\ncontainers.\n".to_owned(),
                ..ExtensionManifest::default()
            },
            image: lock.sources[2].clone(),
            layer: Digest::of(b"layer"),
            documents: vec![told("gvisor")],
        }],
        others: vec![lock.sources[1].clone()],
    }
}

fn read(inventory: &Inventory) -> Value {
    serde_json::from_str(&document(inventory).unwrap()).unwrap()
}

fn ids(document: &Value) -> Vec<&str> {
    document["packages"].as_array().unwrap().iter().map(|one| one["SPDXID"].as_str().unwrap()).collect()
}

#[test]
fn what_is_inside_is_one_document_with_the_names_clients_know() {
    let inventory = inventory();
    let found = read(&inventory);
    let id = SchematicId::of_canonical("customization: {}\n");
    assert_eq!(found["name"], format!("talos-{id}-v1.13.0-amd64"));
    assert_eq!(found["documentNamespace"], format!("https://factory.example/spdx/{id}/v1.13.0/amd64"));
    assert_eq!(found["creationInfo"]["created"], "2019-06-01T21:34:52Z");
    assert_eq!(
        ids(&found),
        [
            "SPDXRef-Image",
            "SPDXRef-Release",
            "SPDXRef-Release-vmlinuz",
            "SPDXRef-Release-0-Package-top",
            "SPDXRef-Release-0-Package-inner",
            "SPDXRef-Release-1-Package-top",
            "SPDXRef-Release-1-Package-inner",
            "SPDXRef-Extension-0",
            "SPDXRef-Extension-0-layer",
            "SPDXRef-Extension-0-0-Package-top",
            "SPDXRef-Extension-0-0-Package-inner",
            "SPDXRef-Image-0",
        ]
    );
    let extension = &found["packages"][7];
    assert_eq!(extension["supplier"], "Organization: Sidero Labs info@example.org");
    assert_eq!(extension["summary"], "Runs containers.");
    assert_eq!(found["packages"][9]["licenseDeclared"], "Apache-2.0 AND LicenseRef-Extension-0-0-own");
    assert_eq!(found["hasExtractedLicensingInfos"][2]["licenseId"], "LicenseRef-Extension-0-0-own");
    assert_eq!(document(&inventory).unwrap(), document(&inventory).unwrap());
}

#[test]
fn every_relationship_is_between_things_that_are_there() {
    let found = read(&inventory());
    let mut known = ids(&found);
    known.push("SPDXRef-DOCUMENT");
    let relationships = found["relationships"].as_array().unwrap();
    for relationship in relationships {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(known.contains(&relationship[end].as_str().unwrap()), "{relationship}");
        }
    }
    let contains = |outer: &str, inner: &str| {
        relationships.iter().any(|one| {
            one["relationshipType"] == "CONTAINS"
                && one["spdxElementId"] == outer
                && one["relatedSpdxElement"] == inner
        })
    };
    assert!(contains("SPDXRef-Image", "SPDXRef-Extension-0"));
    assert!(contains("SPDXRef-Extension-0", "SPDXRef-Extension-0-0-Package-top"));
    assert!(!contains("SPDXRef-Extension-0", "SPDXRef-Extension-0-0-Package-inner"));
    assert!(contains("SPDXRef-Release-1-Package-top", "SPDXRef-Release-1-Package-inner"));
}

#[test]
fn an_asset_is_described_by_its_own_digest() {
    let mut inventory = inventory();
    inventory.subject.asset = Some(("metal-amd64.iso".to_owned(), Digest::of(b"iso")));
    let found = read(&inventory);
    assert_eq!(found["packages"][0]["checksums"][0]["checksumValue"], Digest::of(b"iso").hex());
    assert_eq!(found["packages"][0]["packageFileName"], "metal-amd64.iso");
    let namespace = found["documentNamespace"].as_str().unwrap();
    assert!(namespace.ends_with(&format!("/metal-amd64.iso/{}", Digest::of(b"iso").hex())), "{namespace}");
}

#[test]
fn what_is_no_spdx_2_is_refused_by_name() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 5] = [
        (|told| *told = Value::Null, "is no SPDX 2 document"),
        (|told| told["spdxVersion"] = "SPDX-3.0".into(), "is no SPDX 2 document"),
        (|told| told["packages"][0]["SPDXID"] = "top".into(), "is no SPDX identifier"),
        (|told| told["packages"][0]["SPDXID"] = "SPDXRef-a b".into(), "is no SPDX identifier"),
        (|told| told["packages"][1]["SPDXID"] = "SPDXRef-Package-top".into(), "has two things called"),
    ];
    for (change, expected) in changes {
        let mut inventory = inventory();
        change(&mut inventory.extensions[0].documents[0].content);
        let Err(DocumentError::Merge { part, source }) = document(&inventory) else { panic!("{expected}") };
        assert_eq!(part, "the extension `gvisor`");
        assert!(source.to_string().contains(expected), "{source}");
        assert!(!matches!(source, MergeError::Version { .. }) || expected.contains("SPDX 2"));
    }
}
