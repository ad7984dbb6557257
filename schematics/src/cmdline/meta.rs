//! META values as an environment variable for Talos' installer.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};

use crate::meta::MetaValue;

/// Texts longer than this are compressed, by versions that can read it.
const COMPRESSED_ABOVE: usize = 256;
/// gzip's number for "unknown operating system", so that the bytes do not depend on ours.
const NO_OPERATING_SYSTEM: u8 = 255;

/// `0x<key>=<value>` joined by `;`, compressed where it pays, in standard base64 with padding.
pub(super) fn encode(values: &[MetaValue], may_compress: bool) -> String {
    let pairs: Vec<String> = values.iter().map(|meta| format!("{:#x}={}", meta.key, meta.value)).collect();
    let text = pairs.join(";").into_bytes();
    if may_compress && text.len() > COMPRESSED_ABOVE {
        let mut gzip =
            GzBuilder::new().operating_system(NO_OPERATING_SYSTEM).write(Vec::new(), Compression::best());
        // Writing to a vector cannot fail; if it did, the plain text would still be right.
        if let Ok(packed) = gzip.write_all(&text).and_then(|()| gzip.finish()) {
            return STANDARD.encode(packed);
        }
    }
    STANDARD.encode(text)
}
