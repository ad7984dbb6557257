//! Signed data of PKCS#7 (RFC 2315), the envelope of what firmware believes: images and variables.
//!
//! Of the many forms it can have, one is written: a single signer, named by issuer and serial number, with its certificate
//! and with signed attributes, RSASSA-PKCS1-v1_5 over SHA-256, and no signing time, so that the same content, key and
//! certificate have the same bytes for ever.

mod detached;
mod read;
mod structure;

use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetStringRef, SetOfVec};
use der::{Decode as _, Encode as _};
use schematics::{Blame, Blamed};
use x509_cert::attr::{Attribute, Attributes};

use crate::certificate::Certificate;
use crate::hash::{HashAlgorithm, MessageDigest};
use crate::identifiers;
use crate::key::KeyId;
use crate::signer::{SignError, Signer, sign as sign_digest};
use structure::{
    CONTENT_TYPE, ContentInfo, IssuerAndSerial, MESSAGE_DIGEST, SIGNED_DATA, SignedData, SignerInfo, VERSION,
};

pub use detached::{Detached, read_detached};
pub use read::{MAX_PKCS7, Pkcs7ReadError, Signed, read};

/// Plain bytes, as the kind of a content.
pub(crate) const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// What a signature is about.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// What kind of thing it is.
    pub kind: ObjectIdentifier,
    /// The thing in DER, header and all; `None` when the reader has it from elsewhere.
    pub embedded: Option<&'a [u8]>,
    /// The SHA-256 of the thing; of an embedded one without its header.
    pub digest: &'a MessageDigest,
}

/// Why there is no signed data.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs7Error {
    /// The certificate is about another key.
    #[error("the certificate of `{subject}` is about key {certified}, but key {key} is to sign")]
    Certificate {
        /// Whose certificate it is.
        subject: String,
        /// The key it is about.
        certified: KeyId,
        /// The key that would sign.
        key: KeyId,
    },
    /// Digests of this function are not signed here.
    #[error("expected a SHA-256 digest to sign, but got {digest}")]
    Digest {
        /// The digest.
        digest: MessageDigest,
    },
    /// The key did not sign.
    #[error("the key of `{subject}` did not sign")]
    Sign {
        /// Whose certificate it is.
        subject: String,
        /// Why.
        #[source]
        source: SignError,
    },
    /// It cannot be written.
    #[error("the signed data cannot be encoded")]
    Encode(#[from] der::Error),
}

impl Blamed for Pkcs7Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Sign { source, .. } => source.blame(),
            Self::Certificate { .. } | Self::Digest { .. } | Self::Encode(_) => Blame::Ours,
        }
    }
}

/// Signs `content`: a `SignedData` in DER.
///
/// # Errors
/// When the certificate is not about the signer's key, the digest is no SHA-256, or the key does not sign.
pub async fn signed_data(
    signer: &dyn Signer,
    certificate: &Certificate,
    content: &Content<'_>,
) -> Result<Vec<u8>, Pkcs7Error> {
    let (key, subject) = (signer.public_key(), certificate.subject());
    if !certificate.belongs_to(key) {
        let certified = certificate.public_key().id();
        return Err(Pkcs7Error::Certificate { subject: subject.to_owned(), certified, key: key.id() });
    }
    if content.digest.algorithm() != HashAlgorithm::Sha256 {
        return Err(Pkcs7Error::Digest { digest: *content.digest });
    }
    let attributes = attributes(content)?.to_der()?;
    let failed = |source| Pkcs7Error::Sign { subject: subject.to_owned(), source };
    let signature = sign_digest(signer, &HashAlgorithm::Sha256.hash(&attributes)).await.map_err(failed)?;
    Ok(encode(certificate, content, &attributes, &signature)?)
}

/// A `ContentInfo` around a `SignedData`, which is how it stands alone.
///
/// # Errors
/// When `signed_data` is not DER.
pub fn content_info(signed_data: &[u8]) -> Result<Vec<u8>, Pkcs7Error> {
    let content = AnyRef::from_der(signed_data)?;
    Ok(ContentInfo { kind: SIGNED_DATA, content: Some(content) }.to_der()?)
}

/// A detached signature of `message` (CMS, RFC 5652), as it stands in a file beside it: what `openssl cms -verify` takes.
///
/// # Errors
/// As [`signed_data`].
pub async fn sign_detached(
    signer: &dyn Signer,
    certificate: &Certificate,
    message: &[u8],
) -> Result<Vec<u8>, Pkcs7Error> {
    let digest = HashAlgorithm::Sha256.hash(message);
    let content = Content { kind: DATA, embedded: None, digest: &digest };
    content_info(&signed_data(signer, certificate, &content).await?)
}

fn attributes(content: &Content<'_>) -> der::Result<Attributes> {
    let digest = OctetStringRef::new(content.digest.as_bytes())?;
    let kind = SetOfVec::try_from([Any::encode_from(&content.kind)?])?;
    let digest = SetOfVec::try_from([Any::encode_from(&digest)?])?;
    SetOfVec::try_from([
        Attribute { oid: CONTENT_TYPE, values: kind },
        Attribute { oid: MESSAGE_DIGEST, values: digest },
    ])
}

fn encode(
    certificate: &Certificate,
    content: &Content<'_>,
    attributes: &[u8],
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let hash = identifiers::algorithm(identifiers::of_digest(HashAlgorithm::Sha256));
    let signer = SignerInfo {
        version: VERSION,
        certificate: IssuerAndSerial {
            issuer: AnyRef::from_der(certificate.issuer_der())?,
            serial: AnyRef::from_der(certificate.serial_der())?,
        },
        digest: hash,
        attributes: structure::implicit(AnyRef::from_der(attributes)?.value())?,
        algorithm: identifiers::algorithm(identifiers::RSA),
        signature: OctetStringRef::new(signature)?,
        unsigned: None,
    };
    SignedData {
        version: VERSION,
        digests: SetOfVec::try_from([Any::encode_from(&hash)?])?,
        content: ContentInfo {
            kind: content.kind,
            content: content.embedded.map(AnyRef::from_der).transpose()?,
        },
        certificates: Some(SetOfVec::try_from([Any::from_der(certificate.to_der())?])?),
        revoked: None,
        signers: SetOfVec::try_from([Any::encode_from(&signer)?])?,
    }
    .to_der()
}
