//! What is signed, and by whom.

use builder::measure::{BankDigests, Prediction};
use builder::predict::kernel_boot;
use signing::authenticode::{self, Entry};
use signing::pcr::{self, PcrSignatures};
use signing::{Certificate, RsaPublicKey};

use super::InspectError;
use super::profiles::{self, Owned};
use super::report::{self, PcrKey, PcrSignature, Program, Signature};

/// What is told of a certificate.
pub(super) fn certificate(certificate: &Certificate) -> report::Certificate {
    report::Certificate {
        subject: certificate.subject().to_owned(),
        issuer: certificate.issuer().to_owned(),
        not_before: certificate.not_before().to_owned(),
        not_after: certificate.not_after().to_owned(),
        fingerprint: certificate.digest().hex(),
    }
}

/// The signatures in a table, and the certificates of those that are valid for the program with these digests.
pub(super) fn of_program(
    path: &str,
    table: &[u8],
    digests: Option<&BankDigests>,
) -> Result<(Vec<Signature>, Vec<Certificate>), InspectError> {
    let entries = authenticode::entries(table)
        .map_err(|source| InspectError::Table { path: path.to_owned(), source })?;
    let (mut reports, mut signers) = (Vec::new(), Vec::new());
    for bytes in entries.iter().filter_map(Entry::pkcs7) {
        let signature = authenticode::read(bytes)
            .map_err(|source| InspectError::Signature { path: path.to_owned(), source })?;
        let signer = signature.signer();
        let others = signature.certificates().iter().filter(|other| *other != signer);
        let verdict = digests.map(|digests| {
            let digest = digests.get(signature.digest().algorithm());
            authenticode::verify(&signature, digest, signer)
        });
        if let Some(Ok(())) = verdict {
            signers.push(signer.clone());
            signers.extend(others.clone().cloned());
        }
        reports.push(Signature {
            signer: certificate(signer),
            chain: others.map(certificate).collect(),
            valid: verdict.as_ref().map(Result::is_ok),
            problem: verdict.and_then(Result::err).map(|error| error.to_string()),
        });
    }
    Ok((reports, signers))
}

/// What is told of the key in a section `.pcrpkey`; nothing when it is no RSA key.
pub(super) fn pcr_key(pem: &str) -> Option<PcrKey> {
    let key = RsaPublicKey::from_pem(pem).ok()?;
    Some(PcrKey { fingerprint: pcr::fingerprint(&key).hex(), id: key.id().digest().hex() })
}

/// Puts the signed policies of each profile into the report. Policies that cannot be read are left out.
pub(super) fn of_policies(program: &mut Program, sections: &[Owned], predictions: &[Prediction]) {
    let key = sections.iter().find(|section| section.name == ".pcrpkey").and_then(Owned::as_text);
    let key = key.and_then(|pem| RsaPublicKey::from_pem(&pem).ok());
    let policies = profiles::policies(sections);
    for (place, (profile, section)) in program.profiles.iter_mut().zip(policies).enumerate() {
        let Some(bytes) = section else { continue };
        let read = match PcrSignatures::from_json(bytes) {
            Ok(read) => read,
            Err(error) => {
                profile.pcr_problem = Some(error.to_string());
                continue;
            }
        };
        let report = |signature: &pcr::PcrSignature| PcrSignature {
            bank: signature.bank.name(),
            key: signature.fingerprint.hex(),
            valid: key.as_ref().is_some_and(|key| signature.verify(key).is_ok()),
            phase: predictions.get(place).and_then(|prediction| phase_of(signature, prediction)),
        };
        profile.pcr_signatures = read.as_slice().iter().map(report).collect();
    }
}

/// After which phases the register has the value that `signature` lets in.
fn phase_of(signature: &pcr::PcrSignature, prediction: &Prediction) -> Option<String> {
    let values = kernel_boot(None, prediction).values;
    values.into_iter().find(|value| signature.covers(value.digests.get(signature.bank)))?.phase
}
