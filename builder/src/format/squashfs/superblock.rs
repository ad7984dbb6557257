//! The superblock, and the compressor options behind it.

use super::{BLOCK, Codec};

/// What a table that is not there has for a place.
pub(super) const ABSENT: u64 = u64::MAX;
const MAGIC: u32 = 0x7371_7368;
const VERSION: (u16, u16) = (4, 0);

const ALWAYS_FRAGMENTS: u16 = 0x0020;
const NO_DUPLICATES: u16 = 0x0040;
const EXPORTABLE: u16 = 0x0080;
const NO_XATTRS: u16 = 0x0200;
const COMPRESSOR_OPTIONS: u16 = 0x0400;

/// Size and places of the tables.
#[derive(Debug, Default)]
pub(super) struct Superblock {
    pub(super) inodes: u32,
    pub(super) fragments: u32,
    pub(super) ids: u16,
    /// Reference of the root's inode.
    pub(super) root: u64,
    /// Where the last table ends.
    pub(super) size: u64,
    pub(super) id_table: u64,
    pub(super) xattr_table: u64,
    pub(super) inode_table: u64,
    pub(super) directory_table: u64,
    pub(super) fragment_table: u64,
    pub(super) export_table: u64,
}

impl Superblock {
    /// The superblock; no time is noted, it is always 0.
    pub(super) fn encode(&self, codec: Codec) -> Vec<u8> {
        let mut flags = ALWAYS_FRAGMENTS | NO_DUPLICATES | EXPORTABLE;
        if self.xattr_table == ABSENT {
            flags |= NO_XATTRS;
        }
        if !options(codec).is_empty() {
            flags |= COMPRESSOR_OPTIONS;
        }
        let block = BLOCK as u64;
        let mut bytes = Vec::new();
        for number in [MAGIC, self.inodes, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend(block.to_le_bytes().into_iter().take(4));
        bytes.extend_from_slice(&self.fragments.to_le_bytes());
        bytes.extend_from_slice(&compressor(codec).to_le_bytes());
        bytes.extend(block.ilog2().to_le_bytes().into_iter().take(2));
        for number in [flags, self.ids, VERSION.0, VERSION.1] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.root, self.size, self.id_table, self.xattr_table, self.inode_table] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.directory_table, self.fragment_table, self.export_table] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

fn compressor(codec: Codec) -> u16 {
    match codec {
        Codec::Xz => 4,
        Codec::Zstd { .. } => 6,
    }
}

/// The compressor options: an uncompressed metadata block with the level of zstd.
///
/// The kernel needs none; `unsquashfs -s` shows it. For xz the default, a dictionary of one block, is what is used.
pub(super) fn options(codec: Codec) -> Vec<u8> {
    match codec {
        Codec::Xz => Vec::new(),
        Codec::Zstd { level } => [&0x8004_u16.to_le_bytes()[..], &level.to_le_bytes()[..]].concat(),
    }
}
