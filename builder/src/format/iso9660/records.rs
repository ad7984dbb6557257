//! Directory records (ECMA-119 §9.1) with their Rock Ridge entries (IEEE P1282, SUSP 1.10).

use crate::format::civil::Civil;
use crate::tree::Meta;

/// The longest record.
const MAX_RECORD: usize = 254;
/// Bytes of a record besides name and system use.
const FIXED: usize = 33;
/// Bytes of one component record or name in one entry.
const MAX_PIECE: usize = 248;
/// Bytes of an entry that tells where more entries are.
const POINTER: usize = 28;

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// A number in both byte orders.
pub(super) fn both32(value: u32) -> [u8; 8] {
    let [a, b, c, d] = value.to_le_bytes();
    [a, b, c, d, d, c, b, a]
}

/// A number in both byte orders.
pub(super) fn both16(value: u16) -> [u8; 4] {
    let [a, b] = value.to_le_bytes();
    [a, b, b, a]
}

/// What a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Dir,
    File,
    Symlink(&'a str),
}

/// A directory record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// The plain name; one byte 0 or 1 for the directory itself and its parent.
    pub(super) plain: &'a [u8],
    /// The full name; `None` for the directory itself and its parent.
    pub(super) name: Option<&'a str>,
    pub(super) kind: Kind<'a>,
    pub(super) meta: &'a Meta,
    pub(super) links: u32,
    /// Whether this is the record by which the root names itself.
    pub(super) is_root: bool,
    pub(super) sector: u32,
    pub(super) len: u32,
    pub(super) epoch: u32,
}

/// Where the entries that found no room in their record go.
#[derive(Debug, Default)]
pub(super) struct Continuation {
    pub(super) sector: u32,
    pub(super) bytes: Vec<u8>,
}

impl Record<'_> {
    /// The bytes of the record; what has no room in it goes to `more`.
    pub(super) fn encode(&self, more: &mut Continuation) -> Vec<u8> {
        let mut system = Vec::new();
        if self.is_root {
            system.extend(*b"SP\x07\x01\xbe\xef\x00");
        }
        system.extend(self.posix());
        system.extend(*b"TF\x0c\x01\x02");
        system.extend(stamp(self.epoch));
        if self.is_root {
            // The identifier alone; its description may be empty.
            system.extend(*b"ER\x12\x01\x0a\x00\x00\x01RRIP_1991A");
        }
        let names = self.names();
        if FIXED + self.plain.len() + 1 + system.len() + names.len() < MAX_RECORD {
            system.extend(names);
        } else {
            system.extend(more.put(&names));
        }
        plain(self, &system)
    }

    fn posix(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Dir => S_IFDIR,
            Kind::File => S_IFREG,
            Kind::Symlink(_) => S_IFLNK,
        };
        let permissions = match self.kind {
            Kind::Symlink(_) => 0o777,
            Kind::Dir | Kind::File => u32::from(self.meta.mode),
        };
        let numbers = [kind | permissions, self.links, self.meta.uid, self.meta.gid];
        [b"PX\x24\x01".to_vec(), numbers.map(both32).concat()].concat()
    }

    /// The full name and what a link points at.
    fn names(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let name = self.name.unwrap_or_default().as_bytes();
        let pieces = name.chunks(MAX_PIECE).count();
        for (index, piece) in name.chunks(MAX_PIECE).enumerate() {
            let goes_on = u8::from(index + 1 < pieces);
            entry(&mut bytes, *b"NM", &[&[goes_on], piece].concat());
        }
        if let Kind::Symlink(target) = self.kind {
            link(&mut bytes, target);
        }
        bytes
    }
}

impl Continuation {
    /// Stores entries so that they cross no sector; returns the entry that points at them.
    fn put(&mut self, entries: &[u8]) -> Vec<u8> {
        let room = super::SECTOR_LEN - self.bytes.len() % super::SECTOR_LEN;
        if entries.len() > room {
            self.bytes.resize(self.bytes.len() + room, 0);
        }
        let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let sector = self.sector + at / 2048;
        let len = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        self.bytes.extend(entries);
        let mut pointer = b"CE".to_vec();
        pointer.extend([POINTER.to_le_bytes()[0], 1]);
        pointer.extend([sector, at % 2048, len].map(both32).concat());
        pointer
    }
}

/// One system use entry, whose content must be shorter than 252 bytes.
fn entry(bytes: &mut Vec<u8>, signature: [u8; 2], content: &[u8]) {
    bytes.extend(signature);
    bytes.extend([(content.len() + 4).to_le_bytes()[0], 1]);
    bytes.extend(content);
}

/// The entries of a symbolic link: components, each with flags and a length.
fn link(bytes: &mut Vec<u8>, target: &str) {
    const GOES_ON: u8 = 1;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    if target.starts_with('/') {
        parts.push(vec![0x08, 0]);
    }
    for part in target.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => parts.push(vec![0x02, 0]),
            ".." => parts.push(vec![0x04, 0]),
            name => {
                let pieces = name.as_bytes().chunks(MAX_PIECE - 2).count();
                for (index, piece) in name.as_bytes().chunks(MAX_PIECE - 2).enumerate() {
                    let flags = if index + 1 < pieces { GOES_ON } else { 0 };
                    parts.push([&[flags, piece.len().to_le_bytes()[0]], piece].concat());
                }
            }
        }
    }
    let mut entries: Vec<Vec<u8>> = vec![Vec::new()];
    for part in parts {
        match entries.last_mut() {
            Some(last) if last.len() + part.len() <= MAX_PIECE => last.extend(part),
            _ => entries.push(part),
        }
    }
    let last = entries.len() - 1;
    for (index, content) in entries.iter().enumerate() {
        entry(bytes, *b"SL", &[&[u8::from(index < last)], content.as_slice()].concat());
    }
}

/// How many bytes the entries of a link take, to refuse those that fit no sector.
pub(super) fn link_len(target: &str) -> usize {
    let mut bytes = Vec::new();
    link(&mut bytes, target);
    bytes.len()
}

/// The record by which the volume descriptor names the root: without system use.
pub(super) fn root(sector: u32, len: u32, epoch: u32) -> Vec<u8> {
    let meta = Meta::default();
    let (plain_name, kind) = (&[0_u8][..], Kind::Dir);
    let record = Record {
        plain: plain_name,
        name: None,
        kind,
        meta: &meta,
        links: 2,
        is_root: true,
        sector,
        len,
        epoch,
    };
    plain(&record, &[])
}

fn plain(record: &Record<'_>, system: &[u8]) -> Vec<u8> {
    const DIRECTORY: u8 = 2;
    let mut bytes = vec![0, 0];
    bytes.extend(both32(record.sector));
    bytes.extend(both32(record.len));
    bytes.extend(stamp(record.epoch));
    bytes.extend([if record.kind == Kind::Dir { DIRECTORY } else { 0 }, 0, 0]);
    bytes.extend(both16(1));
    bytes.push(record.plain.len().to_le_bytes()[0]);
    bytes.extend(record.plain);
    // System use begins, and the record ends, at an even byte.
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    bytes.extend(system);
    if !bytes.len().is_multiple_of(2) {
        bytes.push(0);
    }
    let len = bytes.len().to_le_bytes()[0];
    if let Some(first) = bytes.first_mut() {
        *first = len;
    }
    bytes
}

/// A time as records have it; the last byte is the distance from UTC.
fn stamp(epoch: u32) -> [u8; 7] {
    let civil = Civil::from_epoch(epoch);
    let year = (civil.year - 1900).to_le_bytes()[0];
    [year, civil.month, civil.day, civil.hour, civil.minute, civil.second, 0]
}
