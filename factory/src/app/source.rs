//! What is behind the configured source: images that may be used, and schematics.

use std::sync::Arc;

use builder::RecordStore;
use extensions::releases::VersionRules;
use extensions::source::{PinnedSource, Pins};
use extensions::{ImageSource, Kitchen, LayoutSource, Limits, SourceSpec, TrustedSource};
use tokio::sync::Semaphore;

use super::OpenError;
use crate::available::{Available, Components};
use crate::bundle;
use crate::config::Config;
use crate::metered::MeteredSource;
use crate::register::Shelf;

/// The configured source, in two forms.
pub(crate) struct OpenSource {
    /// With what the policy accepts of it.
    pub(crate) trusted: Arc<dyn ImageSource>,
    /// With signatures and other attachments as well, which those check who get them.
    pub(crate) passing: Arc<dyn ImageSource>,
}

/// Opens the configured source. A registry is not connected to yet.
///
/// # Errors
/// When the source cannot be used.
pub(crate) fn open_source(
    config: &Config,
    records: Arc<dyn RecordStore>,
    pins: Option<Pins>,
) -> Result<OpenSource, OpenError> {
    let opened = config.source.open(config.registries());
    let source = opened
        .map_err(|source| OpenError::Source { spec: config.source.clone(), source: Box::new(source) })?;
    for rule in config.trust.rules() {
        match rule.signers() {
            Some(_) => tracing::info!(%rule, "trust"),
            None => {
                tracing::warn!(%rule, "UNVERIFIED images are used: whoever writes to the source decides what runs")
            }
        }
    }
    let trusted = TrustedSource::new(Arc::new(MeteredSource(source)), config.trust.clone(), records);
    let passing = trusted.with_attachments();
    // Pins go around trust, not inside: nobody pins the tags of signatures.
    let pinned = |source: TrustedSource| -> Arc<dyn ImageSource> {
        match &pins {
            Some(pins) => Arc::new(PinnedSource::new(Arc::new(source), pins.clone())),
            None => Arc::new(source),
        }
    };
    Ok(OpenSource { trusted: pinned(trusted), passing: pinned(passing) })
}

/// What a source offers.
///
/// # Errors
/// Never in practice: the names of Talos' images are fixed and are names.
pub(crate) fn available(
    config: &Config,
    source: Arc<dyn ImageSource>,
    kitchen: Kitchen,
) -> Result<Available, OpenError> {
    let downloads = Arc::new(Semaphore::new(config.limits.fetches.get()));
    let limits = Limits { downloads, ..Limits::default() };
    let rules = VersionRules { minimum: config.min_version.clone(), broken: config.broken_versions.clone() };
    Ok(Available::new(source, kitchen, limits, Components::official()?, rules))
}

/// Where schematics may be besides the records: the configured repository, and the source when it is a layout. Nobody signs
/// them, since they are named by their digests.
pub(super) fn shelves(config: &Config) -> Result<Vec<Shelf>, OpenError> {
    let mut shelves = Vec::new();
    if let Some(repository) = &config.schematic_repository {
        let shelf = Shelf::registry(repository, &config.registries(), config.schematics_read_only);
        shelves.push(shelf.map_err(|source| OpenError::Schematics(Box::new(source)))?);
    }
    if let SourceSpec::Layout(path) = &config.source {
        let failed = |source| OpenError::Source { spec: config.source.clone(), source: Box::new(source) };
        let layout = LayoutSource::open(path).map_err(failed)?;
        shelves.push(Shelf::layout(layout, bundle::schematics()?));
    }
    Ok(shelves)
}
