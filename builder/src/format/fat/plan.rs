//! Which clusters belong to what, and the bytes of the directories.

use bytes::Bytes;

use super::geometry::{FIRST_CLUSTER, Geometry, Kind, ROOT_SLOTS};
use super::names::{self, Names, ShortName};
use super::{FatError, MAX_FILE};
use crate::format::civil::Civil;
use crate::image::VirtualImage;
use crate::tree::{Dir, File, Node, Tree};

const SLOT: usize = 32;
/// A directory may have 2 MiB.
const MAX_SLOTS: usize = 65_536;
/// UTF-16 units of a long name in one slot.
const UNITS: usize = 13;

const READ_ONLY: u8 = 0x01;
const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
const LONG_NAME: u8 = 0x0f;
/// Marks the first slot of a long name, which holds its end.
const LAST_LONG: u8 = 0x40;

/// What lies in a run of clusters.
#[derive(Debug)]
pub(super) enum Planned<'a> {
    Dir(Bytes),
    File(&'a VirtualImage),
}

/// A run of clusters.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) first: u32,
    pub(super) clusters: u32,
    pub(super) content: Planned<'a>,
}

/// All runs, in the order of their clusters, without gaps.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    nodes: Vec<Run<'a>>,
    next: u32,
    cluster_size: u64,
    stamp: [u8; 4],
    room: u64,
    kind: Kind,
    /// The root directory, where it is no chain of clusters.
    root: Bytes,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        tree: &'a Tree,
        geometry: &Geometry,
        label: ShortName,
        time: u32,
    ) -> Result<Self, FatError> {
        let cluster_size = geometry.cluster_size();
        let (nodes, stamp, root, kind) = (Vec::new(), stamp(time), Bytes::new(), geometry.kind);
        let mut plan = Self { nodes, next: FIRST_CLUSTER, cluster_size, stamp, room: 0, kind, root };
        plan.directory(&tree.root, Above::Root(label))?;
        Ok(plan)
    }

    pub(super) fn nodes(&self) -> &[Run<'a>] {
        &self.nodes
    }

    /// The root directory, where it is no chain of clusters; empty where it is.
    pub(super) fn root(&self) -> Bytes {
        self.root.clone()
    }

    /// How many clusters are used.
    pub(super) const fn clusters(&self) -> u32 {
        self.next - FIRST_CLUSTER
    }

    /// The first cluster nobody uses.
    pub(super) const fn free(&self) -> u32 {
        self.next
    }

    /// Plans a directory and all below it; returns its first cluster.
    fn directory(&mut self, dir: &'a Dir, above: Above) -> Result<u32, FatError> {
        let names = names::assign(dir.children.keys().map(String::as_str))?;
        let slots = above.slots() + names.iter().map(slots).sum::<usize>();
        let fixed = self.kind == Kind::Fat16 && matches!(above, Above::Root(_));
        if slots > if fixed { usize::from(ROOT_SLOTS) } else { MAX_SLOTS } {
            return Err(FatError::Directory { slots });
        }
        let index = self.nodes.len();
        let first = match fixed {
            true => 0,
            false => self.allocate((slots.max(1) * SLOT) as u64, Planned::Dir(Bytes::new()))?,
        };
        let mut bytes = above.entries(first, self.stamp);
        for (names, (name, child)) in names.iter().zip(&dir.children) {
            let (attributes, cluster, size) = match child {
                Node::Dir(child) => (DIRECTORY, self.directory(child, Above::parent(&above, first))?, 0),
                Node::File(file) => self.file(name, file)?,
                Node::Symlink(_) => return Err(FatError::Symlink { name: name.clone() }),
            };
            long_entries(&mut bytes, names);
            bytes.extend(Entry { name: names.short, attributes, cluster, size }.encode(self.stamp));
        }
        if fixed {
            self.root = bytes.into();
        } else if let Some(run) = self.nodes.get_mut(index) {
            run.content = Planned::Dir(bytes.into());
        }
        Ok(first)
    }

    /// Plans a file; returns its attributes, its first cluster, and its size.
    fn file(&mut self, name: &str, file: &'a File) -> Result<(u8, u32, u32), FatError> {
        let len = file.content.len();
        let size = u32::try_from(len).map_err(|_| FatError::FileSize { name: name.to_owned(), size: len })?;
        let cluster = if len == 0 { 0 } else { self.allocate(len, Planned::File(&file.content))? };
        let read_only = if file.meta.mode & 0o222 == 0 { READ_ONLY } else { 0 };
        Ok((ARCHIVE | read_only, cluster, size))
    }

    fn allocate(&mut self, len: u64, content: Planned<'a>) -> Result<u32, FatError> {
        self.room += len.div_ceil(self.cluster_size);
        let full = FatError::Full { needed: self.room, available: MAX_FILE >> 4 };
        // 28 bits name a cluster.
        if self.room > MAX_FILE >> 4 {
            return Err(full);
        }
        let clusters = u32::try_from(len.div_ceil(self.cluster_size)).map_err(|_| full)?;
        let first = self.next;
        self.next += clusters;
        self.nodes.push(Run { first, clusters, content });
        Ok(first)
    }
}

