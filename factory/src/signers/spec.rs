//! How the place of a private key is written.

mod token;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use token::{PinSource, TokenUri};

/// Where a private key is: one URI, in the spelling that other tools of the field use for the same place.
///
/// | | |
/// |---|---|
/// | `pem:FILE`, or only a path | a PEM file, PKCS#1 or PKCS#8 |
/// | `pkcs11:token=…;object=…?module-path=…` | a token (RFC 7512) |
/// | `awskms://[ENDPOINT]/KEY` | AWS KMS: a key id, `alias/NAME`, or the ARN of either |
/// | `azurekms://HOST/KEY[/VERSION]` | Azure Key Vault |
/// | `gcpkms://projects/…/cryptoKeys/KEY/cryptoKeyVersions/N` | Google Cloud KMS |
/// | `hashivault://[MOUNT/]KEY` | the transit engine of HashiCorp Vault or OpenBao |
/// | `signerd:///SOCKET` | a signing daemon of Talos' `SignerService` on a unix socket |
///
/// Its text can be logged: it never shows a PIN, and the other places take their credentials from elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub enum SignerSpec {
    /// A PEM file.
    Pem(PathBuf),
    /// A key in a token.
    Pkcs11(Box<TokenUri>),
    /// A key of AWS KMS.
    Aws {
        /// The host and port of another service than that of the region.
        endpoint: Option<String>,
        /// Its id, alias or ARN.
        key: String,
    },
    /// A key of Azure Key Vault.
    Azure {
        /// The host and port of the vault.
        host: String,
        /// Its name.
        key: String,
        /// Its version; the newest when the signer is opened if not given.
        version: Option<String>,
    },
    /// A key version of Google Cloud KMS, `projects/…/cryptoKeyVersions/N`.
    Gcp(String),
    /// A key of a transit engine.
    Vault {
        /// Where the engine is mounted.
        mount: Option<String>,
        /// Its name.
        key: String,
    },
    /// The socket of a signing daemon.
    Signerd(PathBuf),
}

/// Why a text names no place for a key. Never repeats the text, which may contain a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerSpecError {
    /// Nobody keeps keys there.
    #[error(
        "there is no signer `{scheme}:`; expected `pem:`, `pkcs11:`, `awskms:`, `azurekms:`, `gcpkms:`, `hashivault:` or `signerd:`"
    )]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// The part after the scheme is not what this kind of place needs.
    #[error("expected `{expected}`")]
    Form {
        /// The form.
        expected: &'static str,
    },
    /// A signing daemon is asked for over a network.
    #[error("a signing daemon is only talked to over a unix socket: expected `signerd:///PATH`")]
    Network,
    /// An attribute of a token URI that is unknown, given twice, or has a value it cannot have.
    #[error("the attribute `{name}` of the token: {problem}")]
    Attribute {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
}

const AWS: &str = "awskms://[ENDPOINT]/KEY";
const AZURE: &str = "azurekms://HOST/KEY[/VERSION]";
const GCP: &str =
    "gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY/cryptoKeyVersions/VERSION";
const VAULT: &str = "hashivault://[MOUNT/]KEY";

impl FromStr for SignerSpec {
    type Err = SignerSpecError;

    fn from_str(text: &str) -> Result<Self, SignerSpecError> {
        let Some((scheme, rest)) = scheme(text) else { return pem(text) };
        let form = |expected| SignerSpecError::Form { expected };
        let authority = |expected| rest.strip_prefix("//").ok_or_else(|| form(expected));
        match scheme {
            "pem" => pem(rest),
            "pkcs11" => Ok(Self::Pkcs11(Box::new(rest.parse()?))),
            "awskms" => aws(authority(AWS)?).ok_or_else(|| form(AWS)),
            "azurekms" => azure(authority(AZURE)?).ok_or_else(|| form(AZURE)),
            "gcpkms" => gcp(authority(GCP)?).ok_or_else(|| form(GCP)),
            "hashivault" => vault(authority(VAULT)?).ok_or_else(|| form(VAULT)),
            "signerd" => signerd(rest),
            _ => Err(SignerSpecError::Scheme { scheme: scheme.to_owned() }),
        }
    }
}

