//! From a configuration to a bundle.

use std::io;
use std::path::Path;
use std::sync::Arc;

use builder::store::{MemoryRecords, MemoryStore};
use extensions::bundle::{Bundle, WriteError, write};
use extensions::{CookOptions, Kitchen};
use schematics::{Blame, Blamed};

use super::{Order, OrderError, collect};
use crate::app::{self, OpenError};
use crate::config::Config;

/// Why a bundle was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no room to work in.
    #[error("could not make a directory for the work")]
    Work(#[source] io::Error),
    /// The source cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Not all of it could be found.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Blamed for ExportError {
    fn blame(&self) -> Blame {
        match self {
            Self::Work(_) | Self::Open(_) => Blame::Ours,
            Self::Order(error) => error.blame(),
            Self::Write(error) => error.blame(),
        }
    }
}

/// Finds what an order needs at the configured source, and writes it to `path` as [`write()`] does. `progress` is told how
/// many bytes more are done, and how many there are. Nothing is cooked, and the data directory is not used.
///
/// # Errors
/// When the source does not have all of it, or the place cannot be written to.
pub async fn export(
    config: &Config,
    order: &Order,
    path: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Bundle, ExportError> {
    let work = tempfile::tempdir().map_err(ExportError::Work)?;
    let options = CookOptions {
        level: config.squashfs_level,
        threads: config.limits.builds,
        parallel: config.limits.builds,
        work: work.path().to_owned(),
    };
    let kitchen = Kitchen::new(Arc::new(MemoryStore::default()), Arc::new(MemoryRecords::default()), options);
    // What is exported is good here, and its signatures go along to prove it there.
    let opened = app::open_source(config, Arc::new(MemoryRecords::default()), None)?;
    let available = app::available(config, opened.trusted, kitchen)?;
    let source = opened.passing.as_ref();
    let bundle = collect(&available, source, order).await?;
    let total = bundle.size();
    progress(0, total);
    write(&bundle, source, path, &|more| progress(more, total)).await?;
    Ok(bundle)
}
