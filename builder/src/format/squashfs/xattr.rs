//! Extended attributes.

use std::collections::BTreeMap;

use super::metadata::{Metadata, write_table};
use super::{Codec, SquashfsError, narrow};

/// The namespaces the format knows, and their numbers.
const NAMESPACES: [(&str, u16); 3] = [("user.", 0), ("trusted.", 1), ("security.", 2)];
/// Set beside the namespace when the value lies elsewhere.
const ELSEWHERE: u16 = 0x100;
/// The longest name, in bytes: Linux' `XATTR_NAME_MAX`.
const MAX_NAME: usize = 255;
/// The largest value, in bytes: Linux' `XATTR_SIZE_MAX`.
const MAX_VALUE: usize = 65_536;
/// Values up to this size are repeated: a reference has as many bytes.
const REPEATED_UP_TO: usize = 8;

type Set = BTreeMap<String, Vec<u8>>;

/// The different sets of attributes of an image.
#[derive(Default)]
pub(super) struct Xattrs {
    indices: BTreeMap<Set, u32>,
    sets: Vec<Set>,
}

/// Where a set lies.
struct Written {
    reference: u64,
    count: u32,
    size: u32,
}

impl Xattrs {
    /// Index of a set, `None` for the empty one.
    pub(super) fn add(&mut self, set: &Set, path: &str) -> Result<Option<u32>, SquashfsError> {
        if set.is_empty() {
            return Ok(None);
        }
        if let Some(index) = self.indices.get(set) {
            return Ok(Some(*index));
        }
        for (name, value) in set {
            let known = namespace(name).is_some() && name.len() <= MAX_NAME && value.len() <= MAX_VALUE;
            if !known {
                return Err(SquashfsError::Xattr { path: path.to_owned(), name: name.clone() });
            }
        }
        let index = narrow(self.sets.len(), "sets of extended attributes")?;
        self.sets.push(set.clone());
        self.indices.insert(set.clone(), index);
        Ok(Some(index))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Appends the attribute tables to `image`, whose first byte lies at `base`; tells where the superblock points to.
    pub(super) fn write(&self, codec: Codec, base: u64, image: &mut Vec<u8>) -> Result<u64, SquashfsError> {
        let mut pairs = Metadata::new(codec)?;
        let mut places = BTreeMap::new();
        let mut ids = Vec::with_capacity(self.sets.len() * 16);
        for set in &self.sets {
            let written = write_set(set, &mut pairs, &mut places)?;
            ids.extend_from_slice(&written.reference.to_le_bytes());
            ids.extend_from_slice(&written.count.to_le_bytes());
            ids.extend_from_slice(&written.size.to_le_bytes());
        }
        let pairs_at = base + image.len() as u64;
        image.extend_from_slice(&pairs.finish()?.0);
        let mut table = Vec::new();
        let table_base = base + image.len() as u64;
        let places_at = write_table(&ids, codec, table_base, &mut table)?;
        let blocks = usize::try_from(places_at - table_base).unwrap_or(table.len());
        let (blocks, block_places) = table.split_at(blocks.min(table.len()));
        image.extend_from_slice(blocks);
        let header_at = base + image.len() as u64;
        image.extend_from_slice(&pairs_at.to_le_bytes());
        image
            .extend_from_slice(&narrow::<u32>(self.sets.len(), "sets of extended attributes")?.to_le_bytes());
        image.extend_from_slice(&[0; 4]);
        image.extend_from_slice(block_places);
        Ok(header_at)
    }
}

fn namespace(name: &str) -> Option<(u16, &str)> {
    NAMESPACES
        .iter()
        .find_map(|(prefix, number)| Some((*number, name.strip_prefix(prefix)?)))
        .filter(|(_, rest)| !rest.is_empty())
}

fn write_set<'a>(
    set: &'a Set,
    pairs: &mut Metadata,
    places: &mut BTreeMap<&'a [u8], u64>,
) -> Result<Written, SquashfsError> {
    let reference = pairs.position()?.reference();
    let mut size = 0;
    for (name, value) in set {
        // `add` has let in nothing else.
        let Some((namespace, name)) = namespace(name) else { continue };
        let known = places.get(value.as_slice()).copied();
        let kind = if known.is_some() { namespace | ELSEWHERE } else { namespace };
        let mut pair = kind.to_le_bytes().to_vec();
        pair.extend_from_slice(&narrow::<u16>(name.len(), "bytes in a name")?.to_le_bytes());
        pair.extend_from_slice(name.as_bytes());
        pairs.write(&pair)?;
        let stored = match known {
            Some(place) => place.to_le_bytes().to_vec(),
            None => {
                if value.len() > REPEATED_UP_TO {
                    places.insert(value, pairs.position()?.reference());
                }
                value.clone()
            }
        };
        pairs.write(&narrow::<u32>(stored.len(), "bytes in a value")?.to_le_bytes())?;
        pairs.write(&stored)?;
        size += pair.len() + 4 + stored.len();
    }
    let count = narrow(set.len(), "extended attributes")?;
    Ok(Written { reference, count, size: narrow(size, "bytes of extended attributes")? })
}
