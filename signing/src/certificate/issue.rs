//! Making certificates, and asking others for them.

use std::time::Duration;

use der::asn1::{Any, AnyRef, BitStringRef, OctetString, SetOfVec, Uint};
use der::oid::AssociatedOid;
use der::oid::db::{rfc4519::COMMON_NAME, rfc5280::ID_KP_CODE_SIGNING, rfc5912::ID_EXTENSION_REQ};
use der::{DateTime, Decode as _, Encode, Tag, TagNumber};
use schematics::{Blame, Blamed};
use x509_cert::attr::{Attribute, AttributeTypeAndValue};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::time::{Time, Validity};

use super::structure::{RequestInfo, Signed, TbsCertificate, VERSION_3};
use super::{Certificate, CertificateError};
use crate::hash::HashAlgorithm;
use crate::rsa::RsaPublicKey;
use crate::signer::{SignError, Signer, sign};
use crate::{identifiers, pem};

const LABEL: &str = "CERTIFICATE REQUEST";
/// `ub-common-name` of RFC 5280.
const MAX_NAME: usize = 64;
/// How many bytes of a digest make a serial number, and how many a key identifier (RFC 7093).
const SERIAL_LEN: usize = 16;
const IDENTIFIER_LEN: usize = 20;
const HASH: HashAlgorithm = HashAlgorithm::Sha256;

/// What a certificate shall say.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The common name, 1 to 64 characters.
    pub common_name: &'a str,
    /// Since when it is valid, in seconds since 1970.
    pub not_before: u64,
    /// Until when it is valid, in seconds since 1970; before the year 10000.
    pub not_after: u64,
    /// Whether the key may sign certificates, too.
    pub authority: bool,
}

/// Why there is no certificate, or no request for one.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The name does not fit a certificate.
    #[error(
        "`{name}` cannot be the common name of a certificate: expected 1 to {MAX_NAME} printable characters"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The dates are in the wrong order, or none a certificate can have.
    #[error("a certificate cannot be valid from {not_before} to {not_after} (seconds since 1970)")]
    Dates {
        /// When it should begin.
        not_before: u64,
        /// When it should end.
        not_after: u64,
    },
    /// The key did not sign it.
    #[error("the certificate of `{name}` is not signed")]
    Sign {
        /// The common name.
        name: String,
        /// Why.
        #[source]
        source: SignError,
    },
    /// It cannot be written.
    #[error("the certificate cannot be encoded")]
    Encode(#[from] der::Error),
    /// What was written cannot be read.
    #[error("the certificate of `{name}` is not one")]
    Check {
        /// The common name.
        name: String,
        /// Why.
        #[source]
        source: CertificateError,
    },
}

impl Blamed for IssueError {
    fn blame(&self) -> Blame {
        match self {
            Self::Name { .. } | Self::Dates { .. } => Blame::Caller,
            Self::Sign { source, .. } => source.blame(),
            Self::Encode(_) | Self::Check { .. } => Blame::Ours,
        }
    }
}

/// Makes a certificate of the signer's key that the key itself signs, as SecureBoot's databases hold them.
///
/// It may sign code, and other certificates only if it is an authority. The same terms and key have the same certificate
/// for ever: the serial number is made from all the rest.
///
/// # Errors
/// When the terms cannot be, or the key does not sign.
pub async fn self_signed(signer: &dyn Signer, terms: &Terms<'_>) -> Result<Certificate, IssueError> {
    let subject = name(terms.common_name)?;
    let (subject, key) = (AnyRef::from_der(&subject)?, AnyRef::from_der(signer.public_key().to_der())?);
    let mut content = TbsCertificate {
        version: VERSION_3,
        serial: AnyRef::NULL,
        algorithm: identifiers::algorithm(identifiers::of_signature(HASH)),
        issuer: subject,
        validity: validity(terms)?,
        subject,
        key,
        issuer_id: None,
        subject_id: None,
        extensions: Some(extensions(signer.public_key(), terms.authority)?),
    };
    let serial = serial(&content.to_der()?)?;
    content.serial = AnyRef::from_der(&serial)?;
    let der = signed(signer, terms.common_name, &content.to_der()?).await?;
    let failed = |source| IssueError::Check { name: terms.common_name.to_owned(), source };
    Certificate::from_der(&der).map_err(failed)
}

