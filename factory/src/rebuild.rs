//! Use case: make an asset again from its lock, and see whether it is the same.

mod expected;

use std::sync::Arc;

use builder::StoreError;
use extensions::reference::NameError;
use extensions::source::Pins;
use schematics::{AssetName, AssetNameError, Blame, Blamed, Digest, TalosVersion, VersionError};

use crate::app::{self, App};
use crate::config::Config;
use crate::documents::lock::{Difference, Lock};
use crate::images::{self, Image, Wanted};
use crate::keys::KeySet;
use crate::register::{RegisterError, Stored};

pub use expected::{Expected, ExpectedError};

/// What came out.
#[derive(Debug)]
pub struct Rebuilt {
    /// The asset.
    pub image: Image,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// Why an asset is not made again.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The lock is of something else.
    #[error("the lock is of {locked}, not of {wanted}")]
    Other {
        /// What the lock is of.
        locked: String,
        /// What was asked for.
        wanted: String,
    },
    /// The lock names no version.
    #[error("the lock names no version")]
    Version(#[from] VersionError),
    /// The lock names no asset.
    #[error("the lock names no asset")]
    Asset(#[from] AssetNameError),
    /// The lock names an image that can be none.
    #[error("the lock names an image that can be none")]
    Image(#[from] NameError),
    /// The asset is signed, and there are no keys.
    #[error(
        "the asset is signed with the certificate {certificate}; give the keys it belongs to with --keys"
    )]
    NoKeys {
        /// The digest of the certificate.
        certificate: Digest,
    },
    /// The asset is signed with other keys than those that are given.
    #[error(
        "the asset is signed with the certificate {certificate}, which is in none of the sets of keys given: {given}"
    )]
    OtherKeys {
        /// The digest of the certificate.
        certificate: Digest,
        /// The certificates that are given.
        given: String,
    },
    /// The factory cannot be opened.
    #[error(transparent)]
    App(#[from] Box<app::OpenError>),
    /// The schematic is none.
    #[error("the schematic in the lock cannot be used")]
    Schematic(#[from] Box<RegisterError>),
    /// The asset cannot be had.
    #[error(transparent)]
    Open(#[from] images::OpenError),
    /// The asset cannot be read.
    #[error("could not read what was made")]
    Read(#[from] StoreError),
}

impl Blamed for RebuildError {
    fn blame(&self) -> Blame {
        match self {
            Self::Open(error) => error.blame(),
            Self::Read(error) => error.blame(),
            Self::Schematic(error) => error.blame(),
            Self::App(_) => Blame::Ours,
            Self::Other { .. }
            | Self::Version(_)
            | Self::Asset(_)
            | Self::Image(_)
            | Self::NoKeys { .. }
            | Self::OtherKeys { .. } => Blame::Caller,
        }
    }
}

/// A factory of nothing but what a lock names, ready to make its asset.
#[derive(Debug)]
pub struct Workshop {
    app: App,
    stored: Arc<Stored>,
    version: TalosVersion,
    asset: AssetName,
    keys: Option<Arc<KeySet>>,
    /// What decides the bytes and is not as the lock says. The asset may be another then.
    pub differences: Vec<Difference>,
}

impl Workshop {
    /// Opens a factory on this configuration, whose data directory the caller has locked and should be empty. What the lock
    /// says of settings, schematic and images counts; everything else is the configuration's and this machine's.
    ///
    /// # Errors
    /// When the lock contradicts itself, the keys are missing, or the source has other images than the lock names.
    pub async fn open(lock: &Lock, mut config: Config) -> Result<Self, RebuildError> {
        let (version, asset) = (lock.version.parse()?, lock.asset.parse()?);
        config.external_url.clone_from(&lock.settings.external_url);
        config.squashfs_level = lock.settings.compression_level;
        config.secureboot_lockdown = lock.settings.lockdown;
        let app = App::open_pinned(config, pins(lock)?).await.map_err(Box::new)?;
        let keys = keys(lock, &app)?.cloned();
        let stored = app.register.create(lock.schematic.text.as_bytes()).await.map_err(Box::new)?;
        let mut workshop = Self { app, stored, version, asset, keys, differences: Vec::new() };
        workshop.differences = lock.differences(&workshop.app.images.lock(workshop.wanted()).await?);
        Ok(workshop)
    }

    /// Makes the asset and reads all of it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make(&self) -> Result<Rebuilt, RebuildError> {
        let image = self.app.images.open(self.wanted()).await?;
        let digest = image.layout.content_digest(&self.app.store).await?;
        Ok(Rebuilt { image, digest })
    }

    /// The factory.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    fn wanted(&self) -> Wanted<'_> {
        let Self { stored, version, asset, keys, .. } = self;
        Wanted { stored, version, asset, keys: keys.as_ref() }
    }
}

/// Checks that a lock is of what is asked for: `<id>/<version>/<asset>`.
///
/// # Errors
/// When it is of something else.
pub fn is_of(lock: &Lock, wanted: &str) -> Result<(), RebuildError> {
    let locked = format!("{}/{}/{}", lock.schematic.id, lock.version, lock.asset);
    if locked == wanted { Ok(()) } else { Err(RebuildError::Other { locked, wanted: wanted.to_owned() }) }
}

/// Which images the tags of a lock have to stand for.
fn pins(lock: &Lock) -> Result<Pins, RebuildError> {
    let mut pins = Pins::new();
    for image in &lock.sources {
        if let Some(tag) = &image.tag {
            pins.insert((image.repository.parse()?, tag.clone()), image.digest);
        }
    }
    Ok(pins)
}

/// The set of keys that signed the asset of a lock; none for an asset that nobody signed.
fn keys<'a>(lock: &Lock, app: &'a App) -> Result<Option<&'a Arc<KeySet>>, RebuildError> {
    let Some(signer) = &lock.signer else { return Ok(None) };
    let certificate = signer.certificate;
    if let Some(set) = app.keys.iter().find(|set| set.identity() == signer.identity) {
        return Ok(Some(set));
    }
    // The same certificate with another PCR key or other files to enrol: what that changes is told as a difference.
    let of = |set: &&Arc<KeySet>| set.certificate().digest() == certificate;
    if let Some(set) = app.keys.iter().find(of) {
        return Ok(Some(set));
    }
    let given: Vec<String> = app.keys.iter().map(|set| set.certificate().digest().to_string()).collect();
    Err(match given.as_slice() {
        [] => RebuildError::NoKeys { certificate },
        given => RebuildError::OtherKeys { certificate, given: given.join(", ") },
    })
}
