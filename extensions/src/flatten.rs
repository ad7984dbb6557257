//! Layers on top of each other.

use builder::image::VirtualImage;
use builder::store::Blob;
use builder::tree::{Dir, File, Node, Symlink, Tree, TreeError};

use crate::hostile::HostileError;
use crate::layers::{Entry, Kind};

/// A tree that layers are put onto, the lowest first.
#[derive(Debug, Default)]
pub struct Flattener {
    tree: Tree,
    links: u64,
}

/// Why a path cannot be used, in a layer's terms.
fn through(error: TreeError) -> HostileError {
    match error {
        TreeError::NotADirectory { path, part } => HostileError::Through { path, part },
        TreeError::Path { path } => HostileError::Path { path },
    }
}

impl Flattener {
    /// Puts a layer onto the tree. Its files read from `archive`, the layer's uncompressed bytes.
    ///
    /// Removals count for lower layers alone, wherever in the layer they stand.
    ///
    /// # Errors
    /// When a path goes through a link or file of a lower layer, or a hard link points to no file.
    pub fn apply(&mut self, entries: Vec<Entry>, archive: Blob) -> Result<(), HostileError> {
        for entry in &entries {
            match entry.kind {
                Kind::Whiteout => self.remove(&entry.path)?,
                Kind::Opaque => self.empty(&entry.path)?,
                Kind::Dir(_) | Kind::File { .. } | Kind::Symlink { .. } | Kind::Link { .. } => {}
            }
        }
        let content = VirtualImage::from_blob(archive);
        for entry in entries {
            self.add(entry, &content)?;
        }
        Ok(())
    }

    /// The finished tree.
    #[must_use]
    pub fn finish(self) -> Tree {
        self.tree
    }

    fn remove(&mut self, path: &str) -> Result<(), HostileError> {
        self.only_dirs_above(path)?;
        self.tree.remove(path);
        Ok(())
    }

    fn empty(&mut self, path: &str) -> Result<(), HostileError> {
        self.only_dirs_above(path)?;
        if path.is_empty() {
            self.tree.root.children.clear();
        } else if let Some(Node::Dir(dir)) = self.tree.get(path) {
            let emptied = Node::Dir(Dir { meta: dir.meta.clone(), ..Dir::default() });
            self.tree.insert(path, emptied).map_err(through)?;
        }
        Ok(())
    }

    fn only_dirs_above(&self, path: &str) -> Result<(), HostileError> {
        for (at, _) in path.match_indices('/') {
            let parent = path.get(..at).unwrap_or_default();
            match self.tree.get(parent) {
                Some(Node::Dir(_)) => {}
                None => return Ok(()),
                Some(Node::File(_) | Node::Symlink(_)) => {
                    return Err(HostileError::Through { path: path.to_owned(), part: parent.to_owned() });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry, content: &VirtualImage) -> Result<(), HostileError> {
        let Entry { path, kind } = entry;
        let node = match kind {
            Kind::Whiteout | Kind::Opaque => return Ok(()),
            Kind::Dir(meta) if path.is_empty() => {
                self.tree.root.meta = meta;
                return Ok(());
            }
            Kind::Dir(meta) => {
                self.only_dirs_above(&path)?;
                // What a lower layer has in the directory stays.
                let children = match self.tree.remove(&path) {
                    Some(Node::Dir(dir)) => dir.children,
                    Some(Node::File(_) | Node::Symlink(_)) | None => std::collections::BTreeMap::new(),
                };
                Node::Dir(Dir { meta, children })
            }
            Kind::File { meta, bytes } => Node::File(File { meta, content: content.part(bytes), link: None }),
            Kind::Symlink { meta, target } => Node::Symlink(Symlink { meta, target }),
            Kind::Link { target } => Node::File(self.linked(&path, &target)?),
        };
        self.tree.insert(&path, node).map_err(through)
    }

    /// The file a hard link means, marked as having several names.
    fn linked(&mut self, path: &str, target: &str) -> Result<File, HostileError> {
        let Some(Node::File(file)) = self.tree.get(target) else {
            return Err(HostileError::LinkTarget { path: path.to_owned(), target: target.to_owned() });
        };
        let mut file = file.clone();
        if file.link.is_none() {
            self.links += 1;
            file.link = Some(self.links);
            self.tree.insert(target, Node::File(file.clone())).map_err(through)?;
        }
        Ok(file)
    }
}
