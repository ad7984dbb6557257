//! The structure of certificates and of requests for them.

use der::Sequence;
use der::asn1::{AnyRef, BitStringRef};
use x509_cert::ext::Extension;
use x509_cert::spki::AlgorithmIdentifierRef;
use x509_cert::time::Validity;

/// The version with extensions; the first one is 0.
pub(super) const VERSION_3: u8 = 2;

/// Something with a signature behind it: `Certificate` of RFC 5280, `CertificationRequest` of RFC 2986.
#[derive(Sequence)]
pub(super) struct Signed<'a> {
    pub(super) content: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitStringRef<'a>,
}

/// `TBSCertificate` of RFC 5280. What must come out as it went in (names, which others compare byte by byte) stays as it is.
#[derive(Sequence)]
pub(super) struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", default = "Default::default")]
    pub(super) version: u8,
    pub(super) serial: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) issuer: AnyRef<'a>,
    pub(super) validity: Validity,
    pub(super) subject: AnyRef<'a>,
    pub(super) key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) issuer_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) subject_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension>>,
}

/// `CertificationRequestInfo` of RFC 2986.
#[derive(Sequence)]
pub(super) struct RequestInfo<'a> {
    pub(super) version: u8,
    pub(super) subject: AnyRef<'a>,
    pub(super) key: AnyRef<'a>,
    /// `[0] IMPLICIT SET OF Attribute`.
    pub(super) attributes: AnyRef<'a>,
}
