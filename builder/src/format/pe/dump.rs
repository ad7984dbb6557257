//! The headers of a PE image as text, for people and snapshots.

use super::{Headers, PeError};

/// One line on the image that begins with `head`, and one for each of its sections.
///
/// # Errors
/// As [`sections`](super::sections).
pub fn dump(head: &[u8]) -> Result<String, PeError> {
    let headers = Headers::read(head)?;
    let mut text = format!(
        "machine {:#06x}, time {}, {} bytes in memory, aligned to {} (file {}){}\n",
        headers.machine,
        headers.timestamp,
        headers.size_of_image,
        headers.section_alignment,
        headers.file_alignment,
        if headers.is_signed() { ", signed" } else { "" },
    );
    for section in &headers.sections {
        let name = section.name.to_string();
        text += &format!(
            "{name:8} memory {:#010x} +{:<9} file {:#010x} +{:<9} flags {:#010x}\n",
            section.virtual_address,
            section.virtual_size,
            section.raw_offset,
            section.raw_size,
            section.flags,
        );
    }
    Ok(text)
}
