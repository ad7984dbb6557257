//! What of an image is signed, and where its signatures are: Microsoft's "Windows Authenticode Portable Executable
//! Signature Format", as UEFI firmware reads it.

use std::ops::Range;

use super::{Headers, PeError, SectionHeader};
use crate::image::{ImageLayout, VirtualImage};

/// What the file, with padding, and the table of signatures are aligned to.
const ALIGNMENT: u64 = 8;

/// Exactly the bytes of an image, signed or not, of which a signature is made, in the order in which they are hashed.
///
/// Left out are the checksum, the place of the table of signatures and the table itself. The rest are the headers, the
/// sections in the order of their data, what lies behind them, and zeros up to the next multiple of 8 bytes. `head` is the
/// beginning of `image` ([`HEAD`](super::HEAD) bytes, or all of it).
///
/// # Errors
/// When `head` is no PE32+ image, or its headers, sections or table of signatures overlap or are not in the file: readers
/// would disagree on what such a signature is about.
pub fn signed_bytes(image: &VirtualImage, head: &[u8]) -> Result<VirtualImage, PeError> {
    let headers = Headers::read(head)?;
    let end = table(&headers, image.len())?.map_or(image.len(), |table| table.start);
    let header_len = header_len(&headers, end)?;
    let (checksum, place) = (headers.checksum_place(), certificates_place(&headers)?);

    let mut signed = ImageLayout::default();
    for range in [0..checksum.start, checksum.end..place.start, place.end..header_len] {
        signed.image(&image.part(range));
    }
    let mut hashed = header_len;
    for section in sections_by_data(&headers) {
        signed.image(&image.part(section.raw()));
        hashed += u64::from(section.raw_size);
    }
    // Not from where the last section ends: where there are gaps between sections, this is what all readers do.
    signed.image(&image.part(hashed..end));
    signed.zeros(end.next_multiple_of(ALIGNMENT) - end);
    Ok(signed.finish())
}

/// Puts a table of signatures behind an image that has none, and its place into the headers. Every other extent stays the
/// one it is, and so does the checksum, which firmware does not look at.
///
/// # Errors
/// As [`signed_bytes`]; when the image is signed already; or when it would pass 4 GiB.
pub fn attach_certificates(
    image: &VirtualImage,
    head: &[u8],
    table: Vec<u8>,
) -> Result<VirtualImage, PeError> {
    let headers = Headers::read(head)?;
    if headers.is_signed() {
        return Err(PeError::SignedImage);
    }
    header_len(&headers, image.len())?;
    let place = certificates_place(&headers)?;
    let start = image.len().next_multiple_of(ALIGNMENT);
    let len = (table.len() as u64).next_multiple_of(ALIGNMENT);
    let misplaced =
        |_| PeError::Certificates { start, end: start + len, reached: image.len(), len: u32::MAX.into() };
    let (stated, stated_len) =
        (u32::try_from(start).map_err(misplaced)?, u32::try_from(len).map_err(misplaced)?);

    let mut signed = ImageLayout::default();
    signed.image(&image.part(0..place.start));
    signed.bytes([stated.to_le_bytes(), stated_len.to_le_bytes()].concat());
    signed.image(&image.part(place.end..image.len()));
    signed.align(ALIGNMENT).bytes(table).align(ALIGNMENT);
    Ok(signed.finish())
}

/// Where the table of signatures of the image of `len` bytes that begins with `head` is; `None` when it has none.
///
/// # Errors
/// When `head` is no PE32+ image, or the table is not where one can be.
pub fn certificates(head: &[u8], len: u64) -> Result<Option<Range<u64>>, PeError> {
    table(&Headers::read(head)?, len)
}

fn table(headers: &Headers, len: u64) -> Result<Option<Range<u64>>, PeError> {
    let Some((start, size)) = headers.certificates().filter(|found| *found != (0, 0)) else {
        return Ok(None);
    };
    let (start, end) = (u64::from(start), u64::from(start) + u64::from(size));
    let reached = sections_by_data(headers).last().map_or(0, |section| section.raw().end);
    if start < reached.max(headers.end()) || end != len || start % ALIGNMENT != 0 || size == 0 {
        return Err(PeError::Certificates { start, end, reached, len });
    }
    Ok(Some(start..end))
}

fn certificates_place(headers: &Headers) -> Result<Range<u64>, PeError> {
    let place = headers.certificates_place();
    if headers.certificates().is_some() {
        return Ok(place);
    }
    let expected = "at least 5, so that a signature can be found";
    Err(PeError::Field { field: "number of directories", value: 4, expected })
}

/// The length of the headers, when they and all sections lie in front of `end` without overlapping.
fn header_len(headers: &Headers, end: u64) -> Result<u64, PeError> {
    let header_len = u64::from(headers.size_of_headers()?);
    if header_len < headers.end() || header_len > end {
        let expected = "at least as much as there are, and not more than the file";
        return Err(PeError::Field { field: "size of headers", value: header_len, expected });
    }
    let mut reached = header_len;
    for section in sections_by_data(headers) {
        let data = section.raw();
        if data.end > end {
            return Err(PeError::DataOutside {
                name: section.name,
                start: data.start,
                end: data.end,
                len: end,
            });
        }
        if data.start < reached {
            return Err(PeError::Overlap { name: section.name });
        }
        reached = data.end;
    }
    Ok(header_len)
}

/// The sections that have data in the file, in its order.
fn sections_by_data(headers: &Headers) -> Vec<&SectionHeader> {
    let mut sections: Vec<_> = headers.sections.iter().filter(|section| section.raw_size > 0).collect();
    sections.sort_by_key(|section| section.raw_offset);
    sections
}

#[cfg(test)]
mod tests;
