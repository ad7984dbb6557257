//! How the sectors of an image are divided.

use super::{FatError, MAX_SIZE, MIN_SIZE, SECTOR};

/// Sectors in front of the first table.
pub(super) const RESERVED: u32 = 32;
/// How many copies of the table there are.
pub(super) const TABLES: u32 = 2;
/// The number of the first cluster.
pub(super) const FIRST_CLUSTER: u32 = 2;
/// Fewer clusters make a FAT16.
const MIN_CLUSTERS: u64 = 65_525;
/// So many clusters more, lest an off-by-one in somebody's driver decides the type.
const MARGIN: u64 = 2048;
/// The largest cluster we make, in sectors: a page.
const LARGEST_CLUSTER: u32 = 8;
const ENTRIES_PER_SECTOR: u64 = 128;

/// Where things are. All numbers are sectors unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) sectors: u32,
    pub(super) sectors_per_cluster: u8,
    pub(super) table: u32,
    /// How many clusters there are.
    pub(super) clusters: u32,
}

impl Geometry {
    pub(super) fn of(size: u64) -> Result<Self, FatError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) || !size.is_multiple_of(SECTOR) {
            return Err(FatError::Size { size });
        }
        let sectors = size / SECTOR;
        let per_cluster = u64::from(cluster_sectors(sectors));
        // The smallest table with an entry for each cluster that is left beside both tables.
        let shared = sectors - u64::from(RESERVED) + u64::from(FIRST_CLUSTER) * per_cluster;
        let table = shared.div_ceil(ENTRIES_PER_SECTOR * per_cluster + u64::from(TABLES));
        let clusters = (sectors - u64::from(RESERVED) - u64::from(TABLES) * table) / per_cluster;
        let whole = |value: u64| u32::try_from(value).map_err(|_| FatError::Size { size });
        Ok(Self {
            sectors: whole(sectors)?,
            sectors_per_cluster: u8::try_from(per_cluster).map_err(|_| FatError::Size { size })?,
            table: whole(table)?,
            clusters: whole(clusters)?,
        })
    }

    pub(super) fn cluster_size(&self) -> u64 {
        u64::from(self.sectors_per_cluster) * SECTOR
    }

    /// The byte behind the `copy`-th table, counted from 1.
    pub(super) fn table_end(&self, copy: u32) -> u64 {
        (u64::from(RESERVED) + u64::from(copy) * u64::from(self.table)) * SECTOR
    }

    /// The first byte of a cluster.
    pub(super) fn cluster_at(&self, cluster: u32) -> u64 {
        self.table_end(TABLES) + u64::from(cluster.saturating_sub(FIRST_CLUSTER)) * self.cluster_size()
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
            let entries = u64::from(geometry.table) * ENTRIES_PER_SECTOR;
            assert!(entries >= u64::from(geometry.clusters + FIRST_CLUSTER), "{mib} MiB");
        }
        assert!(Geometry::of(32 << 20).is_err());
        assert!(Geometry::of((40 << 20) + 1).is_err());
        assert!(Geometry::of(MAX_SIZE + SECTOR).is_err());
    }
}
