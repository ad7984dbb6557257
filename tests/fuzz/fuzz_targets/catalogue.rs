//! Any bytes are a catalogue, an OCI document, or a refusal.

#![no_main]

use extensions::oci::Document;
use extensions::{catalog, overlays};
use libfuzzer_sys::fuzz_target;
use schematics::Digest;

fuzz_target!(|bytes: &[u8]| {
    let all = bytes::Bytes::copy_from_slice(bytes);
    let (first, second) = all.split_at(all.len() / 2);
    let (first, second) = (all.slice_ref(first), all.slice_ref(second));
    drop(catalog::read(&first, Some(&second)));
    drop(overlays::read(&all));
    drop(Document::decode(bytes, Digest::of(bytes)));
});
