//! The tree as lists of directories and files, and the plain names of its entries.

use std::collections::VecDeque;

use super::{IsoError, MAX_FILE, SECTOR_LEN, names, records};
use crate::image::VirtualImage;
use crate::tree::{Dir, Meta, Node};

/// What an entry is; directories and files by their number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    Dir(usize),
    File(usize),
    Symlink(&'a str),
}

/// An entry of a directory.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) plain: String,
    pub(super) name: &'a str,
    pub(super) meta: &'a Meta,
    pub(super) target: Target<'a>,
}

/// A directory, in the order of the path table: level by level, each by the parent's number, then by name.
#[derive(Debug)]
pub(super) struct Collected<'a> {
    pub(super) plain: String,
    pub(super) meta: &'a Meta,
    pub(super) parent: usize,
    pub(super) entries: Vec<Entry<'a>>,
}

type All<'a> = (Vec<Collected<'a>>, Vec<&'a VirtualImage>);

/// All directories in the order of the path table, and all files in the order of their directories.
pub(super) fn collect(root: &Dir) -> Result<All<'_>, IsoError> {
    let mut files = Vec::new();
    let mut dirs: Vec<Collected<'_>> = Vec::new();
    let mut queue = VecDeque::from([(root, String::new(), 0_usize)]);
    let mut seen = 1;
    while let Some((dir, plain, parent)) = queue.pop_front() {
        let number = dirs.len();
        let mut entries = Vec::new();
        for (plain, (name, node)) in sorted(dir) {
            let (meta, target) = match node {
                Node::Dir(child) => {
                    queue.push_back((child, plain.clone(), number));
                    seen += 1;
                    (&child.meta, Target::Dir(seen - 1))
                }
                Node::File(file) => {
                    let size = file.content.len();
                    if size > MAX_FILE {
                        return Err(IsoError::FileSize { name: name.clone(), size });
                    }
                    files.push(&file.content);
                    (&file.meta, Target::File(files.len() - 1))
                }
                Node::Symlink(link) => {
                    let len = link.target.len();
                    if records::link_len(&link.target) + 2 * name.len() > SECTOR_LEN {
                        return Err(IsoError::Link { name: name.clone(), len });
                    }
                    (&link.meta, Target::Symlink(&link.target))
                }
            };
            entries.push(Entry { plain, name, meta, target });
        }
        dirs.push(Collected { plain, meta: &dir.meta, parent, entries });
    }
    if seen > usize::from(u16::MAX) { Err(IsoError::Directories) } else { Ok((dirs, files)) }
}

/// The entries of a directory by their plain names.
fn sorted(dir: &Dir) -> Vec<(String, (&String, &Node))> {
    let names = dir.children.iter().map(|(name, node)| (name.as_str(), matches!(node, Node::Dir(_))));
    let mut entries: Vec<_> = names::assign(names).into_iter().zip(&dir.children).collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    entries
}
