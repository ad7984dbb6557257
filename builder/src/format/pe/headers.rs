//! Reading the headers of a PE image.

use std::fmt;
use std::ops::Range;

use super::{MAX_SECTIONS, PeError};

/// The magic number of a 64-bit optional header.
pub(super) const PE32_PLUS: u16 = 0x20b;
/// The length of the DOS header.
pub(super) const DOS_LEN: usize = 0x40;
/// Where the DOS header says where the PE header is.
pub(super) const LFANEW: usize = 0x3c;
/// The length of the COFF file header, and of one section header.
pub(super) const COFF_LEN: usize = 20;
pub(super) const SECTION_LEN: usize = 40;
/// The fixed part of the optional header; directories of eight bytes follow.
const OPTIONAL_FIXED: usize = 112;
const DIRECTORY_LEN: usize = 8;
/// The directory that says where signatures are.
const CERTIFICATES: usize = 4;
const MAX_DIRECTORIES: u32 = 16;
const MAX_ALIGNMENT: u32 = 1 << 21;

/// Fields of the optional header, by their place in it.
pub(super) mod field {
    pub(in super::super) const LINKER_VERSION: usize = 2;
    pub(in super::super) const SIZE_OF_CODE: usize = 4;
    pub(in super::super) const SIZE_OF_INITIALIZED_DATA: usize = 8;
    pub(in super::super) const SECTION_ALIGNMENT: usize = 32;
    pub(in super::super) const FILE_ALIGNMENT: usize = 36;
    pub(in super::super) const SIZE_OF_IMAGE: usize = 56;
    pub(in super::super) const SIZE_OF_HEADERS: usize = 60;
    pub(in super::super) const CHECKSUM: usize = 64;
    pub(in super::super) const DIRECTORIES: usize = 108;
}

/// The name of a section: up to eight bytes, padded with NULs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionName(pub(super) [u8; 8]);

impl SectionName {
    /// The name with these characters.
    ///
    /// # Errors
    /// When they are not 1 to 8 printable ASCII characters.
    pub fn new(name: &str) -> Result<Self, PeError> {
        let mut bytes = [0; 8];
        let fits =
            (1..=bytes.len()).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(PeError::Name { name: name.to_owned() });
        }
        bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self(bytes))
    }

    /// The bytes in front of the padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..len).unwrap_or_default()
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The header of one section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionHeader {
    /// Its name; several sections may have the same.
    pub name: SectionName,
    /// How many bytes it has in memory; for sections of unified kernel images the exact length of their content.
    pub virtual_size: u32,
    /// Where it is in memory, relative to the image.
    pub virtual_address: u32,
    /// How many bytes it has in the file, padding included.
    pub raw_size: u32,
    /// Where they are in the file.
    pub raw_offset: u32,
    /// What it holds and may be used for.
    pub flags: u32,
}

impl SectionHeader {
    /// Where its bytes are in the file, without padding.
    #[must_use]
    pub fn content(&self) -> Range<u64> {
        let start = u64::from(self.raw_offset);
        start..start + u64::from(self.raw_size.min(self.virtual_size))
    }

    /// Where its bytes are in the file, with padding.
    pub(super) fn raw(&self) -> Range<u64> {
        let start = u64::from(self.raw_offset);
        start..start + u64::from(self.raw_size)
    }

    pub(super) fn virtual_end(&self) -> u64 {
        u64::from(self.virtual_address) + u64::from(self.virtual_size)
    }
}

/// The headers of a PE32+ image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    pub(super) dos: Vec<u8>,
    pub(super) coff: Vec<u8>,
    pub(super) optional: Vec<u8>,
    /// Where the optional header begins in the file.
    optional_start: usize,
    /// For which machine, as in the COFF header: `0x8664` for amd64, `0xaa64` for arm64.
    pub machine: u16,
    /// The time stamp of the COFF header.
    pub timestamp: u32,
    /// What sections are aligned to in memory: a power of two.
    pub section_alignment: u32,
    /// What sections are aligned to in the file: a power of two.
    pub file_alignment: u32,
    /// How long the image is in memory.
    pub size_of_image: u32,
    /// The sections, in the order of their headers.
    pub sections: Vec<SectionHeader>,
}

