//! What a section is once the image is loaded.

use super::{Headers, PeError, SectionName};
use crate::image::{ImageLayout, VirtualImage};

/// All bytes the first section named `name` has in memory: its data up to its virtual size, and zeros where the data is
/// shorter. `None` when there is no such section. `head` is the beginning of `image`, as for [`sections`](super::sections).
///
/// # Errors
/// When `head` is not the beginning of a PE32+ image, the data is not in the image, or the section grows in memory by more
/// than alignment explains.
pub fn in_memory(
    image: &VirtualImage,
    head: &[u8],
    name: SectionName,
) -> Result<Option<VirtualImage>, PeError> {
    let headers = Headers::read(head)?;
    let Some(section) = headers.sections.iter().find(|section| section.name == name) else {
        return Ok(None);
    };
    let (data, len) = (section.content(), u64::from(section.virtual_size));
    if data.end > image.len() {
        return Err(PeError::DataOutside { name, start: data.start, end: data.end, len: image.len() });
    }
    if len > u64::from(section.raw_size).next_multiple_of(headers.section_alignment.into()) {
        let (field, expected) =
            ("size in memory of a section", "that of its data, rounded up to the alignment");
        return Err(PeError::Field { field, value: len, expected });
    }
    let mut memory = ImageLayout::default();
    memory.image(&image.part(data.clone())).zeros(len - (data.end - data.start));
    Ok(Some(memory.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::judge::Blobs;

    fn sbat(stub: &[u8]) -> Result<Option<Vec<u8>>, PeError> {
        let found =
            in_memory(&VirtualImage::from_bytes(stub.to_vec()), stub, SectionName::new(".sbat").unwrap())?;
        Ok(found.map(|memory| Blobs::default().flatten(&memory)))
    }

    /// The stub with another size in memory for its `.sbat`, the third section.
    fn with_size(size: u32) -> Vec<u8> {
        let mut stub = sample::stub();
        let at = 0x78 + 4 + 20 + 240 + 2 * 40 + 8;
        stub[at..at + 4].copy_from_slice(&size.to_le_bytes());
        stub
    }

    #[test]
    fn a_section_is_as_long_as_it_is_in_memory() {
        let stub = sample::stub();
        assert_eq!(sbat(&stub).unwrap().unwrap(), stub[0xa00..0xa21]);
        let grown = with_size(0x300);
        assert_eq!(sbat(&grown).unwrap().unwrap(), [&stub[0xa00..0xc00], &[0; 0x100]].concat());
        assert_eq!(sbat(&with_size(0)).unwrap().unwrap(), b"");
        let mut without = stub;
        let at = 0x78 + 4 + 20 + 240 + 2 * 40;
        without[at + 1] = b'x';
        assert_eq!(sbat(&without).unwrap(), None);
    }

    #[test]
    fn sections_that_grow_or_are_cut_are_refused() {
        assert!(sbat(&with_size(0x1000)).is_ok());
        assert!(matches!(sbat(&with_size(0x1001)), Err(PeError::Field { value: 0x1001, .. })));
        assert!(matches!(sbat(&sample::stub()[..0xa20]), Err(PeError::DataOutside { .. })));
        assert!(matches!(sbat(b"MZ"), Err(PeError::Truncated { .. })));
    }
}
