//! The places a private key can be, each behind the one [`Signer`] interface.
//!
//! Adding one: a variant of [`SignerSpec`], and a [`Place`](place::Place) that asks once. Time limits, retries and the
//! public key's cache are the same for all of them.

mod access;
mod aws;
mod azure;
mod bearer;
mod gcp;
mod pem;
mod pkcs11;
mod place;
mod service;
mod signerd;
pub mod spec;
mod vault;

use std::error::Error;
use std::sync::Arc;

use schematics::{Blame, Blamed};
use signing::{KeyError, Signer};

pub use access::{Access, Environment, Patience};
pub use aws::{AcmArn, certificate as acm_certificate};
use place::{Fault, Place, Remote};
pub use spec::{SignerSpec, SignerSpecError};

/// Opens a signer: reaches the place and reads the public key, so that a wrong name or a missing permission is known at
/// the start and not at the first image.
///
/// The key version is settled here: when a service makes a new version of a key, an open signer keeps to the one whose
/// public key it knows.
///
/// # Errors
/// When the place cannot be reached within the patience given, refuses, or holds no RSA key that firmware could use.
pub async fn open(spec: &SignerSpec, access: &Access) -> Result<Arc<dyn Signer>, OpenSignerError> {
    match place(spec, access)? {
        Opened::Key(key) => Ok(key),
        Opened::Place(place) => Ok(Arc::new(Remote::open(place, spec.to_string(), access.patience).await?)),
    }
}

/// The certificate that is kept beside the key, in PEM: by Azure Key Vault under the key's name, in a token under the
/// key's label or id, and by signing daemons. `None` from places that keep none.
///
/// # Errors
/// As [`open`].
pub async fn certificate(spec: &SignerSpec, access: &Access) -> Result<Option<String>, OpenSignerError> {
    match place(spec, access)? {
        Opened::Key(_) => Ok(None),
        Opened::Place(place) => {
            let found = access.patience.wait_for(&spec.to_string(), || place.certificate()).await;
            found.map_err(|fault| fault.while_opening(spec.to_string()))
        }
    }
}

enum Opened {
    Key(Arc<dyn Signer>),
    Place(Box<dyn Place>),
}

fn place(spec: &SignerSpec, access: &Access) -> Result<Opened, OpenSignerError> {
    let place: Result<Box<dyn Place>, Fault> = match spec {
        SignerSpec::Pem(path) => return pem::open(path).map(Opened::Key),
        SignerSpec::Pkcs11(uri) => pkcs11::TokenKey::new(uri, access).map(boxed),
        SignerSpec::Aws { endpoint, key } => aws::KmsKey::new(endpoint.as_deref(), key, access).map(boxed),
        SignerSpec::Azure { host, key, version } => {
            azure::VaultKey::new(host, key, version.as_deref(), access).map(boxed)
        }
        SignerSpec::Gcp(version) => gcp::KeyVersion::new(version, access).map(boxed),
        SignerSpec::Vault { mount, key } => vault::TransitKey::new(mount.as_deref(), key, access).map(boxed),
        SignerSpec::Signerd(socket) => Ok(boxed(signerd::Daemon::new(socket))),
    };
    place.map(Opened::Place).map_err(|fault| fault.while_opening(spec.to_string()))
}

fn boxed(place: impl Place) -> Box<dyn Place> {
    Box::new(place)
}

type Cause = Box<dyn Error + Send + Sync>;

/// Why a signer cannot be used. Says nothing secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenSignerError {
    /// It cannot be reached, did not answer in time, or takes no requests at the moment.
    #[error("the signer {signer} did not answer")]
    Unavailable {
        /// Where the key is.
        signer: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It refuses, or something it needs is not configured.
    #[error("the signer {signer} cannot be used")]
    Unusable {
        /// Where the key is.
        signer: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// What is there is no RSA key of 2048 bits or more.
    #[error("the signer {signer} holds no key that can be used")]
    Key {
        /// Where the key should be.
        signer: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
}

impl Blamed for OpenSignerError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unavailable { .. } => Blame::Upstream,
            Self::Unusable { .. } | Self::Key { .. } => Blame::Ours,
        }
    }
}
