//! What a file of keys says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::signers::{AcmArn, SignerSpec};

/// The keys that sign for somebody, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSpec {
    /// Its name, unique in the file: lower-case letters, digits and `-`.
    pub name: String,
    /// Requests that come under the host of this URL get this set. The first set without one is the default.
    pub url: Option<Url>,
    /// What signs programs.
    pub secureboot: SignerSpec,
    /// Where the certificate of that key is; with the key when not given.
    pub certificate: Option<CertificateSpec>,
    /// What signs policies over PCR 11.
    pub pcr: SignerSpec,
    /// Enrolment variables that somebody else signed.
    pub enroll: Option<EnrolmentFiles>,
}

/// Enrolment variables that somebody else signed, all three or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentFiles {
    /// The platform key.
    pub pk: PathBuf,
    /// Who may change what is trusted.
    pub kek: PathBuf,
    /// What is trusted.
    pub db: PathBuf,
}

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSpec {
    /// In a PEM file.
    File(PathBuf),
    /// In AWS Certificate Manager.
    Acm(AcmArn),
}

impl CertificateSpec {
    /// Understands a path that starts at `dir`, or an ARN.
    pub(super) fn parse(text: &str, dir: &Path) -> Result<Self, &'static str> {
        match text {
            arn if arn.starts_with("arn:") => AcmArn::from_str(arn).map(Self::Acm),
            path => Ok(Self::File(dir.join(path))),
        }
    }
}

impl fmt::Display for CertificateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Acm(arn) => arn.fmt(f),
        }
    }
}
