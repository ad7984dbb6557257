use serde_json::Value;

use super::super::spdx::tests::inventory;
use super::document;

#[test]
fn the_same_facts_are_told_in_the_other_form() {
    let inventory = inventory();
    let found: Value = serde_json::from_str(&document(&inventory).unwrap()).unwrap();
    let names = |components: &Value| -> Vec<String> {
        let names = components.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    assert_eq!(names(&found["components"]), ["siderolabs/imager", "gvisor", "siderolabs/extensions"]);
    assert_eq!(
        names(&found["components"][0]["components"]),
        ["vmlinuz", "talos", "inner", "kernel", "inner"]
    );
    let top = &found["components"][1]["components"][1];
    assert_eq!(top["purl"], "pkg:generic/top@1.2.3");
    assert_eq!(top["licenses"][0]["expression"], "Apache-2.0 AND LicenseRef-extension-0-0-own");
    assert_eq!(top["supplier"]["name"], "Somebody");
    assert_eq!(top["hashes"][0]["alg"], "SHA-256");
    assert!(found["components"][1]["purl"].as_str().unwrap().starts_with("pkg:oci/gvisor@sha256%3A"));
}

#[test]
fn the_serial_number_follows_from_the_contents() {
    let serial = |document: String| -> String {
        let found: Value = serde_json::from_str(&document).unwrap();
        found["serialNumber"].as_str().unwrap().to_owned()
    };
    let mut inventory = inventory();
    let first = serial(document(&inventory).unwrap());
    assert!(first.starts_with("urn:uuid:") && first.len() == 45, "{first}");
    assert_eq!(first, serial(document(&inventory).unwrap()));
    inventory.extensions.clear();
    assert_ne!(first, serial(document(&inventory).unwrap()));
}
