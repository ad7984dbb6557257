//! Why something is not available.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use extensions::{PullError, Repository};
use schematics::{Blame, Blamed, TalosVersion};

/// Why something is not available. Shared, since everybody who waited for it gets the same answer.
#[derive(Debug, Clone)]
pub struct Unavailable {
    blame: Blame,
    error: Arc<dyn Error + Send + Sync>,
}

impl Unavailable {
    pub(super) fn new<E: Blamed + Error + Send + Sync + 'static>(error: E) -> Self {
        Self { blame: error.blame(), error: Arc::new(error) }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Unavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl Blamed for Unavailable {
    fn blame(&self) -> Blame {
        self.blame
    }
}

/// A version that the source lists, but whose image for something is not there.
#[derive(Debug, thiserror::Error)]
#[error("could not resolve {repository}:{version}")]
pub(super) struct Unresolved {
    pub(super) repository: Repository,
    pub(super) version: TalosVersion,
    #[source]
    pub(super) source: PullError,
}

impl Blamed for Unresolved {
    fn blame(&self) -> Blame {
        // A listed version whose image has gone is the source's fault, not the caller's.
        match self.source.blame() {
            Blame::Missing | Blame::Upstream => Blame::Upstream,
            other => other,
        }
    }
}
