//! A set of keys whose signers answer.

use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use builder::plan::CanonicalWriter;
use fs_err as fs;
use schematics::{Blame, Blamed, Digest};
use signing::auth::Variable;
use signing::enrolment::{Enrolment, EnrolmentError, OwnFiles};
use signing::{Certificate, CertificateError, KeyId, Signer};
use url::Url;

use super::spec::{CertificateSpec, EnrolmentFiles, SetSpec};
use crate::signers::{self, Access, OpenSignerError, SignerSpec};

/// The longest file that is read; a database with all certificates has some kilobytes.
const MAX_FILE: u64 = 2 << 20;

/// The keys that sign for somebody.
pub struct KeySet {
    name: String,
    url: Option<String>,
    /// How clients may name the host.
    hosts: Option<[String; 2]>,
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
pub enum OpenSetError {
    /// A signer does not open.
    #[error(transparent)]
    Signer(#[from] OpenSignerError),
    /// A file cannot be read.
    #[error("cannot read a file of it")]
    Read(#[from] io::Error),
    /// The certificate is none that firmware could use.
    #[error("the certificate {place} cannot be used")]
    Certificate {
        /// Where it is.
        place: String,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// There is no certificate.
    #[error("there is no certificate with the SecureBoot key {signer}: name one as `certificate`")]
    NoCertificate {
        /// Where the key is.
        signer: SignerSpec,
    },
    /// The files to enrol are none.
    #[error("its files to enrol cannot be used")]
    Enrolment(#[from] EnrolmentError),
    /// The certificate is for another key.
    #[error("the certificate of {subject} is for the key {certified}, but {signer} signs with {signs}")]
    OtherKey {
        /// Whom the certificate is for.
        subject: String,
        /// The key it is for.
        certified: KeyId,
        /// Where the SecureBoot key is.
        signer: String,
        /// The key that is there.
        signs: KeyId,
    },
}

impl Blamed for OpenSetError {
    fn blame(&self) -> Blame {
        match self {
            Self::Signer(error) => error.blame(),
            Self::Read(_)
            | Self::Certificate { .. }
            | Self::NoCertificate { .. }
            | Self::Enrolment(_)
            | Self::OtherKey { .. } => Blame::Ours,
        }
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
        self.hosts.iter().flatten().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// Opens what a file says of a set.
///
/// # Errors
/// All problems of the set at once.
pub(super) async fn open(spec: &SetSpec, access: &Access) -> Result<KeySet, Vec<OpenSetError>> {
    let (secureboot, certificate, pcr) = futures::join!(
        signers::open(&spec.secureboot, access),
        certificate(spec, access),
        signers::open(&spec.pcr, access),
    );
    let mut problems = Vec::new();
    let secureboot = noted(secureboot.map_err(OpenSetError::from), &mut problems);
    let certificate = noted(certificate, &mut problems);
    let pcr = noted(pcr.map_err(OpenSetError::from), &mut problems);
    let enrolment = noted(spec.enroll.as_ref().map(own_enrolment).transpose(), &mut problems);
    let (Some(secureboot), Some(certificate), Some(pcr), Some(enrolment)) =
        (secureboot, certificate, pcr, enrolment)
    else {
        return Err(problems);
    };
    if !certificate.belongs_to(secureboot.public_key()) {
        return Err(vec![OpenSetError::OtherKey {
            subject: certificate.subject().to_owned(),
            certified: certificate.public_key().id(),
            signer: spec.secureboot.to_string(),
            signs: secureboot.public_key().id(),
        }]);
    }
    let enrolment = enrolment.flatten();
    let identity = identity(&certificate, pcr.as_ref(), enrolment.as_deref());
    let hosts = spec.url.as_ref().map(hosts);
    let url = spec.url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    Ok(KeySet { name: spec.name.clone(), url, hosts, secureboot, certificate, pcr, enrolment, identity })
}

fn noted<T>(result: Result<T, OpenSetError>, problems: &mut Vec<OpenSetError>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

async fn certificate(spec: &SetSpec, access: &Access) -> Result<Certificate, OpenSetError> {
    let (text, place) = match &spec.certificate {
        Some(place @ CertificateSpec::File(path)) => {
            (String::from_utf8_lossy(&read(path)?).into_owned(), place.to_string())
        }
        Some(place @ CertificateSpec::Acm(arn)) => {
            (signers::acm_certificate(arn, access).await?, place.to_string())
        }
        None => {
            let found = signers::certificate(&spec.secureboot, access).await?;
            let missing = || OpenSetError::NoCertificate { signer: spec.secureboot.clone() };
            (found.ok_or_else(missing)?, spec.secureboot.to_string())
        }
    };
    Certificate::from_pem(&text).map_err(|source| OpenSetError::Certificate { place, source })
}

fn own_enrolment(files: &EnrolmentFiles) -> Result<Option<Arc<Enrolment>>, OpenSetError> {
    let own =
        OwnFiles { pk: Some(read(&files.pk)?), kek: Some(read(&files.kek)?), db: Some(read(&files.db)?) };
    Ok(Enrolment::from_files(own)?.map(Arc::new))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn identity(certificate: &Certificate, pcr: &dyn Signer, enrolment: Option<&Enrolment>) -> Digest {
    let mut out = CanonicalWriter::new("factory keys 1");
    out.digests(&[certificate.digest(), pcr.public_key().id().digest()]);
    let own = enrolment.map(|own| Variable::ALL.map(|variable| Digest::of(own.auth(variable))));
    out.digests(own.as_ref().map_or(&[], |digests| digests.as_slice()));
    Digest::of(&out.finish())
}

/// The host, and the port unless it is the usual one: what most clients put into `Host`.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn hosts(url: &Url) -> [String; 2] {
    let port = url.port_or_known_default().unwrap_or_default();
    [host(url), format!("{}:{port}", url.host_str().unwrap_or_default())]
}