impl Headers {
    /// Reads the headers of the image that begins with `head`.
    ///
    /// # Errors
    /// As [`sections`](super::sections).
    pub fn read(head: &[u8]) -> Result<Self, PeError> {
        expect_magic(head, 0, b"MZ", "MZ")?;
        let dos = bytes_at(head, 0, DOS_LEN)?;
        let start = as_place(u32_at(head, LFANEW)?);
        expect_magic(head, start, b"PE\0\0", "PE")?;
        let coff = bytes_at(head, start.saturating_add(4), COFF_LEN)?;
        let optional_len = usize::from(u16_at(coff, 16)?);
        let optional_start = start.saturating_add(4 + COFF_LEN);
        let optional = bytes_at(head, optional_start, optional_len)?;
        check_optional(optional)?;
        let count = u16_at(coff, 2)?;
        if count > MAX_SECTIONS {
            let expected = "at most 96";
            return Err(PeError::Field { field: "number of sections", value: count.into(), expected });
        }
        let table_start = optional_start.saturating_add(optional_len);
        let table = bytes_at(head, table_start, usize::from(count) * SECTION_LEN)?;
        Ok(Self {
            dos: dos.to_vec(),
            coff: coff.to_vec(),
            optional: optional.to_vec(),
            optional_start,
            machine: u16_at(coff, 0)?,
            timestamp: u32_at(coff, 4)?,
            section_alignment: alignment(optional, field::SECTION_ALIGNMENT, "section alignment")?,
            file_alignment: alignment(optional, field::FILE_ALIGNMENT, "file alignment")?,
            size_of_image: u32_at(optional, field::SIZE_OF_IMAGE)?,
            sections: table.chunks_exact(SECTION_LEN).map(read_section).collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is a signature behind the image.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.certificates().is_some_and(|found| found != (0, 0))
    }

    /// Where the table of signatures is in the file and how long it is; `None` when there is no room to say so.
    pub(super) fn certificates(&self) -> Option<(u32, u32)> {
        let place = OPTIONAL_FIXED + CERTIFICATES * DIRECTORY_LEN;
        Some((u32_at(&self.optional, place).ok()?, u32_at(&self.optional, place + 4).ok()?))
    }

    /// Where the file says where the table of signatures is.
    pub(super) fn certificates_place(&self) -> Range<u64> {
        self.place(OPTIONAL_FIXED + CERTIFICATES * DIRECTORY_LEN, DIRECTORY_LEN)
    }

    /// Where the checksum of the file is.
    pub(super) fn checksum_place(&self) -> Range<u64> {
        self.place(field::CHECKSUM, 4)
    }

    /// Where the section headers end.
    pub(super) fn end(&self) -> u64 {
        (self.optional_start + self.optional.len() + self.sections.len() * SECTION_LEN) as u64
    }

    /// How many bytes of the file the headers are said to take.
    pub(super) fn size_of_headers(&self) -> Result<u32, PeError> {
        u32_at(&self.optional, field::SIZE_OF_HEADERS)
    }

    fn place(&self, at: usize, len: usize) -> Range<u64> {
        let start = (self.optional_start + at) as u64;
        start..start + len as u64
    }

    /// Whether there is a COFF symbol table.
    #[must_use]
    pub fn has_symbols(&self) -> bool {
        self.coff.get(8..16).is_some_and(|entry| entry.iter().any(|byte| *byte != 0))
    }
}

fn check_optional(optional: &[u8]) -> Result<(), PeError> {
    let magic = u16_at(optional, 0)?;
    if magic != PE32_PLUS {
        return Err(PeError::NotPe32Plus { found: magic });
    }
    let directories = u32_at(optional, field::DIRECTORIES)?;
    let needed = OPTIONAL_FIXED + as_place(directories.min(MAX_DIRECTORIES)) * DIRECTORY_LEN;
    if directories > MAX_DIRECTORIES || needed != optional.len() {
        let expected = "at most 16 and as many as the optional header is long";
        return Err(PeError::Field { field: "number of directories", value: directories.into(), expected });
    }
    Ok(())
}

fn alignment(optional: &[u8], at: usize, field: &'static str) -> Result<u32, PeError> {
    let value = u32_at(optional, at)?;
    if value.is_power_of_two() && (16..=MAX_ALIGNMENT).contains(&value) {
        return Ok(value);
    }
    Err(PeError::Field { field, value: value.into(), expected: "a power of two from 16 bytes to 2 MiB" })
}

fn read_section(header: &[u8]) -> Result<SectionHeader, PeError> {
    let mut name = [0; 8];
    name.iter_mut().zip(bytes_at(header, 0, 8)?).for_each(|(to, from)| *to = *from);
    Ok(SectionHeader {
        name: SectionName(name),
        virtual_size: u32_at(header, 8)?,
        virtual_address: u32_at(header, 12)?,
        raw_size: u32_at(header, 16)?,
        raw_offset: u32_at(header, 20)?,
        flags: u32_at(header, 36)?,
    })
}

fn as_place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn bytes_at(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], PeError> {
    let wanted = at.saturating_add(len);
    bytes.get(at..wanted).ok_or(PeError::Truncated { wanted: wanted as u64, len: bytes.len() as u64 })
}

fn expect_magic(bytes: &[u8], at: usize, magic: &[u8], expected: &'static str) -> Result<(), PeError> {
    if bytes_at(bytes, at, magic.len())? == magic {
        return Ok(());
    }
    Err(PeError::Magic { expected, at: at as u64 })
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, PeError> {
    let found = bytes_at(bytes, at, 2)?;
    Ok(found.iter().rev().fold(0, |number, byte| number << 8 | u16::from(*byte)))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, PeError> {
    let found = bytes_at(bytes, at, 4)?;
    Ok(found.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
