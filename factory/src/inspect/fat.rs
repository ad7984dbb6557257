//! Reading the files of a FAT file system: 12, 16 or 32 bits, by anybody's tools.

mod directory;

use std::ops::Range;

use super::InspectError;
use super::part::Part;
use super::structure::Structure;
use directory::{Found, entries};

/// Fewer clusters make a FAT12, fewer than the second a FAT16 (Microsoft's FAT specification).
const FAT16_FROM: u64 = 4085;
const FAT32_FROM: u64 = 65_525;
/// The largest allocation table that is read, in bytes.
const MAX_TABLE: u64 = 64 << 20;
/// How many bytes of directories are read, all together.
const MAX_DIRECTORIES: u64 = 32 << 20;
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 10_000;

/// A file, and its path with `/` between names.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) content: Part,
}

#[derive(Debug, Clone, Copy)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

struct Volume {
    part: Part,
    table: Structure,
    width: Width,
    /// Where the first cluster is, how long each is, and how many there are.
    data: u64,
    cluster: u64,
    clusters: u64,
}

/// All files of the file system at the beginning of `part`, in the order of its directories.
pub(super) async fn files(part: &Part) -> Result<Vec<File>, InspectError> {
    let boot = Structure::new("boot sector of the file system", part.read(0, 512).await?);
    let (volume, root) = Volume::open(part, &boot).await?;
    let mut files = Vec::new();
    let mut pending = vec![(String::new(), root, 0)];
    let (mut seen, mut read) = (0, 0);
    let damaged = InspectError::Damaged { what: "directory of the file system" };
    while let Some((prefix, directory, depth)) = pending.pop() {
        read += directory.len();
        if read > MAX_DIRECTORIES || depth > MAX_DEPTH {
            return Err(damaged);
        }
        let slots = Structure::new("directory of the file system", directory.read(0, directory.len()).await?);
        let found = entries(&slots)?;
        seen += found.len();
        if seen > MAX_FILES {
            return Err(damaged);
        }
        for Found { name, is_dir, cluster, size } in found {
            let path = format!("{prefix}{name}");
            if is_dir {
                pending.push((format!("{path}/"), volume.chain(cluster)?, depth + 1));
            } else {
                files.push(File { path, content: volume.file(cluster, size)? });
            }
        }
    }
    Ok(files)
}

impl Volume {
    /// Reads what the boot sector says, and the table. Gives the root directory too.
    async fn open(part: &Part, boot: &Structure) -> Result<(Self, Part), InspectError> {
        let sector = u64::from(boot.u16(11)?);
        let cluster = sector * u64::from(boot.u8(13)?);
        if !(512..=4096).contains(&sector) || !sector.is_power_of_two() || !cluster.is_power_of_two() {
            return Err(boot.damaged());
        }
        let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
        let table_at = u64::from(boot.u16(14)?) * sector;
        let table_len = either(boot.u16(22)?, boot.u32(36)?) * sector;
        let root_at = table_at + u64::from(boot.u8(16)?) * table_len;
        let root_len = u64::from(boot.u16(17)?) * 32;
        let data = root_at + root_len.next_multiple_of(sector);
        let len = either(boot.u16(19)?, boot.u32(32)?) * sector;
        let clusters = len.checked_sub(data).ok_or_else(|| boot.damaged())? / cluster;
        if table_len > MAX_TABLE || len > part.len() {
            return Err(boot.damaged());
        }
        let width = match clusters {
            ..FAT16_FROM => Width::Twelve,
            FAT16_FROM..FAT32_FROM => Width::Sixteen,
            FAT32_FROM.. => Width::ThirtyTwo,
        };
        let table = Structure::new("table of the file system", part.read(table_at, table_len).await?);
        let volume = Self { part: part.clone(), table, width, data, cluster, clusters };
        let root = match width {
            Width::Twelve | Width::Sixteen => part.part(root_at..root_at + root_len),
            Width::ThirtyTwo => volume.chain(boot.u32(44)?)?,
        };
        Ok((volume, root))
    }

    /// What follows a cluster in its chain; `None` at the end.
    fn next(&self, cluster: u32) -> Result<Option<u32>, InspectError> {
        let at = usize::try_from(cluster).map_err(|_| self.table.damaged())?;
        let (next, end) = match self.width {
            Width::Twelve => {
                let pair = self.table.u16(at + at / 2)?;
                (u32::from(if at % 2 == 0 { pair & 0xfff } else { pair >> 4 }), 0xff8)
            }
            Width::Sixteen => (u32::from(self.table.u16(at.saturating_mul(2))?), 0xfff8),
            Width::ThirtyTwo => (self.table.u32(at.saturating_mul(4))? & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((next < end).then_some(next))
    }

    /// All clusters of the chain that begins with `first`.
    fn chain(&self, first: u32) -> Result<Part, InspectError> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut cluster = Some(first);
        let mut count = 0;
        while let Some(number) = cluster {
            let index = u64::from(number).checked_sub(2).filter(|index| *index < self.clusters);
            let index = index.ok_or_else(|| self.table.damaged())?;
            count += 1;
            if count > self.clusters {
                return Err(self.table.damaged());
            }
            let start = self.data + index * self.cluster;
            match runs.last_mut() {
                Some(last) if last.end == start => last.end += self.cluster,
                _ => runs.push(start..start + self.cluster),
            }
            cluster = self.next(number)?;
        }
        Ok(self.part.pick(&runs))
    }

    /// The content of a file; an empty one has no clusters.
    fn file(&self, cluster: u32, size: u32) -> Result<Part, InspectError> {
        let size = u64::from(size);
        if size == 0 {
            return Ok(self.part.pick(&[]));
        }
        let content = self.chain(cluster)?.part(0..size);
        if content.len() < size { Err(self.table.damaged()) } else { Ok(content) }
    }
}
