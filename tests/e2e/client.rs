//! What the Go client library asks for and expects, as requests of ours.
//!
//! Every status from 400 on is an error to it; 400 means an invalid schematic, whatever the route; the body is shown as
//! `HTTP <code>: <body>`. It never looks at content types, reads schematics strictly and JSON leniently.

use tests::http::Answer;
use tests::server::Factory;

/// The error the library makes of an answer, from which programs read the cause.
fn error_of(answer: &Answer) -> Option<String> {
    let body = String::from_utf8_lossy(answer.body.get(..8192).unwrap_or(&answer.body)).into_owned();
    match answer.status {
        ..400 => None,
        400 => Some(format!("invalid schematic: {body}")),
        code => Some(format!("HTTP {code}: {body}")),
    }
}

/// Every canonical text the library may get back: the field names it knows, in YAML it reads strictly.
fn known_fields_only(canonical: &str) -> bool {
    const KNOWN: [&str; 19] = [
        "owner",
        "overlay",
        "image",
        "name",
        "options",
        "customization",
        "embeddedMachineConfiguration",
        "extraKernelArgs",
        "meta",
        "key",
        "value",
        "systemExtensions",
        "officialExtensions",
        "bootloader",
        "secureboot",
        "enrollKeys",
        "includeWellKnownCertificates",
        "diskImage",
        "sectorSize",
    ];
    canonical
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).split_once(':'))
        .all(|(key, _)| KNOWN.contains(&key))
}

#[test]
fn a_schematic_goes_in_and_the_same_comes_back() {
    let factory = Factory::start(&[]).unwrap();
    let own = "customization:\n    extraKernelArgs:\n        - vga=791\n    meta:\n        - key: 10\n          value: foo\n    diskImage:\n        sectorSize: 4096\n";
    let created =
        factory.send("POST", "/schematics", &[("Content-Type", "application/yaml")], own.as_bytes());
    assert_eq!(error_of(&created), None);
    let (id, text) = (created.json()["id"].clone(), created.json()["schematic"].clone());
    assert_eq!(text, own, "its own canonical text is ours");
    assert!(known_fields_only(own));
    let read = factory.get(&format!("/schematics/{}", id.as_str().unwrap()));
    assert_eq!(read.text(), own);
    assert_eq!(id.as_str().unwrap().len(), 64);
}

#[test]
fn errors_carry_the_words_programs_look_for() {
    let factory = Factory::start(&[]).unwrap();
    let invalid = error_of(&factory.post_schematic("owner: alice")).unwrap();
    assert!(invalid.starts_with("invalid schematic: "), "{invalid}");
    let unknown = error_of(&factory.get("/schematics/0000")).unwrap();
    assert_eq!(unknown, "HTTP 404: schematic not found\n");
}
