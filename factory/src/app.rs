//! The few long-lived parts of a server, each behind its own small handle.

mod source;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use builder::store::{DirRecords, DirStore};
use builder::{BlobStore, RecordStore};
use extensions::reference::NameError;
use extensions::source::Pins;
use extensions::{CookOptions, Kitchen, PullError, SourceSpec};
use fs_err as fs;
use signing::KeyAlgorithm;

use crate::artefacts::Artefacts;
use crate::available::Available;
use crate::companions::Companions;
use crate::config::Config;
use crate::evidence::Evidence;
use crate::images::{self, Images};
use crate::installers::{InstallerSigner, Installers};
use crate::keys::{OpenKeySets, OpenKeysError};
use crate::log::chain;
use crate::own_key::{self, OwnKeyError};
use crate::register::Register;
use crate::seal::Seal;
use crate::signed_records::SignedRecords;
use crate::sources::Sources;
use source::shelves;
pub(crate) use source::{available, open_source};

/// The key that signs what is remembered, in the data directory.
const INDEX_KEY: &str = "keys/index.pem";
/// The key that signs what is served, in the data directory.
const SIGNING_KEY: &str = "keys/signing.pem";

/// Everything a request may need. Clones share it.
#[derive(Debug, Clone)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// Blobs.
    pub store: Arc<dyn BlobStore>,
    /// What is remembered about them, signed.
    pub records: Arc<dyn RecordStore>,
    /// What there is to build with.
    pub available: Available,
    /// Images.
    pub images: Images,
    /// Documents about them.
    pub evidence: Evidence,
    /// Images as artefacts of a registry.
    pub artefacts: Artefacts,
    /// Installer images.
    pub installers: Installers,
    /// What goes beside images.
    pub companions: Companions,
    /// The key that signs what is served.
    pub seal: Seal,
    /// Images of the source.
    pub sources: Sources,
    /// The keys that sign them.
    pub keys: Arc<OpenKeySets>,
    /// Schematics.
    pub register: Register,
    /// Whether clients are still welcome.
    pub welcome: Welcome,
}

/// Why an application could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error("cannot open what is stored in the data directory")]
    Data(#[source] io::Error),
    /// The source cannot be used.
    #[error("cannot use the source {spec}")]
    Source {
        /// The source.
        spec: SourceSpec,
        /// Why.
        #[source]
        source: Box<PullError>,
    },
    /// The repository of schematics cannot be used.
    #[error("cannot use the repository of schematics")]
    Schematics(#[source] Box<PullError>),
    /// A key that signs images cannot be used.
    #[error(transparent)]
    Keys(#[from] OpenKeysError),
    /// The key that signs what is remembered, or what is served, cannot be used.
    #[error(transparent)]
    OwnKey(#[from] OwnKeyError),
    /// A name of ours is none; a fault of ours.
    #[error("the images of Talos have no proper names")]
    Names(#[from] NameError),
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
    /// Puts the parts together on the configured data directory, which the caller has locked.
    ///
    /// ```text
    /// <data>/lock        held while a server runs
    /// <data>/schematics  and further directories of records, one per kind
    /// <data>/blobs       everything that images are made of
    /// <data>/keys        keys made at the first start
    /// <data>/partial     records being written; emptied at every start
    /// <data>/work        intermediate files; emptied at every start
    /// ```
    ///
    /// # Errors
    /// When the directory, the source or a key cannot be used.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        Self::open_on(config, None).await
    }

    /// The same with a source that hands out the pinned images alone.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_pinned(config: Config, pins: Pins) -> Result<Self, OpenError> {
        Self::open_on(config, Some(pins)).await
    }

    async fn open_on(config: Config, pins: Option<Pins>) -> Result<Self, OpenError> {
        let keys = config.keys.open().await?;
        let plain: Arc<dyn RecordStore> = Arc::new(DirRecords::open(&config.data).map_err(OpenError::Data)?);
        let records = signed(&config, &plain)?;
        let seal = seal(&config)?;
        let store: Arc<dyn BlobStore> =
            Arc::new(DirStore::open(config.data.join("blobs")).map_err(OpenError::Data)?);
        let work = config.data.join("work");
        empty(&work).map_err(OpenError::Data)?;
        let options = CookOptions {
            level: config.squashfs_level,
            threads: config.limits.builds,
            parallel: config.limits.builds,
            work,
        };
        let kitchen = Kitchen::new(Arc::clone(&store), Arc::clone(&records), options);
        let opened = open_source(&config, Arc::clone(&records), pins)?;
        let available = available(&config, opened.trusted, kitchen)?;
        let shelves = shelves(&config)?;
        let settings = images::Settings {
            external_url: config.external_url.clone(),
            registry: config.source.registry(),
            level: config.squashfs_level,
            builds: config.limits.builds,
            grub: config.grub.clone(),
            lockdown: config.secureboot_lockdown,
        };
        let images = Images::new(available.clone(), Arc::clone(&store), Arc::clone(&records), settings);
        let signer = InstallerSigner { seal: seal.clone(), host: host(&config.external_url) };
        let (blobs, facts) = (Arc::clone(&store), Arc::clone(&records));
        let passes = config.limits.builds.get();
        let stored = (Arc::clone(&store), Arc::clone(&records));
        let evidence = Evidence::new(images.clone(), config.source.registry());
        let described = (images.clone(), evidence.clone());
        let companions = Companions::new(described.clone(), stored, seal.clone(), passes);
        let (told, offered) = (Arc::clone(&records), available.clone());
        Ok(Self {
            artefacts: Artefacts::new(images.clone(), offered, companions.clone(), told),
            companions,
            seal,
            installers: Installers::new(described, available.clone(), blobs, facts, signer),
            evidence,
            sources: Sources::new(
                opened.passing,
                available.limits().clone(),
                Arc::clone(&store),
                Arc::clone(&records),
            ),
            images,
            available,
            keys: Arc::new(keys),
            // A schematic's name is its digest, and it is posted to any replica, whoever made the records.
            register: Register::new(plain).with(shelves),
            config: Arc::new(config),
            store,
            records,
            welcome: Welcome::default(),
        })
    }
}

/// What is remembered, signed by this factory: all of it says what stands for what, and none of that can be seen in it.
fn signed(config: &Config, plain: &Arc<dyn RecordStore>) -> Result<Arc<dyn RecordStore>, OpenError> {
    let own = match &config.index_key {
        Some(path) => own_key::open(path)?,
        None => own_key::open_or_make(&config.data.join(INDEX_KEY), KeyAlgorithm::Ed25519)?,
    };
    Ok(Arc::new(SignedRecords::new(Arc::clone(plain), own, &config.index_trusted_keys)))
}

/// The key that signs what is served. cosign knows this algorithm in all its commands.
fn seal(config: &Config) -> Result<Seal, OwnKeyError> {
    let key = match &config.signing_key {
        Some(path) => own_key::open(path),
        None => own_key::open_or_make(&config.data.join(SIGNING_KEY), KeyAlgorithm::EcdsaP256),
    };
    key.map(Seal::from)
}

/// Host and port of a URL of ours, as names of images have them.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}

/// Reads the list of versions now, so that the first client need not wait for it, and again and again, for ever.
pub async fn keep_fresh(available: Available, every: Duration) {
    if let Err(error) = available.releases().refresh().await {
        tracing::warn!(error = chain(&error), "the versions of Talos are not known yet");
    }
    available.releases().keep_fresh(every.max(Duration::from_secs(1))).await;
}

/// An empty directory, whatever was there before.
fn empty(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => fs::create_dir_all(dir),
    }
}
