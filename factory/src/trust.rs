//! Whose signatures count, as it is written in a configuration.
//!
//! ```text
//! [REPOSITORY=]talos                      who signs Talos
//! [REPOSITORY=]key:FILE                   a public key in PEM
//! [REPOSITORY=]keyless:ISSUER=IDENTITY    who can prove to be IDENTITY
//! [REPOSITORY=]unsigned                   anything
//! file:FILE                               rules in YAML
//! ```

mod file;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use extensions::Repository;
use extensions::trust::{
    Accepted, Keyless, Matcher, MatcherError, PolicyError, RootError, TrustPolicy, TrustRoot, TrustedSigner,
};
use fs_err as fs;
use signing::{KeyError, PublicKey};

pub use file::FileError;

/// The longest file of a key, of rules or of a trusted root.
const MAX_FILE: u64 = 1 << 20;
/// What `talos` is about when nothing else is said.
const TALOS: &str = "siderolabs";

/// What is accepted of some repositories.
#[derive(Debug, Clone)]
pub struct TrustSpec {
    images: Option<Repository>,
    accepted: Signer,
}

#[derive(Debug, Clone)]
enum Signer {
    Unsigned,
    Key(PublicKey),
    Keyless { identity: Matcher, issuer: Matcher, root: Option<Arc<TrustRoot>> },
    Talos,
}

/// Why a text, or a file it names, says nothing about trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It has none of the forms.
    #[error(
        "expected `talos`, `key:FILE`, `keyless:ISSUER=IDENTITY`, `unsigned` or `file:FILE`, each but the last with `REPOSITORY=` before it where it is not for all"
    )]
    Form,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds no key.
    #[error("{path} is no public key")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A file holds no rules.
    #[error("{path} has no rules of trust")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<FileError>,
    },
    /// A file holds no trusted root.
    #[error("{path} is no trusted root")]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RootError,
    },
    /// The root that is part of this program cannot be used.
    #[error("the trusted root of Sigstore cannot be used")]
    Embedded(#[source] RootError),
    /// A pattern of ours is none; a fault of ours.
    #[error(transparent)]
    Pattern(#[from] MatcherError),
    /// The rules contradict each other.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Understands one item of the configuration, and reads the file it names.
///
/// # Errors
/// When it has none of the forms, or the file is not what it should be.
pub fn read(text: &str) -> Result<Vec<TrustSpec>, TrustError> {
    if let Some(path) = text.strip_prefix("file:") {
        return file::read(Path::new(path));
    }
    // A repository has no colon, so what stands before the first `=` of a key's path or an issuer is none.
    let (images, signer) = match text.split_once('=') {
        Some((images, signer)) if !images.contains(':') => {
            (Some(images.parse().map_err(|_| TrustError::Form)?), signer)
        }
        Some(_) | None => (None, text),
    };
    let accepted = match signer.split_once(':') {
        None if signer == "talos" => {
            let images = images.map_or_else(|| TALOS.parse().map_err(|_| TrustError::Form), Ok)?;
            return Ok(vec![TrustSpec { images: Some(images), accepted: Signer::Talos }]);
        }
        None if signer == "unsigned" => Signer::Unsigned,
        Some(("key", path)) => Signer::Key(key(Path::new(path))?),
        Some(("keyless", claim)) => match claim.split_once('=') {
            Some((issuer, identity)) if !issuer.is_empty() && !identity.is_empty() => Signer::Keyless {
                identity: Matcher::Exact(identity.to_owned()),
                issuer: Matcher::Exact(issuer.to_owned()),
                root: None,
            },
            Some(_) | None => return Err(TrustError::Form),
        },
        Some(_) | None => return Err(TrustError::Form),
    };
    Ok(vec![TrustSpec { images, accepted }])
}

/// Reads a trusted root.
///
/// # Errors
/// When the file is none.
pub fn root(path: &Path) -> Result<Arc<TrustRoot>, TrustError> {
    let root = TrustRoot::from_json(&content(path)?);
    root.map(Arc::new).map_err(|source| TrustError::Root { path: path.to_owned(), source })
}

/// The policy of these items. Identities are proven by `root`, or else by Sigstore's public instance.
///
/// # Errors
/// When they contradict each other.
pub fn policy(specs: Vec<TrustSpec>, root: Option<Arc<TrustRoot>>) -> Result<TrustPolicy, TrustError> {
    // The embedded one is read when somebody needs it.
    let mut common = root;
    let mut rules = Vec::new();
    for TrustSpec { images, accepted } in specs {
        let signer = match accepted {
            Signer::Unsigned => {
                rules.push((images, Accepted::Unsigned));
                continue;
            }
            Signer::Key(key) => TrustedSigner::Key(key),
            Signer::Keyless { identity, issuer, root: own } => {
                let root = own.map_or_else(|| shared(&mut common), Ok)?;
                TrustedSigner::Keyless(Keyless { identity, issuer, root })
            }
            Signer::Talos => TrustedSigner::Keyless(Keyless::talos(shared(&mut common)?)?),
        };
        rules.push((images, Accepted::SignedBy(vec![signer])));
    }
    Ok(TrustPolicy::new(rules)?)
}

fn shared(common: &mut Option<Arc<TrustRoot>>) -> Result<Arc<TrustRoot>, TrustError> {
    if let Some(root) = common {
        return Ok(Arc::clone(root));
    }
    let embedded = Arc::new(TrustRoot::public_good().map_err(TrustError::Embedded)?);
    Ok(Arc::clone(common.insert(embedded)))
}

fn key(path: &Path) -> Result<PublicKey, TrustError> {
    PublicKey::from_pem(&content(path)?).map_err(|source| TrustError::Key { path: path.to_owned(), source })
}

fn content(path: &Path) -> Result<String, TrustError> {
    let failed = |source| TrustError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(failed(io::Error::other(format!("it is longer than {MAX_FILE} bytes"))));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
