//! Adding sections to a stub.

use super::headers::{COFF_LEN, DOS_LEN, LFANEW, SECTION_LEN, field};
use super::{Headers, MAX_SECTIONS, PeError, SectionHeader, SectionName};
use crate::image::{ImageLayout, VirtualImage};

/// Where the PE header goes: right behind the DOS header and as much room again.
const PE_START: u32 = 0x80;
/// Initialised data that may be read.
const DATA: u32 = 0x4000_0040;
/// The part of [`DATA`] that tells data from code.
const INITIALIZED: u32 = 0x40;

/// A section to add.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name; names may repeat.
    pub name: SectionName,
    /// Its content.
    pub content: VirtualImage,
}

/// Adds `sections` behind those of `stub`, whose beginning is `head` ([`HEAD`](super::HEAD) bytes, or all of it).
///
/// The bytes are those Talos' imager writes: PE header at 0x80, linker version and checksum 0, the stub's sections
/// unchanged in memory, the new ones behind them as read-only data with their exact length as virtual size, all data
/// packed in the order of the headers. The stub's data and the new contents stay the extents they are.
///
/// # Errors
/// When `head` is no PE32+ image, the stub is signed or has symbols, is inconsistent, leaves no room for the headers, or
/// the result would pass 4 GiB.
pub fn append_sections(
    stub: &VirtualImage,
    head: &[u8],
    sections: &[Section],
    timestamp: u32,
) -> Result<VirtualImage, PeError> {
    let headers = Headers::read(head)?;
    check_stub(&headers, stub.len())?;
    let table = place(&headers, sections)?;
    let mut data: Vec<VirtualImage> =
        headers.sections.iter().map(|section| stub.part(section.raw())).collect();
    data.extend(sections.iter().map(|section| section.content.clone()));

    let mut image = ImageLayout::default();
    image.bytes(write_headers(headers, &table, timestamp)?);
    for (header, content) in table.iter().zip(&data) {
        let too_large = |_| PeError::TooLarge { name: header.name };
        image.pad_to(header.raw().start).map_err(too_large)?.image(content);
        image.pad_to(header.raw().end).map_err(too_large)?;
    }
    Ok(image.finish())
}

fn check_stub(headers: &Headers, len: u64) -> Result<(), PeError> {
    if headers.is_signed() {
        return Err(PeError::Signed);
    }
    if headers.has_symbols() {
        return Err(PeError::Symbols);
    }
    let mut reached = 0;
    for section in &headers.sections {
        let data = section.raw();
        if data.end > len {
            return Err(PeError::DataOutside { name: section.name, start: data.start, end: data.end, len });
        }
        if u64::from(section.virtual_address) < reached {
            return Err(PeError::Overlap { name: section.name });
        }
        reached = section.virtual_end();
    }
    Ok(())
}

/// The length of the headers with `count` sections.
fn headers_len(headers: &Headers, count: usize) -> u64 {
    // Talos' imager forgets the four bytes of the signature. Alignment hides that, unless they just do not fit: then its
    // headers would be cut and ours are longer.
    let len = u64::from(PE_START) + (4 + COFF_LEN + headers.optional.len() + count * SECTION_LEN) as u64;
    len.next_multiple_of(headers.file_alignment.into())
}

/// The table of all sections: where the stub's and the new ones go.
fn place(headers: &Headers, sections: &[Section]) -> Result<Vec<SectionHeader>, PeError> {
    let count = headers.sections.len() + sections.len();
    let mut raw = headers_len(headers, count);
    let available = headers.sections.first().map_or(0, |section| section.virtual_address.into());
    if raw > available || count > usize::from(MAX_SECTIONS) {
        return Err(PeError::NoRoom { sections: count, needed: raw, available });
    }
    let mut reached = headers.sections.last().map_or(0, SectionHeader::virtual_end);
    let mut table = Vec::with_capacity(count);
    for section in &headers.sections {
        table.push(SectionHeader { raw_offset: narrow(raw, section.name)?, ..*section });
        raw = align(raw + u64::from(section.raw_size), headers.file_alignment);
    }
    for section in sections {
        let (name, len) = (section.name, section.content.len());
        let address = align(reached, headers.section_alignment);
        let header = SectionHeader {
            name,
            virtual_size: narrow(len, name)?,
            virtual_address: narrow(address, name)?,
            raw_size: narrow(align(len, headers.file_alignment), name)?,
            raw_offset: narrow(raw, name)?,
            flags: DATA,
        };
        raw = align(header.raw().end, headers.file_alignment);
        reached = header.virtual_end();
        narrow(raw, name)?;
        narrow(align(reached, headers.section_alignment), name)?;
        table.push(header);
    }
    Ok(table)
}

fn align(number: u64, alignment: u32) -> u64 {
    // Far from the end of `u64`: every addend was checked to be less than 2^32.
    number.next_multiple_of(u64::from(alignment).max(1))
}

fn narrow(number: u64, name: SectionName) -> Result<u32, PeError> {
    u32::try_from(number).map_err(|_| PeError::TooLarge { name })
}

/// Everything in front of the first section's data.
fn write_headers(headers: Headers, table: &[SectionHeader], timestamp: u32) -> Result<Vec<u8>, PeError> {
    let last = table.last().map_or(SectionName([0; 8]), |section| section.name);
    let raw_sum = |data: bool| -> Result<u32, PeError> {
        let counted = table.iter().filter(|section| (section.flags & INITIALIZED != 0) == data);
        narrow(counted.map(|section| u64::from(section.raw_size)).sum(), last)
    };
    let reached = table.last().map_or(0, SectionHeader::virtual_end);
    let size_of_image = narrow(align(reached, headers.section_alignment), last)?;
    let size_of_headers = narrow(headers_len(&headers, table.len()), last)?;

    let Headers { mut dos, mut coff, mut optional, .. } = headers;
    put(&mut dos, LFANEW, &PE_START.to_le_bytes());
    let count = u16::try_from(table.len()).unwrap_or(MAX_SECTIONS);
    put(&mut coff, 2, &count.to_le_bytes());
    put(&mut coff, 4, &timestamp.to_le_bytes());
    put(&mut optional, field::LINKER_VERSION, &[0, 0]);
    put(&mut optional, field::SIZE_OF_CODE, &raw_sum(false)?.to_le_bytes());
    put(&mut optional, field::SIZE_OF_INITIALIZED_DATA, &raw_sum(true)?.to_le_bytes());
    put(&mut optional, field::SIZE_OF_IMAGE, &size_of_image.to_le_bytes());
    put(&mut optional, field::SIZE_OF_HEADERS, &size_of_headers.to_le_bytes());
    put(&mut optional, field::CHECKSUM, &[0; 4]);

    let gap = vec![0; as_len(PE_START) - DOS_LEN];
    let mut bytes = [dos.as_slice(), &gap, b"PE\0\0", &coff, &optional].concat();
    table.iter().for_each(|section| put_section(&mut bytes, section));
    bytes.resize(as_len(size_of_headers), 0);
    Ok(bytes)
}

fn put_section(bytes: &mut Vec<u8>, section: &SectionHeader) {
    bytes.extend(section.name.0);
    for number in [section.virtual_size, section.virtual_address, section.raw_size, section.raw_offset] {
        bytes.extend(number.to_le_bytes());
    }
    // Relocations and line numbers: their places and counts.
    bytes.extend([0; 12]);
    bytes.extend(section.flags.to_le_bytes());
}

/// Overwrites what is at `at`; [`Headers::read`] has seen to it that the fields written here exist.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes.iter_mut().skip(at).zip(value).for_each(|(to, from)| *to = *from);
}

fn as_len(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
