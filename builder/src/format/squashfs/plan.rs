//! From a tree to numbered inodes.

use std::collections::BTreeMap;

use schematics::Digest;

use super::xattr::Xattrs;
use super::{MAX_INODES, MAX_TARGET, SquashfsError, narrow};
use crate::image::VirtualImage;
use crate::tree::{Dir, File, MAX_NAME, Meta, Node, Tree};

/// Everything about an image except its data.
///
/// Children are numbered in a row, behind their directory; the root is number 1.
#[derive(Default)]
pub(super) struct Plan {
    /// The inodes; number `n` is at `n - 1`.
    pub(super) inodes: Vec<Inode>,
    /// The different contents of files, in the order in which their data is laid down.
    pub(super) contents: Vec<Content>,
    /// The user and group ids inodes refer to by index.
    pub(super) ids: Vec<u32>,
    pub(super) xattrs: Xattrs,
}

pub(super) struct Content {
    /// The first file that has it.
    pub(super) path: String,
    pub(super) image: VirtualImage,
}

pub(super) struct Inode {
    pub(super) mode: u16,
    /// Index of the owner.
    pub(super) uid: u16,
    /// Index of the group.
    pub(super) gid: u16,
    pub(super) mtime: u32,
    pub(super) links: u32,
    /// Index of the set of extended attributes.
    pub(super) xattr: Option<u32>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Dir { parent: u32, entries: Vec<Entry> },
    File { content: usize },
    Symlink { target: String },
}

/// A name in a directory.
pub(super) struct Entry {
    pub(super) name: String,
    /// Number of the inode.
    pub(super) inode: u32,
}

/// Numbers the inodes of a tree.
pub(super) fn lay_out(tree: &Tree) -> Result<Plan, SquashfsError> {
    let mut planner = Planner::default();
    let root = planner.add(&tree.root.meta, "", Kind::Dir { parent: 0, entries: Vec::new() })?;
    let mut open = vec![(&tree.root, root, String::new())];
    while let Some((dir, number, path)) = open.pop() {
        planner.fill(dir, number, &path, &mut open)?;
    }
    let mut plan = planner.plan;
    // The root has no parent; by convention it names the number behind the last.
    let none: u32 = narrow(plan.inodes.len() + 1, "inodes")?;
    if let Some(Inode { kind: Kind::Dir { parent, .. }, .. }) = plan.inodes.first_mut() {
        *parent = none;
    }
    Ok(plan)
}

#[derive(Default)]
struct Planner {
    plan: Plan,
    ids: BTreeMap<u32, u16>,
    /// Contents by the description of their image.
    contents: BTreeMap<Digest, usize>,
    /// Hard links: the inode of each group and the content it has.
    links: BTreeMap<u64, (u32, usize)>,
}

impl Planner {
    /// Adds the entries of a directory that has a number already, and opens the directories in it.
    fn fill<'a>(
        &mut self,
        dir: &'a Dir,
        number: u32,
        path: &str,
        open: &mut Vec<(&'a Dir, u32, String)>,
    ) -> Result<(), SquashfsError> {
        let mut entries = Vec::with_capacity(dir.children.len());
        let mut below = Vec::new();
        for (name, node) in &dir.children {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            check_name(name, &path)?;
            let inode = match node {
                Node::Dir(child) => {
                    let kind = Kind::Dir { parent: number, entries: Vec::new() };
                    let inode = self.add(&child.meta, &path, kind)?;
                    below.push((child, inode, path));
                    inode
                }
                Node::File(file) => self.add_file(file, &path)?,
                Node::Symlink(link) => {
                    let size = link.target.len();
                    if !(1..=MAX_TARGET).contains(&size) {
                        return Err(SquashfsError::Target { path, size });
                    }
                    self.add(&link.meta, &path, Kind::Symlink { target: link.target.clone() })?
                }
            };
            entries.push(Entry { name: name.clone(), inode });
        }
        let links = narrow(below.len() + 2, "links of a directory")?;
        if let Some(inode) = self.inode(number)
            && let Kind::Dir { entries: empty, .. } = &mut inode.kind
        {
            *empty = entries;
            inode.links = links;
        }
        // The last one is taken first: directories are visited in the order of their names.
        open.extend(below.into_iter().rev());
        Ok(())
    }

    fn inode(&mut self, number: u32) -> Option<&mut Inode> {
        self.plan.inodes.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    fn add(&mut self, meta: &Meta, path: &str, kind: Kind) -> Result<u32, SquashfsError> {
        if self.plan.inodes.len() >= MAX_INODES {
            return Err(SquashfsError::TooMany { what: "inodes" });
        }
        let inode = Inode {
            mode: meta.mode & 0o7777,
            uid: self.id(meta.uid)?,
            gid: self.id(meta.gid)?,
            mtime: meta.mtime,
            links: 1,
            xattr: self.plan.xattrs.add(&meta.xattrs, path)?,
            kind,
        };
        self.plan.inodes.push(inode);
        narrow(self.plan.inodes.len(), "inodes")
    }

    fn add_file(&mut self, file: &File, path: &str) -> Result<u32, SquashfsError> {
        let content = self.content(&file.content, path);
        if let Some((number, known)) = file.link.and_then(|group| self.links.get(&group).copied()) {
            if known != content {
                return Err(SquashfsError::Links { path: path.to_owned() });
            }
            if let Some(inode) = self.inode(number) {
                inode.links = inode.links.saturating_add(1);
            }
            return Ok(number);
        }
        let number = self.add(&file.meta, path, Kind::File { content })?;
        if let Some(group) = file.link {
            self.links.insert(group, (number, content));
        }
        Ok(number)
    }

    /// Index of a content; images with the same description have the same bytes.
    fn content(&mut self, image: &VirtualImage, path: &str) -> usize {
        let next = self.plan.contents.len();
        let index = *self.contents.entry(image.manifest_digest()).or_insert(next);
        if index == next {
            self.plan.contents.push(Content { path: path.to_owned(), image: image.clone() });
        }
        index
    }

    fn id(&mut self, id: u32) -> Result<u16, SquashfsError> {
        if let Some(index) = self.ids.get(&id) {
            return Ok(*index);
        }
        let index = narrow(self.plan.ids.len(), "owners")?;
        // The count of ids is 16 bits wide too, so the last index stays unused.
        if index == u16::MAX {
            return Err(SquashfsError::TooMany { what: "owners" });
        }
        self.plan.ids.push(id);
        self.ids.insert(id, index);
        Ok(index)
    }
}

fn check_name(name: &str, path: &str) -> Result<(), SquashfsError> {
    let wrong =
        name.is_empty() || name == "." || name == ".." || name.len() > MAX_NAME || name.contains(['/', '\0']);
    if wrong { Err(SquashfsError::Name { path: path.to_owned() }) } else { Ok(()) }
}
