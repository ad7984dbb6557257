//! A file tree whose files are images.

use std::collections::BTreeMap;

use crate::image::VirtualImage;

/// The longest path a tree takes, in bytes; Linux' `PATH_MAX`.
pub const MAX_PATH: usize = 4096;
/// The longest name of one entry, in bytes; Linux' `NAME_MAX`.
pub const MAX_NAME: usize = 255;

/// Owner, permissions and time of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with set-uid, set-gid and sticky: at most `0o7777`.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time in seconds since 1970.
    pub mtime: u32,
    /// Extended attributes by their full name, such as `security.selinux`.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Meta {
    /// Just permissions, owned by root, at time 0.
    #[must_use]
    pub fn with_mode(mode: u16) -> Self {
        Self { mode, ..Self::default() }
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Dir(Dir),
    /// A regular file.
    File(File),
    /// A symbolic link.
    Symlink(Symlink),
}

/// A directory: its entries sorted by the bytes of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    /// Owner, permissions, time.
    pub meta: Meta,
    /// The entries.
    pub children: BTreeMap<String, Node>,
}

impl Default for Dir {
    fn default() -> Self {
        Self { meta: Meta::with_mode(0o755), children: BTreeMap::new() }
    }
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Owner, permissions, time.
    pub meta: Meta,
    /// Its bytes.
    pub content: VirtualImage,
    /// Files with the same number are hard links of one file; formats that know links keep them.
    pub link: Option<u64>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symlink {
    /// Owner and time; permissions of links do not count.
    pub meta: Meta,
    /// What it points to, never resolved.
    pub target: String,
}

/// Why something cannot be put into a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path leads out of the tree, is empty, too long, or has a NUL in it.
    #[error("`{path}` is not a path below the root of a tree")]
    Path {
        /// The path.
        path: String,
    },
    /// A part of the path is there and is no directory.
    #[error("`{part}` in `{path}` is not a directory")]
    NotADirectory {
        /// The path.
        path: String,
        /// The part.
        part: String,
    },
}

/// A file tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The root directory.
    pub root: Dir,
}

/// The names a path is made of. `.` and empty parts are dropped; `..` is refused, so nothing leads out of the tree.
///
/// # Errors
/// When a part is `..`, a name or the path is too long, or there is a NUL in it.
pub fn split_path(path: &str) -> Result<Vec<&str>, TreeError> {
    let wrong = || TreeError::Path { path: path.to_owned() };
    if path.len() > MAX_PATH || path.contains('\0') {
        return Err(wrong());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.iter().any(|part| *part == ".." || part.len() > MAX_NAME) {
        return Err(wrong());
    }
    Ok(parts)
}

impl Tree {
    /// Puts a node at `path`, replacing what is there and making missing directories with mode 0755.
    ///
    /// # Errors
    /// When the path is none, or runs through something that is no directory.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), TreeError> {
        let parts = split_path(path)?;
        let (name, parents) = parts.split_last().ok_or_else(|| TreeError::Path { path: path.to_owned() })?;
        let mut dir = &mut self.root;
        for part in parents {
            let child = dir.children.entry((*part).to_owned()).or_insert_with(|| Node::Dir(Dir::default()));
            let Node::Dir(next) = child else {
                return Err(TreeError::NotADirectory { path: path.to_owned(), part: (*part).to_owned() });
            };
            dir = next;
        }
        dir.children.insert((*name).to_owned(), node);
        Ok(())
    }

    /// Puts a file with this content and mode at `path`, owned by root, at time 0.
    ///
    /// # Errors
    /// As [`Tree::insert`].
    pub fn insert_file(&mut self, path: &str, mode: u16, content: VirtualImage) -> Result<(), TreeError> {
        self.insert(path, Node::File(File { meta: Meta::with_mode(mode), content, link: None }))
    }

    /// What is at `path`; `None` for the root and for what is not there. Links are not followed.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        let parts = split_path(path).ok()?;
        let (name, parents) = parts.split_last()?;
        let mut dir = &self.root;
        for part in parents {
            match dir.children.get(*part)? {
                Node::Dir(next) => dir = next,
                Node::File(_) | Node::Symlink(_) => return None,
            }
        }
        dir.children.get(*name)
    }

    /// The directory at `path`, or the root for the empty path.
    #[must_use]
    pub fn dir(&self, path: &str) -> Option<&Dir> {
        if split_path(path).ok()?.is_empty() {
            return Some(&self.root);
        }
        match self.get(path)? {
            Node::Dir(dir) => Some(dir),
            Node::File(_) | Node::Symlink(_) => None,
        }
    }

    /// Takes out what is at `path`.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        let parts = split_path(path).ok()?;
        let (name, parents) = parts.split_last()?;
        let mut dir = &mut self.root;
        for part in parents {
            match dir.children.get_mut(*part)? {
                Node::Dir(next) => dir = next,
                Node::File(_) | Node::Symlink(_) => return None,
            }
        }
        dir.children.remove(*name)
    }

    /// Every entry below the root with its path, directories before what is in them, names sorted.
    #[must_use]
    pub fn walk(&self) -> Vec<(String, &Node)> {
        let mut found = Vec::new();
        walk_dir(&self.root, "", &mut found);
        found
    }

    /// Lays `upper` over this tree: directories merge, everything else replaces.
    pub fn merge(&mut self, upper: Self) {
        merge_dir(&mut self.root, upper.root);
    }
}

fn walk_dir<'a>(dir: &'a Dir, prefix: &str, found: &mut Vec<(String, &'a Node)>) {
    for (name, node) in &dir.children {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        found.push((path.clone(), node));
        if let Node::Dir(child) = node {
            walk_dir(child, &path, found);
        }
    }
}

fn merge_dir(lower: &mut Dir, upper: Dir) {
    lower.meta = upper.meta;
    for (name, node) in upper.children {
        match (lower.children.get_mut(&name), node) {
            (Some(Node::Dir(below)), Node::Dir(above)) => merge_dir(below, above),
            (_, node) => {
                lower.children.insert(name, node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in paths {
            tree.insert_file(path, 0o644, VirtualImage::from_bytes(path.as_bytes().to_vec())).unwrap();
        }
        tree
    }

    #[test]
    fn no_path_leads_out_of_a_tree() {
        let long = "a".repeat(256);
        for path in ["..", "a/../b", "/../x", "a\0b", "", "/", ".", long.as_str()] {
            assert!(Tree::default().insert(path, Node::Dir(Dir::default())).is_err(), "{path}");
        }
        let mut tree = tree(&["/a//./b"]);
        assert!(tree.get("a/b").is_some());
        assert!(matches!(
            tree.insert_file("a/b/c", 0o644, VirtualImage::default()),
            Err(TreeError::NotADirectory { .. })
        ));
    }

    #[test]
    fn a_walk_lists_directories_before_their_entries() {
        let tree = tree(&["b", "a/z", "a-b", "a/b/c"]);
        let paths: Vec<String> = tree.walk().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c", "a/z", "a-b", "b"]);
    }

    #[test]
    fn merging_keeps_what_the_upper_tree_does_not_name() {
        let mut lower = tree(&["a/x", "a/y", "b"]);
        lower.merge(tree(&["a/y", "b/c"]));
        let paths: Vec<String> = lower.walk().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/x", "a/y", "b", "b/c"]);
    }
}
