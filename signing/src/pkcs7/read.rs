//! Reading signed data from anywhere.

use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _, Tag, Tagged as _};
use schematics::{Blame, Blamed};
use x509_cert::attr::Attributes;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::structure::{
    ATTRIBUTES, CONTENT_TYPE, ContentInfo, IssuerAndSerial, MESSAGE_DIGEST, SIGNED_DATA, SignedData,
    SignerInfo, VERSION,
};
use crate::certificate::Certificate;
use crate::hash::{HashAlgorithm, MessageDigest};
use crate::identifiers;
use crate::key::VerifyError;

/// The longest signed data that is read, in bytes. Those of images have two to ten thousand.
pub const MAX_PKCS7: usize = 128 * 1024;
/// Tables of signatures pad with up to seven zeros.
const MAX_PADDING: usize = 7;

/// Why bytes are no signed data that can be checked.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs7ReadError {
    /// Longer than any honest one.
    #[error("the signature has {len} bytes, more than the {MAX_PKCS7} that are read")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// Not of the structure of signed data.
    #[error("the bytes are not a PKCS#7 signature in DER")]
    Structure {
        /// Where they are wrong.
        #[source]
        source: der::Error,
    },
    /// There is something behind it.
    #[error("{len} bytes follow the signature that are no padding")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// Signed data, or its content, of another kind.
    #[error("expected {expected}, but found object {found}")]
    Kind {
        /// What was expected.
        expected: &'static str,
        /// What there is.
        found: ObjectIdentifier,
    },
    /// Of a version with other fields.
    #[error("expected signed data of version {VERSION}, but found version {found}")]
    Version {
        /// The version.
        found: u8,
    },
    /// The content is not in it.
    #[error("the signature does not say what it is about")]
    Detached,
    /// Made with functions firmware does not know, or no longer believes in.
    #[error("expected RSA signatures over SHA-256, SHA-384 or SHA-512, but found object {found}")]
    Algorithm {
        /// What was used.
        found: ObjectIdentifier,
    },
    /// No signer, or several.
    #[error("expected one signer, but found {found}")]
    Signers {
        /// How many.
        found: usize,
    },
    /// A signed attribute that must be there once is not, or is of the wrong form.
    #[error("the signed attribute {attribute} is not there once, or not of its form")]
    Attribute {
        /// Which.
        attribute: ObjectIdentifier,
    },
    /// The certificate of the signer is not there, or not about an RSA key.
    #[error("the signer's certificate is not with the signature, or is not about an RSA key")]
    NoCertificate,
}

impl Blamed for Pkcs7ReadError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

impl From<der::Error> for Pkcs7ReadError {
    fn from(source: der::Error) -> Self {
        Self::Structure { source }
    }
}

/// Signed data that was read; nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    kind: ObjectIdentifier,
    content: Any,
    certificates: Vec<Certificate>,
    signer: Certificate,
    stated: MessageDigest,
    attributes: MessageDigest,
    signature: Vec<u8>,
}

/// Reads a `ContentInfo` that holds signed data with its content and one signer. Padding of up to seven zeros may follow.
///
/// # Errors
/// When it is none, or made in a way firmware does not take. No bytes make it panic.
pub fn read(bytes: &[u8]) -> Result<Signed, Pkcs7ReadError> {
    if bytes.len() > MAX_PKCS7 {
        return Err(Pkcs7ReadError::TooLong { len: bytes.len() });
    }
    let (outer, rest) = ContentInfo::from_der_partial(bytes)?;
    if rest.len() > MAX_PADDING || rest.iter().any(|byte| *byte != 0) {
        return Err(Pkcs7ReadError::Trailing { len: rest.len() });
    }
    if outer.kind != SIGNED_DATA {
        return Err(Pkcs7ReadError::Kind { expected: "signed data", found: outer.kind });
    }
    let data: SignedData<'_> = outer.content.ok_or(Pkcs7ReadError::Detached)?.decode_as()?;
    let [signer] = data.signers.as_slice() else {
        return Err(Pkcs7ReadError::Signers { found: data.signers.len() });
    };
    let info: SignerInfo<'_> = signer.decode_as()?;
    check_versions(&data, info.version)?;
    let (hash, attributes) = signed_attributes(&info)?;
    check_digests(&data, hash)?;
    check_kind(&attributes, data.content.kind)?;
    let certificates = certificates(&data);
    Ok(Signed {
        kind: data.content.kind,
        content: data.content.content.ok_or(Pkcs7ReadError::Detached)?.into(),
        signer: find(&certificates, &info.certificate)?,
        certificates,
        stated: stated(&attributes, hash)?,
        attributes: hash.hash(&AnyRef::new(Tag::Set, info.attributes.value())?.to_der()?),
        signature: info.signature.as_bytes().to_vec(),
    })
}