/// A request for a certificate (PKCS#10, RFC 2986).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
}

impl Request {
    /// The bytes.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// A `CERTIFICATE REQUEST` block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write(LABEL, &self.der).to_string()
    }
}

/// Asks for a certificate of the signer's key that may sign code, so that keys that cannot be taken out of their place can be
/// certified by somebody else.
///
/// # Errors
/// When the name does not fit a certificate, or the key does not sign.
pub async fn request(signer: &dyn Signer, common_name: &str) -> Result<Request, IssueError> {
    let subject = name(common_name)?;
    let wanted = extensions(signer.public_key(), false)?;
    let wanted =
        Attribute { oid: ID_EXTENSION_REQ, values: SetOfVec::try_from([Any::encode_from(&wanted)?])? };
    let attributes = SetOfVec::try_from([wanted])?.to_der()?;
    let attributes = AnyRef::from_der(&attributes)?;
    let content = RequestInfo {
        version: 0,
        subject: AnyRef::from_der(&subject)?,
        key: AnyRef::from_der(signer.public_key().to_der())?,
        attributes: AnyRef::new(
            Tag::ContextSpecific { constructed: true, number: TagNumber(0) },
            attributes.value(),
        )?,
    };
    Ok(Request { der: signed(signer, common_name, &content.to_der()?).await? })
}

async fn signed(signer: &dyn Signer, name: &str, content: &[u8]) -> Result<Vec<u8>, IssueError> {
    let failed = |source| IssueError::Sign { name: name.to_owned(), source };
    let signature = sign(signer, &HASH.hash(content)).await.map_err(failed)?;
    let signed = Signed {
        content: AnyRef::from_der(content)?,
        algorithm: identifiers::algorithm(identifiers::of_signature(HASH)),
        signature: BitStringRef::from_bytes(&signature)?,
    };
    Ok(signed.to_der()?)
}

fn name(common_name: &str) -> Result<Vec<u8>, IssueError> {
    let fits = (1..=MAX_NAME).contains(&common_name.chars().count());
    if !fits || common_name.chars().any(char::is_control) {
        return Err(IssueError::Name { name: common_name.to_owned() });
    }
    let value = Any::new(Tag::Utf8String, common_name.as_bytes())?;
    let relative = SetOfVec::try_from([AttributeTypeAndValue { oid: COMMON_NAME, value }])?;
    Ok(vec![relative].to_der()?)
}

fn validity(terms: &Terms<'_>) -> Result<Validity, IssueError> {
    let Terms { not_before, not_after, .. } = *terms;
    let time = |seconds| {
        let date = DateTime::from_unix_duration(Duration::from_secs(seconds));
        date.map(Time::from).map_err(|_| IssueError::Dates { not_before, not_after })
    };
    let (start, end) = (time(not_before)?, time(not_after)?);
    if not_before >= not_after {
        return Err(IssueError::Dates { not_before, not_after });
    }
    Ok(Validity::new(start, end))
}

fn serial(content: &[u8]) -> Result<Vec<u8>, IssueError> {
    let digest = HASH.hash(content);
    // Positive, not 0, and always of the same length.
    let bytes: Vec<u8> =
        std::iter::once(0x40).chain(digest.as_bytes().iter().copied()).take(SERIAL_LEN).collect();
    Ok(Uint::new(&bytes)?.to_der()?)
}

fn extensions(key: &RsaPublicKey, authority: bool) -> Result<Vec<Extension>, IssueError> {
    let usage = KeyUsages::DigitalSignature
        | if authority { KeyUsages::KeyCertSign | KeyUsages::CRLSign } else { None.into() };
    let identifier: Vec<u8> =
        HASH.hash(key.to_pkcs1_der()).as_bytes().iter().copied().take(IDENTIFIER_LEN).collect();
    Ok(vec![
        extension(true, &BasicConstraints { ca: authority, path_len_constraint: None })?,
        extension(true, &KeyUsage(usage))?,
        extension(false, &ExtendedKeyUsage(vec![ID_KP_CODE_SIGNING]))?,
        extension(false, &SubjectKeyIdentifier(OctetString::new(identifier)?))?,
    ])
}

fn extension<T: Encode + AssociatedOid>(critical: bool, content: &T) -> Result<Extension, IssueError> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(content.to_der()?)? })
}
