//! Any bytes are an image's manifest or a refusal; what is read is written back to the same bytes, and slices stay inside.

#![no_main]

use builder::VirtualImage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Most of what a fuzzer invents would stop at the magic.
    let framed = [b"factory image\n\x01".as_slice(), bytes].concat();
    for manifest in [bytes, framed.as_slice()] {
        let Ok(image) = VirtualImage::from_manifest(manifest) else { continue };
        assert_eq!(image.to_manifest(), manifest);
        let middle = image.len() / 2;
        let taken: u64 = image.slice(middle..image.len()).map(|extent| extent.len()).sum();
        assert_eq!(taken, image.len() - middle);
    }
});
