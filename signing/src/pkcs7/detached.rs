//! Reading signed data whose content is elsewhere, as in updates of UEFI variables.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::attr::Attributes;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::read::{self, MAX_PKCS7, Pkcs7ReadError};
use super::structure::{ContentInfo, IssuerAndSerial, SIGNED_DATA, SignedData};
use crate::certificate::Certificate;
use crate::hash::{HashAlgorithm, MessageDigest};
use crate::key::VerifyError;

/// `SignerInfo` of RFC 2315, with signed attributes or without.
#[derive(Sequence)]
struct SignerInfo<'a> {
    version: u8,
    certificate: IssuerAndSerial<'a>,
    digest: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    attributes: Option<Attributes>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: &'a OctetStringRef,
    unsigned: Option<AnyRef<'a>>,
}

/// Signed data that was read, about something that is elsewhere; nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    signer: Certificate,
    hash: HashAlgorithm,
    attributes: Option<SignedAttributes>,
    signature: Vec<u8>,
}

/// What is signed in place of the content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SignedAttributes {
    stated: MessageDigest,
    digest: MessageDigest,
}

/// Reads a `SignedData` with one signer and without its content, which is of this `kind`. A `ContentInfo` around it, which
/// some tools write and firmware puts up with, does not count.
///
/// # Errors
/// When it is none, or made in a way firmware does not take. No bytes make it panic.
pub fn read_detached(bytes: &[u8], kind: ObjectIdentifier) -> Result<Detached, Pkcs7ReadError> {
    if bytes.len() > MAX_PKCS7 {
        return Err(Pkcs7ReadError::TooLong { len: bytes.len() });
    }
    match ContentInfo::from_der(bytes) {
        Ok(outer) if outer.kind == SIGNED_DATA => {
            let inner = outer.content.ok_or(Pkcs7ReadError::Detached)?;
            read_signed_data(&inner.decode_as()?, kind)
        }
        _ => read_signed_data(&SignedData::from_der(bytes)?, kind),
    }
}

fn read_signed_data(data: &SignedData<'_>, kind: ObjectIdentifier) -> Result<Detached, Pkcs7ReadError> {
    let [signer] = data.signers.as_slice() else {
        return Err(Pkcs7ReadError::Signers { found: data.signers.len() });
    };
    if data.content.kind != kind || data.content.content.is_some() {
        return Err(Pkcs7ReadError::Kind { expected: "data that is elsewhere", found: data.content.kind });
    }
    let info: SignerInfo<'_> = signer.decode_as()?;
    read::check_versions(data, info.version)?;
    let hash = read::hash_of(&info.digest, &info.algorithm)?;
    read::check_digests(data, hash)?;
    let attributes = match &info.attributes {
        None => None,
        Some(attributes) => {
            read::check_kind(attributes, kind)?;
            let digest = hash.hash(&attributes.to_der()?);
            Some(SignedAttributes { stated: read::stated(attributes, hash)?, digest })
        }
    };
    let signer = read::find(&read::certificates(data), &info.certificate)?;
    Ok(Detached { signer, hash, attributes, signature: info.signature.as_bytes().to_vec() })
}

impl Detached {
    /// The certificate that is meant to be the signer's.
    #[must_use]
    pub const fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// Checks that the signer's key signed `content`.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, content: &[u8]) -> Result<(), VerifyError> {
        let (key, digest) = (self.signer.public_key(), self.hash.hash(content));
        match &self.attributes {
            None => key.verify(&digest, &self.signature),
            Some(attributes) if attributes.stated == digest => {
                key.verify(&attributes.digest, &self.signature)
            }
            Some(_) => Err(VerifyError { key: key.id() }),
        }
    }
}
