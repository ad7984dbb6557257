//! How the sectors of an image are divided.

use super::{FatError, MAX_SIZE, MAX_SIZE_16, MIN_SIZE, MIN_SIZE_16, SECTOR};

/// How many copies of the table there are.
pub(super) const TABLES: u32 = 2;
/// The number of the first cluster.
pub(super) const FIRST_CLUSTER: u32 = 2;
/// Slots of the root directory where it has a place of its own.
pub(super) const ROOT_SLOTS: u16 = 512;
/// Fewer clusters make a FAT16.
const MIN_CLUSTERS: u64 = 65_525;
/// So many clusters more, lest an off-by-one in somebody's driver decides the type.
const MARGIN: u64 = 2048;
/// The largest cluster we make, in sectors: a page.
const LARGEST_CLUSTER: u32 = 8;

/// The kind of file system, which follows from the number of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fat16,
    Fat32,
}

impl Kind {
    /// Sectors in front of the first table.
    pub(super) const fn reserved(self) -> u32 {
        match self {
            Self::Fat16 => 1,
            Self::Fat32 => 32,
        }
    }

    /// Entries of the table in one sector.
    const fn entries_per_sector(self) -> u64 {
        match self {
            Self::Fat16 => 256,
            Self::Fat32 => 128,
        }
    }

    /// Sectors of the root directory, where it is no chain of clusters.
    const fn root(self) -> u32 {
        match self {
            Self::Fat16 => ROOT_SLOTS as u32 / 16,
            Self::Fat32 => 0,
        }
    }
}

/// Where things are. All numbers are sectors unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) kind: Kind,
    pub(super) sectors: u32,
    pub(super) sectors_per_cluster: u8,
    pub(super) table: u32,
    /// How many clusters there are.
    pub(super) clusters: u32,
}

impl Geometry {
    pub(super) fn of(size: u64) -> Result<Self, FatError> {
        let wrong = |_| FatError::Size { size };
        let kind = match size {
            MIN_SIZE_16..=MAX_SIZE_16 => Kind::Fat16,
            MIN_SIZE..=MAX_SIZE => Kind::Fat32,
            _ => return Err(FatError::Size { size }),
        };
        if !size.is_multiple_of(SECTOR) {
            return Err(FatError::Size { size });
        }
        let sectors = size / SECTOR;
        let per_cluster = match kind {
            Kind::Fat16 => 1,
            Kind::Fat32 => u64::from(cluster_sectors(sectors)),
        };
        // The smallest table with an entry for each cluster that is left beside both tables.
        let data = sectors - u64::from(kind.reserved() + kind.root());
        let shared = data + u64::from(FIRST_CLUSTER) * per_cluster;
        let table = shared.div_ceil(kind.entries_per_sector() * per_cluster + u64::from(TABLES));
        let clusters = (data - u64::from(TABLES) * table) / per_cluster;
        Ok(Self {
            kind,
            sectors: u32::try_from(sectors).map_err(wrong)?,
            sectors_per_cluster: u8::try_from(per_cluster).map_err(wrong)?,
            table: u32::try_from(table).map_err(wrong)?,
            clusters: u32::try_from(clusters).map_err(wrong)?,
        })
    }

    pub(super) fn cluster_size(&self) -> u64 {
        u64::from(self.sectors_per_cluster) * SECTOR
    }

    /// The byte behind the `copy`-th table, counted from 1.
    pub(super) fn table_end(&self, copy: u32) -> u64 {
        (u64::from(self.kind.reserved()) + u64::from(copy) * u64::from(self.table)) * SECTOR
    }

    /// The first byte of the first cluster, behind the root directory where that has a place of its own.
    pub(super) fn data(&self) -> u64 {
        self.table_end(TABLES) + u64::from(self.kind.root()) * SECTOR
    }

    /// The first byte of a cluster.
    pub(super) fn cluster_at(&self, cluster: u32) -> u64 {
        self.data() + u64::from(cluster.saturating_sub(FIRST_CLUSTER)) * self.cluster_size()
    }
}

/// Sectors of a cluster: as many as leave enough clusters for a FAT32.
fn cluster_sectors(sectors: u64) -> u32 {
    let mut per_cluster = LARGEST_CLUSTER;
    while per_cluster > 1 && sectors / u64::from(per_cluster) < MIN_CLUSTERS + MARGIN {
        per_cluster /= 2;
    }
    per_cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_as_large_as_the_limit_of_fat32_allows() {
        let cases = [(33, 1), (40, 1), (65, 1), (66, 2), (131, 2), (132, 4), (263, 4), (264, 8), (2101, 8)];
        for (mib, expected) in cases {
            let geometry = Geometry::of(mib << 20).unwrap();
            assert_eq!(geometry.sectors_per_cluster, expected, "{mib} MiB");
            assert!(u64::from(geometry.clusters) >= MIN_CLUSTERS, "{mib} MiB");
            let entries = u64::from(geometry.table) * 128;
            assert!(entries >= u64::from(geometry.clusters + FIRST_CLUSTER), "{mib} MiB");
        }
        for mib in [4, 32] {
            let geometry = Geometry::of(mib << 20).unwrap();
            assert_eq!(geometry.kind, Kind::Fat16);
            // Fewer make a FAT12, more a FAT32.
            assert!((4085..65_525).contains(&geometry.clusters), "{mib} MiB");
            assert!(geometry.table * 256 >= geometry.clusters + FIRST_CLUSTER, "{mib} MiB");
        }
        assert!(Geometry::of(2 << 20).is_err());
        assert!(Geometry::of((32 << 20) + SECTOR).is_err());
        assert!(Geometry::of((40 << 20) + 1).is_err());
        assert!(Geometry::of(MAX_SIZE + SECTOR).is_err());
    }
}
