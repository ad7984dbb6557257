//! Data: the blocks of files, and the fragment blocks their tails share.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, BufWriter, Read, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use schematics::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::{Builder, NamedTempFile};
use tokio::runtime::Handle;

use super::plan::Content;
use super::pool::Pool;
use super::{BLOCK, SquashfsError, narrow};
use crate::image::BlockingReader;
use crate::store::BlobStore;

/// Set in the size of a block that is stored as it is.
const RAW: u32 = 1 << 24;

/// What a store gives its own files, less what the process is told to leave out.
const BLOB_MODE: u32 = 0o666;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Where contents are read from.
pub(super) struct Contents<'a> {
    pub(super) store: &'a Arc<dyn BlobStore>,
    pub(super) runtime: &'a Handle,
}

impl Contents<'_> {
    fn open(&self, content: &Content) -> BlockingReader {
        BlockingReader::new(&content.image, Arc::clone(self.store), self.runtime.clone())
    }
}

/// Where the bytes of a file lie.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    /// Where its first block begins in the image.
    pub(super) start: u64,
    pub(super) size: u64,
    /// How many of its bytes are in holes.
    pub(super) sparse: u64,
    /// The sizes of its blocks in the image; 0 is a hole.
    pub(super) blocks: Vec<u32>,
    /// The number of the fragment block its tail is in, and where in it.
    pub(super) tail: Option<(u32, u32)>,
}

/// A fragment block.
pub(super) struct Fragment {
    pub(super) start: u64,
    /// Its size in the image, with [`RAW`].
    pub(super) size: u32,
}

#[derive(Default)]
pub(super) struct Packed {
    /// One for each content of the plan.
    pub(super) contents: Vec<Stored>,
    pub(super) fragments: Vec<Fragment>,
}

/// The file that becomes the image. Its head is written last, since it tells where everything ends.
pub(super) struct Spool {
    file: BufWriter<NamedTempFile>,
    /// Where the next byte will lie in the image.
    position: u64,
}

impl Spool {
    /// Leaves `head` bytes of room at the beginning of a new file in `dir`.
    pub(super) fn new(head: usize, dir: Option<&Path>) -> Result<Self, SquashfsError> {
        let mut builder = Builder::new();
        builder.prefix("squashfs-").permissions(Permissions::from_mode(BLOB_MODE));
        let file = dir.map_or_else(|| builder.tempfile(), |dir| builder.tempfile_in(dir));
        let file = file.map_err(|source| SquashfsError::Spool { source })?;
        let mut spool = Self { file: BufWriter::with_capacity(BLOCK, file), position: 0 };
        spool.write(&vec![0; head])?;
        Ok(spool)
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), SquashfsError> {
        self.file.write_all(bytes).map_err(|source| SquashfsError::Spool { source })?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Fills the room at the beginning, and hands over the file.
    pub(super) fn finish(self, head: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        file.write_all(head)?;
        Ok(file)
    }
}

/// What a block on its way through the pool belongs to.
pub(super) enum Target {
    Block { content: usize, slot: usize },
    Fragment,
}

pub(super) struct Packer<'a> {
    pub(super) pool: Pool<Target>,
    pub(super) contents: Contents<'a>,
    pub(super) spool: &'a mut Spool,
    packed: Packed,
    /// The fragment block that is being filled.
    open: Vec<u8>,
    opened: u32,
    /// Where each tail already lies, by its bytes.
    tails: BTreeMap<Digest, (u32, u32)>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(pool: Pool<Target>, contents: Contents<'a>, spool: &'a mut Spool) -> Self {
        let packed = Packed::default();
        Self { pool, contents, spool, packed, open: Vec::new(), opened: 0, tails: BTreeMap::new() }
    }

    /// Lays down all contents.
    pub(super) fn pack(mut self, contents: &[Content]) -> Result<Packed, SquashfsError> {
        let twins = Twins::find(contents, &self.contents)?;
        for (index, content) in contents.iter().enumerate() {
            self.packed.contents.push(Stored { size: content.image.len(), ..Stored::default() });
            if twins.first(index) == index {
                self.add(index, content)?;
            }
        }
        self.close_fragment()?;
        while self.land()? {}
        for index in 0..contents.len() {
            if let Some(first) = self.packed.contents.get(twins.first(index)).cloned()
                && let Some(stored) = self.packed.contents.get_mut(index)
            {
                *stored = first;
            }
        }
        Ok(self.packed)
    }

