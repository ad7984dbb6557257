//! A unified kernel image the short way: sections appended to systemd-stub, nothing measured or signed.
//!
//! Deliberately not the builder's code: a control that shares code with what it controls shows nothing.

use std::ops::Range;

const SECTION_ALIGNMENT: usize = 4096;
const FILE_ALIGNMENT: usize = 512;
const HEADER: usize = 40;
/// Initialised data, readable.
const CHARACTERISTICS: u32 = 0x4000_0040;

/// The stub with the sections after its own.
pub(crate) fn append(stub: &[u8], sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut image = stub.to_vec();
    let pe = read32(&image, 0x3c);
    let count = read16(&image, pe + 6);
    let optional = pe + 24;
    let table = optional + read16(&image, pe + 20);
    let last = table + (count - 1) * HEADER;
    let mut address = read32(&image, last + 12) + read32(&image, last + 8);
    for (index, (name, data)) in sections.iter().enumerate() {
        address = address.next_multiple_of(SECTION_ALIGNMENT);
        image.resize(image.len().next_multiple_of(FILE_ALIGNMENT), 0);
        let at = table + (count + index) * HEADER;
        let room = read32(&image, optional + 60);
        assert!(at + HEADER <= room, "no room for one more section header");
        let raw = data.len().next_multiple_of(FILE_ALIGNMENT);
        let fields = [data.len(), address, raw, image.len(), 0, 0, 0];
        image[at..at + 8].fill(0);
        image[at..at + name.len()].copy_from_slice(name.as_bytes());
        for (field, value) in fields.into_iter().enumerate() {
            write32(&mut image, at + 8 + field * 4, value);
        }
        image[bytes(at + 36)].copy_from_slice(&CHARACTERISTICS.to_le_bytes());
        image.extend_from_slice(data);
        address += data.len();
    }
    image.resize(image.len().next_multiple_of(FILE_ALIGNMENT), 0);
    let total = u16::try_from(count + sections.len()).unwrap();
    image[pe + 6..pe + 8].copy_from_slice(&total.to_le_bytes());
    write32(&mut image, optional + 56, address.next_multiple_of(SECTION_ALIGNMENT));
    image
}

fn bytes(at: usize) -> Range<usize> {
    at..at + 4
}

fn read16(image: &[u8], at: usize) -> usize {
    u16::from_le_bytes([image[at], image[at + 1]]).into()
}

fn read32(image: &[u8], at: usize) -> usize {
    u32::from_le_bytes(image[bytes(at)].try_into().unwrap()) as usize
}

fn write32(image: &mut [u8], at: usize, value: usize) {
    image[bytes(at)].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
}
