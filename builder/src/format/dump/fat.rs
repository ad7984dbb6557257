//! The dump of a FAT32 file system.

use std::fmt::Write as _;

use super::DumpError;
use super::bytes::{Structure, sources, structure};
use crate::image::VirtualImage;

const SECTOR: u64 = 512;
const SLOT: usize = 32;
const DIRECTORY: u8 = 0x10;
const VOLUME: u8 = 0x08;
const LONG_NAME: u8 = 0x0f;
/// Deeper than any path is long.
const MAX_DEPTH: usize = 64;

/// The structure of a FAT32 file system that [`format::fat`](crate::format::fat) wrote.
///
/// # Errors
/// When the image is no such file system.
pub fn fat(image: &VirtualImage) -> Result<String, DumpError> {
    let boot = structure(image, 0, SECTOR)?;
    if boot.array(510)? != [0x55, 0xaa] || boot.array(82)? != *b"FAT32   " {
        return Err(DumpError::Unexpected { what: "boot sector", at: 0 });
    }
    let info = structure(image, u64::from(boot.u16(48)?) * SECTOR, SECTOR)?;
    let volume = Volume {
        image,
        table: u64::from(boot.u16(14)?) * SECTOR,
        data: (u64::from(boot.u16(14)?) + u64::from(boot.u8(16)?) * u64::from(boot.u32(36)?)) * SECTOR,
        cluster: u64::from(boot.u8(13)?) * SECTOR,
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "fat32 label={:?} id={:08x} sectors={} cluster={} tables={}x{} free={} next={}",
        boot.text(71, 11)?,
        boot.u32(67)?,
        boot.u32(32)?,
        volume.cluster,
        boot.u8(16)?,
        boot.u32(36)?,
        info.u32(488)?,
        info.u32(492)?,
    );
    volume.directory(boot.u32(44)?, "", &mut text, 0)?;
    Ok(text)
}

struct Volume<'a> {
    image: &'a VirtualImage,
    table: u64,
    data: u64,
    cluster: u64,
}

impl Volume<'_> {
    /// How many clusters in a row belong to the chain that begins at `first`.
    fn chain(&self, first: u32) -> Result<u64, DumpError> {
        let mut cluster = first;
        loop {
            let at = self.table + u64::from(cluster) * 4;
            let next = structure(self.image, at, 4)?.u32(0)? & 0x0fff_ffff;
            if next >= 0x0fff_fff8 {
                return Ok(u64::from(cluster - first) + 1);
            }
            if next != cluster + 1 {
                return Err(DumpError::Unexpected { what: "link to the next cluster", at });
            }
            cluster = next;
        }
    }

    fn directory(&self, first: u32, prefix: &str, text: &mut String, depth: usize) -> Result<(), DumpError> {
        let at = self.data + u64::from(first.saturating_sub(2)) * self.cluster;
        if depth > MAX_DEPTH {
            return Err(DumpError::Unexpected { what: "directory", at });
        }
        let slots = structure(self.image, at, self.chain(first)? * self.cluster)?;
        let mut long = Vec::new();
        for offset in (0..slots.all().len()).step_by(SLOT) {
            match (slots.u8(offset)?, slots.u8(offset + 11)?) {
                (0, _) => break,
                (_, LONG_NAME) => long.splice(0..0, long_units(&slots, offset)?).for_each(drop),
                (b'.', _) => {}
                _ => {
                    let entry = Entry::read(&slots, offset, &long)?;
                    long.clear();
                    self.entry(&entry, prefix, text, depth)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&self, entry: &Entry, prefix: &str, text: &mut String, depth: usize) -> Result<(), DumpError> {
        let path = format!("{prefix}{}", entry.name);
        let _ = write!(text, "{path:36} {:11} {:02x}", entry.short, entry.attributes);
        let _ = write!(text, " {:04x}{:04x}", entry.stamp.1, entry.stamp.0);
        if entry.cluster == 0 {
            let _ = writeln!(text);
            return Ok(());
        }
        let _ = write!(text, " cluster {}+{}", entry.cluster, self.chain(entry.cluster)?);
        if entry.attributes & DIRECTORY != 0 {
            let _ = writeln!(text);
            return self.directory(entry.cluster, &format!("{path}/"), text, depth + 1);
        }
        let at = self.data + u64::from(entry.cluster.saturating_sub(2)) * self.cluster;
        let _ = writeln!(text, " {} bytes: {}", entry.size, sources(self.image, at, u64::from(entry.size)));
        Ok(())
    }
}

struct Entry {
    name: String,
    short: String,
    attributes: u8,
    stamp: (u16, u16),
    cluster: u32,
    size: u32,
}

impl Entry {
    fn read(slots: &Structure, offset: usize, long: &[u16]) -> Result<Self, DumpError> {
        let short = slots.text(offset, 11)?;
        let attributes = slots.u8(offset + 11)?;
        let units = long.split(|unit| *unit == 0).next().unwrap_or_default();
        let name = match units {
            [] if attributes & VOLUME != 0 => format!("[{short}]"),
            [] => spelled(&short),
            units => String::from_utf16_lossy(units),
        };
        Ok(Self {
            name,
            attributes,
            stamp: (slots.u16(offset + 22)?, slots.u16(offset + 24)?),
            cluster: u32::from(slots.u16(offset + 20)?) << 16 | u32::from(slots.u16(offset + 26)?),
            size: slots.u32(offset + 28)?,
            short,
        })
    }
}

/// A short name with its dot.
fn spelled(short: &str) -> String {
    match short.split_at_checked(8) {
        Some((stem, extension)) if !extension.is_empty() => format!("{}.{extension}", stem.trim_end()),
        _ => short.to_owned(),
    }
}

fn long_units(slots: &Structure, offset: usize) -> Result<Vec<u16>, DumpError> {
    let places = (1..11).chain(14..26).chain(28..32).step_by(2);
    places.map(|place| slots.u16(offset + place)).collect()
}
