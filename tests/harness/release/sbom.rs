//! What a release and its extensions say about themselves.

use schematics::Digest;
use serde_json::{Value, json};

/// An SPDX document of something that contains these packages.
pub(super) fn document(name: &str, packages: &[&str]) -> Vec<u8> {
    let id = |name: &str| format!("SPDXRef-Package-{}", name.replace('/', "-"));
    let package = |name: &str| {
        json!({
            "SPDXID": id(name),
            "name": name,
            "versionInfo": "1.2.3",
            "supplier": "Organization: Somebody",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "Apache-2.0 OR LicenseRef-own",
            "copyrightText": "NOASSERTION",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": Digest::of(name.as_bytes()).hex() }],
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": format!("pkg:generic/{name}@1.2.3"),
            }],
        })
    };
    let relationship = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let mut all: Vec<Value> = vec![package(name)];
    let mut relationships = vec![relationship("SPDXRef-DOCUMENT", "DESCRIBES", &id(name))];
    for inner in packages {
        all.push(package(inner));
        relationships.push(relationship(&id(name), "CONTAINS", &id(inner)));
    }
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("https://example.org/spdx/{name}"),
        "creationInfo": { "created": "2025-05-05T00:00:00Z", "creators": ["Tool: harness"] },
        "packages": all,
        "hasExtractedLicensingInfos": [{ "licenseId": "LicenseRef-own", "extractedText": "Do as you like." }],
        "relationships": relationships,
    });
    document.to_string().into_bytes()
}

/// An OpenVEX document.
pub(super) fn vex(version: &str) -> Vec<u8> {
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("https://example.org/vex/{version}"),
        "author": "The release",
        "timestamp": "2025-05-05T00:00:00Z",
        "version": 1,
        "statements": [{
            "vulnerability": { "name": "CVE-2025-0001" },
            "products": [{ "@id": "pkg:generic/containerd@1.2.3" }],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
        }],
    });
    document.to_string().into_bytes()
}
