//! Authenticode: the signatures of UEFI programs.
//!
//! What is signed is a digest of the program that leaves out what signing changes; making it is the business of those who
//! have the program. The signature is signed data (PKCS#7) over a small structure that holds the digest, and lies behind
//! the program in a table. See Microsoft's "Windows Authenticode Portable Executable Signature Format" and the UEFI
//! specification, "Secure Boot and Driver Signing".

mod table;

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Sequence};
use schematics::{Blame, Blamed, Digest};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::certificate::Certificate;
use crate::hash::{HashAlgorithm, MessageDigest};
use crate::identifiers;
use crate::key::VerifyError;
use crate::pkcs7::{self, Content, Pkcs7Error, Pkcs7ReadError, Signed};
use crate::signer::Signer;

pub use table::{Entry, MAX_ENTRIES, MAX_TABLE, TABLE_ALIGNMENT, TableError, entries, table};

/// The kind of what is signed: `SpcIndirectDataContent`.
const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SpcAttributeTypeAndOptionalValue` in DER: the kind `SpcPeImageData`, no flags, and as its file the text
/// `<<<Obsolete>>>`, which every signer writes there.
const PE_IMAGE_DATA: [u8; 53] = [
    0x30, 0x33, // SEQUENCE
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01,
    0x0f, // OBJECT 1.3.6.1.4.1.311.2.1.15
    0x30, 0x25, // SEQUENCE
    0x03, 0x01, 0x00, // BIT STRING, empty
    0xa0, 0x20, 0xa2, 0x1e, 0x80, 0x1c, // [0] file, [2] string, [0] BMPString
    0, b'<', 0, b'<', 0, b'<', 0, b'O', 0, b'b', 0, b's', 0, b'o', 0, b'l', 0, b'e', 0, b't', 0, b'e', 0,
    b'>', 0, b'>', 0, b'>',
];
/// How many certificates may lie between a signer and whom one trusts.
const MAX_CHAIN: usize = 8;

/// `SpcIndirectDataContent`.
#[derive(Sequence)]
struct IndirectData<'a> {
    data: AnyRef<'a>,
    digest: DigestInfo<'a>,
}

#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    digest: &'a OctetStringRef,
}

/// Signs the program with this Authenticode digest: a PKCS#7 `ContentInfo` in DER. The same digest, key and certificate
/// have the same bytes for ever, since no time is in it.
///
/// # Errors
/// When the certificate is not about the signer's key, the digest is no SHA-256, or the key does not sign.
pub async fn sign(
    signer: &dyn Signer,
    certificate: &Certificate,
    digest: &MessageDigest,
) -> Result<Vec<u8>, Pkcs7Error> {
    if digest.algorithm() != HashAlgorithm::Sha256 {
        return Err(Pkcs7Error::Digest { digest: *digest });
    }
    let content = indirect_data(digest)?;
    let inner = AnyRef::from_der(&content)?.value();
    let content =
        Content { kind: INDIRECT_DATA, embedded: Some(&content), digest: &HashAlgorithm::Sha256.hash(inner) };
    pkcs7::content_info(&pkcs7::signed_data(signer, certificate, &content).await?)
}

fn indirect_data(digest: &MessageDigest) -> der::Result<Vec<u8>> {
    let algorithm = identifiers::algorithm(identifiers::of_digest(digest.algorithm()));
    let digest = DigestInfo { algorithm, digest: OctetStringRef::new(digest.as_bytes())? };
    IndirectData { data: AnyRef::from_der(&PE_IMAGE_DATA)?, digest }.to_der()
}

/// A signature of a program that was read; nothing in it is believed before [`verify`] has said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    digest: MessageDigest,
    signed: Signed,
}

impl Signature {
    /// The digest of the program it claims to be about.
    #[must_use]
    pub const fn digest(&self) -> &MessageDigest {
        &self.digest
    }

    /// The certificate that is meant to be the signer's.
    #[must_use]
    pub const fn signer(&self) -> &Certificate {
        self.signed.signer()
    }

    /// All certificates of RSA keys that are with it, the signer's among them.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        self.signed.certificates()
    }
}

/// Reads the signature of a program, from anywhere. Padding of up to seven zeros may follow.
///
/// # Errors
/// When it is none, or made in a way firmware does not take. No bytes make it panic.
pub fn read(bytes: &[u8]) -> Result<Signature, Pkcs7ReadError> {
    let signed = pkcs7::read(bytes)?;
    if signed.kind() != INDIRECT_DATA {
        return Err(Pkcs7ReadError::Kind { expected: "the signature of a program", found: signed.kind() });
    }
    let content: IndirectData<'_> = signed.content().decode_as()?;
    let found = content.digest.algorithm.oid;
    let digest = identifiers::digest(&content.digest.algorithm)
        .and_then(|hash| MessageDigest::from_bytes(hash, content.digest.digest.as_bytes()))
        .ok_or(Pkcs7ReadError::Algorithm { found })?;
    Ok(Signature { digest, signed })
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The program is not the one that was signed.
    #[error("another program was signed: the one with digest {signed}")]
    Program {
        /// The digest that was signed.
        signed: MessageDigest,
    },
    /// The digest in the signature is not the one that was signed.
    #[error("the signature was changed: its content is not what `{subject}` signed")]
    Content {
        /// Whose signature it claims to be.
        subject: String,
    },
    /// Made with another key than that of the certificate, or changed.
    #[error("the signature is not one of `{subject}`")]
    Signature {
        /// Whose signature it claims to be.
        subject: String,
        /// With which key.
        #[source]
        source: VerifyError,
    },
    /// Whoever signed is not the one who is trusted, nor certified by them.
    #[error("`{subject}` signed, who is not certified by certificate {trusted}")]
    Untrusted {
        /// Who signed.
        subject: String,
        /// The certificate that is trusted.
        trusted: Digest,
    },
}

impl Blamed for SignatureError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

/// Checks that `signature` is one over the program with Authenticode digest `digest` by whom `trusted` certifies: its own
/// key, or one it certified, directly or through certificates that are with the signature. Dates and extensions do not
/// matter, as they do not to firmware.
///
/// # Errors
/// When it is not, with the first reason found.
pub fn verify(
    signature: &Signature,
    digest: &MessageDigest,
    trusted: &Certificate,
) -> Result<(), SignatureError> {
    let (signer, signed) = (signature.signer(), &signature.signed);
    let subject = || signer.subject().to_owned();
    if signature.digest != *digest {
        return Err(SignatureError::Program { signed: signature.digest });
    }
    if !signed.content_fits() {
        return Err(SignatureError::Content { subject: subject() });
    }
    signed.check_signature().map_err(|source| SignatureError::Signature { subject: subject(), source })?;
    if is_certified(signer, signed.certificates(), trusted) {
        return Ok(());
    }
    Err(SignatureError::Untrusted { subject: subject(), trusted: trusted.digest() })
}

fn is_certified(signer: &Certificate, between: &[Certificate], trusted: &Certificate) -> bool {
    let mut current = signer;
    for _ in 0..MAX_CHAIN {
        if current == trusted || current.is_issued_by(trusted) {
            return true;
        }
        let Some(next) = between.iter().find(|one| *one != current && current.is_issued_by(one)) else {
            break;
        };
        current = next;
    }
    false
}

#[cfg(test)]
mod tests;