/// Where a directory hangs.
enum Above {
    /// It is the root, which carries the label.
    Root(ShortName),
    /// Its parent begins at this cluster; 0 is the root.
    Parent(u32),
}

impl Above {
    const fn parent(above: &Self, first: u32) -> Self {
        match above {
            Self::Root(_) => Self::Parent(0),
            Self::Parent(_) => Self::Parent(first),
        }
    }

    const fn slots(&self) -> usize {
        match self {
            Self::Root(_) => 1,
            Self::Parent(_) => 2,
        }
    }

    fn entries(&self, own: u32, stamp: [u8; 4]) -> Vec<u8> {
        let entry = |name: &[u8; 11], attributes, cluster| {
            Entry { name: *name, attributes, cluster, size: 0 }.encode(stamp)
        };
        match self {
            Self::Root(label) => entry(label, VOLUME, 0),
            Self::Parent(parent) => {
                [entry(b".          ", DIRECTORY, own), entry(b"..         ", DIRECTORY, *parent)].concat()
            }
        }
    }
}

fn slots(names: &Names) -> usize {
    1 + names.long.as_ref().map_or(0, |long| long.len().div_ceil(UNITS))
}

struct Entry {
    name: ShortName,
    attributes: u8,
    cluster: u32,
    size: u32,
}

impl Entry {
    fn encode(&self, stamp: [u8; 4]) -> Vec<u8> {
        let [time_low, time_high, date_low, date_high] = stamp;
        let [low, mid, high, top] = self.cluster.to_le_bytes();
        let mut slot = self.name.to_vec();
        slot.extend([self.attributes, 0, 0]);
        slot.extend([time_low, time_high, date_low, date_high, date_low, date_high]);
        slot.extend([high, top]);
        slot.extend(stamp);
        slot.extend([low, mid]);
        slot.extend(self.size.to_le_bytes());
        slot
    }
}

/// The slots of a long name: its end first, each with a checksum of the short name it belongs to.
fn long_entries(bytes: &mut Vec<u8>, names: &Names) {
    let Some(long) = &names.long else { return };
    let sum = names.short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let pieces = long.chunks(UNITS).count();
    for (order, piece) in (1_u8..).zip(long.chunks(UNITS)).collect::<Vec<_>>().into_iter().rev() {
        let last = if usize::from(order) == pieces { LAST_LONG } else { 0 };
        // A name that leaves room ends with a zero; what is behind it is all ones.
        let padded = piece.iter().copied().chain([0]).chain(std::iter::repeat(0xffff)).take(UNITS);
        let units: Vec<u8> = padded.flat_map(u16::to_le_bytes).collect();
        let (head, rest) = units.split_at_checked(10).unwrap_or_default();
        let (middle, tail) = rest.split_at_checked(12).unwrap_or_default();
        bytes.push(order | last);
        bytes.extend(head);
        bytes.extend([LONG_NAME, 0, sum]);
        bytes.extend(middle);
        bytes.extend([0, 0]);
        bytes.extend(tail);
    }
}

/// Time and date as an entry has them: two seconds are the smallest step, 1980 the first year.
fn stamp(time: u32) -> [u8; 4] {
    const YEAR_1980: u32 = 315_532_800;
    let civil = Civil::from_epoch(time.max(YEAR_1980));
    let time = u16::from(civil.hour) << 11 | u16::from(civil.minute) << 5 | (u16::from(civil.second) / 2);
    let date = (civil.year - 1980) << 9 | u16::from(civil.month) << 5 | u16::from(civil.day);
    let [time_low, time_high] = time.to_le_bytes();
    let [date_low, date_high] = date.to_le_bytes();
    [time_low, time_high, date_low, date_high]
}
