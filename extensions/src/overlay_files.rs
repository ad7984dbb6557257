//! The files of an overlay: what brings Talos onto a board.

use std::sync::Arc;

use builder::image::VirtualImage;
use builder::plan::CanonicalWriter;
use builder::store::{Blob, BlobStoreExt as _, RecordKind, StoreError};
use builder::tree::{Dir, Meta, Node, Symlink, Tree, TreeError};
use schematics::{Arch, Blame, Blamed, Digest};

use crate::cook::{CookError, HasBlobs, Kitchen};
use crate::pull::{Limits, pull_tree};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError};

const KIND: RecordKind = RecordKind("overlay");

/// Everything in an overlay image for one architecture; contents are blobs of the main store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OverlayFiles(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Entry {
    path: String,
    mode: u16,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum What {
    Dir,
    File(Option<Blob>),
    Symlink(String),
}

impl HasBlobs for OverlayFiles {
    fn blobs(&self) -> Vec<Blob> {
        let blob = |entry: &Entry| match entry.what {
            What::File(blob) => blob,
            What::Dir | What::Symlink(_) => None,
        };
        self.0.iter().filter_map(blob).collect()
    }
}

/// Why the files of an overlay could not be had.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The image could not be pulled.
    #[error("could not pull the overlay {image}")]
    Pull {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        source: PullError,
    },
    /// Our store failed.
    #[error("could not keep `{path}` of the overlay")]
    Store {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Our records or the work directory failed.
    #[error("could not prepare the overlay")]
    Kitchen(#[from] CookError),
}

impl Blamed for OverlayError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pull { source, .. } => source.blame(),
            Self::Store { source, .. } => source.blame(),
            Self::Kitchen(error) => error.blame(),
        }
    }
}

/// The files of an overlay image for an architecture; pulled once, then remembered by the image's digest.
///
/// Whoever asks while it is being pulled waits for it.
///
/// # Errors
/// When the image cannot be had.
pub async fn overlay_files(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    image: &ImageRef,
    arch: Arch,
) -> Result<OverlayFiles, OverlayError> {
    let mut key = CanonicalWriter::new("factory overlay 1");
    key.digests(&[image.digest]).text(arch.name());
    let key = Digest::of(&key.finish());
    let _turn = kitchen.turns.wait(key).await;
    if let Some(known) = kitchen.recall::<OverlayFiles>(KIND, key).await? {
        return Ok(known);
    }
    let (_dir, scratch) = kitchen.scratch().await?;
    let pulled = pull_tree(source, image, arch, &scratch, limits).await;
    let tree = pulled.map_err(|source| OverlayError::Pull { image: image.clone(), source })?.tree;
    let mut entries = Vec::new();
    for (path, node) in tree.walk() {
        let (mode, what) = match node {
            Node::Dir(dir) => (dir.meta.mode, What::Dir),
            Node::Symlink(link) => (0o777, What::Symlink(link.target.clone())),
            Node::File(file) if file.content.is_empty() => (file.meta.mode, What::File(None)),
            Node::File(file) => {
                let bytes = file.content.read(Arc::clone(&scratch), 0..file.content.len());
                let kept = kitchen.store.put_stream(bytes).await;
                let blob = kept.map_err(|source| OverlayError::Store { path: path.clone(), source })?;
                (file.meta.mode, What::File(Some(blob)))
            }
        };
        entries.push(Entry { path, mode, what });
    }
    let files = OverlayFiles(entries);
    kitchen.remember(KIND, key, &files).await?;
    Ok(files)
}

impl OverlayFiles {
    /// The files as a tree, owned by root, without times.
    ///
    /// # Errors
    /// Never with what was read of an image.
    pub fn tree(&self) -> Result<Tree, TreeError> {
        let mut tree = Tree::default();
        for Entry { path, mode, what } in &self.0 {
            let meta = Meta::with_mode(*mode);
            match what {
                What::Dir => tree.insert(path, Node::Dir(Dir { meta, ..Dir::default() }))?,
                What::Symlink(target) => {
                    tree.insert(path, Node::Symlink(Symlink { meta, target: target.clone() }))?;
                }
                What::File(blob) => {
                    tree.insert_file(path, *mode, blob.map(VirtualImage::from_blob).unwrap_or_default())?;
                }
            }
        }
        Ok(tree)
    }
}

/// Where in an overlay the program of a board is; without a name it is `default`.
#[must_use]
pub fn program_path(name: &str) -> String {
    format!("installers/{}", if name.is_empty() { "default" } else { name })
}
