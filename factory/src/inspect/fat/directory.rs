//! The entries of a FAT directory.

use super::super::InspectError;
use super::super::structure::Structure;

const SLOT: usize = 32;
const DIRECTORY: u8 = 0x10;
const VOLUME: u8 = 0x08;
const LONG_NAME: u8 = 0x0f;
const DELETED: u8 = 0xe5;
/// Windows NT's flags for short names in lower case: of the name, and of what is behind the dot.
const LOWER_STEM: u8 = 0x08;
const LOWER_EXTENSION: u8 = 0x10;

/// A file or a directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) is_dir: bool,
    pub(super) cluster: u32,
    pub(super) size: u32,
}

/// The files and directories in a directory, without itself and its parent.
pub(super) fn entries(slots: &Structure) -> Result<Vec<Found>, InspectError> {
    let mut found = Vec::new();
    let mut long: Vec<u16> = Vec::new();
    for at in (0..slots.len()).step_by(SLOT) {
        let attributes = slots.u8(at + 11)?;
        match slots.u8(at)? {
            0 => break,
            DELETED => long.clear(),
            _ if attributes & LONG_NAME == LONG_NAME => {
                long.splice(0..0, long_units(slots, at)?).for_each(drop);
            }
            b'.' => long.clear(),
            _ if attributes & VOLUME != 0 => long.clear(),
            _ => {
                let units = long.split(|unit| *unit == 0).next().unwrap_or_default();
                let name =
                    if units.is_empty() { short_name(slots, at)? } else { String::from_utf16_lossy(units) };
                long.clear();
                found.push(Found {
                    name,
                    is_dir: attributes & DIRECTORY != 0,
                    cluster: u32::from(slots.u16(at + 20)?) << 16 | u32::from(slots.u16(at + 26)?),
                    size: slots.u32(at + 28)?,
                });
            }
        }
    }
    Ok(found)
}

/// The thirteen characters a slot of a long name has.
fn long_units(slots: &Structure, at: usize) -> Result<Vec<u16>, InspectError> {
    let places = (1..11).chain(14..26).chain(28..32).step_by(2);
    places.map(|place| slots.u16(at + place)).collect()
}

fn short_name(slots: &Structure, at: usize) -> Result<String, InspectError> {
    let case = slots.u8(at + 12)?;
    let part = |place, len, lower: u8| -> Result<String, InspectError> {
        let text = String::from_utf8_lossy(slots.slice(at + place, len)?).trim_end().to_owned();
        Ok(if case & lower == 0 { text } else { text.to_ascii_lowercase() })
    };
    let (stem, extension) = (part(0, 8, LOWER_STEM)?, part(8, 3, LOWER_EXTENSION)?);
    Ok(if extension.is_empty() { stem } else { format!("{stem}.{extension}") })
}
