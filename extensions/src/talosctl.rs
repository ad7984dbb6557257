//! `talosctl` for every operating system.

use std::sync::Arc;

use builder::store::{Blob, BlobStoreExt as _, RecordKind, StoreError};
use builder::tree::Node;
use schematics::{Arch, Blame, Blamed};

use crate::cook::{CookError, HasBlobs, Kitchen};
use crate::pull::{Limits, pull_tree};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError};

const KIND: RecordKind = RecordKind("talosctl");
/// More programs than any release has.
const MAX_PROGRAMS: usize = 64;

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Talosctl {
    /// Its file name: `talosctl-<os>-<arch>[.exe]`.
    pub name: String,
    /// Its bytes, in the main store.
    pub blob: Blob,
}

impl HasBlobs for Vec<Talosctl> {
    fn blobs(&self) -> Vec<Blob> {
        self.iter().map(|program| program.blob).collect()
    }
}

/// Why the programs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TalosctlError {
    /// The image could not be pulled.
    #[error("could not pull {image}")]
    Pull {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The image has something else in it.
    #[error("{image} has an entry `{name}`, which is not named `talosctl-<os>-<arch>`")]
    Name {
        /// The image.
        image: ImageRef,
        /// The entry.
        name: String,
    },
    /// Our store failed.
    #[error("could not keep `{name}`")]
    Store {
        /// The program.
        name: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Our records or the work directory failed.
    #[error("could not prepare the programs")]
    Kitchen(#[from] CookError),
}

impl Blamed for TalosctlError {
    fn blame(&self) -> Blame {
        match self {
            Self::Pull { source, .. } => source.blame(),
            Self::Name { .. } => Blame::Upstream,
            Self::Store { source, .. } => source.blame(),
            Self::Kitchen(error) => error.blame(),
        }
    }
}

/// Whether a name is `talosctl-<os>-<arch>`, with or without `.exe`.
fn is_program(name: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let rest = name.strip_prefix("talosctl-").map(|rest| rest.strip_suffix(".exe").unwrap_or(rest));
    rest.and_then(|rest| rest.split_once('-')).is_some_and(|(os, arch)| word(os) && word(arch))
}

/// The programs of a release, sorted by name; pulled once, then remembered by the image's digest.
///
/// # Errors
/// When the image cannot be had, or has anything else in it.
pub async fn talosctl(
    kitchen: &Kitchen,
    source: &dyn ImageSource,
    limits: &Limits,
    image: &ImageRef,
) -> Result<Vec<Talosctl>, TalosctlError> {
    let _turn = kitchen.turns.wait(image.digest).await;
    if let Some(known) = kitchen.recall::<Vec<Talosctl>>(KIND, image.digest).await? {
        return Ok(known);
    }
    let (_dir, scratch) = kitchen.scratch().await?;
    let pulled = pull_tree(source, image, Arch::Amd64, &scratch, limits).await;
    let tree = pulled.map_err(|source| TalosctlError::Pull { image: image.clone(), source })?.tree;
    let mut programs = Vec::new();
    for (name, node) in tree.root.children {
        let Node::File(file) = node else { return Err(TalosctlError::Name { image: image.clone(), name }) };
        if !is_program(&name) || programs.len() >= MAX_PROGRAMS {
            return Err(TalosctlError::Name { image: image.clone(), name });
        }
        let bytes = file.content.read(Arc::clone(&scratch), 0..file.content.len());
        let kept = kitchen.store.put_stream(bytes).await;
        let blob = kept.map_err(|source| TalosctlError::Store { name: name.clone(), source })?;
        programs.push(Talosctl { name, blob });
    }
    kitchen.remember(KIND, image.digest, &programs).await?;
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::is_program;

    #[test]
    fn only_programs_have_the_name_of_a_program() {
        for name in ["talosctl-linux-amd64", "talosctl-windows-arm64.exe", "talosctl-linux-armv7"] {
            assert!(is_program(name), "{name}");
        }
        for name in [
            "talosctl",
            "talosctl-linux",
            "talosctl--amd64",
            "talosctl-a-b-c",
            "x-linux-amd64",
            "talosctl-..-a",
        ] {
            assert!(!is_program(name), "{name}");
        }
    }
}