/// What stands before the first colon, unless it can only be part of a path.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let plausible =
        scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    plausible.then_some((scheme, rest))
}

fn pem(path: &str) -> Result<SignerSpec, SignerSpecError> {
    if path.is_empty() {
        return Err(SignerSpecError::Form { expected: "pem:FILE" });
    }
    Ok(SignerSpec::Pem(path.into()))
}

fn aws(rest: &str) -> Option<SignerSpec> {
    let (endpoint, key) = rest.split_once('/')?;
    let endpoint = (!endpoint.is_empty()).then(|| endpoint.to_owned());
    clean(key).then(|| SignerSpec::Aws { endpoint, key: key.to_owned() })
}

fn azure(rest: &str) -> Option<SignerSpec> {
    let mut parts = rest.split('/');
    let (host, key, version) = (parts.next()?, parts.next()?, parts.next());
    let fits = parts.next().is_none() && [Some(host), Some(key), version].into_iter().flatten().all(clean);
    fits.then(|| SignerSpec::Azure {
        host: host.to_owned(),
        key: key.to_owned(),
        version: version.map(ToOwned::to_owned),
    })
}

fn gcp(rest: &str) -> Option<SignerSpec> {
    let parts: Vec<&str> = rest.split('/').collect();
    let [projects, project, locations, location, rings, ring, keys, key, versions, version] =
        parts.as_slice()
    else {
        return None;
    };
    let words = (*projects, *locations, *rings, *keys) == ("projects", "locations", "keyRings", "cryptoKeys");
    // Both are in use: the first is the API's, the second is cosign's.
    let words = words && matches!(*versions, "cryptoKeyVersions" | "versions");
    let names = [project, location, ring, key, version].into_iter().all(|name| clean(name));
    (words && names).then(|| {
        SignerSpec::Gcp(format!(
            "projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{key}/cryptoKeyVersions/{version}"
        ))
    })
}

fn vault(rest: &str) -> Option<SignerSpec> {
    let (mount, key) = match rest.rsplit_once('/') {
        Some((mount, key)) => (Some(mount.to_owned()), key),
        None => (None, rest),
    };
    let fits = clean(key) && mount.as_deref().is_none_or(clean);
    fits.then(|| SignerSpec::Vault { mount, key: key.to_owned() })
}

fn signerd(rest: &str) -> Result<SignerSpec, SignerSpecError> {
    match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') && path.len() > 1 => Ok(SignerSpec::Signerd(path.into())),
        Some(_) | None => Err(SignerSpecError::Network),
    }
}

/// Whether a name can stand in a URL as it is. It also keeps `?` and `#` from changing what a request means.
fn clean(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@+[]".contains(&byte);
    !name.is_empty()
        && name.bytes().all(allowed)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl SignerSpec {
    /// The same place when the text was written in a file of this directory.
    #[must_use]
    pub fn relative_to(self, dir: &Path) -> Self {
        match self {
            Self::Pem(path) => Self::Pem(dir.join(path)),
            other => other,
        }
    }
}

impl fmt::Display for SignerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(path) => write!(f, "pem:{}", path.display()),
            Self::Pkcs11(uri) => write!(f, "pkcs11:{uri}"),
            Self::Aws { endpoint, key } => {
                write!(f, "awskms://{}/{key}", endpoint.as_deref().unwrap_or_default())
            }
            Self::Azure { host, key, version: None } => write!(f, "azurekms://{host}/{key}"),
            Self::Azure { host, key, version: Some(version) } => {
                write!(f, "azurekms://{host}/{key}/{version}")
            }
            Self::Gcp(version) => write!(f, "gcpkms://{version}"),
            Self::Vault { mount: None, key } => write!(f, "hashivault://{key}"),
            Self::Vault { mount: Some(mount), key } => write!(f, "hashivault://{mount}/{key}"),
            Self::Signerd(path) => write!(f, "signerd://{}", path.display()),
        }
    }
}

impl fmt::Debug for SignerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
