//! What a release says about vulnerabilities: an OpenVEX document, passed on as it is.
//!
//! It is the file `vex.json` of the image `siderolabs/vex` at the source, under the version as its tag.

use bytes::Bytes;
use extensions::contents::{Contents, ContentsError};
use extensions::reference::NameError;
use extensions::{PullError, Repository};
use schematics::{Blame, Blamed, TalosVersion};

use super::{Available, Unavailable};

/// The repository of the images.
pub const REPOSITORY: &str = "siderolabs/vex";
/// The file in them.
pub const FILE: &str = "vex.json";
/// How the context of such a document begins.
const CONTEXT: &str = "https://openvex.dev/ns";

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum VexError {
    /// The version is not offered, or the source does not answer.
    #[error(transparent)]
    Version(#[from] Unavailable),
    /// Nobody published one.
    #[error(
        "there is no VEX document for Talos version {version}: the source has no image {REPOSITORY}:{version}"
    )]
    NoDocument {
        /// The version.
        version: TalosVersion,
    },
    /// The image cannot be read.
    #[error("could not read the VEX document of Talos {version}")]
    Contents {
        /// The version.
        version: TalosVersion,
        /// Why.
        #[source]
        source: ContentsError,
    },
    /// What is in it is something else.
    #[error("{FILE} of {REPOSITORY}:{version} is no OpenVEX document")]
    Other {
        /// The version.
        version: TalosVersion,
    },
    /// The name of the repository is none; a fault of ours.
    #[error("the repository of VEX documents has no proper name")]
    Name(#[from] NameError),
}

impl Blamed for VexError {
    fn blame(&self) -> Blame {
        match self {
            Self::Version(error) => error.blame(),
            Self::NoDocument { .. } => Blame::Missing,
            Self::Contents { source, .. } => source.blame(),
            Self::Other { .. } => Blame::Upstream,
            Self::Name(_) => Blame::Ours,
        }
    }
}

/// The document of a version.
///
/// # Errors
/// When there is none, or what is there is none.
pub async fn document(available: &Available, version: &TalosVersion) -> Result<Bytes, VexError> {
    available.require(version).await?;
    let repository: Repository = REPOSITORY.parse()?;
    let failed = |source| match source {
        ContentsError::Pull { source, .. } if is_missing(&source) => {
            VexError::NoDocument { version: version.clone() }
        }
        source => VexError::Contents { version: version.clone(), source },
    };
    let tag = version.to_string();
    let contents = Contents::pull(available.source(), &repository, &tag, available.limits()).await;
    let document = contents.map_err(failed)?.required(FILE).await.map_err(failed)?;
    let told: Option<serde_json::Value> = serde_json::from_slice(&document).ok();
    let context = told.as_ref().and_then(|told| told.get("@context")?.as_str());
    if !context.is_some_and(|context| context.starts_with(CONTEXT)) {
        return Err(VexError::Other { version: version.clone() });
    }
    Ok(document)
}

/// Whether a source says that there is no such image. Registries deny what they do not have.
const fn is_missing(error: &PullError) -> bool {
    matches!(error, PullError::NoRepository { .. } | PullError::NoTag { .. } | PullError::Denied { .. })
}
