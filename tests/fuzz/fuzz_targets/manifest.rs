//! Any bytes are a manifest or a refusal; what is written of a manifest reads back as it; its constraint never panics.

#![no_main]

use extensions::{Constraint, ExtensionManifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Half of what a constraint reads would hardly be found behind the YAML.
        if let Ok(constraint) = Constraint::parse(text) {
            let _ = constraint.accepts(&"v1.13.0".parse().expect("a version"));
        }
    }
    let Ok(manifest) = ExtensionManifest::read(bytes) else { return };
    let again = ExtensionManifest::read(manifest.to_yaml().as_bytes()).expect("we wrote it");
    assert_eq!(again, manifest);
});
