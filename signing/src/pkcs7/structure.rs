//! The structure of signed data.

use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetStringRef, SetOfVec};
use der::{Sequence, Tag, TagNumber};
use x509_cert::spki::AlgorithmIdentifierRef;

/// The kind of a `ContentInfo` that holds signed data.
pub(super) const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// The attribute that says what kind of thing is signed.
pub(super) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// The attribute that is the digest of the thing.
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// The version of signed data, and of signers named by issuer and serial number.
pub(super) const VERSION: u8 = 1;
/// How signed attributes are tagged.
pub(super) const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// Something, and what kind of thing it is.
#[derive(Sequence)]
pub(super) struct ContentInfo<'a> {
    pub(super) kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) content: Option<AnyRef<'a>>,
}

/// `SignedData` of RFC 2315.
#[derive(Sequence)]
pub(super) struct SignedData<'a> {
    pub(super) version: u8,
    pub(super) digests: SetOfVec<Any>,
    pub(super) content: ContentInfo<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) revoked: Option<SetOfVec<Any>>,
    pub(super) signers: SetOfVec<Any>,
}

/// Which certificate is meant.
#[derive(Sequence)]
pub(super) struct IssuerAndSerial<'a> {
    pub(super) issuer: AnyRef<'a>,
    pub(super) serial: AnyRef<'a>,
}

/// `SignerInfo` of RFC 2315, with signed attributes.
#[derive(Sequence)]
pub(super) struct SignerInfo<'a> {
    pub(super) version: u8,
    pub(super) certificate: IssuerAndSerial<'a>,
    pub(super) digest: AlgorithmIdentifierRef<'a>,
    /// `[0] IMPLICIT SET OF Attribute`, as it is: its very bytes are signed, with the tag of a set.
    pub(super) attributes: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: &'a OctetStringRef,
    pub(super) unsigned: Option<AnyRef<'a>>,
}

/// Signed attributes of which these are the encodings.
pub(super) fn implicit(attributes: &[u8]) -> der::Result<AnyRef<'_>> {
    AnyRef::new(ATTRIBUTES, attributes)
}
