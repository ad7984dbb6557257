//! Where directories and files are, and the bytes of the directories.

use super::boot::BiosBoot;
use super::collect::{Collected, Target, collect};
use super::records::{Continuation, Kind, Record};
use super::{IsoError, PARTITION, SECTOR, SECTOR_LEN, from_descriptors, sector};
use crate::image::{ImageLayout, LayoutError, VirtualImage};
use crate::tree::{Meta, Tree};

/// One of the two sets of directories. Sectors are as its records count them.
#[derive(Debug)]
pub(super) struct Directories {
    /// Sectors in front of where counting begins.
    base: u32,
    /// Where its path tables begin, from the beginning of the medium.
    start: u32,
    pub(super) table_len: u32,
    /// Where each directory begins, from the beginning of the medium, and its length in bytes.
    places: Vec<(u32, u32)>,
}

/// Everything in the tree, with its place.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    dirs: Vec<Collected<'a>>,
    files: Vec<(u32, &'a VirtualImage)>,
    /// Counts from the beginning of the medium.
    pub(super) whole: Directories,
    /// Counts from the beginning of the first partition.
    pub(super) partition: Directories,
    end: u32,
    epoch: u32,
}

impl Directories {
    const fn table_sectors(&self) -> u32 {
        self.table_len.div_ceil(2048)
    }

    pub(super) const fn little_endian_table(&self) -> u32 {
        self.start - self.base
    }

    pub(super) const fn big_endian_table(&self) -> u32 {
        self.start - self.base + self.table_sectors()
    }

    pub(super) fn root(&self) -> u32 {
        self.place(0).0 - self.base
    }

    pub(super) fn root_len(&self) -> u32 {
        self.place(0).1
    }

    fn place(&self, dir: usize) -> (u32, u32) {
        self.places.get(dir).copied().unwrap_or((self.base, 0))
    }
}

impl<'a> Plan<'a> {
    /// Plans a tree whose directories begin at sector `start`.
    pub(super) fn new(tree: &'a Tree, start: u32, epoch: u32) -> Result<Self, IsoError> {
        let (dirs, contents) = collect(&tree.root)?;
        let table_len: usize = dirs.iter().map(|dir| table_entry_len(&dir.plain)).sum();
        let table_len = u32::try_from(table_len).map_err(|_| IsoError::Directories)?;
        let none = |base| Directories { base, start, table_len, places: Vec::new() };
        let mut plan =
            Self { dirs, files: Vec::new(), whole: none(0), partition: none(PARTITION), end: 0, epoch };
        plan.files = contents.iter().map(|content| (0, *content)).collect();
        let (whole, next) = plan.place(0, start)?;
        let (partition, next) = plan.place(PARTITION, next)?;
        (plan.whole, plan.partition, plan.end) = (whole, partition, next);
        for (place, content) in &mut plan.files {
            *place = plan.end;
            plan.end = sector(u64::from(plan.end) * SECTOR + content.len())?;
        }
        Ok(plan)
    }

    /// The first sector behind the files.
    pub(super) const fn end(&self) -> u32 {
        self.end
    }

    /// Places the directories of one set from sector `start` on; returns the sector behind them.
    fn place(&self, base: u32, start: u32) -> Result<(Directories, u32), IsoError> {
        let table_len = self.whole.table_len;
        let mut set = Directories { base, start, table_len, places: Vec::new() };
        let mut next = start + 2 * set.table_sectors();
        for dir in 0..self.dirs.len() {
            // Lengths do not depend on places.
            let (records, more) = self.directory(dir, &set);
            let len = u32::try_from(records.len()).map_err(|_| IsoError::Directories)?;
            set.places.push((next, len));
            next = sector((u64::from(next) + more.len() as u64 / SECTOR) * SECTOR + u64::from(len))?;
        }
        Ok((set, next))
    }

    /// Where the file at `path` is.
    pub(super) fn find(&self, path: &str) -> Result<u32, IsoError> {
        let mut target = Target::Dir(0);
        for part in path.split('/') {
            let Target::Dir(dir) = target else { break };
            let entries = self.dirs.get(dir).map(|dir| dir.entries.as_slice()).unwrap_or_default();
            target = entries
                .iter()
                .find(|entry| entry.name == part)
                .map(|entry| entry.target)
                .ok_or_else(|| IsoError::BootImage { path: path.to_owned() })?;
        }
        match target {
            Target::File(file) => Ok(self.files.get(file).map(|(place, _)| *place).unwrap_or_default()),
            Target::Dir(_) | Target::Symlink(_) => Err(IsoError::BootImage { path: path.to_owned() }),
        }
    }

