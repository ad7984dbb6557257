//! X.509 certificates (RFC 5280) of RSA keys, as firmware keeps them.

mod issue;
mod structure;

use der::asn1::AnyRef;
use der::{Decode as _, Encode as _};
use schematics::{Blame, Blamed, Digest};
use x509_cert::name::Name;

use crate::hash::MessageDigest;
use crate::identifiers;
use crate::key::KeyError;
use crate::pem;
use crate::rsa::RsaPublicKey;
use structure::{Signed, TbsCertificate};

pub use issue::{IssueError, Request, Terms, request, self_signed};

const LABEL: &str = "CERTIFICATE";
/// The longest certificate that is read, in bytes of DER; those of firmware have one or two thousand.
pub const MAX_CERTIFICATE: usize = 48 * 1024;

/// Why bytes are no certificate that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is no block of the kind that is needed.
    #[error("expected a PEM block `{LABEL}`, but there is none that can be read")]
    Pem,
    /// Longer than any honest one.
    #[error("the certificate has {len} bytes, more than the {MAX_CERTIFICATE} that are read")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// No certificate.
    #[error("the bytes are not an X.509 certificate in DER")]
    Structure {
        /// Where they are wrong.
        #[source]
        source: der::Error,
    },
    /// A certificate of another kind of key.
    #[error("the certificate of `{subject}` is not about an RSA key firmware can use")]
    Key {
        /// Whose it is.
        subject: String,
        /// Why not.
        #[source]
        source: KeyError,
    },
}

impl Blamed for CertificateError {
    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

/// A certificate: who has an RSA key, and who says so.
///
/// It was read, nothing more: its signature, its dates and its extensions are for the caller to judge. Firmware that has it
/// in `db` looks at none of them either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    subject: Vec<u8>,
    issuer_text: String,
    subject_text: String,
    not_before: String,
    not_after: String,
    key: RsaPublicKey,
    signed: Option<MessageDigest>,
    signature: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate in DER, all of the bytes.
    ///
    /// # Errors
    /// When they are none, or not about an RSA key of 2048 to 8192 bits. No bytes make it panic.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong { len: der.len() });
        }
        let structure = |source| CertificateError::Structure { source };
        let signed = Signed::from_der(der).map_err(structure)?;
        let tbs_der = signed.content.to_der().map_err(structure)?;
        let tbs = TbsCertificate::from_der(&tbs_der).map_err(structure)?;
        let subject_text = name_text(tbs.subject).map_err(structure)?;
        let key = tbs.key.to_der().map_err(structure)?;
        let key = RsaPublicKey::from_der(&key)
            .map_err(|source| CertificateError::Key { subject: subject_text.clone(), source })?;
        Ok(Self {
            der: der.to_vec(),
            issuer: tbs.issuer.to_der().map_err(structure)?,
            serial: tbs.serial.to_der().map_err(structure)?,
            subject: tbs.subject.to_der().map_err(structure)?,
            issuer_text: name_text(tbs.issuer).map_err(structure)?,
            subject_text,
            not_before: tbs.validity.not_before.to_string(),
            not_after: tbs.validity.not_after.to_string(),
            key,
            // It is said twice, and only one of them is signed.
            signed: identifiers::signature(&signed.algorithm)
                .filter(|_| signed.algorithm == tbs.algorithm)
                .map(|hash| hash.hash(&tbs_der)),
            signature: signed.signature.as_bytes().unwrap_or_default().to_vec(),
            tbs: tbs_der,
        })
    }

    /// Reads the first `CERTIFICATE` block of a PEM text.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], and when there is none.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let (_, der) = pem::find(text, &[LABEL]).ok_or(CertificateError::Pem)?;
        Self::from_der(&der)
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// A `CERTIFICATE` block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write(LABEL, &self.der).to_string()
    }

    /// Whose key it is, as in RFC 4514: `CN=factory,O=example`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject_text
    }

    /// Who says so, as in RFC 4514.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer_text
    }

    /// The name of the issuer in DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// The serial number in DER, header and all.
    #[must_use]
    pub fn serial_der(&self) -> &[u8] {
        &self.serial
    }

    /// Since when it is valid, in UTC: `2024-02-29T00:00:00Z`.
    #[must_use]
    pub fn not_before(&self) -> &str {
        &self.not_before
    }

    /// Until when it is valid, in UTC.
    #[must_use]
    pub fn not_after(&self) -> &str {
        &self.not_after
    }

    /// The key it is about.
    #[must_use]
    pub const fn public_key(&self) -> &RsaPublicKey {
        &self.key
    }

    /// The SHA-256 of its DER, which is what people publish of certificates.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The digest of the part that is signed, as `dbx` names certificates that are no longer believed (UEFI
    /// `EFI_CERT_X509_SHA256`).
    #[must_use]
    pub fn tbs_digest(&self) -> Digest {
        Digest::of(&self.tbs)
    }

    /// Whether it is about this key.
    #[must_use]
    pub fn belongs_to(&self, key: &RsaPublicKey) -> bool {
        self.key == *key
    }

    /// Whether `issuer` signed it: the names fit, and so does the signature.
    ///
    /// Signatures other than RSASSA-PKCS1-v1_5 over SHA-2 fit nobody.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        let Some(signed) = &self.signed else { return false };
        self.issuer == issuer.subject && issuer.key.verify(signed, &self.signature).is_ok()
    }
}

fn name_text(name: AnyRef<'_>) -> der::Result<String> {
    Ok(Name::from_der(&name.to_der()?)?.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
