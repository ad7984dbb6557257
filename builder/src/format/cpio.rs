//! cpio archives in the `newc` form, the one the Linux kernel unpacks its initramfs from.
//!
//! The form is described in the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`: headers of 110
//! hexadecimal characters, names and contents padded to four bytes, and a last entry named `TRAILER!!!`.

use std::collections::BTreeMap;

use crate::image::{ImageLayout, VirtualImage};
use crate::tree::{MAX_PATH, Node, Tree};

/// Archives end at a multiple of this many bytes, the block cpio has always written.
const BLOCK: u64 = 512;
const TRAILER: &str = "TRAILER!!!";
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_777;

/// Why a tree cannot be written as a cpio archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// A file does not fit the eight digits its size is written in.
    #[error("`{path}` has {size} bytes, but a file in a cpio archive has at most {}", u32::MAX)]
    FileTooLarge {
        /// The file.
        path: String,
        /// Its size.
        size: u64,
    },
    /// The kernel leaves out what has a longer path or link target.
    #[error("a path or link target in `{path}` is longer than the {} bytes the kernel takes", MAX_PATH - 1)]
    PathTooLong {
        /// The entry.
        path: String,
    },
    /// There are more entries than inode numbers.
    #[error("the tree has more than {} entries", u32::MAX)]
    TooManyEntries,
    /// An entry has the name that ends an archive; readers would stop there.
    #[error("`{TRAILER}` is the name that ends a cpio archive and cannot be the name of a file")]
    Trailer,
    /// Files that claim to be one file have different contents.
    #[error("`{path}` is a hard link of a file with another content")]
    UnequalLinks {
        /// The second of the files.
        path: String,
    },
}

/// Lays `tree` out as one archive whose entries all have the time `mtime`, in seconds since 1970.
///
/// Entries come depth first, sorted by name in each directory, directories before what is in them; there is no entry for
/// the root. Owner and group are 0, devices are 0, inodes are numbered from 1 in order of appearance, extended
/// attributes are left out. The content of hard links stands at the last of them. The archive ends at a multiple of
/// 512 bytes.
///
/// # Errors
/// When a file, a path or the number of entries does not fit the format, or hard links differ.
pub fn lay_out(tree: &Tree, mtime: u32) -> Result<VirtualImage, CpioError> {
    let entries = tree.walk();
    let mut links = Links::find(&entries)?;
    let mut archive = ImageLayout::default();
    let mut inodes = 0;
    for (path, node) in &entries {
        check_names(path, node)?;
        let header = links.header(node, &mut inodes)?;
        put_entry(&mut archive, path, Header { mtime, ..header }, &links.content(node))?;
    }
    put_entry(&mut archive, TRAILER, Header { links: 1, ..Header::default() }, &VirtualImage::default())?;
    archive.align(BLOCK);
    Ok(archive.finish())
}

/// What differs between the headers of entries.
#[derive(Debug, Clone, Copy, Default)]
struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    mtime: u32,
}

/// The files that are several entries.
#[derive(Debug, Default)]
struct Links<'a> {
    groups: BTreeMap<u64, Group<'a>>,
}

#[derive(Debug)]
struct Group<'a> {
    content: &'a VirtualImage,
    total: u32,
    written: u32,
    inode: Option<u32>,
}

impl<'a> Links<'a> {
    fn find(entries: &[(String, &'a Node)]) -> Result<Self, CpioError> {
        let mut groups: BTreeMap<u64, Group<'a>> = BTreeMap::new();
        for (path, node) in entries {
            let Node::File(file) = node else { continue };
            let Some(number) = file.link else { continue };
            let group = groups.entry(number).or_insert(Group {
                content: &file.content,
                total: 0,
                written: 0,
                inode: None,
            });
            if *group.content != file.content {
                return Err(CpioError::UnequalLinks { path: path.clone() });
            }
            group.total = group.total.saturating_add(1);
        }
        Ok(Self { groups })
    }

    fn group(&mut self, node: &Node) -> Option<&mut Group<'a>> {
        match node {
            Node::File(file) => self.groups.get_mut(&file.link?),
            Node::Dir(_) | Node::Symlink(_) => None,
        }
    }

    /// The header of `node`, counted as written; `last_inode` is the highest number given out.
    fn header(&mut self, node: &Node, last_inode: &mut u32) -> Result<Header, CpioError> {
        let mut new_inode = || {
            *last_inode = last_inode.checked_add(1).ok_or(CpioError::TooManyEntries)?;
            Ok(*last_inode)
        };
        let (mode, alone) = match node {
            Node::Dir(dir) => (DIRECTORY | u32::from(dir.meta.mode), 2),
            Node::File(file) => (REGULAR | u32::from(file.meta.mode), 1),
            Node::Symlink(_) => (SYMLINK, 1),
        };
        let Some(group) = self.group(node) else {
            return Ok(Header { inode: new_inode()?, mode, links: alone, mtime: 0 });
        };
        let inode = group.inode.map_or_else(new_inode, Ok)?;
        group.inode = Some(inode);
        group.written = group.written.saturating_add(1);
        Ok(Header { inode, mode, links: group.total, mtime: 0 })
    }

    /// What stands behind the header of `node`.
    fn content(&mut self, node: &Node) -> VirtualImage {
        if self.group(node).is_some_and(|group| group.written < group.total) {
            return VirtualImage::default();
        }
        match node {
            Node::Dir(_) => VirtualImage::default(),
            Node::File(file) => file.content.clone(),
            Node::Symlink(link) => VirtualImage::from_bytes(link.target.clone().into_bytes()),
        }
    }
}

fn check_names(path: &str, node: &Node) -> Result<(), CpioError> {
    if path == TRAILER {
        return Err(CpioError::Trailer);
    }
    let target = match node {
        Node::Symlink(link) => link.target.len(),
        Node::Dir(_) | Node::File(_) => 0,
    };
    // The limit counts the NUL at the end.
    if path.len() < MAX_PATH && target < MAX_PATH {
        return Ok(());
    }
    Err(CpioError::PathTooLong { path: path.to_owned() })
}

fn put_entry(
    archive: &mut ImageLayout,
    path: &str,
    header: Header,
    content: &VirtualImage,
) -> Result<(), CpioError> {
    let size = u32::try_from(content.len())
        .map_err(|_| CpioError::FileTooLarge { path: path.to_owned(), size: content.len() })?;
    let Header { inode, mode, links, mtime } = header;
    let name_size = path.len() + 1;
    // Owner and group, then the four halves of the device numbers, then the checksum this form does not have.
    let text = format!(
        "070701{inode:08X}{mode:08X}{:08X}{:08X}{links:08X}{mtime:08X}{size:08X}{:08X}{:08X}{:08X}{:08X}{name_size:08X}{:08X}{path}\0",
        0, 0, 0, 0, 0, 0, 0
    );
    archive.bytes(text).align(4).image(content).align(4);
    Ok(())
}

#[cfg(test)]
mod tests;
