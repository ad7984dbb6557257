//! Signatures in Sigstore bundles, version 0.3 and its predecessors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schematics::Digest;
use signing::PublicKey;
use sigstore_verify::types::bundle::{MessageSignature, VerificationMaterialContent};
use sigstore_verify::types::{Bundle, DsseEnvelope, HashAlgorithm, SignatureContent, Statement};

use super::policy::TrustedSigner;
use super::refusal::Finding;
use super::root;

/// How the media types of bundles begin.
pub(super) const MEDIA_TYPES: &str = "application/vnd.dev.sigstore.bundle";
/// The longest bundle that is read, in bytes. Those with whole lists of contents in them are longer, and no signatures.
pub const MAX_BUNDLE: usize = 256 * 1024;
/// The type of the statement with which cosign signs an image.
pub(super) const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The annotation of a referrer that says what its bundle states.
pub(super) const PREDICATE_NOTE: &str = "dev.sigstore.bundle.predicateType";
/// The type of a statement inside an envelope.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// Who of `signers` has signed the image, whose document this is.
pub(super) fn judge(
    signers: &[TrustedSigner],
    bytes: &[u8],
    (digest, document): (Digest, &[u8]),
) -> Result<String, Finding> {
    let unusable = |why: &str| Finding::Unusable(why.to_owned());
    if bytes.len() > MAX_BUNDLE {
        return Err(unusable("the bundle is too long"));
    }
    let bundle: Bundle = serde_json::from_slice(bytes).map_err(|_| unusable("it is no bundle"))?;
    let by = match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(key) => with_key(signers, &bundle, document, &key.hint)?,
        VerificationMaterialContent::Certificate(_)
        | VerificationMaterialContent::X509CertificateChain { .. } => {
            let proven = root::judge(signers, &bundle, document);
            proven.map_err(|finding| told_apart(finding, &bundle.content))?
        }
        _ => return Err(unusable("it is signed in an unknown way")),
    };
    match &bundle.content {
        SignatureContent::MessageSignature(_) => Ok(by),
        SignatureContent::DsseEnvelope(envelope) => states(envelope, digest).map(|()| by),
        _ => Err(unusable("it signs something unknown")),
    }
}

/// Whose key fits. The hint only helps to say whose does not.
fn with_key(
    signers: &[TrustedSigner],
    bundle: &Bundle,
    document: &[u8],
    hint: &str,
) -> Result<String, Finding> {
    for signer in signers {
        if let TrustedSigner::Key(key) = signer
            && fits(key, &bundle.content, document)?
        {
            return Ok(signer.to_string());
        }
    }
    let known = STANDARD.decode(hint).ok().and_then(|id| <[u8; 32]>::try_from(id).ok());
    Err(Finding::UnknownKey(known.map(Digest::from_bytes)))
}

fn fits(key: &PublicKey, content: &SignatureContent, document: &[u8]) -> Result<bool, Finding> {
    match content {
        SignatureContent::DsseEnvelope(envelope) => {
            Ok(key.verify(&envelope.pae(), envelope.signature.sig.as_bytes()).is_ok())
        }
        SignatureContent::MessageSignature(signed) => {
            about(signed, document)?;
            Ok(key.verify(document, signed.signature.as_bytes()).is_ok())
        }
        _ => Ok(false),
    }
}

/// Whether a signature says that it is about these bytes, as far as it says anything. What counts is the signature itself;
/// this tells a signature of something else from one with another key.
fn about(signed: &MessageSignature, document: &[u8]) -> Result<(), Finding> {
    let Some(message) = &signed.message_digest else { return Ok(()) };
    let digest = Digest::of(document);
    if message.algorithm == HashAlgorithm::Sha2256 && message.digest.as_bytes() != digest.as_bytes() {
        return Err(Finding::OtherImage(format!("sha256:{}", message.digest.to_hex())));
    }
    Ok(())
}

/// Says which other image it is, which the verifier does not.
fn told_apart(finding: Finding, content: &SignatureContent) -> Finding {
    match (finding, content) {
        (Finding::OtherImage(_), SignatureContent::MessageSignature(signed)) => {
            let digest = signed.message_digest.as_ref().map(|message| message.digest.to_hex());
            Finding::OtherImage(format!("sha256:{}", digest.unwrap_or_default()))
        }
        (Finding::OtherImage(_), SignatureContent::DsseEnvelope(envelope)) => {
            let statement: Option<Statement> = serde_json::from_slice(envelope.payload.as_bytes()).ok();
            Finding::OtherImage(statement.and_then(|statement| subject(&statement)).unwrap_or_default())
        }
        (finding, _) => finding,
    }
}

fn subject(statement: &Statement) -> Option<String> {
    let first = statement.subject.iter().find_map(|subject| subject.digest.sha256)?;
    Some(format!("sha256:{}", first.to_hex()))
}

/// Whether an envelope, whose signature is good, says that the image is signed.
fn states(envelope: &DsseEnvelope, digest: Digest) -> Result<(), Finding> {
    if envelope.payload_type != STATEMENT {
        return Err(Finding::Statement(envelope.payload_type.clone()));
    }
    let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|_| Finding::Unusable("its statement cannot be read".to_owned()))?;
    let mut subjects = statement.subject.iter().filter_map(|subject| subject.digest.sha256);
    if subjects.all(|subject| subject.as_bytes() != digest.as_bytes()) {
        return Err(Finding::OtherImage(subject(&statement).unwrap_or_default()));
    }
    if statement.predicate_type != SIGNATURE {
        return Err(Finding::Statement(statement.predicate_type));
    }
    Ok(())
}
