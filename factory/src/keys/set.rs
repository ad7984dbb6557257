//! A set of keys whose signers answer.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use builder::plan::CanonicalWriter;
use fs_err as fs;
use schematics::{Blame, Blamed, Digest};
use signing::auth::Variable;
use signing::enrolment::{Enrolment, EnrolmentError, OwnFiles};
use signing::{Certificate, CertificateError, KeyError, RsaKey, Signer};
use url::Url;
use zeroize::Zeroizing;

use super::file::{EnrolmentFiles, Set};

/// The longest file to enrol that is read; a database with all certificates has some kilobytes.
const MAX_AUTH: u64 = 2 << 20;

/// The keys that sign for somebody.
pub struct KeySet {
    name: String,
    url: Option<String>,
    host: Option<String>,
    secureboot: Arc<dyn Signer>,
    certificate: Certificate,
    pcr: Arc<dyn Signer>,
    enrolment: Option<Arc<Enrolment>>,
    identity: Digest,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("name", &self.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Why a set cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenSetError {
    /// A file cannot be read.
    #[error("cannot read a file of it")]
    Read(#[from] io::Error),
    /// A key file has no key that can be used.
    #[error("{path} cannot be used")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A certificate file has none that can be used.
    #[error("{path} cannot be used")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// There is no certificate.
    #[error("there is no certificate for its SecureBoot key: name one as `certificate`")]
    NoCertificate,
    /// The files to enrol are none.
    #[error("its files to enrol cannot be used")]
    Enrolment(#[from] EnrolmentError),
    /// The certificate is for another key.
    #[error("the certificate of {subject} is not for the SecureBoot key: it is for another key")]
    OtherKey {
        /// Whom the certificate is for.
        subject: String,
    },
}

impl Blamed for OpenSetError {
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

impl KeySet {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL under which requests get it, without a slash at its end; `None` for any other.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What signs programs.
    #[must_use]
    pub fn secureboot(&self) -> &dyn Signer {
        self.secureboot.as_ref()
    }

    /// The certificate of the key that signs programs, which firmware is to trust.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What signs policies over PCR 11.
    #[must_use]
    pub fn pcr(&self) -> &dyn Signer {
        self.pcr.as_ref()
    }

    /// Enrolment variables to hand out instead of our own.
    #[must_use]
    pub const fn enrolment(&self) -> Option<&Arc<Enrolment>> {
        self.enrolment.as_ref()
    }

    /// The digest of everything public in it. It decides the bytes of what is signed, so other keys make other images.
    #[must_use]
    pub const fn identity(&self) -> Digest {
        self.identity
    }

    /// Whether it is for requests to a host, as in a `Host` header. Upper and lower case are the same.
    pub(super) fn serves(&self, host: &str) -> bool {
        self.host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host))
    }
}

pub(super) async fn open(set: &Set) -> Result<KeySet, OpenSetError> {
    let secureboot = key(&set.secureboot)?;
    let pcr = key(&set.pcr)?;
    let path = set.certificate.as_deref().ok_or(OpenSetError::NoCertificate)?;
    let certificate = Certificate::from_pem(&fs::read_to_string(path)?)
        .map_err(|source| OpenSetError::Certificate { path: path.to_owned(), source })?;
    if !certificate.belongs_to(secureboot.public_key()) {
        return Err(OpenSetError::OtherKey { subject: certificate.subject().to_owned() });
    }
    let enrolment = set.enroll.as_ref().map(own_enrolment).transpose()?.flatten();
    let identity = identity(&certificate, pcr.as_ref(), enrolment.as_deref());
    let host = set.url.as_ref().and_then(host);
    let url = set.url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    Ok(KeySet { name: set.name.clone(), url, host, secureboot, certificate, pcr, enrolment, identity })
}

fn key(path: &Path) -> Result<Arc<dyn Signer>, OpenSetError> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    let key = RsaKey::from_pem(&text);
    Ok(Arc::new(key.map_err(|source| OpenSetError::Key { path: path.to_owned(), source })?))
}

fn own_enrolment(files: &EnrolmentFiles) -> Result<Option<Arc<Enrolment>>, OpenSetError> {
    let own = OwnFiles { pk: read(&files.pk)?, kek: read(&files.kek)?, db: read(&files.db)? };
    Ok(Enrolment::from_files(own)?.map(Arc::new))
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_AUTH).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn identity(certificate: &Certificate, pcr: &dyn Signer, enrolment: Option<&Enrolment>) -> Digest {
    let mut out = CanonicalWriter::new("factory keys 1");
    out.digests(&[certificate.digest(), pcr.public_key().id().digest()]);
    let own = enrolment.map(|own| Variable::ALL.map(|variable| Digest::of(own.auth(variable))));
    out.digests(own.as_ref().map_or(&[], |digests| digests.as_slice()));
    Digest::of(&out.finish())
}

/// The host, and the port unless it is the usual one: what clients put into `Host`.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}
