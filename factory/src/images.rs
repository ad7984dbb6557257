//! Use case: open an image. A name becomes a plan, and a plan an image that can be read.

mod assemble;
mod contents;
mod error;
mod grub;
mod index;
mod installer;
mod lock;
mod measurements;
mod plan;
mod request;
mod secure;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use builder::format::grub::GrubTools;
use builder::plan::Kind;
use builder::{BlobStore, PlanId, RecordStore};
use moka::future::Cache;
use schematics::{AssetName, TalosVersion};
use tokio::sync::Semaphore;

use crate::available::Available;
use crate::flights::Flights;
use crate::keys::KeySet;
use crate::metrics::{self, BuildTimes};
use crate::register::Stored;
pub use error::OpenError;
pub use index::{Health, Image, IndexError};
pub(crate) use installer::repository_name;
pub use installer::{Installer, LayerContent};
use plan::Planned;
use request::Request;

/// The time of everything in an image that has one, in seconds since 1970: the date Sidero's Image Factory uses.
const EPOCH: u32 = 1_559_424_892;
/// How many laid-out images are kept in memory.
const REMEMBERED: u64 = 4096;
/// How long one is, before it is looked up again: what was made may be dropped from the store at any time, and then it
/// has to be made again.
const CHECKED_AFTER: Duration = Duration::from_secs(60);

/// What images depend on besides their inputs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How machines reach the factory; part of every customised image.
    pub external_url: String,
    /// The registry that images of the source come from, when it is one; documents name it.
    pub registry: Option<String>,
    /// The compression level of layers.
    pub level: i32,
    /// How many images are assembled at a time.
    pub builds: NonZeroUsize,
    /// GRUB, for images that boot with it.
    pub grub: GrubTools,
    /// Whether SecureBoot images lock the kernel down where Talos leaves that to its users.
    pub lockdown: bool,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The schematic.
    pub stored: &'a Stored,
    /// The version of Talos.
    pub version: &'a TalosVersion,
    /// The asset.
    pub asset: &'a AssetName,
    /// The keys that sign for whom the request came to, if there are any.
    pub keys: Option<&'a Arc<KeySet>>,
}

/// Opens images. Clones share everything.
#[derive(Debug, Clone)]
pub struct Images {
    available: Available,
    store: Arc<dyn BlobStore>,
    index: index::Index,
    settings: Arc<Settings>,
    builds: Arc<Semaphore>,
    flights: Arc<Flights<PlanId, Image, OpenError>>,
    known: Cache<PlanId, Image>,
    grub: grub::Cores,
    signed: secure::Signed,
}

impl Images {
    /// Images of what is available, kept in `store` and remembered in `records`.
    #[must_use]
    pub fn new(
        available: Available,
        store: Arc<dyn BlobStore>,
        records: Arc<dyn RecordStore>,
        settings: Settings,
    ) -> Self {
        Self {
            available,
            index: index::Index::new(Arc::clone(&store), records),
            builds: Arc::new(Semaphore::new(settings.builds.get())),
            settings: Arc::new(settings),
            signed: secure::Signed::new(Arc::clone(&store)),
            store,
            flights: Arc::default(),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(CHECKED_AFTER).build(),
            grub: grub::Cores::default(),
        }
    }

    /// The image of an asset: laid out once per plan, however many ask, and remembered across restarts.
    ///
    /// Whoever goes away while it is being laid out neither stops nor repeats the work.
    ///
    /// # Errors
    /// When the asset cannot be had, with the reason and whose fault it is.
    pub async fn open(&self, wanted: Wanted<'_>) -> Result<Image, OpenError> {
        let Wanted { stored, version, asset, keys } = wanted;
        let request = Request::new(asset, version, &stored.schematic)?;
        let mut planned = self.plan(&request, stored, keys).await?;
        if let Some(image) = self.recall(planned.id()).await {
            metrics::delivered(version, asset, image.layout.len());
            return Ok(image);
        }
        if request.kind == Kind::InstallerArchive {
            planned.installer = Some(Arc::new(self.installer(wanted).await?));
        }
        let (version, asset) = (version.clone(), *asset);
        self.make(planned, stored.clone(), move |bytes, times| metrics::built(&version, &asset, bytes, times))
            .await
    }

    /// The image of a plan that was laid out before, while all of it can be served.
    pub(crate) async fn recall(&self, plan: PlanId) -> Option<Image> {
        if let Some(image) = self.known.get(&plan).await {
            if image.health.is_good() {
                return Some(image);
            }
            self.known.invalidate(&plan).await;
        }
        let image = self.index.get(plan).await?;
        self.known.insert(plan, image.clone()).await;
        Some(image)
    }

    /// How many images are being assembled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Lays an image out, or waits for the one who does. `built` is told its length and what it took, once.
    async fn make(
        &self,
        planned: Planned,
        stored: Stored,
        built: impl FnOnce(u64, BuildTimes) + Send + 'static,
    ) -> Result<Image, OpenError> {
        let plan = planned.id();
        let images = self.clone();
        let build = || async move {
            // An earlier build may have ended between the look into the index and here.
            if let Some(image) = images.known.get(&plan).await {
                return Ok(image);
            }
            let asked = Instant::now();
            let _place = images.builds.acquire().await.map_err(|_| OpenError::Abandoned)?;
            let begun = Instant::now();
            let layout = images.assemble(&planned, &stored.schematic).await?;
            let content = images.content(planned.plan.kind, &layout).await?;
            let image = images.index.put(plan, layout, content).await;
            let image = image.map_err(|error| OpenError::Index(Arc::new(error)))?;
            images.known.insert(plan, image.clone()).await;
            built(image.layout.len(), BuildTimes { waited: begun - asked, took: begun.elapsed() });
            Ok(image)
        };
        match self.flights.join(plan, build).await {
            Ok(landed) => landed.map_err(|error| OpenError::clone(&error)),
            Err(_) => Err(OpenError::Abandoned),
        }
    }
}
