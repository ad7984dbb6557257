//! The directory depmod works on.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use builder::format::squashfs_read::{Found, Limits, read_files};
use builder::store::{Blob, BlobStore};
use builder::tree::split_path;
use bytes::Bytes;
use fs_err as fs;

use super::{ModulesError, depmod};
use crate::cook::CookedExtension;

/// What one image may have below its directory of modules.
const LIMITS: Limits = Limits { entries: 100_000, bytes: 4 << 30 };
/// How large all index files together may be.
const MAX_INDEX: u64 = 256 << 20;
/// The longest name of a kernel release; Linux' `__NEW_UTS_LEN`.
const MAX_RELEASE: usize = 64;

/// Modules of several images in one directory, the later ones over the earlier.
#[derive(Debug)]
pub(super) struct Gathered {
    root: PathBuf,
    /// Where an image has its modules.
    place: &'static str,
}

impl Gathered {
    pub(super) fn new(root: PathBuf, place: &'static str) -> Self {
        Self { root, place }
    }

    /// The directory that is the root for depmod.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn modules(&self) -> PathBuf {
        self.root.join("lib/modules")
    }

    /// Copies the modules of the release, and tells the one kernel they are for.
    pub(super) async fn base(
        &self,
        rootfs: Blob,
        store: &Arc<dyn BlobStore>,
    ) -> Result<String, ModulesError> {
        let (modules, root) = (self.modules(), self.root.clone());
        // However depmod was configured when it was built, it looks below one of the two.
        let made = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(modules)?;
            fs::create_dir(root.join("usr"))?;
            std::os::unix::fs::symlink("../lib", root.join("usr/lib"))
        });
        made.await.map_err(io::Error::other).and_then(|made| made).map_err(ModulesError::Run)?;
        let kernels = self.copy(rootfs, "the release", store, |_| true).await?;
        match kernels.as_slice() {
            [kernel] if is_release(kernel) => Ok(kernel.clone()),
            [name] => Err(ModulesError::Release { name: name.clone() }),
            _ => Err(ModulesError::Kernels { found: kernels }),
        }
    }

    /// Copies an extension's modules for `kernel` over what is there.
    pub(super) async fn extension(
        &self,
        extension: &CookedExtension,
        kernel: &str,
        store: &Arc<dyn BlobStore>,
    ) -> Result<(), ModulesError> {
        let name = &extension.layer.manifest.name;
        let found = extension.kernels.clone().unwrap_or_default();
        if !found.iter().any(|other| other == kernel) {
            return Err(ModulesError::Kernel { extension: name.clone(), found, kernel: kernel.to_owned() });
        }
        let place = format!("extension `{name}`");
        let kernel = kernel.to_owned();
        self.copy(extension.layer.squashfs, &place, store, move |other| other == kernel).await?;
        Ok(())
    }

    /// Copies modules and index files of the kernels that are wanted; tells which kernels there were.
    async fn copy(
        &self,
        image: Blob,
        place: &str,
        store: &Arc<dyn BlobStore>,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<String>, ModulesError> {
        let kernels = Arc::new(Mutex::new(BTreeSet::new()));
        let seen = Arc::clone(&kernels);
        let (modules, prefix) = (self.modules(), format!("{}/", self.place));
        let take = move |found: Found<'_>| {
            let Some((kernel, name)) = found.path.strip_prefix(&prefix).and_then(|path| path.split_once('/'))
            else {
                return Ok(());
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(kernel.to_owned());
            if !wanted(kernel) || !is_needed(name) {
                return Ok(());
            }
            let parts = split_path(name).map_err(io::Error::other)?;
            let target = parts.into_iter().fold(modules.join(kernel), |path, part| path.join(part));
            fs::create_dir_all(target.parent().unwrap_or(&modules))?;
            io::copy(found.content, &mut fs::File::create(target)?)?;
            Ok(())
        };
        read_files(image, self.place, LIMITS, store, take)
            .await
            .map_err(|source| ModulesError::Read { place: place.to_owned(), source })?;
        let kernels = std::mem::take(&mut *kernels.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(kernels.into_iter().collect())
    }

    /// The index files of a kernel, by name, sorted.
    pub(super) async fn index(&self, kernel: &str) -> Result<Vec<(String, Bytes)>, ModulesError> {
        let dir = self.modules().join(kernel);
        let read = tokio::task::spawn_blocking(move || read_index(&dir));
        read.await.map_err(|_| ModulesError::Stopped)?
    }
}

fn read_index(dir: &Path) -> Result<Vec<(String, Bytes)>, ModulesError> {
    let mut found = Vec::new();
    let mut left = MAX_INDEX;
    for entry in fs::read_dir(dir).map_err(ModulesError::Run)? {
        let entry = entry.map_err(ModulesError::Run)?;
        let is_file = entry.file_type().map_err(ModulesError::Run)?.is_file();
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_file || !name.starts_with("modules.") {
            continue;
        }
        let bytes = depmod::read_file(&entry.path(), left)?;
        left -= bytes.len() as u64;
        found.push((name, Bytes::from(bytes)));
    }
    found.sort();
    Ok(found)
}

/// What depmod reads: modules, compressed or not, and the lists made when the kernel was built.
fn is_needed(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let module = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().any(|suffix| last.ends_with(suffix));
    module || (!name.contains('/') && name.starts_with("modules."))
}

/// Whether a name may be a kernel release. It becomes an argument and a directory.
fn is_release(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
    name.len() <= MAX_RELEASE && name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(word)
}
