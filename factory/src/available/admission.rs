//! Whether images that a catalogue names may be used.

use extensions::{ImageRef, PullError};
use schematics::{Blame, Blamed};

use super::{Available, Unavailable};

impl Available {
    /// Makes sure that an image a catalogue names may be used, also where all that is needed of it is here already.
    ///
    /// # Errors
    /// When nobody who is trusted has signed it, or the source does not answer.
    pub async fn admit(&self, image: &ImageRef) -> Result<(), Unavailable> {
        let admitted = self.source().admit(&image.repository, image.digest).await;
        admitted.map_err(|source| Unavailable::new(Inadmissible { image: image.clone(), source }))
    }
}

/// An image that a catalogue names, but that may not be used.
#[derive(Debug, thiserror::Error)]
#[error("could not check {image}")]
struct Inadmissible {
    image: ImageRef,
    #[source]
    source: PullError,
}

impl Blamed for Inadmissible {
    fn blame(&self) -> Blame {
        // A catalogue that names what is not there is the source's fault, not the caller's.
        match self.source.blame() {
            Blame::Missing | Blame::Upstream => Blame::Upstream,
            other => other,
        }
    }
}
