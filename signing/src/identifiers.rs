//! Object identifiers of hash functions and of signatures.

use der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::hash::HashAlgorithm;

/// Signatures with RSA (PKCS#1), whatever the hash function.
pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// The identifier `oid` with the parameter all of these have: NULL.
pub(crate) const fn algorithm(oid: ObjectIdentifier) -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid, parameters: Some(AnyRef::NULL) }
}

/// How a hash function is called.
pub(crate) const fn of_digest(hash: HashAlgorithm) -> ObjectIdentifier {
    match hash {
        HashAlgorithm::Sha256 => SHA256,
        HashAlgorithm::Sha384 => SHA384,
        HashAlgorithm::Sha512 => SHA512,
    }
}

/// How an RSASSA-PKCS1-v1_5 signature over a digest is called.
pub(crate) const fn of_signature(hash: HashAlgorithm) -> ObjectIdentifier {
    match hash {
        HashAlgorithm::Sha256 => RSA_SHA256,
        HashAlgorithm::Sha384 => RSA_SHA384,
        HashAlgorithm::Sha512 => RSA_SHA512,
    }
}

/// The hash function that is called so, without parameters.
pub(crate) fn digest(found: &AlgorithmIdentifierRef<'_>) -> Option<HashAlgorithm> {
    HashAlgorithm::ALL.into_iter().find(|hash| of_digest(*hash) == found.oid && is_plain(found))
}

/// The hash function of the RSASSA-PKCS1-v1_5 signature that is called so.
pub(crate) fn signature(found: &AlgorithmIdentifierRef<'_>) -> Option<HashAlgorithm> {
    HashAlgorithm::ALL.into_iter().find(|hash| of_signature(*hash) == found.oid && is_plain(found))
}

/// Whether a signature with `hash` may be called so: after RSA alone, or after both.
pub(crate) fn is_signature(found: &AlgorithmIdentifierRef<'_>, hash: HashAlgorithm) -> bool {
    (found.oid == RSA || found.oid == of_signature(hash)) && is_plain(found)
}

/// Without parameters: some write NULL, some nothing.
fn is_plain(found: &AlgorithmIdentifierRef<'_>) -> bool {
    found.parameters.is_none_or(AnyRef::is_null)
}