    /// Adds path tables and directories of both sets.
    pub(super) fn directories(&self, layout: &mut ImageLayout) -> Result<(), LayoutError> {
        for set in [&self.whole, &self.partition] {
            layout.pad_to(from_descriptors(set.start))?.bytes(self.table(
                set,
                u32::to_le_bytes,
                u16::to_le_bytes,
            ));
            layout.align(SECTOR).bytes(self.table(set, u32::to_be_bytes, u16::to_be_bytes)).align(SECTOR);
            for dir in 0..self.dirs.len() {
                layout.pad_to(from_descriptors(set.place(dir).0))?;
                let (records, more) = self.directory(dir, set);
                // Most of a directory's last sector is zeros, which cost nothing when they are not inline.
                let used = records.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                layout.bytes(records.get(..used).unwrap_or_default().to_vec()).align(SECTOR).bytes(more);
            }
        }
        Ok(())
    }

    /// Adds the files; the boot image gets the addresses it needs.
    pub(super) fn files(
        &self,
        layout: &mut ImageLayout,
        boot: Option<(&BiosBoot, u32)>,
    ) -> Result<(), LayoutError> {
        for (place, content) in self.files.iter().filter(|(_, content)| !content.is_empty()) {
            layout.pad_to(from_descriptors(*place))?;
            match boot {
                Some((bios, lba)) if lba == *place => layout.image(&bios.patched(lba)),
                _ => layout.image(content),
            };
        }
        Ok(())
    }

    fn table(&self, set: &Directories, long: fn(u32) -> [u8; 4], short: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, dir) in self.dirs.iter().enumerate() {
            let name = if index == 0 { "\0" } else { dir.plain.as_str() };
            bytes.extend([name.len().to_le_bytes()[0], 0]);
            bytes.extend(long(set.place(index).0 - set.base));
            // Directories are numbered from 1; `collect` made sure that 16 bits suffice.
            bytes.extend(short(u16::try_from(dir.parent + 1).unwrap_or(u16::MAX)));
            bytes.extend(name.bytes());
            bytes.resize(bytes.len().next_multiple_of(2), 0);
        }
        bytes
    }

    /// The records of a directory, and the entries that have no room in them; both fill sectors.
    fn directory(&self, index: usize, set: &Directories) -> (Vec<u8>, Vec<u8>) {
        let Some(dir) = self.dirs.get(index) else { return (Vec::new(), Vec::new()) };
        let (place, len) = set.place(index);
        let behind = (place - set.base) + len.div_ceil(2048);
        let mut more = Continuation { sector: behind, bytes: Vec::new() };
        let mut bytes = Vec::new();
        for (plain, target) in [(&[0][..], index), (&[1][..], dir.parent)] {
            let record = self.record((plain, None), Target::Dir(target), self.meta(target), set);
            let is_root = index == 0 && plain == [0];
            append(&mut bytes, &Record { is_root, ..record }.encode(&mut more));
        }
        for entry in &dir.entries {
            let name = (entry.plain.as_bytes(), Some(entry.name));
            append(&mut bytes, &self.record(name, entry.target, entry.meta, set).encode(&mut more));
        }
        for bytes in [&mut bytes, &mut more.bytes] {
            bytes.resize(bytes.len().next_multiple_of(SECTOR_LEN), 0);
        }
        (bytes, more.bytes)
    }

    fn meta(&self, dir: usize) -> &'a Meta {
        const NONE: &Meta =
            &Meta { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: std::collections::BTreeMap::new() };
        self.dirs.get(dir).map_or(NONE, |dir| dir.meta)
    }

    fn record<'r>(
        &self,
        (plain, name): (&'r [u8], Option<&'r str>),
        target: Target<'r>,
        meta: &'r Meta,
        set: &Directories,
    ) -> Record<'r> {
        let (kind, sector, len, links) = match target {
            Target::Dir(dir) => {
                let (place, len) = set.place(dir);
                (Kind::Dir, place - set.base, len, 2 + self.subdirs(dir))
            }
            Target::File(file) => {
                let (place, len) = self.files.get(file).map_or((0, 0), |(place, file)| (*place, file.len()));
                // `collect` made sure that the length fits; places are 0 until they are known.
                (Kind::File, place.saturating_sub(set.base), u32::try_from(len).unwrap_or(u32::MAX), 1)
            }
            Target::Symlink(target) => (Kind::Symlink(target), 0, 0, 1),
        };
        Record { plain, name, kind, meta, links, is_root: false, sector, len, epoch: self.epoch }
    }

    fn subdirs(&self, dir: usize) -> u32 {
        let entries = self.dirs.get(dir).map(|dir| dir.entries.as_slice()).unwrap_or_default();
        let dirs = entries.iter().filter(|entry| matches!(entry.target, Target::Dir(_))).count();
        u32::try_from(dirs).unwrap_or(u32::MAX)
    }
}

/// Adds a record, in the next sector when it would cross into it.
fn append(bytes: &mut Vec<u8>, record: &[u8]) {
    let room = SECTOR_LEN - bytes.len() % SECTOR_LEN;
    if record.len() > room {
        bytes.resize(bytes.len() + room, 0);
    }
    bytes.extend(record);
}

fn table_entry_len(plain: &str) -> usize {
    8 + plain.len().max(1).next_multiple_of(2)
}
