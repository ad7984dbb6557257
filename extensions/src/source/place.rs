//! Names of sources, as errors tell them, and what it means that something is missing at one.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::PullError;

/// A place that images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A registry, by its address.
    Registry(String),
    /// An OCI image layout, in a directory or an archive.
    Layout(PathBuf),
    /// A layout that was made for certain versions and schematics, and lacks everything else on purpose.
    Bundle(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(address) => f.write_str(address),
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
            Self::Bundle(path) => write!(f, "the bundle oci:{}", path.display()),
        }
    }
}

impl PullError {
    /// Whether this is about something that a bundle leaves out on purpose.
    #[must_use]
    pub const fn is_left_out(&self) -> bool {
        matches!(
            self,
            Self::NoRepository { place: Place::Bundle(_), .. }
                | Self::NoTag { place: Place::Bundle(_), .. }
                | Self::NoContent { place: Place::Bundle(_), .. }
        )
    }

    /// What an error, or what is behind it, says about something that a bundle leaves out.
    #[must_use]
    pub fn left_out<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let found = error
                .downcast_ref::<Self>()
                .or_else(|| error.downcast_ref::<Box<Self>>().map(Box::as_ref))
                .or_else(|| error.downcast_ref::<Arc<Self>>().map(Arc::as_ref));
            if let Some(found) = found.filter(|found| found.is_left_out()) {
                return Some(found);
            }
            // An error that is shared hides itself from whoever asks only for its source.
            if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>()
                && let Some(found) = Self::left_out(shared.as_ref())
            {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}
