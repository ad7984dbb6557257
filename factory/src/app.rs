//! The few long-lived parts of a server, each behind its own small handle.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::BlobStore;
use builder::store::{DirRecords, DirStore};

use crate::config::Config;
use crate::register::Register;

/// Everything a request may need. Clones share it.
#[derive(Debug, Clone)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// Blobs.
    pub store: Arc<dyn BlobStore>,
    /// Schematics.
    pub register: Register,
    /// Whether clients are still welcome.
    pub welcome: Welcome,
}

/// Whether new clients are welcome: readiness, which ends when the server begins to stop.
#[derive(Debug, Clone, Default)]
pub struct Welcome(Arc<AtomicBool>);

impl Welcome {
    /// Whether they are.
    #[must_use]
    pub fn given(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// From now on they are not.
    pub fn withdraw(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl App {
    /// Opens the parts in the configured data directory, which the caller has locked.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn open(config: Config) -> io::Result<Self> {
        let records = DirRecords::open(&config.data)?;
        let store = DirStore::open(config.data.join("blobs"))?;
        Ok(Self {
            config: Arc::new(config),
            store: Arc::new(store),
            register: Register::new(Arc::new(records)),
            welcome: Welcome::default(),
        })
    }
}
