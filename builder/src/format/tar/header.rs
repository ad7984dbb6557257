//! One header block, and the records of an extended one.

use std::collections::BTreeMap;

use super::{BLOCK, MAX_OCTAL_SIZE};

/// Fields of a header by their lengths in bytes.
const NAME: usize = 100;
const PREFIX: usize = 155;
const CHECKSUM_AT: usize = 148;
/// A larger owner does not fit seven octal digits.
const MAX_OCTAL_ID: u32 = 0o7_777_777;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Link,
    Symlink,
    Directory,
    /// Records about the next entry.
    Extended,
}

/// What a header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) target: &'a str,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime: u32,
}

impl Kind {
    const fn flag(self) -> u8 {
        match self {
            Self::Regular => b'0',
            Self::Link => b'1',
            Self::Symlink => b'2',
            Self::Directory => b'5',
            Self::Extended => b'x',
        }
    }
}

impl Header<'_> {
    /// The block. What does not fit a field is cut there; the extended header in front has it whole.
    pub(super) fn encode(&self) -> Vec<u8> {
        let (prefix, name) = split(self.name).unwrap_or(("", self.name));
        let id = |id: u32| if id > MAX_OCTAL_ID { 0 } else { id.into() };
        let size = if self.size > MAX_OCTAL_SIZE { 0 } else { self.size };
        let mut block = Vec::new();
        put_text(&mut block, name, NAME);
        put_octal(&mut block, self.mode.into(), 8);
        put_octal(&mut block, id(self.uid), 8);
        put_octal(&mut block, id(self.gid), 8);
        put_octal(&mut block, size, 12);
        put_octal(&mut block, self.mtime.into(), 12);
        block.extend_from_slice(b"        ");
        block.push(self.kind.flag());
        put_text(&mut block, self.target, NAME);
        block.extend_from_slice(b"ustar\x0000");
        // No names of user and group, and no device.
        put_text(&mut block, "", 32 + 32);
        put_octal(&mut block, 0, 8);
        put_octal(&mut block, 0, 8);
        put_text(&mut block, prefix, PREFIX);
        block.resize(usize::try_from(BLOCK).unwrap_or(block.len()), 0);
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let mut checksum = Vec::new();
        put_octal(&mut checksum, sum, 7);
        checksum.push(b' ');
        block.splice(CHECKSUM_AT..CHECKSUM_AT + 8, checksum);
        block
    }
}

/// Up to `width` bytes, filled up with NULs. What is not ASCII is left out, as the form has ASCII alone.
fn put_text(block: &mut Vec<u8>, text: &str, width: usize) {
    let end = block.len() + width;
    block.extend(text.bytes().filter(u8::is_ascii).take(width));
    block.resize(end, 0);
}

/// Octal digits and a NUL, `width` bytes together.
fn put_octal(block: &mut Vec<u8>, number: u64, width: usize) {
    let digits = width - 1;
    block.extend_from_slice(format!("{number:0digits$o}\0").as_bytes());
}

/// A long name as prefix and name, cut at the first slash that leaves a name short enough.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME {
        return Some(("", name));
    }
    let inner = name.strip_suffix('/').unwrap_or(name);
    let cut = inner.match_indices('/').map(|(at, _)| at).find(|at| name.len() - at - 1 <= NAME)?;
    let (prefix, rest) = (name.get(..cut)?, name.get(cut + 1..)?);
    (cut > 0 && prefix.len() <= PREFIX).then_some((prefix, rest))
}

/// The records for what the header has no room for, and for extended attributes; empty when there is nothing to say.
pub(super) fn pax_records(header: &Header<'_>, xattrs: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut records = Vec::new();
    if header.uid > MAX_OCTAL_ID {
        put_record(&mut records, "uid", header.uid.to_string().as_bytes());
    }
    if header.gid > MAX_OCTAL_ID {
        put_record(&mut records, "gid", header.gid.to_string().as_bytes());
    }
    if header.target.len() > NAME || !header.target.is_ascii() {
        put_record(&mut records, "linkpath", header.target.as_bytes());
    }
    if split(header.name).is_none() || !header.name.is_ascii() {
        put_record(&mut records, "path", header.name.as_bytes());
    }
    if header.size > MAX_OCTAL_SIZE {
        put_record(&mut records, "size", header.size.to_string().as_bytes());
    }
    for (name, value) in xattrs {
        put_record(&mut records, &format!("SCHILY.xattr.{name}"), value);
    }
    records
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn put_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    records.extend_from_slice(format!("{len} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}
