//! From what lies beside an image to whether it is trusted.

use std::collections::BTreeMap;

use bytes::Bytes;
use schematics::Digest;

use super::policy::TrustedSigner;
use super::refusal::Finding;
use super::{bundle, evidence, simple};
use crate::reference::ImageRef;
use crate::source::{ImageSource, PullError};

/// Something that may be a signature; nothing of it is checked yet.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// A payload of cosign's, with the annotations that say how it is signed.
    Simple {
        /// What is signed.
        payload: Bytes,
        /// The signature, and the certificate and the log's promise where there are such.
        notes: BTreeMap<String, String>,
    },
    /// A Sigstore bundle.
    Bundle(Bytes),
}

/// Who of `signers` has signed the manifest or index `document`, whose digest is `digest`, in words.
///
/// # Errors
/// What the candidate is instead.
pub fn judge(
    signers: &[TrustedSigner],
    candidate: &Candidate,
    (digest, document): (Digest, &[u8]),
) -> Result<String, Finding> {
    match candidate {
        Candidate::Simple { payload, notes } => simple::judge(signers, (payload, notes), digest),
        Candidate::Bundle(bytes) => bundle::judge(signers, bytes, (digest, document)),
    }
}

/// Looks for signatures of an image until one is good, the tag first, since that takes one request to miss.
pub(super) async fn reach(
    source: &dyn ImageSource,
    image: &ImageRef,
    document: &[u8],
    signers: &[TrustedSigner],
) -> Result<Result<String, Vec<Finding>>, PullError> {
    let mut found = Vec::new();
    let mut weigh = |evidence: evidence::Evidence| {
        found.extend(evidence.unusable);
        let judged = evidence.candidates.iter().map(|one| judge(signers, one, (image.digest, document)));
        for verdict in judged {
            match verdict {
                Ok(by) => return Some(by),
                Err(finding) => found.push(finding),
            }
        }
        None
    };
    if let Some(by) = weigh(evidence::at_tag(source, image).await?) {
        return Ok(Ok(by));
    }
    if let Some(by) = weigh(evidence::referring(source, image).await?) {
        return Ok(Ok(by));
    }
    Ok(Err(found))
}
