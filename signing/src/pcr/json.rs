//! The JSON in a section `.pcrsig`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PCR, POLICY_HASH, PcrSignature, PcrSignatures};
use crate::hash::{HashAlgorithm, MessageDigest};

/// The longest text that is read, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// The most signatures per bank that are read; systemd's tools make one for each of at most five phases.
pub const MAX_SIGNATURES: usize = 256;

/// Why bytes are no signatures of PCR 11 policies.
#[derive(Debug, thiserror::Error)]
pub enum SignaturesError {
    /// Too long to be honest.
    #[error("the PCR signatures have {len} bytes, more than the {MAX_TEXT} that are read")]
    TooLong {
        /// How long they are.
        len: usize,
    },
    /// Too many to be honest.
    #[error(
        "there are {count} PCR signatures for the bank {bank}, more than the {MAX_SIGNATURES} that are read"
    )]
    TooMany {
        /// The bank.
        bank: HashAlgorithm,
        /// How many there are.
        count: usize,
    },
    /// Not the JSON that systemd reads.
    #[error("the PCR signatures are not JSON of the shape systemd reads")]
    Json(#[source] serde_json::Error),
    /// A field has no value it could have.
    #[error("the field `{field}` of a PCR signature for the bank {bank} is not {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// The bank.
        bank: HashAlgorithm,
        /// What it should be.
        expected: &'static str,
    },
}

/// The banks that are read. Others, such as SHA-1's, are skipped.
#[derive(Debug, Deserialize)]
struct Banks {
    #[serde(default)]
    sha256: Vec<Entry>,
    #[serde(default)]
    sha384: Vec<Entry>,
    #[serde(default)]
    sha512: Vec<Entry>,
}

/// One signature.
#[derive(Debug, Deserialize)]
struct Entry {
    pcrs: Vec<u32>,
    pkfp: String,
    pol: String,
    sig: String,
}

impl PcrSignatures {
    /// The content of a section `.pcrsig`: compact, banks and fields in a fixed order, without the NUL or newline that
    /// systemd's reader would refuse in the file the stub makes of the section.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut banks = Map::new();
        for bank in HashAlgorithm::ALL {
            let entries: Vec<Value> =
                self.as_slice().iter().filter(|signature| signature.bank == bank).map(entry).collect();
            if !entries.is_empty() {
                banks.insert(bank.name().to_owned(), entries.into());
            }
        }
        Value::Object(banks).to_string()
    }

    /// Reads the content of a section `.pcrsig`. NULs at its end, which some tools pad sections with, do not count.
    /// Signatures of other registers than PCR 11 are skipped.
    ///
    /// # Errors
    /// When it is too long, or not of the shape systemd reads. No bytes make it panic.
    pub fn from_json(section: &[u8]) -> Result<Self, SignaturesError> {
        if section.len() > MAX_TEXT {
            return Err(SignaturesError::TooLong { len: section.len() });
        }
        let end = section.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = section.get(..end).unwrap_or_default();
        let mut banks: Banks = serde_json::from_slice(text).map_err(SignaturesError::Json)?;
        let mut signatures = Vec::new();
        for bank in HashAlgorithm::ALL {
            let entries = std::mem::take(banks.of(bank));
            if entries.len() > MAX_SIGNATURES {
                return Err(SignaturesError::TooMany { bank, count: entries.len() });
            }
            for entry in entries.iter().filter(|entry| entry.pcrs == [PCR]) {
                signatures.push(entry.read(bank)?);
            }
        }
        Ok(Self(signatures))
    }
}

/// A signature as it is written. Its fields are in the order of the alphabet, which is the order of JSON objects here.
fn entry(signature: &PcrSignature) -> Value {
    json!({
        "pcrs": [PCR],
        "pkfp": signature.fingerprint.hex(),
        "pol": signature.policy.hex(),
        "sig": STANDARD.encode(&signature.signature),
    })
}

impl Banks {
    fn of(&mut self, bank: HashAlgorithm) -> &mut Vec<Entry> {
        match bank {
            HashAlgorithm::Sha256 => &mut self.sha256,
            HashAlgorithm::Sha384 => &mut self.sha384,
            HashAlgorithm::Sha512 => &mut self.sha512,
        }
    }
}

impl Entry {
    fn read(&self, bank: HashAlgorithm) -> Result<PcrSignature, SignaturesError> {
        let digest = |field, text: &str| {
            let expected = "64 hexadecimal digits";
            MessageDigest::from_hex(POLICY_HASH, text).ok_or(SignaturesError::Field { field, bank, expected })
        };
        let signature = STANDARD.decode(&self.sig);
        let expected = "base64";
        Ok(PcrSignature {
            bank,
            fingerprint: digest("pkfp", &self.pkfp)?,
            policy: digest("pol", &self.pol)?,
            signature: signature.map_err(|_| SignaturesError::Field { field: "sig", bank, expected })?,
        })
    }
}