    fn add(&mut self, index: usize, content: &Content) -> Result<(), SquashfsError> {
        let failed = |source| SquashfsError::Read { path: content.path.clone(), source };
        let mut reader = self.contents.open(content);
        let mut left = content.image.len();
        while left >= BLOCK as u64 {
            let block = reader.take_exactly(BLOCK).map_err(failed)?;
            self.add_block(index, block)?;
            left -= BLOCK as u64;
        }
        if left > 0 {
            let size = usize::try_from(left).unwrap_or(BLOCK);
            let tail = reader.take_exactly(size).map_err(failed)?;
            self.add_tail(index, &tail)?;
        }
        Ok(())
    }

    fn add_block(&mut self, content: usize, block: Bytes) -> Result<(), SquashfsError> {
        let Some(stored) = self.packed.contents.get_mut(content) else { return Err(SquashfsError::Stopped) };
        let slot = stored.blocks.len();
        stored.blocks.push(0);
        if *block == ZEROS {
            stored.sparse += block.len() as u64;
            return Ok(());
        }
        self.hand_over(Target::Block { content, slot }, block)
    }

    fn add_tail(&mut self, content: usize, tail: &[u8]) -> Result<(), SquashfsError> {
        let digest = Digest::of(tail);
        let known = self.tails.get(&digest).copied();
        let place = match known {
            Some(place) => place,
            None => {
                if self.open.len() + tail.len() > BLOCK {
                    self.close_fragment()?;
                }
                let place = (self.opened, narrow(self.open.len(), "bytes in a fragment")?);
                self.open.extend_from_slice(tail);
                self.tails.insert(digest, place);
                place
            }
        };
        if let Some(stored) = self.packed.contents.get_mut(content) {
            stored.tail = Some(place);
        }
        Ok(())
    }

    fn close_fragment(&mut self) -> Result<(), SquashfsError> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.opened = self.opened.checked_add(1).ok_or(SquashfsError::TooMany { what: "fragments" })?;
        let block = std::mem::take(&mut self.open);
        self.hand_over(Target::Fragment, block.into())
    }

    fn hand_over(&mut self, target: Target, block: Bytes) -> Result<(), SquashfsError> {
        if self.pool.is_full() {
            self.land()?;
        }
        self.pool.put(target, block)
    }

    /// Writes the block that is next in order; `false` when there is none.
    fn land(&mut self) -> Result<bool, SquashfsError> {
        let Some((target, block)) = self.pool.take()? else { return Ok(false) };
        let start = self.spool.position();
        self.spool.write(&block.bytes)?;
        let length: u32 = narrow(block.bytes.len(), "bytes in a block")?;
        let size = if block.compressed { length } else { length | RAW };
        match target {
            Target::Fragment => self.packed.fragments.push(Fragment { start, size }),
            Target::Block { content, slot } => {
                if let Some(stored) = self.packed.contents.get_mut(content) {
                    if stored.start == 0 {
                        stored.start = start;
                    }
                    if let Some(place) = stored.blocks.get_mut(slot) {
                        *place = size;
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Contents of a block or more with the same bytes under different descriptions.
struct Twins {
    /// For a content that has an earlier twin, that one.
    earlier: BTreeMap<usize, usize>,
}

impl Twins {
    /// Contents of equal size are read once more to be hashed; there are few.
    fn find(contents: &[Content], source: &Contents<'_>) -> Result<Self, SquashfsError> {
        let mut sizes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, content) in contents.iter().enumerate() {
            if content.image.len() >= BLOCK as u64 {
                sizes.entry(content.image.len()).or_default().push(index);
            }
        }
        let mut earlier = BTreeMap::new();
        for group in sizes.into_values().filter(|group| group.len() > 1) {
            let mut firsts = BTreeMap::new();
            for index in group {
                let Some(content) = contents.get(index) else { continue };
                let digest = hash(content, source)?;
                let first = *firsts.entry(digest).or_insert(index);
                if first != index {
                    earlier.insert(index, first);
                }
            }
        }
        Ok(Self { earlier })
    }

    fn first(&self, index: usize) -> usize {
        self.earlier.get(&index).copied().unwrap_or(index)
    }
}

fn hash(content: &Content, source: &Contents<'_>) -> Result<Digest, SquashfsError> {
    let failed = |source| SquashfsError::Read { path: content.path.clone(), source };
    let mut reader = source.open(content);
    let mut hasher = Sha256::new();
    let mut piece = vec![0; BLOCK];
    loop {
        let size = reader.read(&mut piece).map_err(failed)?;
        match piece.get(..size) {
            Some(read) if size > 0 => hasher.update(read),
            _ => return Ok(Digest::from_bytes(hasher.finalize().into())),
        }
    }
}