/// Those of RSA keys: others cannot be the signer's and do not matter.
pub(super) fn certificates(data: &SignedData<'_>) -> Vec<Certificate> {
    let encodings = data.certificates.iter().flat_map(|set| set.iter()).filter_map(|any| any.to_der().ok());
    encodings.filter_map(|der| Certificate::from_der(&der).ok()).collect()
}

pub(super) fn check_versions(data: &SignedData<'_>, signer: u8) -> Result<(), Pkcs7ReadError> {
    let found = if data.version == VERSION { signer } else { data.version };
    if found == VERSION { Ok(()) } else { Err(Pkcs7ReadError::Version { found }) }
}

/// The hash functions are listed in front of the content, for those who read it once: just the signer's.
pub(super) fn check_digests(data: &SignedData<'_>, hash: HashAlgorithm) -> Result<(), Pkcs7ReadError> {
    for listed in data.digests.iter() {
        let listed: AlgorithmIdentifierRef<'_> = listed.decode_as()?;
        if identifiers::digest(&listed) != Some(hash) {
            return Err(Pkcs7ReadError::Algorithm { found: listed.oid });
        }
    }
    Ok(())
}

fn signed_attributes(info: &SignerInfo<'_>) -> Result<(HashAlgorithm, Attributes), Pkcs7ReadError> {
    let hash = hash_of(&info.digest, &info.algorithm)?;
    info.attributes.tag().assert_eq(ATTRIBUTES)?;
    Ok((hash, AnyRef::new(Tag::Set, info.attributes.value())?.decode_as()?))
}

/// The hash function of a signer, of whose `digest` and `signature` algorithms firmware knows both.
pub(super) fn hash_of(
    digest: &AlgorithmIdentifierRef<'_>,
    signature: &AlgorithmIdentifierRef<'_>,
) -> Result<HashAlgorithm, Pkcs7ReadError> {
    let algorithm = |found: &AlgorithmIdentifierRef<'_>| Pkcs7ReadError::Algorithm { found: found.oid };
    let hash = identifiers::digest(digest).ok_or_else(|| algorithm(digest))?;
    if identifiers::is_signature(signature, hash) { Ok(hash) } else { Err(algorithm(signature)) }
}

/// The value of an attribute that is there once and has one value.
fn only(attributes: &Attributes, attribute: ObjectIdentifier) -> Result<&Any, Pkcs7ReadError> {
    let mut found = attributes.iter().filter(|candidate| candidate.oid == attribute);
    match (found.next().map(|found| found.values.as_slice()), found.next()) {
        (Some([value]), None) => Ok(value),
        _ => Err(Pkcs7ReadError::Attribute { attribute }),
    }
}

pub(super) fn check_kind(attributes: &Attributes, kind: ObjectIdentifier) -> Result<(), Pkcs7ReadError> {
    let found: ObjectIdentifier = only(attributes, CONTENT_TYPE)?.decode_as()?;
    if found == kind { Ok(()) } else { Err(Pkcs7ReadError::Attribute { attribute: CONTENT_TYPE }) }
}

pub(super) fn stated(attributes: &Attributes, hash: HashAlgorithm) -> Result<MessageDigest, Pkcs7ReadError> {
    let value: OctetString = only(attributes, MESSAGE_DIGEST)?.decode_as()?;
    MessageDigest::from_bytes(hash, value.as_bytes())
        .ok_or(Pkcs7ReadError::Attribute { attribute: MESSAGE_DIGEST })
}

pub(super) fn find(
    certificates: &[Certificate],
    wanted: &IssuerAndSerial<'_>,
) -> Result<Certificate, Pkcs7ReadError> {
    let (issuer, serial) = (wanted.issuer.to_der()?, wanted.serial.to_der()?);
    let found = certificates.iter().find(|one| one.issuer_der() == issuer && one.serial_der() == serial);
    found.cloned().ok_or(Pkcs7ReadError::NoCertificate)
}

impl Signed {
    /// What kind of thing is signed.
    #[must_use]
    pub const fn kind(&self) -> ObjectIdentifier {
        self.kind
    }

    /// What is signed. Its header is the only part the signature says nothing about.
    #[must_use]
    pub fn content(&self) -> AnyRef<'_> {
        self.content.to_ref()
    }

    /// The certificates of RSA keys it carries, in the order of their encodings.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The one that is meant to be the signer's.
    #[must_use]
    pub const fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// Whether the content is the one the signed attributes name.
    #[must_use]
    pub fn content_fits(&self) -> bool {
        self.stated.algorithm().hash(self.content.value()) == self.stated
    }

    /// Checks that the signer's key signed the attributes.
    ///
    /// # Errors
    /// When it did not.
    pub fn check_signature(&self) -> Result<(), VerifyError> {
        self.signer.public_key().verify(&self.attributes, &self.signature)
    }
}
