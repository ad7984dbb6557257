//! Putting an image together.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Handle;

use super::directory::{self, Listed};
use super::inode;
use super::metadata::{Metadata, Position, write_table};
use super::pack::{Contents, Packed, Packer, Spool, Stored};
use super::plan::{Entry, Kind, Plan};
use super::pool::Pool;
use super::superblock::{ABSENT, Superblock, options};
use super::{Codec, Options, SquashfsError, narrow};
use crate::store::{Blob, BlobStore};

/// Images are padded to this, so that block devices show all of them.
const PADDED_TO: u64 = 4096;

/// One image to make.
pub(super) struct Job {
    pub(super) options: Options,
    pub(super) contents: Arc<dyn BlobStore>,
    pub(super) store: Arc<dyn BlobStore>,
    pub(super) runtime: Handle,
}

impl Job {
    /// Makes the image. Blocks; must not run on a thread of the runtime's own.
    pub(super) fn run(self, plan: Plan) -> Result<Blob, SquashfsError> {
        let codec = self.options.codec;
        let head = |superblock: &Superblock| [superblock.encode(codec), options(codec)].concat();
        let mut spool = Spool::new(head(&Superblock::default()).len(), self.options.spool.as_deref())?;
        let packed = thread::scope(|scope| {
            let pool = Pool::start(scope, codec, self.options.threads);
            let contents = Contents { store: &self.contents, runtime: &self.runtime };
            Packer::new(pool, contents, &mut spool).pack(&plan.contents)
        })?;
        let (superblock, tables) = write_tables(&plan, &packed, codec, spool.position())?;
        spool.write(&tables)?;
        let end = spool.position();
        let padding = end.next_multiple_of(PADDED_TO) - end;
        spool.write(&vec![0; usize::try_from(padding).unwrap_or_default()])?;
        let file = spool.finish(&head(&superblock)).map_err(|source| SquashfsError::Spool { source })?;
        self.runtime.block_on(self.store.adopt(file)).map_err(SquashfsError::Store)
    }
}

/// Everything behind the data, and the superblock that points to it.
fn write_tables(
    plan: &Plan,
    packed: &Packed,
    codec: Codec,
    base: u64,
) -> Result<(Superblock, Vec<u8>), SquashfsError> {
    let places = Inodes::write(plan, packed, codec)?;
    let mut superblock = Superblock {
        inodes: narrow(plan.inodes.len(), "inodes")?,
        fragments: narrow(packed.fragments.len(), "fragments")?,
        ids: narrow(plan.ids.len(), "owners")?,
        root: places.at.first().copied().unwrap_or_default().reference(),
        inode_table: base,
        xattr_table: ABSENT,
        ..Superblock::default()
    };
    let mut image = places.inodes.finish()?.0;
    superblock.directory_table = base + image.len() as u64;
    image.extend_from_slice(&places.listings.finish()?.0);
    let mut fragments = Vec::with_capacity(packed.fragments.len() * 16);
    for fragment in &packed.fragments {
        fragments.extend_from_slice(&fragment.start.to_le_bytes());
        fragments.extend_from_slice(&fragment.size.to_le_bytes());
        fragments.extend_from_slice(&[0; 4]);
    }
    superblock.fragment_table = write_table(&fragments, codec, base, &mut image)?;
    let export: Vec<u8> = places.at.iter().flat_map(|place| place.reference().to_le_bytes()).collect();
    superblock.export_table = write_table(&export, codec, base, &mut image)?;
    let ids: Vec<u8> = plan.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    superblock.id_table = write_table(&ids, codec, base, &mut image)?;
    if !plan.xattrs.is_empty() {
        superblock.xattr_table = plan.xattrs.write(codec, base, &mut image)?;
    }
    superblock.size = base + image.len() as u64;
    Ok((superblock, image))
}

/// The inode table and the directory table, which refer to each other.
struct Inodes {
    inodes: Metadata,
    listings: Metadata,
    /// Where each inode lies.
    at: Vec<Position>,
}

impl Inodes {
    /// Files and links first, then directories from the last to the first: each behind what is in it.
    fn write(plan: &Plan, packed: &Packed, codec: Codec) -> Result<Self, SquashfsError> {
        let at = vec![Position::default(); plan.inodes.len()];
        let mut tables = Self { inodes: Metadata::new(codec)?, listings: Metadata::new(codec)?, at };
        let is_dir = |index: &usize| {
            plan.inodes.get(*index).is_some_and(|inode| matches!(inode.kind, Kind::Dir { .. }))
        };
        let others = (0..plan.inodes.len()).filter(|index| !is_dir(index));
        let dirs = (0..plan.inodes.len()).rev().filter(is_dir);
        for index in others.chain(dirs) {
            tables.add(plan, packed, index)?;
        }
        Ok(tables)
    }

    fn add(&mut self, plan: &Plan, packed: &Packed, index: usize) -> Result<(), SquashfsError> {
        let Some(inode) = plan.inodes.get(index) else { return Ok(()) };
        let number: u32 = narrow(index + 1, "inodes")?;
        let bytes = match &inode.kind {
            Kind::File { content } => {
                let empty = Stored::default();
                inode::file(inode, number, packed.contents.get(*content).unwrap_or(&empty))
            }
            Kind::Symlink { target } => inode::symlink(inode, number, target)?,
            Kind::Dir { parent, entries } => {
                let listed: Vec<Listed<'_>> =
                    entries.iter().filter_map(|entry| self.listed(plan, entry)).collect();
                let listing = directory::write(&listed, &mut self.listings)?;
                inode::directory(inode, number, *parent, &listing)?
            }
        };
        let position = self.inodes.position()?;
        if let Some(place) = self.at.get_mut(index) {
            *place = position;
        }
        self.inodes.write(&bytes)
    }

    fn listed<'a>(&self, plan: &Plan, entry: &'a Entry) -> Option<Listed<'a>> {
        let index = usize::try_from(entry.inode).ok()?.checked_sub(1)?;
        Some(Listed {
            name: &entry.name,
            number: entry.inode,
            kind: inode::basic_type(&plan.inodes.get(index)?.kind),
            inode: *self.at.get(index)?,
        })
    }
}
